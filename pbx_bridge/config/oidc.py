"""[web.oidc]: people log in where the office's other programs have them log in, too."""

from importlib.util import find_spec
from ipaddress import ip_address
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from pbx_bridge.config.values import Name
from pbx_bridge.core.roles import Role
from pbx_bridge.secret import Secret


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _issuer(url: str) -> str:
    """Keep the issuer as it is written: it is compared letter by letter."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("not a web address; https://…, as the provider shows it")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("only scheme, host and perhaps a path; no user, ? or #")
    if parts.scheme != "https" and not _is_loopback(host):
        raise ValueError("not https, so anybody on the way could be anybody; https://…")
    return url


Issuer = Annotated[str, AfterValidator(_issuer)]
Groups = tuple[Annotated[str, Field(min_length=1, max_length=200)], ...]


class Oidc(BaseModel):
    """An OpenID provider. Who may do what is read from a claim."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: Issuer = Field(
        description="the provider's issuer URL, below which it has its well-known document",
        examples=["https://id.example.com/realms/office"],
    )
    client_id: Name = Field(
        description="what the provider calls this program", examples=["pbx-bridge"]
    )
    client_secret: Secret | None = Field(
        default=None,
        description="the password that the provider gave this program, if it gave one",
        examples=['{ file = "/etc/pbx-bridge/oidc-secret" }'],
    )
    label: Name = Field(
        default="Company login", description="what its button says", examples=["Company login"]
    )
    scopes: tuple[Name, ...] = Field(
        default=("openid", "profile"),
        description="what the provider is asked for; openid is needed",
        examples=[["openid", "profile", "groups"]],
    )
    name_claim: Name = Field(
        default="preferred_username",
        description="the claim that has the name of the user",
        examples=["preferred_username"],
    )
    role_claim: Name = Field(
        default="groups",
        description="the claim that has the user's groups; a.b is b inside of a",
        examples=["groups", "realm_access.roles"],
    )
    admins: Groups = Field(
        default=(), description="groups whose members are administrators", examples=[["pbx-admins"]]
    )
    agents: Groups = Field(
        default=(), description="groups whose members are agents", examples=[["reception"]]
    )
    viewers: Groups = Field(
        default=(), description="groups whose members only look", examples=[["everybody"]]
    )

    @field_validator("scopes")
    @classmethod
    def _openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise ValueError('openid is missing; such as ["openid", "profile"]')
        return scopes

    @model_validator(mode="after")
    def _somebody_comes_in(self) -> Self:
        if not (self.admins or self.agents or self.viewers):
            raise ValueError("nobody could come in; name groups in admins, agents or viewers")
        if find_spec("cryptography") is None:
            raise ValueError("needs a library: pip install 'pbx-bridge[oidc]'")
        return self

    def groups(self) -> dict[Role, frozenset[str]]:
        """Give whose members have which role."""
        return {
            Role.ADMIN: frozenset(self.admins),
            Role.AGENT: frozenset(self.agents),
            Role.VIEWER: frozenset(self.viewers),
        }
