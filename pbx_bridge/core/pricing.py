"""What a text costs, by a gateway's price list: in millionths of the office's currency (micros)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

MICROS = 1_000_000
"""Money is counted in these: a segment costs 7900 of them, and floats would lose some."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """What one segment costs through a gateway, in micros; 0 where nobody said."""

    usual: int = 0
    of_regions: Mapping[str, int] = field(default_factory=dict)

    def of(self, region: str, segments: int) -> int:
        """Give what a text is expected to cost."""
        return segments * self.of_regions.get(region, self.usual)


NO_PRICES = PriceList()


def to_micros(amount: Decimal) -> int:
    """Give an amount in millionths, rounded half up."""
    return int((amount * MICROS).quantize(Decimal(1), ROUND_HALF_UP))


def from_micros(micros: int) -> Decimal:
    """Give the amount of so many millionths."""
    return Decimal(micros) / MICROS
