"""What bounds the texts: [texting.limits], [texting.quiet_hours] and [texting.burst]."""

import re
from datetime import time, timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from pbx_bridge.config.values import Count, Duration, Switch, not_empty
from pbx_bridge.core.burst import BurstRules
from pbx_bridge.core.limits import Limits
from pbx_bridge.core.quiet import QuietHours, Window

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEK: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _clock(value: object) -> time:
    if isinstance(value, time):
        # TOML has times of its own: 20:00:00 without quotes. Zones it has not for these.
        return value.replace(second=0, microsecond=0)
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('not a time of day; hours and minutes in quotes, such as "20:00"')
    return time(int(found[1]), int(found[2]))


TimeOfDay = Annotated[time, BeforeValidator(_clock)]
"""`20:00`, by whose clock the setting says."""

Percent = Annotated[int, Field(strict=True, ge=0, le=100)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class LimitSettings(_Table):
    """[texting.limits]."""

    per_number_per_day: Count = Field(
        default=2, description="texts to one number in 24 hours, whatever the line", examples=[2]
    )
    per_number_per_week: Count = Field(
        default=4, description="texts to one number in 7 days", examples=[4]
    )
    block_digits: Annotated[int, Field(strict=True, ge=0, le=6)] = Field(
        default=2,
        description="numbers that differ only in so many last digits count as a block",
        examples=[2],
    )
    per_block_per_hour: Count = Field(
        default=3, description="texts to one block of numbers in an hour", examples=[3]
    )
    per_block_per_day: Count = Field(
        default=10, description="texts to one block of numbers in 24 hours", examples=[10]
    )
    per_line_per_hour: Count = Field(
        default=30, description="texts about calls to one line in an hour", examples=[30]
    )
    per_region_per_day: Count = Field(
        default=20,
        description="texts in 24 hours to each allowed country that is not the office's",
        examples=[20],
    )
    strangers_per_hour: Count = Field(
        default=15,
        description="texts in an hour to callers who never had to do with the office",
        examples=[15],
    )
    strangers_per_day: Count = Field(
        default=100, description="texts to such callers in 24 hours", examples=[100]
    )
    stranger_min_ring: Duration = Field(
        default=timedelta(0),
        description="a stranger who hangs up sooner is not texted",
        examples=["4s"],
    )
    max_per_minute: Count = Field(default=15, description="texts in a minute", examples=[15])

    def limits(self) -> Limits:
        """Give them as the policy needs them."""
        return Limits(**self.model_dump())


class QuietHoursSettings(_Table):
    """[texting.quiet_hours]: when nobody is texted, by the recipient's clock."""

    enabled: Switch = Field(
        default=True, description="whether there are quiet hours", examples=[True]
    )
    begin: TimeOfDay = Field(
        default=time(20), alias="from", description="when they begin", examples=["20:00"]
    )
    end: TimeOfDay = Field(
        default=time(9), alias="to", description="when they end", examples=["09:00"]
    )
    days: Annotated[tuple[Day, ...], AfterValidator(not_empty)] = Field(
        default=_WEEK,
        description="days on which texts go at all",
        examples=[["mon", "tue", "wed", "thu", "fri"]],
    )
    immediate: Switch = Field(
        default=True,
        description="whether who has just called may be answered in quiet hours",
        examples=[True],
    )
    immediate_within: Duration = Field(
        default=timedelta(minutes=2),
        description="how long after the call an answer is immediate",
        examples=["2m"],
    )

    @field_validator("end")
    @classmethod
    def _not_the_whole_day(cls, end: time, info: ValidationInfo) -> time:
        if info.data.get("begin") == end:
            raise ValueError("they would begin and end at the same time; enabled = false for none")
        return end

    def quiet_hours(self) -> QuietHours | None:
        """Give them as the policy needs them: texts go from their end to their beginning."""
        if not self.enabled:
            return None
        days = frozenset(_WEEK.index(day) for day in self.days)
        return QuietHours(
            Window(self.end, self.begin, days), self.immediate_within if self.immediate else None
        )


class BurstSettings(_Table):
    """[texting.burst]: when the breaker opens."""

    enabled: Switch = Field(default=True, description="whether there is a breaker", examples=[True])
    floor: Count = Field(
        default=20, description="so many texts in ten minutes are never too many", examples=[20]
    )
    factor: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)] = Field(
        default=5.0,
        description="nor so many times what is usual in ten minutes with texts",
        examples=[5.0],
    )
    strangers_floor: Count = Field(
        default=15,
        description="so many texts in ten minutes are never too many to strangers",
        examples=[15],
    )
    strangers_percent: Percent = Field(
        default=90, description="at most this share of more than these", examples=[90]
    )
    undelivered_of: Annotated[int, Field(strict=True, ge=5, le=1000)] = Field(
        default=20, description="how many of the last texts to look at", examples=[20]
    )
    undelivered_percent: Percent = Field(
        default=50, description="at most this share of these did not arrive", examples=[50]
    )
    refusals: Annotated[int, Field(strict=True, ge=1)] = Field(
        default=5,
        description="so many refusals of carriers in an hour, as spam or fraud, are too many",
        examples=[5],
    )
    open_for: Duration = Field(
        default=timedelta(minutes=15),
        description="how long texts are held back before one is tried",
        examples=["15m"],
    )

    def rules(self) -> BurstRules | None:
        """Give them as the breaker needs them; None if there is none."""
        if not self.enabled:
            return None
        return BurstRules(**self.model_dump(exclude={"enabled"}))
