"""Calling customers back: the PBX rings a colleague's phone first, then the customer."""

import hashlib
from datetime import datetime

from pydantic import Field

from pbx_bridge.call_back import Refused, Wish
from pbx_bridge.core.call_back import CallBackOutcome, CallBackState
from pbx_bridge.core.call_back import Refusal as Why
from pbx_bridge.core.roles import Role
from pbx_bridge.store import call_backs as stored
from pbx_bridge.store.call_backs import CallBackRecord
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.problems import Refusal, no_such
from pbx_bridge.web.api.sending import OnlyOnce
from pbx_bridge.web.api.shapes import Asked, Given, Line, Row, WholeId
from pbx_bridge.web.frame import Visit

#: What is wrong with the request, and not with the moment.
_SENSELESS = {Why.NO_EXTENSION, Why.NO_NUMBER, Why.OWN_NUMBER, Why.COUNTRY, Why.COSTLY}
_WORDS = {
    Why.NOT_CONFIGURED: "nobody can be called back: [pbx.call_back] is not configured",
    Why.NO_EXTENSION: "no extension to ring; digits are wanted, such as 101",
    Why.NO_NUMBER: "no number that can be called; write it as +12125550143",
    Why.UNKNOWN_NUMBER: "no task, contact or call has this number; only known ones are called",
    Why.OWN_NUMBER: "the office's own number",
    Why.COUNTRY: "a country that is not in allowed_countries",
    Why.COSTLY: "a number that costs more than a call, such as premium rate",
    Why.CUSTOMER_BUSY: "somebody is calling this customer just now",
    Why.COLLEAGUE_BUSY: "a call back of this colleague, or on this phone, is under way",
    Why.KEY_REUSED: "the Idempotency-Key was used for another call; take a new one for each",
}


class CallBackWanted(Asked):
    """Whom to call, from which phone."""

    number: Line = Field(description="the customer's", examples=["+12125550143"])
    extension: str = Field(
        default="",
        pattern=r"^[0-9]{0,10}$",
        description="the phone that rings first; who is logged in has one in their profile",
        examples=["101"],
    )
    task: WholeId | None = Field(default=None, description="that it is about")


class CallBackShown(Given):
    """How far a call back is."""

    id: int
    pbx: str
    number: str
    name: str
    line: str = Field(description="that the customer had called")
    task: int | None
    by: str
    extension: str
    state: CallBackState
    asked_at: datetime
    outcome: CallBackOutcome | None = Field(description="null while it is under way")


@operation("POST", "/call-backs", Role.AGENT, tag="call-backs", status=201, refuses=(409, 422))
async def place_call_back(visit: Visit, header: OnlyOnce, body: CallBackWanted) -> CallBackShown:
    """Call a customer back.

    Real phones ring: first the colleague's, then, once that is answered, the customer's. The same
    Idempotency-Key again rings nobody, and gives the call that it began.
    """
    wish = Wish(
        key=_key(visit, header.idempotency_key),
        number=body.number,
        task_id=body.task,
        user=visit.who.name,
        extension=body.extension if visit.who.by_token else visit.who.extension,
    )
    answer = await visit.inside.call_backs.call(
        wish,
        lambda tx, made: visit.audit(tx, "call_back.place", made.number, f"from {made.extension}"),
    )
    if isinstance(answer, Refused):
        status = 422 if answer.why in _SENSELESS else 409
        said = _WORDS[answer.why] + (f" ({answer.about})" if answer.about else "")
        raise Refusal(status, f"{answer.why.value}: {said}")
    return _shown(answer)


@operation("GET", "/call-backs/{id}", Role.VIEWER, tag="call-backs", refuses=(404,))
async def call_back(visit: Visit, path: Row) -> CallBackShown:
    """Tell how far a call back is."""
    found = await visit.inside.db.read(lambda tx: stored.get(tx, path.id))
    if found is None:
        raise no_such("call back", path.id)
    return _shown(found)


def _key(visit: Visit, given: str) -> str:
    return hashlib.sha256(f"api\0{visit.who.name}\0{given}".encode()).hexdigest()


def _shown(record: CallBackRecord) -> CallBackShown:
    progress = record.progress
    return CallBackShown(
        id=record.row_id,
        pbx=record.pbx,
        number=record.number,
        name=record.name,
        line=record.line,
        task=record.task_id,
        by=record.user,
        extension=record.extension,
        state=progress.state,
        asked_at=progress.wanted_at,
        outcome=progress.outcome,
    )


OPERATIONS = (place_call_back, call_back)
