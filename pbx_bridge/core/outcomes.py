"""What was done about a missed call, in words for people."""

from collections.abc import Mapping

from pbx_bridge.core.saying import say

TEXTED = "texted"

#: Why a missed call was not texted, for people. A name that is not here is words already.
WORDS: Mapping[str, str] = {
    TEXTED: say("texted"),
    "unobserved": say("how the call ended is unknown"),
    "answered": say("answered by a person"),
    "reason_off": say("texts are off for calls missed in this way"),
    "other_moment": say("decided at another moment of the call"),
    "too_short": say("hung up at once"),
    "withheld": say("the caller withheld the number"),
    "no_number": say("the call came without a number"),
    "not_a_number": say("the caller ID is no telephone number"),
    "number_type": say("a landline, or a number that gets no texts"),
    "country": say("a number of a country that is not texted"),
    "own_number": say("a number of the office itself"),
    "blocked": say("on the block list"),
    "too_late": say("judged too long after the call"),
    "opted_out": say("had asked for no more texts"),
    "muted": say("a machine answers there"),
    "known_untextable": say("known to get no texts"),
    "spoken_since": say("had spoken to somebody here before the text was due"),
    "replied": say("had written before the text was due"),
    "cooling_down": say("texted about this line a short while before"),
    "stranger_too_short": say("a stranger who hung up soon"),
    "quiet_hours": say("at night, and morning would have been too late"),
    "number_daily_cap": say("enough texts to this number that day"),
    "number_weekly_cap": say("enough texts to this number that week"),
    "burst": say("held back by the burst breaker"),
    "block_hourly_cap": say("enough texts to numbers like it that hour"),
    "block_daily_cap": say("enough texts to numbers like it that day"),
    "strangers_hourly_cap": say("enough texts to strangers that hour"),
    "strangers_daily_cap": say("enough texts to strangers that day"),
    "line_cap": say("enough texts about this line that hour"),
    "region_cap": say("enough texts to this country that day"),
    "minute_cap": say("enough texts that minute"),
    "hourly_cap": say("enough texts that hour"),
    "daily_cap": say("enough texts that day"),
    "daily_spending": say("the day's spending limit was reached"),
    "monthly_spending": say("the month's spending limit was reached"),
    "expired": say("waited until it was too late"),
    "rule": say("your rules say so"),
    "sequence": say("the sequence has no text at once"),
    "held_out": say("in the share that is not texted, to compare with"),
    "booked": say("had booked before the text was due"),
    "task_closed": say("somebody had closed the task"),
    "superseded": say("called again before the text was due"),
    "by_hand": say("stopped by somebody here"),
    "restored": say("waited in a backup that was put back"),
    "conditions": say("the step's conditions did not hold"),
    "no_consent": say("a further text needs consent there"),
    "no_address": say("no e-mail address is known"),
    "not_configured": say("the rules name something that is not configured"),
}


def words(outcome: str) -> str:
    """Say an outcome in words."""
    return WORDS.get(outcome) or outcome.replace("_", " ")
