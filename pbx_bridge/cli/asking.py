"""Questions of `init`, and how what is answered is read."""

import ipaddress
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic import TypeAdapter, ValidationError

from pbx_bridge.cli.options import Misuse
from pbx_bridge.config.values import Country, Name, TimeZone
from pbx_bridge.core import number

Value = TypeVar("Value")

_USERNAME = re.compile(r"[A-Za-z0-9_-]{1,79}")
_IPV6 = 6


def answer(  # noqa: PLR0913 - a question
    option: str,
    question: str,
    read: Callable[[str], str],
    *,
    said: str | None,
    default: str | None = None,
    ask: bool,
) -> str:
    """Give what the option says, or else what is answered, or what is taken without asking."""
    if said is not None:
        return valid(read, said, option)
    if not ask:
        if default is None:
            raise Misuse(f"{option} is needed: nothing here tells it")
        return valid(read, default, option)

    def once(text: str) -> str:
        try:
            return read(text)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    value: str = click.prompt(
        question, default=default, show_default=bool(default), value_proc=once
    )
    return value


def valid(read: Callable[[str], Value], text: str, option: str) -> Value:
    """Read the value of an option, or end with what would be right."""
    try:
        return read(text)
    except ValueError as error:
        raise Misuse(f"{option}: {error}") from None


def _by(kind: Any, text: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def read_name(text: str) -> str:
    return str(_by(Name, text))


def read_country(text: str) -> str:
    return str(_by(Country, text.upper()))


def read_zone(text: str) -> str:
    return str(_by(TimeZone, text))


def read_number(text: str, country: str) -> str:
    found = number.normalise(text, country)
    if found is None:
        raise ValueError(f"{text!r} is not a number of {country}; write it like +12125550143")
    return found


def read_username(text: str) -> str:
    """Read the name of an account, which becomes a section of manager.conf."""
    if not _USERNAME.fullmatch(text) or text == "general":
        raise ValueError(f"{text!r} is no name of an account: letters, digits, - and _ only")
    return text


def read_network(text: str) -> str:
    """Write an address or network as manager.conf does."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is no address or network, such as 10.8.0.7 or 10.8.0.0/24"
        ) from None
    if network.version == _IPV6:
        return f"{network.network_address}/{network.prefixlen}"
    return f"{network.network_address}/{network.netmask}"
