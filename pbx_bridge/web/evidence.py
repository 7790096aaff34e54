"""What is known of a call, in words that people at an office use.

English here, marked for translators; a view translates it by `visit.gettext`. What is not in a
table is shown as it is: a newer or older name of the PBX's own.
"""

from collections.abc import Mapping

from pbx_bridge.core.call import HungUpBy, StepKind
from pbx_bridge.core.hours import Track
from pbx_bridge.core.timeline import Phase
from pbx_bridge.web.words import N_

STEPS: Mapping[StepKind, str] = {
    StepKind.ARRIVED: N_("The call arrives"),
    StepKind.RINGING: N_("A phone rings"),
    StepKind.RING_ENDED: N_("The phone stops ringing"),
    StepKind.FORWARDED: N_("The phone sends the call on"),
    StepKind.PICKED_UP: N_("Picked up from another phone"),
    StepKind.CONNECTED: N_("Connected with a person"),
    StepKind.DISCONNECTED: N_("Not connected any more"),
    StepKind.HELD: N_("Put on hold"),
    StepKind.RESUMED: N_("Taken back from hold"),
    StepKind.APPLICATION: N_("An application takes the call"),
    StepKind.QUEUE_JOINED: N_("Begins to wait in a queue"),
    StepKind.QUEUE_LEFT: N_("Leaves the queue"),
    StepKind.QUEUE_ABANDONED: N_("Leaves the queue unserved"),
    StepKind.VOICEMAIL: N_("Reaches voicemail"),
    StepKind.MESSAGE_LEFT: N_("Leaves a message"),
    StepKind.TRANSFERRED: N_("Handed on"),
    StepKind.PARKED: N_("Parked"),
    StepKind.CALLER_ID: N_("About the caller's number"),
    StepKind.STATUS: N_("State"),
    StepKind.HANGUP_REQUESTED: N_("Somebody hangs up"),
    StepKind.FEED_LOST: N_("The phone system is not seen any more"),
    StepKind.FEED_RESTORED: N_("The phone system is seen again"),
    StepKind.RECOVERED: N_("Found in the phone system's records"),
    StepKind.ENDED: N_("The call has ended"),
}

#: How ringing ended, by Asterisk's DIALSTATUS.
RINGING_ENDED: Mapping[str, str] = {
    "ANSWER": N_("answered"),
    "NOANSWER": N_("not answered"),
    "CANCEL": N_("given up: somebody else took it, or the caller left"),
    "BUSY": N_("busy"),
    "CHANUNAVAIL": N_("cannot be reached"),
    "CONGESTION": N_("no line free"),
    "DONTCALL": N_("refused"),
    "TORTURE": N_("refused"),
    "CONTINUE": N_("not taken"),
    "HANGUP": N_("hung up"),
    "UNSEEN": N_("nobody saw how it ended"),
}

#: Details of steps that are the service's own words.
DETAILS: Mapping[str, str] = {
    "up": N_("something answers: a menu, an announcement, a queue or voicemail"),
    "withheld": N_("the number is withheld"),
    "blind": N_("without asking first"),
    "attended": N_("after asking"),
    HungUpBy.CALLER.value: N_("the caller"),
    HungUpBy.PBX.value: N_("the phone system or who was spoken to"),
    HungUpBy.UNKNOWN.value: N_("it is not known who"),
}

PHASES: Mapping[Phase, str] = {
    Phase.RING: N_("rings"),
    Phase.TALK: N_("talks"),
    Phase.HOLD: N_("on hold"),
    Phase.QUEUE: N_("waits in queue"),
    Phase.MENU: N_("menu or announcement"),
    Phase.VOICEMAIL: N_("voicemail"),
    Phase.PARKED: N_("parked"),
    Phase.APPLICATION: N_("application"),
    Phase.UNSEEN: N_("not seen"),
}

#: What each check makes sure of before somebody is texted.
CHECKS: Mapping[str, str] = {
    "unobserved": N_("The whole call was seen"),
    "answered": N_("No person answered, or a rule wants a text all the same"),
    "reason_off": N_("Texts are on for calls that end in this way"),
    "other_moment": N_("It is decided at this moment of the call"),
    "too_short": N_("The caller did not hang up at once"),
    "withheld": N_("The caller shows a number"),
    "not_a_number": N_("It is a telephone number"),
    "own_number": N_("It is not a number of the office"),
    "blocked": N_("It is not on the block list"),
    "number_type": N_("Such a number can get texts"),
    "country": N_("Texts go to its country"),
    "too_late": N_("It is not too late"),
    "spoken_since": N_("Nobody here has spoken to the caller since"),
    "replied": N_("The caller has not written since"),
    "booked": N_("The caller has not booked since"),
    "rule": N_("A rule of the office wants a follow-up"),
    "no_text": N_("The follow-up begins with a text"),
    "conditions": N_("The text's own conditions hold"),
    "no_consent": N_("There is consent, where it is needed"),
    "opted_out": N_("The caller has not asked for no more texts"),
    "muted": N_("No machine seems to answer there"),
    "known_untextable": N_("No gateway has said that it takes no texts"),
    "cooling_down": N_("The caller was not texted a short time ago"),
    "stranger_too_short": N_("A stranger waited long enough"),
    "quiet_hours": N_("It is no night there, or morning is soon enough"),
    "number_daily_cap": N_("There is room for another text to this number today"),
    "number_weekly_cap": N_("There is room for another text to this number this week"),
    "held_out": N_("The caller is not in the share that is not texted, to compare with"),
    "burst": N_("Not too many such calls come at once"),
    "block_hourly_cap": N_("There is room for another text to such numbers this hour"),
    "block_daily_cap": N_("There is room for another text to such numbers today"),
    "strangers_hourly_cap": N_("There is room for another text to a stranger this hour"),
    "strangers_daily_cap": N_("There is room for another text to a stranger today"),
    "line_cap": N_("There is room for another text about this line"),
    "region_cap": N_("There is room for another text to this country"),
    "minute_cap": N_("There is room for another text this minute"),
    "hourly_cap": N_("There is room for another text this hour"),
    "daily_cap": N_("There is room for another text today"),
    "daily_spending": N_("There is money for another text today"),
    "monthly_spending": N_("There is money for another text this month"),
}

MOMENTS: Mapping[str, str] = {
    "call_ended": N_("when the call had ended"),
    "voicemail_entered": N_("when the call reached voicemail"),
}

TIMES: Mapping[str, str] = {
    Track.IN_HOURS.value: N_("in office hours"),
    Track.AFTER_HOURS.value: N_("after hours"),
    Track.WEEKEND.value: N_("at the weekend"),
    Track.HOLIDAY.value: N_("on a holiday"),
    Track.PHONES_DOWN.value: N_("when no phone could be reached"),
}

#: States of a follow-up and its steps.
STATES: Mapping[str, tuple[str, str]] = {
    "open": ("wait", N_("under way")),
    "finished": ("good", N_("finished")),
    "stopped": ("calm", N_("stopped")),
    "waiting": ("wait", N_("waits")),
    "done": ("good", N_("done")),
    "skipped": ("calm", N_("left out")),
    "cancelled": ("calm", N_("cancelled")),
}

#: What a gateway answered; `store.outbox` writes the class of the answer.
ANSWERS: Mapping[str, str] = {
    "accepted": N_("taken"),
    "rejected": N_("refused for good"),
    "deferred": N_("not sent, tried again later"),
    "uncertain": N_("perhaps sent"),
    "found": N_("asked: the gateway has it"),
    "absent": N_("asked: the gateway does not know it"),
}

RECORDINGS: Mapping[str, str] = {
    "awaited": N_("looked for"),
    "kept": N_("kept"),
    "transcribed": N_("kept, in writing"),
    "missing": N_("no recording"),
    "off": N_("not looked for"),
}
