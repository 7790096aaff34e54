"""[web]: the office's page, and where browsers find it."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, field_validator, model_validator

from pbx_bridge.config.oidc import Oidc
from pbx_bridge.config.values import Name, Port, SessionTime, misplaced

#: Everywhere: no address by which a browser could call.
_EVERYWHERE = {"0.0.0.0", "::", "*", ""}  # nosec B104 # noqa: S104 - recognised, not listened on


class Web(BaseModel):
    """The page that the office works with. Off unless the table is there."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    listen: Name = Field(
        default="127.0.0.1",
        description="the address to listen on; browsers on other machines need a reverse proxy",
        examples=["127.0.0.1"],
    )
    port: Port = Field(
        default=8088,
        description="the port to listen on; it may be that of [hooks], one server has both then",
        examples=[8088],
    )
    public_url: HttpUrl | None = Field(
        default=None,
        description="how browsers reach the page, through your reverse proxy",
        examples=["https://pbx.example.com/bridge"],
    )
    proxies: tuple[Name, ...] = Field(
        default=("127.0.0.1", "::1"),
        description="addresses of your reverse proxy, whose X-Forwarded-For is believed",
        examples=[["127.0.0.1"]],
    )
    metrics_from: tuple[Name, ...] = Field(
        default=(),
        description="addresses that may read /metrics without a token, such as Prometheus",
        examples=[["10.0.0.7"]],
    )
    session_idle: SessionTime = Field(
        default=timedelta(hours=12),
        description="a browser that is not used for so long has to log in again",
        examples=["12h"],
    )
    session_lifetime: SessionTime = Field(
        default=timedelta(days=7),
        description="every browser has to log in again after so long",
        examples=["7d"],
    )

    oidc: Oidc | None = Field(
        default=None, description="a table [web.oidc]: an OpenID provider", examples=[]
    )

    @field_validator("proxies", "metrics_from")
    @classmethod
    def _addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for n, written in enumerate(proxies):
            try:
                ip_network(written, strict=False)
            except ValueError:
                raise misplaced(
                    'no IP address; write one such as "10.0.0.5", or a network such as'
                    ' "10.0.0.0/24"',
                    n,
                ) from None
        return proxies

    @field_validator("public_url")
    @classmethod
    def _plain(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url is not None and (url.username or url.password or url.query or url.fragment):
            raise ValueError("only scheme, host and perhaps a path; no user, ? or #")
        return url

    @model_validator(mode="after")
    def _browsers_know_the_way(self) -> Self:
        if self.listen in _EVERYWHERE and self.public_url is None:
            raise ValueError(
                f'listen = "{self.listen}" needs public_url: the address that browsers call, which'
                " writes are only taken from"
            )
        return self

    @property
    def url(self) -> str:
        """Where people find the page, without a slash at its end."""
        if self.public_url is not None:
            return str(self.public_url).rstrip("/")
        host = f"[{self.listen}]" if ":" in self.listen else self.listen
        return f"http://{host}:{self.port}"

    @property
    def base(self) -> str:
        """The path below which the page is, without a slash at its end."""
        return urlsplit(self.url).path.rstrip("/")

    @property
    def secure(self) -> bool:
        """Whether browsers come by https."""
        return self.url.startswith("https:")
