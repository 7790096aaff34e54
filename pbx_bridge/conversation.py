"""What gateways tell, understood and written down: receipts, and the replies of customers.

Runs in the database's writer thread, one transaction for all that follows from a piece of news.
Texts that answer STOP, START and HELP are queued before the list of opt-outs changes, since nobody
on it is sent anything else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from pbx_bridge import consequences
from pbx_bridge.core import keywords, loops
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.announcement import Announcement, ReplyArrived, TextChanged
from pbx_bridge.core.delivery import Purpose, Receipt, State
from pbx_bridge.core.happening import NOBODY_LISTENS, Listeners
from pbx_bridge.core.number import Number, parse
from pbx_bridge.core.office import Rules
from pbx_bridge.core.payloads import reply_received
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.saying import say
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.endings import Endings
from pbx_bridge.ports import News
from pbx_bridge.store import consents, correspondents, events, outbox, replies
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.replies import ReplyRecord
from pbx_bridge.urgent import Urgency, phone_those_on_call

#: A reply is about the last text that went to its sender within this time.
JOURNEY = timedelta(days=30)
#: How far back to look for a machine that answers.
LOOP_WINDOW = timedelta(hours=1)
#: A confirmation that comes later than this is no answer any more (47 CFR 64.1200(a)(12)).
CONFIRM_WITHIN = timedelta(minutes=5)
#: STOP, START and HELP are each answered once in so long a time, and so many times together: who
#: asks again has the answer, or is a machine that would be answered for ever.
ANSWERED_AGAIN = timedelta(hours=24)
MOST_ANSWERS = 2
#: Of a customer's words, in an alert.
LONGEST_QUOTE = 300

log = structlog.get_logger()


@dataclass(slots=True)
class Noted:
    """What is to be done once it is committed."""

    queued: bool = False  #: a text waits for the sender
    raised: bool = False  #: an alert waits for the staff
    announcements: list[Announcement] = field(default_factory=list)


class Conversation:
    """Understands news by the rules in force.

    `answers_itself` tells whether a gateway of that name answers STOP, START and HELP; then we must
    not.
    """

    def __init__(
        self,
        rules: Rules,
        new_key: Callable[[], str],
        answers_itself: Callable[[str], bool],
        currency: str,
    ) -> None:
        self.rules = rules  #: replaced as a whole when the configuration is read again
        self._rules = rules
        self.currency = currency
        self.urgency: Urgency | None = None  #: because of whom those on call are phoned; likewise
        self._endings = Endings(new_key, NOBODY_LISTENS)
        self._new_key = new_key
        self._answers_itself = answers_itself

    @property
    def listeners(self) -> Listeners:
        """Who is told what happens; replaced likewise."""
        return self._endings.listeners

    @listeners.setter
    def listeners(self, listeners: Listeners) -> None:
        self._endings.listeners = listeners

    def take(self, tx: Connection, gateway: str, news: Sequence[News], now: datetime) -> Noted:
        """Write news down, in order; what was told before changes nothing."""
        self._rules = self.rules  # one set of them for all of the transaction
        noted = Noted()
        for one in news:
            match one:
                case Receipt():
                    self._receipt(tx, gateway, one, now, noted)
                case Reply():
                    self._reply(tx, gateway, one, now, noted)
        return noted

    # -- receipts ---------------------------------------------------------------------------

    def _receipt(
        self, tx: Connection, gateway: str, told: Receipt, now: datetime, noted: Noted
    ) -> None:
        row = consequences.received(tx, gateway, told, now, self.currency)
        if row is None:
            return
        noted.raised |= told.state is State.UNDELIVERED
        if row.state is not told.state:  # an older one
            return
        consequences.tell_change(tx, row, now, self.listeners, self.currency)
        log.info("receipt", message=row.message_id, state=str(row.state), code=told.code)
        noted.announcements.append(
            TextChanged(
                at=now,
                message=row.message_id,
                call=row.call_row,
                to=row.to,
                state=row.state.value,
                gateway=gateway,
                detail=told.detail,
            )
        )

    # -- replies ----------------------------------------------------------------------------

    def _reply(
        self, tx: Connection, gateway: str, reply: Reply, now: datetime, noted: Noted
    ) -> None:
        if replies.is_known(tx, gateway, reply):
            return
        number = parse(reply.sender, self._rules.country)
        about = (
            stored_messages.last_to(tx, number.e164, now - JOURNEY) if number is not None else None
        )
        understood = keywords.classify(reply.body, self._rules.wording)
        meaning = reply.handled or understood.meaning
        ignored = self._ignored(tx, reply, number, now)
        record = replies.insert(
            tx,
            gateway,
            reply,
            now=now,
            sender_e164=None if number is None else number.e164,
            meaning=meaning,
            detail=ignored or (f"the word {understood.word!r}" if understood.word else ""),
            message_id=None if about is None else about.message_id,
            call_row=None if about is None else about.call_row,
        )
        log.info(
            "reply", reply=record.row_id, meaning=str(meaning), gateway=gateway, ignored=ignored
        )
        noted.announcements.append(
            ReplyArrived(
                at=now,
                reply=record.row_id,
                sender=record.sender_e164 or record.sender,
                meaning=meaning.value,
                body=record.body,
                call=record.call_row,
            )
        )
        happening = reply_received(
            self._new_key(),
            reply,
            at=now,
            reply_row=record.row_id,
            gateway=gateway,
            number=record.sender_e164 or "",
            meaning=meaning,
            message=record.message_id,
            call_row=record.call_row,
            ignored=ignored,
        )
        events.record(tx, happening, self.listeners.of(happening.kind))
        if number is None:  # a short code or a name: kept, and nobody is bothered with it
            return
        correspondents.reached(tx, [(number.e164, gateway)], now)
        # What the customer wants of us is done also where nothing may be answered.
        silent = bool(ignored) or reply.handled is not None or self._answers_itself(gateway)
        case = _Case(tx, record, number, now, noted, may_answer=not silent)
        match meaning:
            case Meaning.OPT_OUT:
                self._opt_out(case)
                if understood.ambiguous:
                    _tell_staff(case)
            case Meaning.OPT_IN:
                self._opt_in(case)
            case Meaning.HELP:
                self._answer(case)
                _tell_staff(case)
            case Meaning.URGENT | Meaning.REPLY:
                self._cancel(case, SkipReason.REPLIED, say("the customer replied"))
                alert_id = _tell_staff(case)
                if meaning is Meaning.URGENT and not ignored:
                    self._phone(case, alert_id, "" if about is None else about.line)

    def _ignored(self, tx: Connection, reply: Reply, number: Number | None, now: datetime) -> str:
        """Say why nothing is answered: the sender is no person; empty if it may be one."""
        machine = loops.is_machine_sender(reply.sender, self._rules.country)
        if machine or number is None:
            return machine or "the sender is no telephone number"
        if number.e164 in self._rules.own_numbers:
            return "the office's own number"
        known = correspondents.get(tx, number.e164)
        if known.muted_until is not None and known.muted_until > now:
            return say("muted: {why}", why=known.muted_why)
        lately = [*replies.lately(tx, number.e164, now - LOOP_WINDOW), (now, reply.body)]
        loop = loops.looks_like_loop(lately, now)
        if not loop:
            return ""
        correspondents.mute(tx, number.e164, now + loops.MUTE, loop, now)
        text = f"a machine seems to write from {number.e164}; it gets no texts for a day: {loop}"
        raise_alert(tx, now=now, kind=AlertKind.LOOP, subject=number.e164, text=text)
        return loop

    def _opt_out(self, case: "_Case") -> None:
        if consents.opted_out(case.tx, case.number.e164) is None:
            self._answer(case)
            _consent(case, ConsentKind.OPT_OUT)
            text = f"{case.number.e164} wants no more texts: {_quoted(case.record)}"
            _raise(case, AlertKind.OPT_OUT, text)
        self._cancel(case, SkipReason.OPTED_OUT, say("the customer opted out"))

    def _opt_in(self, case: "_Case") -> None:
        if consents.opted_out(case.tx, case.number.e164) is None:
            _tell_staff(case)
            return
        _consent(case, ConsentKind.OPT_IN)
        self._answer(case)

    def _phone(self, case: "_Case", alert_id: int, line: str) -> None:
        """Have those on call phoned."""
        if self.urgency is not None:
            phone_those_on_call(
                case.tx,
                self.urgency,
                self._rules,
                alert_id=alert_id,
                number=case.number,
                line=line,
                wrote=True,
                call_row=case.record.call_row,
                now=case.now,
            )

    def _cancel(self, case: "_Case", reason: SkipReason, detail: str) -> None:
        self._endings.end(case.tx, case.number.e164, case.now, reason, detail)

    def _answer(self, case: "_Case") -> None:
        """Queue the one text that answers STOP, START or HELP, by the way that it came."""
        tx, record, number, now = case.tx, case.record, case.number, case.now
        answered = {
            meaning
            for meaning in (Meaning.OPT_OUT, Meaning.OPT_IN, Meaning.HELP)
            if stored_messages.last_confirmation(
                tx, number.e164, meaning.value, now - ANSWERED_AGAIN
            )
        }
        if not case.may_answer or record.meaning in answered or len(answered) >= MOST_ANSWERS:
            return
        about = (
            stored_messages.get(tx, record.message_id) if record.message_id is not None else None
        )
        body = self._rules.wording.confirmation(record.meaning, self._language(about, number))
        if body is None:
            return
        outbox.insert(
            tx,
            call_row=None,
            step=record.meaning.value,
            key=self._new_key(),
            to=number.e164,
            body=body,
            gateway=record.gateway,
            line="" if about is None else about.line,
            created_at=now,
            due_at=now,
            expires_at=now + CONFIRM_WITHIN,
            shadow=self._rules.shadow,
            purpose=Purpose.CONFIRMATION,
            reply_row=record.row_id,
            region=number.region,
        )
        case.noted.queued = True

    def _language(self, about: MessageRecord | None, number: Number) -> str:
        line = None if about is None else self._rules.line(about.line)
        return self._rules.wording.language_for(
            "" if line is None else line.language, number.region
        )


@dataclass(frozen=True, slots=True)
class _Case:
    """A customer's reply, written down, while what follows from it is done."""

    tx: Connection
    record: ReplyRecord
    number: Number
    now: datetime
    noted: Noted
    may_answer: bool


def _tell_staff(case: _Case) -> int:
    urgent = case.record.meaning is Meaning.URGENT
    kind = AlertKind.URGENT if urgent else AlertKind.REPLY
    return _raise(case, kind, f"{case.number.e164} writes: {_quoted(case.record)}")


def _raise(case: _Case, kind: AlertKind, text: str) -> int:
    case.noted.raised = True
    return raise_alert(
        case.tx,
        now=case.now,
        kind=kind,
        subject=case.number.e164,
        text=text,
        urgent=kind is AlertKind.URGENT,
        reply_row=case.record.row_id,
    )


def _consent(case: _Case, kind: ConsentKind) -> None:
    consents.record(
        case.tx,
        ConsentRecord(
            address=case.number.e164,
            at=case.now,
            kind=kind,
            source=ConsentSource.REPLY,
            detail=_quoted(case.record),
            reply_row=case.record.row_id,
        ),
    )


def _quoted(record: ReplyRecord) -> str:
    words = record.body if len(record.body) <= LONGEST_QUOTE else record.body[:LONGEST_QUOTE] + "…"
    return f"“{words}”"
