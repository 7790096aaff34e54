"""Calls: what became of each, and why."""

from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection

from pbx_bridge.core.call import Disposition, HungUpBy, Reason, StepKind
from pbx_bridge.core.delivery import State
from pbx_bridge.core.roles import Role
from pbx_bridge.objects.calls import call_object, explanation_object
from pbx_bridge.store import calls as stored
from pbx_bridge.store.calls import CallRecord, Explanation
from pbx_bridge.store.paging import Mark
from pbx_bridge.web.api import cursors
from pbx_bridge.web.api.doing import caller
from pbx_bridge.web.api.messages import Attempt, Consent, Message, Receipt, Reply, Voicemail
from pbx_bridge.web.api.operation import operation
from pbx_bridge.web.api.problems import no_such
from pbx_bridge.web.api.shapes import Given, Instant, Line, PageAsked, Row
from pbx_bridge.web.frame import Visit


class Rung(Given):
    """A phone that was rung."""

    endpoint: str
    seconds: float = Field(description="in all")
    times: int
    status: str = Field(description="of the last attempt")


class QueueVisit(Given):
    """The last queue in which the caller waited."""

    queue: str
    position: int = Field(description="at entry; 1 is next")
    wait_seconds: float = Field(description="over all queues")


class Decision(Given):
    """Whether the caller was texted, and why not."""

    at: datetime
    moment: str = Field(description="when in the call: `call_ended`, `voicemail_entered`")
    outcome: str = Field(description="`send`, `skip` or `shadow`")
    rule: str = Field(description="the check that said no, or what spoke for it")
    detail: str


class Check(Given):
    """One check of a decision."""

    rule: str
    says: str
    because: str


class FullDecision(Decision):
    """A decision with every check that was made for it."""

    checks: list[Check]


class Call(Given):
    """A call from outside. Number, name and line are what the caller and the PBX claim."""

    id: int
    pbx: str
    call_id: str = Field(description="Asterisk's Uniqueid")
    began: datetime
    answered_at: datetime | None
    ended: datetime | None = Field(description="null while it lives")
    caller: str = Field(description="in E.164 if it is a number; empty if there is none")
    caller_name: str
    withheld: bool
    line: str = Field(description="the number called, as the PBX has it")
    disposition: Disposition | None = Field(description="null while it lives")
    reason: Reason | None = Field(description="null while it lives")
    answered_by: str
    hung_up_by: HungUpBy
    ring_seconds: float
    rung: list[Rung]
    queue: QueueVisit | None
    mailbox: str
    voicemail_seconds: float
    source: str = Field(description="`live`, or the record that told us: `cel`, `cdr`, `queue_log`")
    decision: Decision | None = Field(description="the last one")
    message: int | None = Field(description="the id of the last text about it")
    message_state: State | None


class TimelineStep(Given):
    """One piece of evidence."""

    at: datetime
    kind: StepKind
    who: str = Field(description="an endpoint, a queue, a mailbox")
    detail: str


class FullCall(Call):
    """A call with all that came of it."""

    steps: list[TimelineStep]
    decisions: list[FullDecision]
    messages: list[Message]
    attempts: list[Attempt]
    receipts: list[Receipt]
    replies: list[Reply]
    recording: Voicemail | None
    ladders: list[int] = Field(description="ids of the rounds in which those on call were phoned")
    consents: list[Consent] = Field(description="what the caller said of texts by keys")


class CallPage(Given):
    """Calls, the newest first."""

    items: list[Call]
    next: str | None = Field(description="`cursor` of the page that follows; null: there is none")


class CallsAsked(PageAsked):
    """Which calls."""

    since: Instant | None = Field(default=None, description="only calls that began then or later")
    caller: Line | None = Field(default=None, description="only of this number")
    line: Line | None = Field(default=None, description="only to this line, as the PBX has it")
    disposition: Disposition | None = Field(default=None, description="only such calls")
    reason: Reason | None = Field(default=None, description="only such calls")


@operation("GET", "/calls", Role.VIEWER, tag="calls", refuses=(422,))
async def calls(visit: Visit, query: CallsAsked) -> CallPage:
    """List calls.

    The newest come first, also those that go on now.
    """
    mark = cursors.mark(query.cursor)

    def read(tx: Connection) -> list[CallRecord]:
        return stored.recent(
            tx,
            limit=query.limit + 1,
            since=query.since,
            caller=None if query.caller is None else caller(visit, query.caller),
            line=query.line,
            disposition=query.disposition,
            reason=query.reason,
            mark=mark,
        )

    found = await visit.inside.db.read(read)
    shown, following = cursors.cut(found, query.limit, lambda one: Mark(one.call.began, one.row_id))
    return CallPage(
        items=[Call.model_validate(call_object(one)) for one in shown],
        next=following,
    )


@operation("GET", "/calls/{id}", Role.VIEWER, tag="calls", refuses=(404,))
async def call(visit: Visit, path: Row) -> FullCall:
    """Tell all about a call.

    Its timeline, every check of every decision, and what was sent, answered and left on voicemail.
    """
    told: Explanation | None = await visit.inside.db.read(
        lambda tx: stored.explanation(tx, path.id)
    )
    if told is None:
        raise no_such("call", path.id)
    return FullCall.model_validate(explanation_object(told))


OPERATIONS = (calls, call)
