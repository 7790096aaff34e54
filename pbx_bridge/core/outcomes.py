"""What was done about a missed call, in words for people."""

from collections.abc import Mapping

TEXTED = "texted"

#: Why a missed call was not texted, for people. A name that is not here is words already.
WORDS: Mapping[str, str] = {
    TEXTED: "texted",
    "unobserved": "how the call ended is unknown",
    "answered": "answered by a person",
    "reason_off": "texts are off for calls missed in this way",
    "other_moment": "decided at another moment of the call",
    "too_short": "hung up at once",
    "withheld": "the caller withheld the number",
    "no_number": "the call came without a number",
    "not_a_number": "the caller ID is no telephone number",
    "number_type": "a landline, or a number that gets no texts",
    "country": "a number of a country that is not texted",
    "own_number": "a number of the office itself",
    "blocked": "on the block list",
    "too_late": "judged too long after the call",
    "opted_out": "had asked for no more texts",
    "muted": "a machine answers there",
    "known_untextable": "known to get no texts",
    "spoken_since": "had spoken to somebody here before the text was due",
    "replied": "had written before the text was due",
    "cooling_down": "texted about this line a short while before",
    "stranger_too_short": "a stranger who hung up soon",
    "quiet_hours": "at night, and morning would have been too late",
    "number_daily_cap": "enough texts to this number that day",
    "number_weekly_cap": "enough texts to this number that week",
    "burst": "held back by the burst breaker",
    "block_hourly_cap": "enough texts to numbers like it that hour",
    "block_daily_cap": "enough texts to numbers like it that day",
    "strangers_hourly_cap": "enough texts to strangers that hour",
    "strangers_daily_cap": "enough texts to strangers that day",
    "line_cap": "enough texts about this line that hour",
    "region_cap": "enough texts to this country that day",
    "minute_cap": "enough texts that minute",
    "hourly_cap": "enough texts that hour",
    "daily_cap": "enough texts that day",
    "daily_spending": "the day's spending limit was reached",
    "monthly_spending": "the month's spending limit was reached",
    "expired": "waited until it was too late",
    "rule": "your rules say so",
    "sequence": "the sequence has no text at once",
    "held_out": "in the share that is not texted, to compare with",
    "booked": "had booked before the text was due",
    "task_closed": "somebody had closed the task",
    "superseded": "called again before the text was due",
    "by_hand": "stopped by somebody here",
    "conditions": "the step's conditions did not hold",
    "no_consent": "a further text needs consent there",
    "no_address": "no e-mail address is known",
    "not_configured": "the rules name something that is not configured",
}


def words(outcome: str) -> str:
    """Say an outcome in words."""
    return WORDS.get(outcome) or outcome.replace("_", " ")
