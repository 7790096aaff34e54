"""What things of the core are called on the page, in a few words."""

from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.hours import Track
from pbx_bridge.core.proving import Stage
from pbx_bridge.core.sequence import Action
from pbx_bridge.web.words import N_

CALLERS = {
    CallerKind.NEW: N_("a new caller"),
    CallerKind.KNOWN: N_("a known caller"),
    CallerKind.CUSTOMER: N_("a customer"),
    CallerKind.STAFF: N_("one of your own people"),
    CallerKind.BLOCKED: N_("a blocked caller"),
    CallerKind.ANONYMOUS: N_("an anonymous caller"),
}
TRACKS = {
    Track.IN_HOURS: N_("in office hours"),
    Track.AFTER_HOURS: N_("after hours"),
    Track.WEEKEND: N_("at the weekend"),
    Track.HOLIDAY: N_("on a holiday"),
    Track.PHONES_DOWN: N_("while no phone can be reached"),
}
STEPS = {
    Action.TEXT: N_("Text"),
    Action.MAIL: N_("E-mail"),
    Action.ALERT: N_("Alert to staff"),
    Action.TASK: N_("Task"),
    Action.WEBHOOK: N_("Webhook"),
}
#: Each stage of a test call, and what to look at when it does not come.
STAGES = {
    Stage.SEEN: (
        N_("Call seen"),
        N_(
            "Ring the office from that number. If the call rings there and nothing is seen here:"
            ' does it come through this PBX? Is its number shown to you? "pbx-bridge probe" shows'
            " how a call begins there, and which settings recognise it as one from outside."
        ),
    ),
    Stage.JUDGED: (
        N_("Judged"),
        N_("The call goes on. Let it ring out, or hang up, without anybody answering."),
    ),
    Stage.QUEUED: (
        N_("Text queued"),
        N_(
            "No decision is written down yet. If that stays so, the database is not written:"
            ' "pbx-bridge health" tells.'
        ),
    ),
    Stage.ACCEPTED: (
        N_("Accepted by the gateway"),
        N_(
            "It goes out when its time has come. If it does not, test the gateway above; what it"
            " last said stands here."
        ),
    ),
    Stage.DELIVERED: (
        N_("Delivered"),
        N_(
            "The receipt is to come. Some gateways and modems give none; others need [hooks], or"
            " to be asked: docs/gateways.md says which."
        ),
    ),
}
