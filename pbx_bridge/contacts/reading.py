"""What a file of contacts says, line by line, and what in it cannot be used.

A file comes from anywhere. Whatever is in it, reading it gives a `Reading`, or raises `Unreadable`.
"""

import codecs
from dataclasses import dataclass, field
from functools import lru_cache
from zoneinfo import available_timezones

from pbx_bridge.core import told
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.number import parse
from pbx_bridge.core.saying import say
from pbx_bridge.core.told import Told

#: Bytes: more than a hundred thousand contacts.
LARGEST_FILE = 32 * 1024 * 1024
MOST_ENTRIES = 100_000
#: Characters; photographs, which are longer, are passed over.
LONGEST_LINE = 131_072
LONGEST_UID = 500
#: A file that is wrong throughout needs no more examples.
MOST_REMARKS = 1000

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: As much of a file as tells whether it is UTF-16 without saying so.
_SAMPLE = 4096


class Unreadable(Exception):  # noqa: N818 - it is a problem report, not a program error
    """A file is of no use; `line` is where that shows, 0 for the file as a whole."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(
            say("line {line}: {problem}", line=line, problem=problem) if line else problem
        )


@dataclass(frozen=True, slots=True)
class Remark:
    """What could not be used, of an entry or a whole one."""

    line: int
    text: str
    lost: bool = False  #: an entry could not be read: that it is not told does not mean it is gone


@dataclass(slots=True)
class Reading:
    """All that a file says."""

    told: list[Told] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def remark(self, line: int, text: str, *, lost: bool = False) -> None:
        """Note what could not be used."""
        if len(self.remarks) < MOST_REMARKS or (lost and not self.is_incomplete):
            self.remarks.append(Remark(line, text, lost))

    def add(self, one: Told) -> None:
        """Take an entry.

        Raises:
            Unreadable: there are too many.

        """
        if len(self.told) >= MOST_ENTRIES:
            raise Unreadable(
                one.line,
                say("more than {most_entries} contacts; split the file", most_entries=MOST_ENTRIES),
            )
        self.told.append(one)

    @property
    def is_incomplete(self) -> bool:
        """Whether some entry could not be read."""
        return any(remark.lost for remark in self.remarks)


@dataclass(frozen=True, slots=True)
class Manner:
    """How what a file leaves open is to be read."""

    country: str  #: whose national numbers it has
    kind: CallerKind | None = None  #: what its contacts are, where it does not say


def decoded(body: bytes) -> str:
    """Give the text of a file: UTF-8, UTF-16, or else Windows' western characters.

    Raises:
        Unreadable: it is too large, or not text.

    """
    if len(body) > LARGEST_FILE:
        raise Unreadable(
            0,
            say(
                "larger than {largest_file} MiB; split the file",
                largest_file=LARGEST_FILE // 1024 // 1024,
            ),
        )
    encoding = next((name for bom, name in _BOMS if body.startswith(bom)), _guessed(body))
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise Unreadable(
                0, say("not text in {encoding}: {words}", encoding=encoding, words=error.reason)
            ) from None
    if b"\0" in body:
        raise Unreadable(
            body[: body.index(b"\0")].count(b"\n") + 1, say("not text, but binary data")
        )
    return body.decode("cp1252", errors="replace")


def _guessed(body: bytes) -> str:
    """Tell UTF-16 without a mark from UTF-8: every other byte of western text is zero then."""
    sample = body[:_SAMPLE]
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        every_other = sample[start::2]
        if every_other and every_other.count(0) > len(every_other) // 2 and len(body) % 2 == 0:
            return name
    return "utf-8"


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def zone(text: str) -> str:
    """Give the name of a time zone that there is; empty if this is none."""
    name = told.zone(text)
    return name if name in _zones() else ""


def e164(text: str, country: str) -> str:
    """Read a number as people write it; empty if it is none."""
    text = text.strip()
    number, _, extension = text.lower().partition("ext")
    known = parse(number if extension else text, country)
    return "" if known is None else known.e164
