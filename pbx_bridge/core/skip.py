"""Every "no" that there is: why nobody was texted, why a step was not done, why it all ended.

The same name stands in the log, the database, the command line and `explain`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SkipReason(StrEnum):
    UNOBSERVED = "unobserved"
    ANSWERED = "answered"
    REASON_OFF = "reason_off"
    OTHER_MOMENT = "other_moment"
    TOO_SHORT = "too_short"
    WITHHELD = "withheld"
    NO_NUMBER = "no_number"
    NOT_A_NUMBER = "not_a_number"
    NUMBER_TYPE = "number_type"
    COUNTRY = "country"
    OWN_NUMBER = "own_number"
    BLOCKED = "blocked"
    TOO_LATE = "too_late"
    OPTED_OUT = "opted_out"
    MUTED = "muted"
    KNOWN_UNTEXTABLE = "known_untextable"
    SPOKEN_SINCE = "spoken_since"
    REPLIED = "replied"
    COOLING_DOWN = "cooling_down"
    STRANGER_TOO_SHORT = "stranger_too_short"
    QUIET_HOURS = "quiet_hours"
    NUMBER_DAILY_CAP = "number_daily_cap"
    NUMBER_WEEKLY_CAP = "number_weekly_cap"
    BURST = "burst"
    BLOCK_HOURLY_CAP = "block_hourly_cap"
    BLOCK_DAILY_CAP = "block_daily_cap"
    STRANGERS_HOURLY_CAP = "strangers_hourly_cap"
    STRANGERS_DAILY_CAP = "strangers_daily_cap"
    LINE_CAP = "line_cap"
    REGION_CAP = "region_cap"
    MINUTE_CAP = "minute_cap"
    HOURLY_CAP = "hourly_cap"
    DAILY_CAP = "daily_cap"
    DAILY_SPENDING = "daily_spending"
    MONTHLY_SPENDING = "monthly_spending"
    # about a follow-up or one of its steps
    RULE = "rule"
    SEQUENCE = "sequence"
    HELD_OUT = "held_out"
    BOOKED = "booked"
    TASK_CLOSED = "task_closed"
    SUPERSEDED = "superseded"
    BY_HAND = "by_hand"
    CONDITIONS = "conditions"
    NO_CONSENT = "no_consent"
    NO_ADDRESS = "no_address"
    NOT_CONFIGURED = "not_configured"
    RESTORED = "restored"  #: it waited in a backup that was put back


@dataclass(frozen=True, slots=True)
class Skip:
    """Do not text. `detail` says it in words, with the facts that decided."""

    reason: SkipReason
    detail: str


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now; look again at `until`."""

    until: datetime
    detail: str
