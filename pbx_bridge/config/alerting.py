"""[alerts]: whom of the office's own people to tell of what, and how often."""

import re
from collections.abc import Iterable, Mapping
from datetime import time, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from pbx_bridge.alerts.alerter import Targets
from pbx_bridge.alerts.channels import ByGateway, Channel
from pbx_bridge.clock import utc_now
from pbx_bridge.config.values import (
    Count,
    Duration,
    Name,
    Switch,
    TelephoneNumber,
    did_you_mean,
    not_empty,
)
from pbx_bridge.core import delivery
from pbx_bridge.core.alerting import AlertKind, Pace, QuietHours
from pbx_bridge.gateways import _mail
from pbx_bridge.ports import Clock, Gateway
from pbx_bridge.secret import Secret

#: Told unless the file says otherwise. Missed calls are texted; a message for each is a nuisance.
DEFAULT_KINDS = frozenset(AlertKind) - {AlertKind.MISSED_CALL}
SHORTEST_WAIT = timedelta(minutes=1)
_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_PACE = Pace()


def _known_service(url: Secret) -> Secret:
    # Half a second and thirty megabytes: only for offices that use it.
    from pbx_bridge.alerts import services  # noqa: PLC0415

    if problem := services.problem_of(url.reveal()):
        raise ValueError(problem)
    return url


def _mail_address(written: str) -> str:
    plain = _mail.address(written)
    if plain is None:
        raise ValueError("not an e-mail address; such as boss@example.com")
    return plain


def _quiet_hours(written: object) -> tuple[time, time] | None:
    if written is None:
        return None
    found = _QUIET.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError('not hours of the day; from and to, such as "22:00-07:00"')
    begin, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    if begin == end:
        raise ValueError('a whole day, or nothing; from and to differ, such as "22:00-07:00"')
    return begin, end


def _not_too_often(wait: timedelta) -> timedelta:
    if wait < SHORTEST_WAIT:
        raise ValueError('too often; at least "1m"')
    return wait


def gateway_for(known: str, what: str) -> AfterValidator:
    def check(name: str, info: ValidationInfo) -> str:
        names: list[str] = (info.context or {}).get(known, [])
        if name not in names:
            right = did_you_mean(name, names) if names else "there is none; add [gateways.NAME]"
            raise ValueError(f"no such gateway for {what}; {right}")
        return name

    return AfterValidator(check)


ServiceUrl = Annotated[Secret, AfterValidator(_known_service)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Wait = Annotated[Duration, AfterValidator(_not_too_often)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class MailTarget(_Section):
    gateway: Annotated[Name, gateway_for("mail_gateways", "mail")] = Field(
        description='a [gateways.NAME] with type = "smtp"', examples=["mail"]
    )
    to: Annotated[tuple[MailAddress, ...], AfterValidator(not_empty)] = Field(
        description="whom to write to", examples=[["boss@example.com"]]
    )


class TextTarget(_Section):
    gateway: Annotated[Name, gateway_for("gateways", "texts")] = Field(
        description="a [gateways.NAME] for texts", examples=["twilio"]
    )
    to: Annotated[tuple[TelephoneNumber, ...], AfterValidator(not_empty)] = Field(
        description="whom to text", examples=[["+12125550143"]]
    )


class Addressees(_Section):
    urls: tuple[ServiceUrl, ...] = Field(
        default=(),
        description="services by their apprise URLs, each a secret",
        examples=['{ file = "/etc/pbx-bridge/chat-url" }'],
    )
    mail: tuple[MailTarget, ...] = Field(
        default=(),
        description="people to write to",
        examples=['{ gateway = "mail", to = ["boss@example.com"] }'],
    )
    sms: tuple[TextTarget, ...] = Field(
        default=(),
        description="people to text, at most five times an hour each",
        examples=['{ gateway = "twilio", to = ["+12125550143"] }'],
    )

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.urls or self.mail or self.sms):
            raise ValueError("nobody to tell; give at least one of urls, mail and sms")
        return self


class Alerts(Addressees):
    """Off unless the table is there."""

    on_call: Addressees | None = Field(
        default=None,
        description="whom to tell of urgent alerts; without it everybody",
        examples=['{ sms = [{ gateway = "twilio", to = ["+12125550143"] }] }'],
    )
    kinds: frozenset[AlertKind] = Field(
        default=DEFAULT_KINDS, description="what to tell of", examples=[["reply", "urgent"]]
    )
    quiet_hours: Annotated[tuple[time, time] | None, BeforeValidator(_quiet_hours)] = Field(
        default=None,
        description="when to tell of urgent alerts only, and of the others afterwards",
        examples=["22:00-07:00"],
    )
    max_per_10_minutes: Annotated[Count, Field(ge=1)] = Field(
        default=_PACE.most,
        description="never more messages than this, urgent ones aside",
        examples=[_PACE.most],
    )
    repeat_after: Duration = Field(
        default=_PACE.repeat_after,
        description="the same thing is not told again sooner",
        examples=["1h"],
    )
    repeat_urgent: Annotated[tuple[Wait, ...], AfterValidator(not_empty)] = Field(
        default=_PACE.urgent_waits,
        description="how long to wait until an urgent alert is told again; the last one goes on",
        examples=[["5m", "5m", "15m"]],
    )
    recordings: Switch = Field(
        default=True,
        description="whether the recording of a voicemail message goes with the alert",
        examples=[True],
    )
    max_repeats: Count = Field(
        default=_PACE.max_repeats,
        description="how often an urgent alert is repeated when nobody takes it",
        examples=[_PACE.max_repeats],
    )

    def gateway_names(self) -> list[str]:
        """Name the gateways that people are told through."""
        both = (self, self.on_call or self)
        names = [target.gateway for whom in both for target in whom.mail]
        names += [target.gateway for whom in both for target in whom.sms]
        return list(dict.fromkeys(names))

    def targets(
        self, office: str, zone: ZoneInfo, gateways: Mapping[str, Gateway], now: Clock = utc_now
    ) -> Targets:
        """Give what the alerter needs to know.

        `gateways` is kept, and looked into whenever somebody is told.
        """
        known: dict[Any, Channel] = {}
        everyday = tuple(_channels(self, gateways, now, known))
        on_call = tuple(_channels(self.on_call, gateways, now, known)) if self.on_call else everyday
        quiet = QuietHours(*self.quiet_hours, zone) if self.quiet_hours else None
        return Targets(
            office=office,
            zone=zone,
            everyday=everyday,
            on_call=on_call,
            kinds=self.kinds,
            pace=Pace(
                most=self.max_per_10_minutes,
                repeat_after=self.repeat_after,
                quiet=quiet,
                urgent_waits=self.repeat_urgent,
                max_repeats=self.max_repeats,
            ),
            recordings=self.recordings,
        )


def _channels(
    whom: Addressees, gateways: Mapping[str, Gateway], now: Clock, known: dict[Any, Channel]
) -> Iterable[Channel]:
    """Make the channels; one that is known from another list is the same one, with its limits."""
    if whom.urls:
        from pbx_bridge.alerts.services import Service  # noqa: PLC0415 - see `_known_service`

        for url in whom.urls:
            if url not in known:
                number = sum(isinstance(key, Secret) for key in known) + 1
                known[url] = Service(url, number)
            yield known[url]
    by_gateway = [
        (target.gateway, to, channel)
        for channel, targets in (
            (delivery.Channel.EMAIL, whom.mail),
            (delivery.Channel.SMS, whom.sms),
        )
        for target in targets
        for to in target.to
    ]
    for way in dict.fromkeys(by_gateway):
        if way not in known:
            known[way] = ByGateway(gateways, *way, now)
        yield known[way]
