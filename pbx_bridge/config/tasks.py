"""[tasks] and [digest]: until when missed callers are spoken to, and who is told that they wait."""

import re
from collections.abc import Callable
from datetime import date, time, timedelta
from itertools import pairwise
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from pbx_bridge.config.alerting import MailAddress, gateway_for
from pbx_bridge.config.values import Age, Duration, Name, Switch, not_empty
from pbx_bridge.core.digest import DigestTime
from pbx_bridge.core.task import Escalations
from pbx_bridge.reminder import DailyMail

_DEFAULT = Escalations()
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def _ascending(waits: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if any(later <= earlier for earlier, later in pairwise(waits)):
        raise ValueError('each has to be later than the one before, such as ["0m", "2h"]')
    return waits


def _clock(written: object) -> time:
    if isinstance(written, time):
        return written
    found = _CLOCK.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError('not a time of the day in quotes; such as "08:00"')
    return time(int(found[1]), int(found[2]))


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Tasks(_Section):
    due_in: Duration = Field(
        default=timedelta(hours=2),
        description="how long after a missed call it is overdue that somebody speaks to the caller",
        examples=["2h"],
    )
    expires_after: Age = Field(
        default=timedelta(days=7),
        description="when a task is given up that nobody did",
        examples=["7d"],
    )
    escalate: Annotated[tuple[Duration, ...], AfterValidator(_ascending)] = Field(
        default=_DEFAULT.after,
        description="so long after a task was due the staff are told of it, by [alerts]",
        examples=[["0m", "2h"]],
    )
    urgent_at_last: Switch = Field(
        default=_DEFAULT.urgent_at_last,
        description="whether the last time goes to who is on call, until somebody takes it",
        examples=[True],
    )

    def escalations(self) -> Escalations:
        """Give when the staff are told, as the core needs it."""
        return Escalations(self.escalate, self.urgent_at_last)


class DigestSettings(_Section):
    """Off unless the table is there."""

    at: Annotated[time, BeforeValidator(_clock)] = Field(
        default=time(8),
        description="when to write, by the office's clock",
        examples=["08:00"],
    )
    gateway: Annotated[Name, gateway_for("mail_gateways", "mail")] = Field(
        description='a [gateways.NAME] with type = "smtp"', examples=["mail"]
    )
    to: Annotated[tuple[MailAddress, ...], AfterValidator(not_empty)] = Field(
        description="whom to write to", examples=[["office@example.com"]]
    )
    days: Literal["business", "every"] = Field(
        default="business",
        description="on which days to write: those on which the office is there, or all",
        examples=["business"],
    )

    def daily_mail(self, zone: ZoneInfo, business_day: Callable[[date], bool]) -> DailyMail:
        """Give what the reminder needs to know; `business_day` is the office's calendar."""
        every = self.days == "every"
        return DailyMail(
            time=DigestTime(self.at, zone, _every_day if every else business_day),
            gateway=self.gateway,
            to=self.to,
        )


def _every_day(_day: date) -> bool:
    return True
