"""The text of a message: placeholders, plain characters, segments.

A template is text with placeholders, `{office}` or `{caller_name|there}`, and nothing more: no
conditions, no loops, no expressions. What differs by case is another template. The names are in
`core.variables`; this module knows only the form.

GSM 03.38 (3GPP TS 23.038) has 127 characters of one septet and ten of two. One character outside
makes the whole message UCS-2: 70 instead of 160 to a segment. So the look-alikes that word
processors put in (curly quotes, dashes, ellipsis) are replaced before anything is counted or sent.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("\f^{}\\[~]|€")

#: The longest text that gateways take (Twilio, and what ten segments hold elsewhere).
LONGEST = 1600

_LOOKALIKES = {
    **dict.fromkeys("‘’‚‛′´`ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−•·", "-"),
    "…": "...",
    "‹": "<",
    "›": ">",
    **dict.fromkeys("\u00a0\u202f\u205f\u3000\t", " "),
    **{chr(space): " " for space in range(0x2000, 0x200B)},
    **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),  # soft hyphen, spaces without width
    "ﬁ": "fi",
    "ﬂ": "fl",
}
_MENDING = str.maketrans(_LOOKALIKES)
_PLACEHOLDER = re.compile(r"\{([^{}|]*)(?:\|([^{}]*))?\}")
#: Control characters, those that turn the direction of writing, tags, and halves of characters.
_CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{name}` or `{name|fallback}`; without a fallback it is None."""

    name: str
    fallback: str | None


@dataclass(frozen=True, slots=True)
class Segments:
    """How a text travels."""

    encoding: str  #: `GSM-7` or `UCS-2`
    parts: int


def wanted(template: str) -> list[Placeholder]:
    """List the placeholders of a template, in order."""
    return [Placeholder(found[1], found[2]) for found in _PLACEHOLDER.finditer(template)]


def placeholders(template: str) -> set[str]:
    """Name what a template wants filled in."""
    return {placeholder.name for placeholder in wanted(template)}


def has_loose_brace(template: str) -> bool:
    """Whether a brace belongs to no placeholder."""
    rest = _PLACEHOLDER.sub("", template)
    return "{" in rest or "}" in rest


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill a template, once: a value that looks like a placeholder stays text.

    An empty value gives way to the fallback, if there is one.

    Raises:
        KeyError: for a placeholder with neither value nor fallback; configuration is checked for
            that at load.

    """
    return plain(substitute(template, values))


def substitute(template: str, values: Mapping[str, str]) -> str:
    """Fill a template as `fill` does, but leave look-alikes as they are."""

    def value(found: re.Match[str]) -> str:
        name, fallback = found[1], found[2]
        given = clean(values[name] if fallback is None else values.get(name, ""))
        return given or fallback or ""

    return _PLACEHOLDER.sub(value, template)


def clean(text: str) -> str:
    """Drop control and direction-changing characters: caller-supplied text is hostile."""
    return _CONTROL.sub("", text)


def storable(text: str) -> str:
    """Put a question mark in the place of half a character, which can be stored and sent nowhere.

    JSON may have one: of an emoji over the end of a part, say.
    """
    return text.encode(errors="replace").decode()


def plain(text: str) -> str:
    """Replace the look-alikes that would make a plain text UCS-2.

    Letters typed as a letter and an accent (as macOS does in file names) become one character.
    """
    return unicodedata.normalize("NFC", text).translate(_MENDING)


def mended(text: str) -> dict[str, str]:
    """Tell which characters of a text `plain` replaces, and by what."""
    return {character: _LOOKALIKES[character] for character in text if character in _LOOKALIKES}


def is_gsm(character: str) -> bool:
    """Whether a character needs no UCS-2."""
    return character in GSM_BASIC or character in GSM_EXTENDED


def segments(text: str) -> Segments:
    """Count the segments that a text will take, never splitting a character over two.

    A multi-part segment holds 153 septets or 67 UTF-16 units: an escape pair or a surrogate pair
    that does not fit moves whole to the next one, so dividing the length is wrong.
    """
    if all(map(is_gsm, text)):
        return Segments("GSM-7", _pack([2 if c in GSM_EXTENDED else 1 for c in text], 160, 153))
    return Segments("UCS-2", _pack([_units(c) for c in text], 70, 67))


def shorten(text: str, limit: int) -> str:
    """Cut a text to at most `limit` UTF-16 units, which is how phones and gateways count.

    It is cut between words where there are any, so that no link or number goes out by halves, and
    never inside what people see as one character (a letter with its accents, an emoji of several
    parts, a flag). Dots say that something is missing, where there is room for them.
    """
    if sum(map(_units, text)) <= limit:
        return text
    dots = "..." if limit > len("...") else ""
    room, end = limit - len(dots), 0
    while _units(text[end]) <= room:
        room -= _units(text[end])
        end += 1
    while end and _belongs_together(text, end):
        end -= 1
    head = text[:end]
    if not text[end].isspace():
        words = re.match(r".*\s", head, re.DOTALL)
        if words and words.end() > end // 2:
            head = words[0]
    return head.rstrip() + dots


def _units(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1  # noqa: PLR2004 - the end of the basic plane


_JOINER = "\u200d"
_FLAG_LETTERS = "".join(map(chr, range(0x1F1E6, 0x1F200)))


def _belongs_together(text: str, at: int) -> bool:
    """Whether the characters before and after `at` are seen as one."""
    before, after = text[at - 1], text[at]
    if unicodedata.category(after).startswith("M") or _JOINER in (before, after):
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff":  # the colour of a skin
        return True
    letters = at - len(text[:at].rstrip(_FLAG_LETTERS))
    return after in _FLAG_LETTERS and letters % 2 == 1  # a flag is two of them


def _pack(widths: list[int], single: int, multi: int) -> int:
    if sum(widths) <= single:
        return 1
    parts, room = 1, multi
    for width in widths:
        if width > room:
            parts, room = parts + 1, multi
        room -= width
    return parts


def split(text: str) -> list[str]:
    """Cut a text into the parts that `segments` counts, for gateways that must do it themselves."""
    if all(c in GSM_BASIC or c in GSM_EXTENDED for c in text):
        return _parts(text, [2 if c in GSM_EXTENDED else 1 for c in text], 160, 153)
    return _parts(text, [2 if ord(c) > 0xFFFF else 1 for c in text], 70, 67)  # noqa: PLR2004 - the end of the basic plane


def _parts(text: str, widths: list[int], single: int, multi: int) -> list[str]:
    if sum(widths) <= single:
        return [text]
    parts, room = [""], multi
    for character, width in zip(text, widths, strict=True):
        if width > room:
            parts.append("")
            room = multi
        parts[-1] += character
        room -= width
    return parts
