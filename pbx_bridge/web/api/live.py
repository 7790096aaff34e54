"""Calls in progress, and how the PBXs are seen that tell of them."""

from datetime import datetime

from pydantic import Field

from pbx_bridge.core.board import Board, Feed, LiveOn, Stage
from pbx_bridge.core.roles import Role
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.shapes import Given
from pbx_bridge.web.frame import Visit


class LiveCallShown(Given):
    """A call from outside that goes on. Number, name and line are what caller and PBX claim."""

    pbx: str
    call_id: str = Field(description="Asterisk's Uniqueid; the call gets its id when it is over")
    began: datetime
    caller: str
    caller_name: str
    withheld: bool
    line: str
    stage: Stage
    since: datetime = Field(description="of this stage")
    who: list[str] = Field(description="the phones that ring, or who speaks")
    queue: str
    place: int = Field(description="in the queue, 1 is next; 0: not known")
    mailbox: str
    answered: bool = Field(description="a person spoke to the caller at some time")
    seen_whole: bool = Field(description="false: the PBX was not seen for some of it")
    doubtful: bool = Field(description="the PBX has been silent about it: it may be over")


class FeedShown(Given):
    """How a PBX is seen."""

    pbx: str
    whole: bool = Field(description="everything that happens is seen")
    since: datetime | None = Field(description="that it is not")
    problem: str


class Live(Given):
    """Calls in progress, the eldest first."""

    as_of: datetime = Field(description="until when what PBXs told is in it")
    behind: bool = Field(description="this is not the present: too much waits to be taken in")
    calls: list[LiveCallShown]
    feeds: list[FeedShown]


@operation("GET", "/live", Role.VIEWER, tag="live")
async def live(visit: Visit) -> Live:
    """Tell which calls go on now, and what happens to each.

    Ask again when `/events` says that calls changed, not every second.
    """
    return shown(visit.inside.board(), visit.now)


def shown(board: Board, now: datetime) -> Live:
    """Give a board for programs."""
    return Live(
        as_of=board.as_of,
        behind=board.behind(now),
        calls=[_call(one, now) for one in board.calls],
        feeds=[_feed(one) for one in board.feeds],
    )


def _call(one: LiveOn, now: datetime) -> LiveCallShown:
    call = one.call
    return LiveCallShown(
        pbx=one.pbx,
        call_id=call.call_id,
        began=call.began,
        caller=call.caller.number,
        caller_name=call.caller.name,
        withheld=call.caller.withheld,
        line=call.line,
        stage=call.stage,
        since=call.since,
        who=list(call.who),
        queue=call.queue,
        place=call.place,
        mailbox=call.mailbox,
        answered=call.answered,
        seen_whole=call.seen_whole,
        doubtful=call.doubtful(now),
    )


def _feed(one: Feed) -> FeedShown:
    return FeedShown(pbx=one.pbx, whole=one.whole, since=one.since, problem=one.problem)


OPERATIONS = (live,)
