"""Calling a customer back: the button's form, and how far the call is.

Other views draw the button by `call_button` of call_back_macros.html. What it sends comes back as
what stands around it, with a new key: the same form twice is one call.
"""

from aiohttp import web

from pbx_bridge.call_back import Refused, Wish
from pbx_bridge.core.number import parse
from pbx_bridge.core.roles import Role
from pbx_bridge.store import call_backs, consents
from pbx_bridge.store.call_backs import CallBackRecord
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get, post

#: Digits of a task's id.
_LONGEST_ID = 12


async def place(visit: Visit) -> web.StreamResponse:
    """Have the PBX ring the visitor, and then the customer."""
    form = await visit.form()
    wish = Wish(
        key=form["key"],
        number=form["number"],
        task_id=_id(form["task"]),
        user=visit.who.name,
        extension=visit.who.extension,
    )
    answer = await visit.inside.call_backs.call(
        wish,
        lambda tx, made: visit.audit(tx, "call_back.place", made.number, f"from {made.extension}"),
    )
    if isinstance(answer, Refused):
        return await _refused(visit, wish, answer)
    if visit.wants_part:
        return await _state(visit, answer)
    return visit.to(f"/call-back/{answer.row_id}")


async def show(visit: Visit) -> web.StreamResponse:
    """Show how far a call back is."""
    row_id = int(visit.request.match_info["call"])
    record = await visit.inside.db.read(lambda tx: call_backs.get(tx, row_id))
    if record is None:
        raise web.HTTPNotFound
    return await _state(visit, record)


async def _refused(visit: Visit, wish: Wish, refused: Refused) -> web.Response:
    """Say why nobody is rung."""
    known = parse(wish.number, visit.inside.rules().country)
    number = known.e164 if known is not None else ""
    return await _answer(
        visit, number=number, task=wish.task_id, record=None, refused=refused, status=422
    )


async def _state(visit: Visit, record: CallBackRecord) -> web.Response:
    return await _answer(
        visit, number=record.number, task=record.task_id, record=record, refused=None, status=200
    )


async def _answer(  # noqa: PLR0913 - what the templates need
    visit: Visit,
    *,
    number: str,
    task: int | None,
    record: CallBackRecord | None,
    refused: Refused | None,
    status: int,
) -> web.Response:
    facts = {"number": number, "task": task, "record": record, "refused": refused}
    if visit.wants_part:
        return visit.part("call_back_state.html", status=status, **facts)
    opted_out = await visit.inside.db.read(lambda tx: consents.opted_out(tx, number))
    return visit.page(
        "call_back.html",
        status=status,
        title=visit.gettext("Call back"),
        name="" if record is None else record.name,
        no_texts=opted_out is not None,
        **facts,
    )


def _id(text: str) -> int | None:
    usable = text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID
    return int(text) if usable else None


ROUTES = (
    post("/call-back", place, Role.AGENT),
    get(r"/call-back/{call:\d{1,12}}", show, Role.VIEWER),
)
