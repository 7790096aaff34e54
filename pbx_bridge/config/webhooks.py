"""[[webhooks]]: other programs that are told what happens, each by a URL of its own."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from pbx_bridge.clock import utc_now
from pbx_bridge.config.values import Switch
from pbx_bridge.core.happening import Happened
from pbx_bridge.destinations.webhook import Webhook, WebhookSettings, signing_key
from pbx_bridge.ports import Clock
from pbx_bridge.secret import Secret


def _web_address(url: Secret) -> Secret:
    right = "https://…, as the other program shows it"
    try:
        parts = urlsplit(url.reveal())
        port = parts.port
    except ValueError:
        raise ValueError(f"not a web address; {right}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(f"not a web address; {right}")
    if parts.fragment:
        raise ValueError(f"has a #, of which nothing would be sent; {right}")
    return url


def _signing(secret: Secret) -> Secret:
    signing_key(secret.reveal())
    return secret


def _some(kinds: frozenset[Happened]) -> frozenset[Happened]:
    if not kinds:
        raise ValueError("empty; name at least one event, or leave it out for all of them")
    return kinds


WebAddress = Annotated[Secret, AfterValidator(_web_address)]
SigningSecret = Annotated[Secret, AfterValidator(_signing)]
DestinationName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$")]
"""Short, since it stands in every row of what was told: letters, digits, `-` and `_`."""


class ConfiguredWebhook(BaseModel):
    """One [[webhooks]] table."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: DestinationName = Field(
        description="what to call it, in letters and digits", examples=["zapier"]
    )
    url: WebAddress = Field(
        description="where the other program listens",
        examples=['{ file = "/etc/pbx-bridge/zapier-url" }'],
    )
    secret: SigningSecret = Field(
        description="what events are signed with",
        examples=['{ file = "/etc/pbx-bridge/zapier-secret" }'],
    )
    old_secrets: tuple[SigningSecret, ...] = Field(
        default=(),
        description="secrets to sign with too, until the other program knows the new one",
        examples=['{ file = "/etc/pbx-bridge/zapier-secret.old" }'],
    )
    events: Annotated[frozenset[Happened], AfterValidator(_some)] = Field(
        default=frozenset(Happened),
        description="what to tell; without it everything",
        examples=[["call.missed", "reply.received"]],
    )
    numbers: Literal["full", "hidden"] = Field(
        default="full",
        description="whether telephone numbers are told whole, or only their end",
        examples=["full"],
    )
    bodies: Switch = Field(
        default=False,
        description="whether what somebody wrote is told: texts, replies, notes",
        examples=[False],
    )

    def build(self, now: Clock = utc_now) -> Webhook:
        """Make the webhook; it connects when something is told."""
        return Webhook(
            WebhookSettings(
                url=self.url.reveal(),
                keys=tuple(signing_key(one.reveal()) for one in (self.secret, *self.old_secrets)),
                kinds=self.events,
                numbers=self.numbers == "full",
                words=self.bodies,
            ),
            now,
        )

    def host(self) -> str:
        """Give whom it goes to, without what is secret of the address."""
        return urlsplit(self.url.reveal()).hostname or ""
