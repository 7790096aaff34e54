"""What the service knows by short names, in words that people at an office use.

English here, marked for translators; a view translates it by `visit.gettext`.
"""

from collections.abc import Mapping

from pbx_bridge.core.call import Reason
from pbx_bridge.core.delivery import State
from pbx_bridge.core.sequence import Action
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.core.snoozing import Until
from pbx_bridge.core.task import ClosedHow


def N_(text: str) -> str:  # noqa: N802 - as translators' tools know it
    """Mark a text for translators; it is translated when it is shown."""
    return text


REASONS: Mapping[Reason, str] = {
    Reason.PERSON: N_("answered"),
    Reason.HANDLED: N_("taken by an application"),
    Reason.LOST_IN_TRANSFER: N_("answered, then lost in a transfer"),
    Reason.RANG_NO_ANSWER: N_("phones rang, nobody answered"),
    Reason.RANG_CANCELLED: N_("hung up while phones rang"),
    Reason.BUSY: N_("all phones were busy"),
    Reason.UNAVAILABLE: N_("no phone could be reached"),
    Reason.VOICEMAIL_MESSAGE: N_("left a voicemail message"),
    Reason.VOICEMAIL_HANGUP: N_("reached voicemail, left no message"),
    Reason.QUEUE_ABANDONED: N_("gave up waiting in the queue"),
    Reason.QUEUE_UNSERVED: N_("the queue turned them away"),
    Reason.IVR_ABANDONED: N_("hung up in the menu"),
    Reason.ANNOUNCEMENT_ONLY: N_("heard an announcement only"),
    Reason.PARKED: N_("parked, and nobody took the call"),
    Reason.CONFERENCE_ALONE: N_("waited alone in a conference"),
    Reason.REJECTED: N_("refused by the phone system"),
    Reason.FEED_GAP: N_("nobody saw what became of it"),
    Reason.PBX_RESTARTED: N_("the phone system restarted"),
    Reason.NEVER_ENDED: N_("its end was not reported"),
}

#: Each with the kind of its badge: good, wait, bad, calm.
STATES: Mapping[State, tuple[str, str]] = {
    State.QUEUED: ("wait", N_("waits")),
    State.SENDING: ("wait", N_("being sent")),
    State.ACCEPTED: ("calm", N_("sent")),
    State.DELIVERED: ("good", N_("delivered")),
    State.UNDELIVERED: ("bad", N_("not delivered")),
    State.FAILED: ("bad", N_("failed")),
    State.UNCERTAIN: ("wait", N_("perhaps sent")),
    State.CANCELLED: ("calm", N_("cancelled")),
    State.EXPIRED: ("bad", N_("too late")),
    State.SHADOW: ("calm", N_("shadow mode: not sent")),
}

#: Why nobody was texted, or may be. What is not here is told by its detail alone.
SKIPS: Mapping[SkipReason, str] = {
    SkipReason.WITHHELD: N_("the number is withheld"),
    SkipReason.NO_NUMBER: N_("the call came without a number"),
    SkipReason.NOT_A_NUMBER: N_("this is no telephone number that texts can go to"),
    SkipReason.NUMBER_TYPE: N_("this kind of number takes no texts"),
    SkipReason.COUNTRY: N_("texts do not go to that country"),
    SkipReason.OWN_NUMBER: N_("this is the office's own number"),
    SkipReason.BLOCKED: N_("the number is on the block list"),
    SkipReason.TOO_LATE: N_("it was too late for a text"),
    SkipReason.TOO_SHORT: N_("hung up at once"),
    SkipReason.OPTED_OUT: N_("wants no more texts (STOP)"),
    SkipReason.MUTED: N_("a machine seems to answer there; it gets no texts for a while"),
    SkipReason.KNOWN_UNTEXTABLE: N_("a gateway says that this number takes no texts"),
    SkipReason.SPOKEN_SINCE: N_("somebody here has spoken to them since"),
    SkipReason.REPLIED: N_("they have written since"),
    SkipReason.BOOKED: N_("they have booked since"),
    SkipReason.COOLING_DOWN: N_("they were texted a short time ago"),
    SkipReason.QUIET_HOURS: N_("it is night there"),
    SkipReason.DAILY_SPENDING: N_("the limit of spending for a day is reached"),
    SkipReason.MONTHLY_SPENDING: N_("the limit of spending for the month is reached"),
    SkipReason.NOT_CONFIGURED: N_("no gateway is set up for texts"),
    SkipReason.REASON_OFF: N_("texts are off for such calls"),
    SkipReason.RULE: N_("by a rule of the office"),
    SkipReason.SEQUENCE: N_("its plan has no text at once"),
    SkipReason.HELD_OUT: N_("in the share that is not texted, to compare with"),
    SkipReason.NO_CONSENT: N_("there is no consent to a further text"),
    SkipReason.TASK_CLOSED: N_("the task was closed"),
    SkipReason.SUPERSEDED: N_("another call took its place"),
    SkipReason.BY_HAND: N_("stopped by hand"),
    SkipReason.CONDITIONS: N_("its conditions did not hold"),
    SkipReason.NO_ADDRESS: N_("no address is known"),
    SkipReason.BURST: N_("texts were held back: too many at once"),
    SkipReason.RESTORED: N_("it waited in a backup that was put back"),
}

ACTIONS: Mapping[Action, str] = {
    Action.TEXT: N_("a text"),
    Action.MAIL: N_("an e-mail"),
    Action.ALERT: N_("an alert to the office"),
    Action.TASK: N_("a task for the office"),
    Action.WEBHOOK: N_("news to other programs"),
}

CLOSED: Mapping[ClosedHow, str] = {
    ClosedHow.SPOKEN: N_("spoken to"),
    ClosedHow.BOOKED: N_("booked"),
    ClosedHow.BY_HAND: N_("closed"),
    ClosedHow.EXPIRED: N_("nobody did it in time"),
}

UNTIL: Mapping[Until, str] = {
    Until.AN_HOUR: N_("In an hour"),
    Until.THIS_AFTERNOON: N_("This afternoon"),
    Until.NEXT_MORNING: N_("In the morning, at opening"),
}


#: Parts of the service that are judged by themselves (`core.liveness`).
PARTS: Mapping[str, str] = {
    "service": N_("service"),
    "loop": N_("service's loop"),
    "database": N_("database"),
    "calls": N_("calls"),
    "outbox": N_("outbox"),
}


def why_not(rule: str) -> str:
    """Say in English why there is no text; empty if only the detail tells."""
    try:
        return SKIPS.get(SkipReason(rule), "")
    except ValueError:
        return ""
