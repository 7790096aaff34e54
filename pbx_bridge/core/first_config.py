"""A first configuration: short, commented, enough to watch with."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a first configuration says; numbers in E.164."""

    office: str
    country: str
    timezone: str
    number: str | None
    pbx: str  #: its name in lists
    host: str
    port: int
    username: str
    secret: tuple[str, str]  #: ("credential", name) or ("file", path)
    contexts: tuple[str, ...] = ()  #: patterns; empty for the built-in ones
    trunks: tuple[str, ...] = ()
    database: str | None = None  #: where it is not in /var/lib/pbx-bridge


_TEXT = """\
# pbx_bridge: a start. Every setting there is, with its default and what it is for:
#   pbx-bridge init --reference
# After a change run `pbx-bridge check`, then send the service a SIGHUP.

[office]
name = {office}
# By which country's rules national numbers are read.
country = {country}
timezone = {timezone}
{number}

[texting]
# Shadow mode: every call is judged, nothing is sent. Look at `pbx-bridge calls` for a day, then set
# it to true.
enabled = false
gateways = ["console"]

[[pbx]]
name = {pbx}
host = {host}
port = {port}
username = {username}
secret = {secret}
{inbound}

# Prints the texts. Put one that sends in its place before you set `enabled = true`.
[gateways.console]
type = "console"

# The office's page: http://127.0.0.1:8088, on this machine until a reverse proxy leads to it. The
# first start prints a link by which its first administrator comes in.
[web]
port = 8088
{database}"""

_NO_NUMBER = """\
# To call back, {office_number} in a text; and your own numbers, which are never texted.
#number = "+12125550100"
#own_numbers = ["+12125550100"]"""

_NO_CONTEXTS = """\
# Which calls come from outside is known by FreePBX's names for them. Has yours others? See
# `pbx-bridge probe`.
#inbound_contexts = ["^from-trunk$"]"""


def written(answers: Answers) -> str:
    """Give the file's text."""
    number = answers.number and _quoted(answers.number)
    kind, place = answers.secret
    inbound = (_array("inbound_contexts", answers.contexts), _array("trunks", answers.trunks))
    path = answers.database and _quoted(answers.database)
    return _TEXT.format(
        office=_quoted(answers.office),
        country=_quoted(answers.country),
        timezone=_quoted(answers.timezone),
        number=f"number = {number}\nown_numbers = [{number}]" if number else _NO_NUMBER,
        pbx=_quoted(answers.pbx),
        host=_quoted(answers.host),
        port=answers.port,
        username=_quoted(answers.username),
        secret=f"{{ {kind} = {_quoted(place)} }}",
        inbound="\n".join(filter(None, inbound)) or _NO_CONTEXTS,
        database=f"\n[database]\npath = {path}\n" if path else "",
    )


def _quoted(text: str) -> str:
    """Write a TOML basic string."""
    parts = []
    for character in text:
        if character in '"\\':
            parts.append("\\" + character)
        elif character.isprintable():
            parts.append(character)
        else:
            parts.append(f"\\U{ord(character):08x}")
    return f'"{"".join(parts)}"'


def _literal(text: str) -> str:
    """Write a TOML literal string, in which a pattern is as it is, or else a basic one."""
    return f"'{text}'" if text.isprintable() and "'" not in text else _quoted(text)


def _array(key: str, values: Iterable[str]) -> str:
    inside = ", ".join(_literal(value) for value in values)
    return f"{key} = [{inside}]" if inside else ""
