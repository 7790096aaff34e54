"""Missed calls: who still waits, what was done about it, and what to do now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.core.clocks import instant
from pbx_bridge.core.roles import Role
from pbx_bridge.core.snoozing import Choice, choices
from pbx_bridge.core.task import LONGEST_NOTE, ClosedHow, Task, signed
from pbx_bridge.store import call_backs as call_backs_stored
from pbx_bridge.store import inbox, tasks
from pbx_bridge.store.call_backs import CallBackRecord
from pbx_bridge.store.inbox import CallerRow, Counts, Which
from pbx_bridge.store.tasks import AnotherIsOpen
from pbx_bridge.web import words
from pbx_bridge.web.back import back
from pbx_bridge.web.frame import Form, Visit
from pbx_bridge.web.routes import get, post

#: Callers on a page.
PAGE = 30
#: Characters that somebody may look for.
LONGEST_SEARCH = 80


_Read = tuple[list[CallerRow], dict[str, CallBackRecord], Counts, Task | None]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address asks for."""

    which: Which
    wanted: str
    page: int

    @classmethod
    def of(cls, visit: Visit) -> "_Asked":
        query = visit.query
        which = query.get("which", "")
        page = query.get("page", "")
        return cls(
            which=Which(which) if which in list(Which) else Which.OPEN,
            wanted=query.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH],
            page=min(int(page), 10_000) if page.isascii() and page.isdigit() and page[:5] else 1,
        )

    def path(self) -> str:
        """Give the path that asks the same."""
        given = {
            "which": self.which if self.which is not Which.OPEN else "",
            "q": self.wanted,
            "page": self.page if self.page > 1 else "",
        }
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/missed?{query}" if query else "/missed"


async def missed(visit: Visit) -> web.Response:
    """List missed callers."""
    asked = _Asked.of(visit)
    asked = replace(asked, page=max(asked.page, 1))
    me, now = visit.who.name, visit.now

    def read(tx: Connection) -> _Read:
        found = inbox.rows(
            tx,
            asked.which,
            now=now,
            owner=me,
            wanted=asked.wanted,
            skipped=(asked.page - 1) * PAGE,
            limit=PAGE + 1,
        )
        return found, called_back(tx, found), inbox.counts(tx, me, now), closed_lately(tx, visit)

    found, call_backs, counts, closed = await visit.inside.db.read(read)
    facts: dict[str, Any] = {
        "title": visit.gettext("Missed calls"),
        "rows": found[:PAGE],
        "call_backs": call_backs,
        "asked": asked,
        "counts": counts,
        "closed": closed,
        "here": asked.path(),
        "newer": visit.url(replace(asked, page=asked.page - 1).path()) if asked.page > 1 else "",
        "older": visit.url(replace(asked, page=asked.page + 1).path()) if len(found) > PAGE else "",
        "which_path": lambda which: replace(asked, which=which, page=1).path(),
        **about_rows(visit),
    }
    if visit.wants_part:
        return visit.part("missed_rows.html", **facts)
    return visit.page("missed.html", **facts)


def called_back(tx: Connection, rows: Sequence[CallerRow]) -> dict[str, CallBackRecord]:
    """Give the last call back to each caller of a list."""
    return call_backs_stored.latest_of_numbers(tx, {row.task.recipient for row in rows})


def about_rows(visit: Visit) -> dict[str, Any]:
    """Give what templates need besides the rows themselves."""
    return {
        "words": words,
        "choices": snooze_choices(visit),
        "may_work": visit.who.role.may(Role.AGENT),
        "longest_note": LONGEST_NOTE,
    }


def snooze_choices(visit: Visit) -> list[Choice]:
    """Give what a task can be put off to now, by the office's hours."""
    rules = visit.inside.rules()
    return choices(visit.now, rules.hours.office, visit.office_zone)


def closed_lately(tx: Connection, visit: Visit) -> Task | None:
    """Find the task whose closing may be undone, as the address names it."""
    named = visit.query.get("undo", "")
    if not (named.isascii() and named.isdigit() and len(named) < 18):  # noqa: PLR2004 - 64 bit
        return None
    task = tasks.get(tx, int(named))
    return task if task is not None and task.closed_how is ClosedHow.BY_HAND else None


# -- what can be done ---------------------------------------------------------------------------


async def claim(visit: Visit) -> web.Response:
    """Take a task: others see who has it, and its alerts end."""
    me = visit.who.name
    return await _change(
        visit,
        "task.claim",
        lambda tx, task_id: tasks.assign(tx, task_id, me, visit.now),
        visit.gettext("You have it."),
    )


async def leave(visit: Visit) -> web.Response:
    """Let somebody else have a task."""
    return await _change(
        visit,
        "task.leave",
        lambda tx, task_id: tasks.assign(tx, task_id, "", visit.now),
        visit.gettext("It is nobody's now."),
    )


async def close(visit: Visit) -> web.Response:
    """Close a task by hand, as `pbx-bridge tasks close` does: its follow-up ends with it."""
    form = await visit.form()
    said, me = form["note"], visit.who.name
    line = signed(said, me, visit.now, visit.office_zone) if said else ""
    endings = visit.inside.endings
    return await _change(
        visit,
        "task.close",
        lambda tx, task_id: endings.close_by_hand(tx, task_id, visit.now, by=me, note=line),
        "",
        form=form,
        detail=said,
        undo=True,
    )


async def snooze(visit: Visit) -> web.Response:
    """Put a task off: until then it is not overdue."""
    form = await visit.form()
    until = _until(visit, form)
    if until is None or until <= visit.now:
        return visit.to(
            back(form["back"], "/missed"),
            notice=visit.gettext("Choose a time that is still to come."),
        )
    return await _change(
        visit,
        "task.snooze",
        lambda tx, task_id: tasks.snooze(tx, task_id, until, visit.now, visit.who.name),
        visit.gettext("It is put off."),
        form=form,
        detail=f"until {until:%Y-%m-%d %H:%M} UTC",
    )


async def note(visit: Visit) -> web.Response:
    """Add a line to the notes on a task."""
    form = await visit.form()
    said = form["note"]
    if not said:
        return visit.to(
            back(form["back"], "/missed"), notice=visit.gettext("There is nothing in the note.")
        )
    line = signed(said, visit.who.name, visit.now, visit.office_zone)
    return await _change(
        visit,
        "task.note",
        lambda tx, task_id: tasks.note(tx, task_id, line, visit.now),
        visit.gettext("Noted."),
        form=form,
        detail=said,
    )


async def reopen(visit: Visit) -> web.Response:
    """Open a task again that has ended, due at once; what was cancelled with it stays so."""
    expires_after = visit.inside.config().tasks.expires_after
    now = visit.now
    try:
        return await _change(
            visit,
            "task.reopen",
            lambda tx, task_id: tasks.reopen(
                tx, task_id, now, due_at=now, expires_at=now + expires_after
            ),
            visit.gettext("It is open again. Texts that were cancelled stay cancelled."),
        )
    except AnotherIsOpen:
        form = await visit.form()
        return visit.to(
            back(form["back"], "/missed"),
            notice=visit.gettext("They have called again since: that task is open."),
        )


async def _change(  # noqa: PLR0913 - what is done, and what is said about it
    visit: Visit,
    action: str,
    write: Callable[[Connection, int], Task | None],
    notice: str,
    *,
    form: Form | None = None,
    detail: str = "",
    undo: bool = False,
) -> web.Response:
    """Change a task, write down who did, and go back to where the form was."""
    form = form or await visit.form()
    task_id = int(visit.request.match_info["task"])

    def work(tx: Connection) -> Task | None:
        task = write(tx, task_id)
        if task is not None:
            visit.audit(tx, action, task.recipient or f"task {task_id}", detail)
        return task

    task = await visit.inside.db.run(work)
    path = back(form["back"], "/missed")
    if task is None:
        return visit.to(
            path, notice=visit.gettext("Somebody was quicker: it is not open any more.")
        )
    visit.inside.told()
    if undo:
        path += ("&" if "?" in path else "?") + f"undo={task_id}"
    return visit.to(path, notice=notice)


def _until(visit: Visit, form: Form) -> datetime | None:
    """Read until when to put off: one of the choices, or a time of the viewer's clock."""
    chosen = form["until"]
    for choice in snooze_choices(visit):
        if choice.until == chosen:
            return choice.at
    try:
        written = datetime.fromisoformat(form["at"])
    except ValueError:
        return None
    if written.tzinfo is not None:
        return None
    try:
        return instant(written.date(), written.time(), visit.zone)
    except (OverflowError, ValueError):  # the edges of the calendar
        return None


_TASK = r"/missed/{task:\d{1,18}}"

ROUTES = (
    get("/missed", missed),
    post(f"{_TASK}/claim", claim),
    post(f"{_TASK}/leave", leave),
    post(f"{_TASK}/close", close),
    post(f"{_TASK}/snooze", snooze),
    post(f"{_TASK}/note", note),
    post(f"{_TASK}/reopen", reopen),
)
