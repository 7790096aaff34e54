"""What a text costs, by a gateway's price list: in millionths of the office's currency."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

MICRO = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A gateway's prices of one segment, in the office's currency; an unknown one is nothing."""

    price: Decimal | None = None
    prices: Mapping[str, Decimal] = field(default_factory=dict)  #: by region of the number

    def micros(self, segments: int, region: str) -> int:
        """Give what so many segments to a number of that region cost."""
        price = self.prices.get(region, self.price)
        return 0 if price is None else to_micros(price * segments)


def to_micros(amount: Decimal) -> int:
    """Give an amount in millionths, rounded half up."""
    return int((amount * MICRO).quantize(Decimal(1), ROUND_HALF_UP))


def from_micros(micros: int) -> Decimal:
    """Give the amount of so many millionths."""
    return Decimal(micros) / MICRO
