"""Shares of small numbers, and how far they can be trusted.

Intervals of 95 % after E. B. Wilson (1927), and for a difference of two shares R. G. Newcombe's
hybrid score interval without continuity correction, method 10 of "Interval estimation for the
difference between independent proportions: comparison of eleven methods", Statistics in Medicine
17 (1998), 873-890. Both hold for few cases, and for shares near none or all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist
from typing import TypeVar

T = TypeVar("T")

#: Of the normal distribution, two-sided 95 %.
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """From 0 to 1; of nobody it is 0."""
        return self.count / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


def interval(share: Share) -> Interval:
    """Give where a share lies with 95 % confidence; of nobody it may be anything."""
    if share.of == 0:
        return Interval(0.0, 1.0)
    n, p = share.of, share.value
    middle = 2 * n * p + _Z**2
    half = _Z * sqrt(_Z**2 + 4 * n * p * (1 - p))
    below = 2 * (n + _Z**2)
    return Interval(max(0.0, (middle - half) / below), min(1.0, (middle + half) / below))


def difference(one: Share, other: Share) -> Interval:
    """Give where the first share less the second lies, with 95 % confidence."""
    p, q = one.value, other.value
    own, others = interval(one), interval(other)
    below = sqrt((p - own.low) ** 2 + (others.high - q) ** 2)
    above = sqrt((own.high - p) ** 2 + (q - others.low) ** 2)
    return Interval(max(-1.0, p - q - below), min(1.0, p - q + above))


def percentile(values: Sequence[T], share: float) -> T | None:
    """Give the value that at least this share of sorted values does not exceed (nearest rank)."""
    if not values:
        return None
    return values[max(1, ceil(share * len(values))) - 1]
