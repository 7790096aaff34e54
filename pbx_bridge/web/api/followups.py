"""Follow-ups: what is under way for which caller, step by step."""

from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection

from pbx_bridge.core.follow_up import FollowUpState, PlannedState
from pbx_bridge.core.roles import Role
from pbx_bridge.core.sequence import Action
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.objects.followups import follow_up_object
from pbx_bridge.store import followups as stored
from pbx_bridge.store.paging import Mark
from pbx_bridge.web.api import cursors
from pbx_bridge.web.api.doing import change, e164
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.problems import Refusal
from pbx_bridge.web.api.shapes import Asked, Flag, Given, Line, PageAsked
from pbx_bridge.web.frame import Visit


class PlannedStep(Given):
    """A step, and what became of it."""

    name: str
    action: Action
    due_at: datetime
    state: PlannedState
    reason: str = Field(description="why it was not done; empty if it was, or waits")
    detail: str
    message: int | None = Field(description="the message that it sent")


class FollowUp(Given):
    """What is done about the missed calls of one caller."""

    follow_up: int = Field(description="its id")
    call: int | None = Field(description="the first of the calls")
    recipient: str
    line: str
    rule: str = Field(description="that asked for it")
    sequence: str
    calls: int
    opened_at: datetime
    state: FollowUpState
    is_open: bool
    reason: str = Field(description="why it was stopped")
    detail: str
    held_out: bool = Field(description="not written to, to learn what difference that makes")
    steps: list[PlannedStep]


class FollowUpPage(Given):
    """Follow-ups, the newest first."""

    items: list[FollowUp]
    next: str | None = Field(description="`cursor` of the page that follows; null: there is none")


class FollowUpsAsked(PageAsked):
    """Which follow-ups."""

    caller: Line | None = Field(default=None, description="only of this number")
    open: Flag = Field(default=False, description="only those that go on")


class Stop(Asked):
    """Whose follow-ups."""

    number: Line = Field(description="the caller's", examples=["+12125550143"])


class Stopped(Given):
    """What was stopped."""

    number: str
    follow_ups: list[int] = Field(description="the ids of those that went on")


@operation("GET", "/follow-ups", Role.VIEWER, tag="follow-ups", refuses=(422,))
async def follow_ups(visit: Visit, query: FollowUpsAsked) -> FollowUpPage:
    """List what is done about which missed callers, the newest first."""
    mark = cursors.mark(query.cursor)
    recipient = None if query.caller is None else e164(visit, query.caller, "query.caller")

    def read(tx: Connection) -> FollowUpPage:
        found = stored.recent(
            tx, limit=query.limit + 1, recipient=recipient, only_open=query.open, mark=mark
        )
        shown, following = cursors.cut(
            found, query.limit, lambda one: Mark(one.opened_at, one.row_id)
        )
        return FollowUpPage(
            items=[
                FollowUp.model_validate(follow_up_object(one, stored.steps_of(tx, one.row_id)))
                for one in shown
            ],
            next=following,
        )

    return await visit.inside.db.read(read)


@operation("POST", "/follow-ups/stop", Role.AGENT, tag="follow-ups", refuses=(409, 422))
async def stop_follow_ups(visit: Visit, body: Stop) -> Stopped:
    """Stop what is under way for a caller.

    No step of it is done any more. The caller's task stays open.
    """
    number = e164(visit, body.number, "body.number")

    def write(tx: Connection, now: datetime) -> Stopped:
        said = f"stopped by {visit.who.name}"
        ended = visit.inside.endings.end(
            tx, number, now, SkipReason.BY_HAND, said, by=visit.who.name
        )
        if not ended.follow_ups:
            raise Refusal(409, f"nothing is under way for {number}")
        return Stopped(number=number, follow_ups=list(ended.follow_ups))

    stopped = await change(visit, "follow_up.stop", number, write)
    visit.inside.told()
    return stopped


OPERATIONS = (follow_ups, stop_follow_ups)
