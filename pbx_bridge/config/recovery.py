"""[recovery] and [bookings]: what counts as won back, and how a booking tool tells us."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pbx_bridge.bookings import CHECKS, Tool
from pbx_bridge.config.values import Age, Duration, Name
from pbx_bridge.core.booking import PRESETS, Reading, is_path
from pbx_bridge.core.office import Holdout
from pbx_bridge.core.recovery import Definition
from pbx_bridge.gateways._signature import SHORTEST_TOKEN, TOKEN
from pbx_bridge.secret import Secret

_DEFAULT = Definition()
#: What a preset knows; written beside it, it counts instead.
_PATHS = ("phone", "start", "id", "event", "booked", "called_off")


def _path(written: str) -> str:
    if not is_path(written):
        raise ValueError('not a path; names with dots between, such as "payload.attendee.phone"')
    return written


def _fit_for_a_url(token: Secret) -> Secret:
    if TOKEN.fullmatch(token.reveal()) is None or len(token.reveal()) < SHORTEST_TOKEN:
        raise ValueError(
            f"it stands in a URL; at least {SHORTEST_TOKEN} letters, digits, - and _, such as"
            " `openssl rand -hex 16` gives"
        )
    return token


PayloadPath = Annotated[str, AfterValidator(_path)]
PathToken = Annotated[Secret, AfterValidator(_fit_for_a_url)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Recovery(_Section):
    window: Age = Field(
        default=_DEFAULT.window,
        description="how long after a missed call the caller can still be won back",
        examples=["7d"],
    )
    min_conversation: Duration = Field(
        default=_DEFAULT.min_conversation,
        description="how long somebody has to speak with the caller for it to count",
        examples=["20s"],
    )
    holdout_percent: Annotated[float, Field(ge=0, le=50)] = Field(
        default=0.0,
        description="so many of a hundred callers are left alone, to see what texts bring about",
        examples=[10],
    )
    holdout_for: Age = Field(
        default=timedelta(days=30),
        description="how long a caller stays among those left alone, or among the others",
        examples=["30d"],
    )

    def definition(self) -> Definition:
        """Give what counts as recovered."""
        return Definition(self.window, self.min_conversation)

    def holdout(self, office: str) -> Holdout | None:
        """Give whom not to write to, to compare with; None is nobody."""
        if not self.holdout_percent:
            return None
        return Holdout(self.holdout_percent, self.holdout_for, salt=office)


class BookingSettings(_Section):
    """Off unless the table is there. Needs [hooks]."""

    token: PathToken = Field(
        description="a secret of your own, by which the tool calls …/bookings/TOKEN",
        examples=['{ file = "/etc/pbx-bridge/booking-token" }'],
    )
    preset: Literal["cal.com", "calendly"] | None = Field(
        default=None, description="a tool whose documents are known", examples=["cal.com"]
    )
    signing_secret: Secret | None = Field(
        default=None,
        description="what the tool of the preset signs with",
        examples=['{ file = "/etc/pbx-bridge/booking-secret" }'],
    )
    name: Name | None = Field(
        default=None, description="what to call the tool", examples=["Acuity"]
    )
    phone: tuple[PayloadPath, ...] = Field(
        default=(),
        description="where the caller's number may stand in the tool's JSON",
        examples=[["customer.phone"]],
    )
    start: tuple[PayloadPath, ...] = Field(
        default=(), description="where the appointment's time stands", examples=[["start"]]
    )
    id: tuple[PayloadPath, ...] = Field(
        default=(), description="where the booking's id stands", examples=[["id"]]
    )
    event: PayloadPath | Literal[""] = Field(
        default="", description="where the kind of news stands", examples=["action"]
    )
    booked: Annotated[frozenset[str], Field(max_length=20)] = Field(
        default=frozenset(),
        description="the kinds of news that are bookings",
        examples=[["created"]],
    )
    called_off: Annotated[frozenset[str], Field(max_length=20)] = Field(
        default=frozenset(),
        description="the kinds of news by which a booking is none any more",
        examples=[["cancelled"]],
    )

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.preset is not None:
            return self
        if not self.phone:
            raise ValueError(
                'neither preset nor phone; preset = "cal.com" or "calendly", or phone ='
                ' ["customer.phone"]: where the number stands in the JSON of your tool'
            )
        if self.signing_secret is not None:
            raise ValueError("signing_secret is for a preset; without one only the token counts")
        if bool(self.event) != bool(self.booked):
            raise ValueError("event and booked go together: where it stands, and what it has to be")
        return self

    def tool(self) -> Tool:
        """Give what is needed to hear the tool."""
        preset = Reading(phone=()) if self.preset is None else PRESETS[self.preset]
        own = {name: getattr(self, name) for name in _PATHS if name in self.model_fields_set}
        secret = self.signing_secret
        return Tool(
            name=self.name or self.preset or "the booking tool",
            reading=replace(preset, **own),
            token=self.token.reveal(),
            signing_secret=None if secret is None else secret.reveal(),
            check=CHECKS[self.preset] if self.preset is not None and secret is not None else None,
        )
