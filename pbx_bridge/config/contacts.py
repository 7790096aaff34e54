"""[contacts]: where contacts come from, beside what people write and import themselves."""

import ipaddress
from datetime import timedelta
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    StringConstraints,
    field_validator,
    model_validator,
)
from yarl import URL

from pbx_bridge.certificates import CaFile, context
from pbx_bridge.config.values import Duration, Switch, misplaced
from pbx_bridge.contacts.files import NO_VCARDS, has_vcards
from pbx_bridge.contacts.reading import Manner
from pbx_bridge.contacts.source import Source, SourceKind
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.origin import CALL, FILE
from pbx_bridge.secret import Secret

#: A source is somebody's server.
SHORTEST_INTERVAL = timedelta(minutes=1)
#: What the contacts of a source can be.
_KINDS = (CallerKind.KNOWN, CallerKind.CUSTOMER, CallerKind.STAFF, CallerKind.BLOCKED)


def _not_too_often(every: timedelta) -> timedelta:
    if every < SHORTEST_INTERVAL:
        raise ValueError('too often; at least "1m"')
    return every


def _no_reserved_name(name: str) -> str:
    if name in {CALL, FILE}:
        raise ValueError("this name is taken by what comes from calls and files; another one")
    return name


def _kind_of_contact(kind: CallerKind) -> CallerKind:
    if kind not in _KINDS:
        raise ValueError(f"no contact is that; known are {', '.join(_KINDS)}")
    return kind


def _readable(kind: SourceKind) -> SourceKind:
    if kind is SourceKind.CARDDAV and not has_vcards():
        raise ValueError(NO_VCARDS)
    return kind


def _plain(url: HttpUrl) -> HttpUrl:
    if url.username or url.password:
        raise ValueError("it has a user in it; use username and password")
    if url.fragment:
        raise ValueError("a URL without #")
    return url


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SourceSettings(_Section):
    """A [[contacts.sources]]."""

    name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
        AfterValidator(_no_reserved_name),
    ] = Field(description="what to call it in lists", examples=["office-book"])
    type: Annotated[SourceKind, AfterValidator(_readable)] = Field(
        description='"carddav" for an address book, "http" for a .vcf or .csv file',
        examples=["carddav"],
    )
    url: Annotated[HttpUrl, AfterValidator(_plain)] = Field(
        description="where it is", examples=["https://cloud.example.com/dav/addressbooks/office/"]
    )
    username: str = Field(
        default="",
        max_length=200,
        pattern=r"^[^:\x00-\x1f\x7f]*$",
        description="to log in with",
        examples=["office"],
    )
    password: Secret | None = Field(
        default=None,
        description="its password",
        examples=['{ file = "/etc/pbx-bridge/contacts-password" }'],
    )
    ca: CaFile | None = Field(
        default=None,
        description="certificates to trust (PEM) instead of the system's",
        examples=["/etc/pbx-bridge/pbx-ca.pem"],
    )
    every: Annotated[Duration, AfterValidator(_not_too_often)] = Field(
        default=timedelta(hours=1), description="how often to read it", examples=["1h"]
    )
    kind: Annotated[CallerKind, AfterValidator(_kind_of_contact)] | None = Field(
        default=None,
        alias="as",
        description="what its contacts are, where it does not say",
        examples=["customer"],
    )
    write: Switch = Field(
        default=False,
        description="whether what people change here is written back to the address book",
        examples=[False],
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.username and self.password is None:
            raise ValueError("username without password; give both, or neither")
        if self.password is not None and not self.username:
            raise ValueError("password without username; give both, or neither")
        if self.password is not None and self.url.scheme == "http" and not _is_near(self.url):
            raise ValueError("the password would cross the internet unencrypted; an https:// url")
        if self.write and self.type is not SourceKind.CARDDAV:
            raise ValueError('only an address book can be written to; type = "carddav"')
        return self

    def source(self, country: str) -> Source:
        """Give the source; `country` is how national numbers in it are read."""
        return Source(
            name=self.name,
            kind=self.type,
            url=URL(str(self.url)),
            username=self.username,
            password=self.password,
            tls=None if self.ca is None else context(self.ca),
            every=self.every,
            manner=Manner(country=country, kind=self.kind),
            write=self.write,
        )


class Contacts(_Section):
    """Without the table there are no sources; people can add and import all the same."""

    sources: tuple[SourceSettings, ...] = Field(
        default=(), description="tables [[contacts.sources]] with name, type and url"
    )

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
        seen = set()
        for index, source in enumerate(sources):
            if source.name in seen:
                raise misplaced("two sources have this name; give each its own", index, "name")
            seen.add(source.name)
        return sources


def _is_near(url: HttpUrl) -> bool:
    """Whether a server is in the house."""
    host = (url.host or "").strip("[]")
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_private or address.is_loopback
