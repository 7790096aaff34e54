"""The text of a message: placeholders, plain characters, segments.

GSM 03.38 (3GPP TS 23.038) has 127 characters of one septet and ten of two. One character outside
makes the whole message UCS-2: 70 instead of 160 to a segment. So the look-alikes that word
processors put in (curly quotes, dashes, ellipsis) are replaced before anything is counted or sent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("\f^{}\\[~]|€")

_LOOKALIKES = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "‚": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "–": "-",
        "—": "-",
        "‑": "-",
        "…": "...",
        "•": "-",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
        "\t": " ",
        "`": "'",
        "´": "'",
        "\u200b": "",
        "\ufeff": "",
    }
)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

#: What a template may say, and what each stands for.
PLACEHOLDERS = {
    "office": "the office's name",
    "line": "the number that was called",
    "caller": "the caller's number",
}


@dataclass(frozen=True, slots=True)
class Segments:
    """How a text travels."""

    encoding: str  #: `GSM-7` or `UCS-2`
    parts: int


def placeholders(template: str) -> set[str]:
    """Name what a template wants filled in."""
    return set(_PLACEHOLDER.findall(template))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill a template, once: a value that looks like a placeholder stays text.

    Raises:
        KeyError: for a placeholder without a value; configuration is checked for that at load.

    """
    filled = _PLACEHOLDER.sub(lambda match: clean(values[match[1]]), template)
    return plain(filled)


def clean(text: str) -> str:
    """Drop control and direction-changing characters: caller-supplied text is hostile."""
    return _CONTROL.sub("", text)


def plain(text: str) -> str:
    """Replace the look-alikes that would make a plain text UCS-2."""
    return text.translate(_LOOKALIKES)


def segments(text: str) -> Segments:
    """Count the segments that a text will take, never splitting a character over two.

    A multi-part segment holds 153 septets or 67 UTF-16 units: an escape pair or a surrogate pair
    that does not fit moves whole to the next one, so dividing the length is wrong.
    """
    if all(c in GSM_BASIC or c in GSM_EXTENDED for c in text):
        return Segments("GSM-7", _pack([2 if c in GSM_EXTENDED else 1 for c in text], 160, 153))
    return Segments("UCS-2", _pack([2 if ord(c) > 0xFFFF else 1 for c in text], 70, 67))  # noqa: PLR2004 - the end of the basic plane


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
