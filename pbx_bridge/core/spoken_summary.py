"""What somebody on call hears: from recordings that every Asterisk has, or words to be spoken.

The recordings are those of Asterisk's core sounds, which are there in many languages under the same
names. Of the caller nothing but digits is said in them.
"""

from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from pbx_bridge.core.text import clean

#: "You have an urgent message from phone number …"
_WROTE = ("vm-youhave", "vm-Urgent", "vm-from-phonenumber")
#: "Urgent. Call waiting. From …"
_CALLED = ("vm-Urgent", "call-waiting", "vm-from")
#: "Press 1 to accept this call, or 2 to decline."
_KEYS = ("followme/options",)
_NOON, _HOURS = 12, 12
_TEN = 10
_LONGEST_NUMBER = 15  #: E.164; a PBX may call a line by anything, and AMI takes no long lines

#: Of a customer's words, when they are spoken.
LONGEST_SPOKEN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What it is about."""

    number: str  #: digits of the caller's number, as people here say it
    at: datetime
    zone: tzinfo
    wrote: bool  #: else called again
    line: str = ""  #: digits of the line
    line_name: str = ""
    name: str = field(default="", repr=False)
    words: str = field(default="", repr=False)  #: what the caller wrote: hostile


def recordings(summary: Summary) -> list[str]:
    """Name the recordings to play, one after the other."""
    said = [*(_WROTE if summary.wrote else _CALLED), *_digits(summary.number)]
    if summary.line:
        said += ["vm-for", *_digits(summary.line)]
    said += ["vm-received", *_clock(summary.at.astimezone(summary.zone))]
    return [*said, *_KEYS]


def spoken(summary: Summary) -> str:
    """Put it into an English sentence or two for a speech synthesiser: plain words, no markup."""
    at = summary.at.astimezone(summary.zone)
    hour = at.hour % _HOURS or _HOURS
    half = "a m" if at.hour < _NOON else "p m"
    who = _plain(summary.name) or "a caller"
    line = _plain(summary.line_name) or " ".join(summary.line)
    did = "wrote that it is urgent" if summary.wrote else "called again"
    said = [
        f"This is urgent. At {hour} {at:%M} {half}, {who}, number {' '.join(summary.number)}, {did}"
        + (f", on the line {line}." if line else ".")
    ]
    words = _plain(summary.words)[:LONGEST_SPOKEN]
    if summary.wrote and words:
        said.append(f"The message is: {words}.")
    said.append("Press 1 to take it, 2 for the next person, 3 to hear it again.")
    return " ".join(said)


def _digits(text: str) -> list[str]:
    digits = [digit for digit in text if digit.isascii() and digit.isdigit()]
    return [f"digits/{digit}" for digit in digits[:_LONGEST_NUMBER]]


def _clock(at: datetime) -> list[str]:
    """Say the time of day: 3 5 p.m. is "three oh five p.m."."""
    hour, minute = at.hour % _HOURS or _HOURS, at.minute
    said = [f"digits/{hour}"]
    if minute == 0:
        said.append("digits/oclock")
    elif minute < _TEN:
        said += ["digits/oh", f"digits/{minute}"]
    elif minute <= 2 * _TEN:
        said.append(f"digits/{minute}")
    else:
        said.append(f"digits/{minute // _TEN * _TEN}")
        said += [f"digits/{minute % _TEN}"] if minute % _TEN else []
    return [*said, "digits/a-m" if at.hour < _NOON else "digits/p-m"]


def _plain(hostile: str) -> str:
    """Keep what is read aloud as words: letters, digits and the marks of sentences.

    No angle brackets, braces or the like, by which a synthesiser could be told how to speak.
    """
    kept = "".join(c if c.isalnum() or c in " .,?!'-:" else " " for c in clean(hostile))
    return " ".join(kept.split())
