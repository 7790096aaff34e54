"""One thread with one customer: calls, texts, e-mails, voicemail and notes; and writing to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge import writing
from pbx_bridge.core.composing import Composed, Suggestion
from pbx_bridge.core.number import normalise
from pbx_bridge.core.pricing import from_micros
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.core.task import Task
from pbx_bridge.core.text import LONGEST, clean
from pbx_bridge.store import call_backs, consents, followups, inbox, messages, notes, threads
from pbx_bridge.store.call_backs import CallBackRecord
from pbx_bridge.store.consents import ConsentKind, ConsentRecord
from pbx_bridge.store.followups import StepRecord
from pbx_bridge.store.inbox import CallerRow
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.store.threads import Mark, Page, Party
from pbx_bridge.web.consent import write_down
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get, post
from pbx_bridge.web.views.missed import about_rows, closed_lately
from pbx_bridge.web.words import SKIPS
from pbx_bridge.writing import NotAgain, Refused

#: Entries on a page.
PAGE = 50
#: Characters of how a wish is known; the API takes as many.
LONGEST_EVIDENCE = 1000
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a page shows, read in one transaction."""

    who: Party
    page: Page
    waiting: list[StepRecord]
    rows: list[CallerRow]
    call_backs: Mapping[str, CallBackRecord]
    closed: Task | None  #: whose closing may be undone
    opted_out: ConsentRecord | None
    again: frozenset[int]  #: messages that may be sent again
    composed: Composed
    suggestions: list[Suggestion]
    texts_today: int


async def conversation(visit: Visit) -> web.Response:
    """Show a thread, the newest at its end."""
    number = _number(visit)
    if number != visit.request.match_info["number"]:
        query = visit.request.query_string
        return visit.to(_path(number) + (f"?{query}" if query else ""))
    if visit.wants_part:
        found = await _read(visit, number, "")
        return visit.part("conversation_thread.html", **_facts(visit, found))
    return await _page(visit, number)


async def preview(visit: Visit) -> web.Response:
    """Say how a text would go out and what it costs; without a script, on the page itself."""
    form = await visit.form()
    number, draft = _number(visit), form["body"]
    if form["insert"]:
        draft = await _with_suggestion(visit, number, draft, form["template"])
    if visit.wants_part:
        rules, now = visit.inside.rules(), visit.now
        composed = await visit.inside.db.read(
            lambda tx: writing.draft(tx, rules, number, draft, now)
        )
        return visit.part("conversation_preview.html", **_preview(visit, composed))
    return await _page(visit, number, draft=draft, shown=True)


async def send(visit: Visit) -> web.Response:
    """Queue a text; what cannot go is shown again, with the reason and nothing lost."""
    form = await visit.form()
    number, draft, key = _number(visit), form["body"], form["key"]
    rules, now, me = visit.inside.rules(), visit.now, visit.who.name
    if not (0 < len(key) <= 64 and key.isascii()):  # noqa: PLR2004 - as the column has it
        key = visit.inside.new_key()

    def work(tx: Connection) -> MessageRecord:
        message_id = writing.send(tx, rules, number, draft, now, key=key, by=me)
        row = messages.existing(tx, message_id)
        visit.audit(tx, "message.write", row.to, f"message {message_id}, {row.segments} segments")
        return row

    try:
        row = await visit.inside.db.run(work)
    except Refused:
        return await _page(visit, number, draft=draft, status=422, shown=True)
    except StoreUnavailable as problem:
        return await _page(visit, number, draft=draft, status=503, problem=str(problem))
    visit.inside.queued()
    return visit.to(f"{_path(number)}?{urlencode({'sent': row.message_id})}#body",
                    notice=_went(visit, row))  # fmt: skip


async def again(visit: Visit) -> web.Response:
    """Send a text that failed once more: a message of its own, that is seen in the thread."""
    number, message_id = _number(visit), int(visit.request.match_info["message"])
    rules, now, me = visit.inside.rules(), visit.now, visit.who.name

    def work(tx: Connection) -> MessageRecord:
        row = messages.existing(tx, writing.again(tx, rules, message_id, now, by=me))
        visit.audit(tx, "message.again", row.to, f"message {message_id} as {row.message_id}")
        return row

    try:
        row = await visit.inside.db.run(work)
    except NotAgain:
        notice = visit.gettext("That text cannot be sent again, or was already.")
        return visit.to(f"{_path(number)}#body", notice=notice)
    except Refused as refused:
        return visit.to(f"{_path(number)}#body", notice=_refusal(visit, refused.composed))
    visit.inside.queued()
    return visit.to(f"{_path(number)}#body", notice=_went(visit, row))


async def note(visit: Visit) -> web.Response:
    """Write a note for the others."""
    form = await visit.form()
    number, words = _number(visit), form["note"]
    me, now = visit.who.name, visit.now

    def work(tx: Connection) -> None:
        contact = threads.party(tx, number).contact
        row = None if contact is None else contact.row_id
        notes.add(tx, number=number, contact=row, text=words, who=me, now=now)
        visit.audit(tx, "note.add", number)

    try:
        await visit.inside.db.run(work)
    except ValueError:
        wrong = visit.gettext("A note has at least one and at most %d characters.") % notes.LONGEST
        return await _page(visit, number, noted=words, status=422, wrong_note=wrong)
    return visit.to(f"{_path(number)}#body", notice=visit.gettext("Noted."))


async def opt_out(visit: Visit) -> web.Response:
    """Put the number on the list: its owner told somebody here to send no more texts."""
    return await _said_of_texts(
        visit,
        ConsentKind.OPT_OUT,
        visit.gettext("No more texts go to this number. What was under way for it has ended."),
    )


async def opt_in(visit: Visit) -> web.Response:
    """Take the number off the list: its owner asked for texts again, and somebody says how."""
    return await _said_of_texts(
        visit, ConsentKind.OPT_IN, visit.gettext("Texts may go to this number again.")
    )


async def _said_of_texts(visit: Visit, kind: ConsentKind, notice: str) -> web.Response:
    number, evidence = _number(visit), clean((await visit.form())["evidence"])
    if normalise(number, visit.inside.rules().country) is None:
        raise web.HTTPNotFound
    if not 0 < len(evidence) <= LONGEST_EVIDENCE:
        wrong = visit.gettext("Say who asked for it, when and how, in at most %d characters.")
        wrong %= LONGEST_EVIDENCE
        return await _page(visit, number, evidence=evidence, status=422, wrong_evidence=wrong)
    endings, by = visit.inside.endings, visit.who.name

    def work(tx: Connection) -> bool:
        is_news = write_down(tx, endings, number, kind, evidence, now=visit.now, by=by)
        if is_news:
            visit.audit(tx, f"{kind.value}.add", number)
        return is_news

    if not await visit.inside.db.run(work):
        notice = visit.gettext("That is so already.")
    visit.inside.told()
    return visit.to(f"{_path(number)}#texts", notice=notice)


# -- what the page shows ------------------------------------------------------------------------


async def _page(  # noqa: PLR0913 - what was sent, and what is wrong with it
    visit: Visit,
    number: str,
    *,
    draft: str = "",
    noted: str = "",
    status: int = 200,
    shown: bool = False,
    problem: str = "",
    wrong_note: str = "",
    evidence: str = "",
    wrong_evidence: str = "",
) -> web.Response:
    found = await _read(visit, number, draft)
    return visit.page(
        "conversation.html",
        status=status,
        draft=draft,
        noted=noted,
        shown=shown,
        problem=problem,
        wrong_note=wrong_note,
        evidence=evidence,
        wrong_evidence=wrong_evidence,
        most_in_evidence=LONGEST_EVIDENCE,
        key=visit.inside.new_key(),
        sent="sent" in visit.query,
        most_in_note=notes.LONGEST,
        suggestions=found.suggestions,
        texts_today=found.texts_today,
        limit=visit.inside.rules().limits.per_number_per_day,
        **(_facts(visit, found) | _preview(visit, found.composed)),
    )


async def _read(visit: Visit, number: str, draft: str) -> _Found:
    rules, now = visit.inside.rules(), visit.now
    before = Mark.read(visit.query.get("before", ""))

    def read(tx: Connection) -> _Found:
        who = threads.party(tx, number)
        page = threads.page(tx, who, now=now, before=before, limit=PAGE)
        sent = [entry.what for entry in page.entries if isinstance(entry.what, MessageRecord)]
        return _Found(
            call_backs=call_backs.latest_of_numbers(tx, who.numbers),
            who=who,
            page=page,
            waiting=followups.waiting_for(tx, who.addresses),
            rows=inbox.of_numbers(tx, who.numbers),
            closed=closed_lately(tx, visit),
            opted_out=consents.opted_out(tx, number),
            again=writing.may_go_again(tx, sent),
            composed=writing.draft(tx, rules, number, draft, now),
            suggestions=writing.suggested(tx, rules, number, now),
            texts_today=messages.count_to(tx, number, now - DAY),
        )

    return await visit.inside.db.read(read)


def _facts(visit: Visit, found: _Found) -> dict[str, Any]:
    contact, number = found.who.contact, found.who.number
    older = f"{_path(number)}?{urlencode({'before': str(found.page.older)})}"
    query = visit.request.query_string if "before" in visit.query else ""
    known = about_rows(visit)
    return known | {
        "title": (contact.contact.name if contact else "") or number,
        "number": number,
        "who": found.who,
        "contact": contact,
        "entries": found.page.entries,
        "older": visit.url(older) if found.page.older else "",
        "is_newest": "before" not in visit.query,
        "waiting": found.waiting,
        "rows": found.rows,
        "call_backs": found.call_backs,
        "closed": found.closed,
        "opted_out": found.opted_out,
        "again": found.again,
        "here": _path(number),
        "thread_url": visit.url(_path(number) + (f"?{query}" if query else "")),
        "price": _price(visit),
    }


def _preview(visit: Visit, composed: Composed) -> dict[str, Any]:
    return {
        "composed": composed,
        "refusal": _refusal(visit, composed),
        "price": _price(visit),
        "longest": LONGEST,
    }


def _price(visit: Visit) -> Callable[[int], str]:
    """Give how amounts are written: with all their digits, a text costs a cent or less."""
    currency = visit.inside.config().spending.currency

    def spelt(micros: int) -> str:
        return f"{from_micros(micros).normalize():f} {currency}"

    return spelt


def _refusal(visit: Visit, composed: Composed) -> str:
    """Say in words why a text cannot go; empty if it can, or only its words are wrong."""
    objection = composed.objection
    if objection is None:
        return ""
    said = _translated(visit, SKIPS.get(objection.reason, ""))
    # When they opted out stands on the page already, in the viewer's own zone.
    if not said or objection.reason is SkipReason.OPTED_OUT:
        return said or visit.told(objection.detail)
    return f"{said} ({visit.told(objection.detail)})"


def _translated(visit: Visit, text: str) -> str:
    return visit.gettext(text) if text else ""  # "" is the catalogue's own head


def _went(visit: Visit, row: MessageRecord) -> str:
    if row.shadow:
        return visit.gettext("Shadow mode: the text is written down, and not sent.")
    if row.due_at > visit.now:
        there = row.due_at.astimezone(visit.zone)
        return visit.gettext("It goes out at %s.") % f"{there:%Y-%m-%d %H:%M}"
    return visit.gettext("It is on its way.")


async def _with_suggestion(visit: Visit, number: str, draft: str, name: str) -> str:
    """Add a text of the configuration to what is written already."""
    rules, now = visit.inside.rules(), visit.now
    known = await visit.inside.db.read(lambda tx: writing.suggested(tx, rules, number, now))
    chosen = next((one.body for one in known if one.name == name), "")
    return "\n".join(part for part in (draft, chosen) if part)


def _number(visit: Visit) -> str:
    """Give the number that the address names: in E.164 if it is one, else as the PBX gave it."""
    named = visit.request.match_info["number"]
    return normalise(named, visit.inside.rules().country) or named


def _path(number: str) -> str:
    return f"/conversation/{quote(number, safe='+')}"


_WHO = "/conversation/{number:[^/]{1,64}}"

ROUTES = (
    get(_WHO, conversation),
    post(f"{_WHO}/preview", preview),
    post(f"{_WHO}/send", send),
    post(f"{_WHO}/note", note),
    post(f"{_WHO}/opt-out", opt_out),
    post(f"{_WHO}/opt-in", opt_in),
    post(rf"{_WHO}/again/{{message:\d{{1,18}}}}", again),
)
