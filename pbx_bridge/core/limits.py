"""How many texts, and how much money, at most: against mistakes, and against who makes us pay.

Anyone can place calls with a forged caller ID, and so choose whom we text (SMS pumping). No single
rule stops that; together these bound what it can cost.
"""

from dataclasses import dataclass
from datetime import timedelta

from pbx_bridge.core.pricing import MICROS


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most texts of each kind; None is no limit. A day is the last 24 hours."""

    per_number_per_day: int | None = None
    per_number_per_week: int | None = None
    block_digits: int = 2  #: numbers that differ only in so many last digits are a block
    per_block_per_hour: int | None = None
    per_block_per_day: int | None = None
    per_line_per_hour: int | None = None
    per_region_per_day: int | None = None  #: for each region but the office's own
    strangers_per_hour: int | None = None
    strangers_per_day: int | None = None
    stranger_min_ring: timedelta = timedelta(0)  #: as `min_ring`, for strangers
    max_per_minute: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The texts that there were already."""

    number_day: int = 0
    number_week: int = 0
    block_hour: int = 0
    block_day: int = 0
    line_hour: int = 0
    region_day: int = 0
    strangers_hour: int = 0
    strangers_day: int = 0
    minute: int = 0
    hour: int = 0
    day: int = 0


NOTHING_COUNTED = Counts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most money, in micros; None is no limit."""

    per_day: int | None = None  #: in 24 hours
    per_month: int | None = None  #: in a calendar month of the office's zone
    currency: str = "USD"

    def spell(self, micros: int) -> str:
        """Write an amount for people."""
        return f"{micros / MICROS:.2f} {self.currency}"


NO_BUDGET = Budget()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was spent, and what waiting texts will cost; 0 where there is no limit to compare."""

    day: int = 0
    month: int = 0


NOTHING_SPENT = Spent()


def reached(count: int, limit: int | None) -> bool:
    """Tell whether one more would be too many."""
    return limit is not None and count >= limit


def block(e164: str, digits: int) -> str:
    """Give what the numbers of a block begin with: pumpers own numbers in runs."""
    return e164[:-digits] if digits else e164
