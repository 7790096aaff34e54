"""What stands where a telephone number should."""

import re
from collections.abc import Iterator

from pbx_bridge.core import number

_E164 = re.compile(r"\+[1-9][0-9]{1,16}", re.ASCII)
_COUNTRIES = ("US", "DE", "GB", "IT", "BR", "AR", "MX", "FR", "JP", "ZZ")


def check(data: bytes) -> None:
    """It is no number, or one in E.164, which is the same number in every country."""
    country = _COUNTRIES[(data[0] if data else 0) % len(_COUNTRIES)]
    text = data[1:].decode(errors="replace")
    number.is_nobody(text)
    number.spaced(text)
    number.dialled_digits(text)
    found = number.parse(text, country)
    if found is None:
        return
    assert _E164.fullmatch(found.e164), found
    assert number.normalise(found.e164, "US") == found.e164
    assert number.spellings(found)[0] == found.e164
    number.zones(found)
    number.uncallable(found)
    number.dialled_from(found, "US")


def seeds() -> Iterator[bytes]:
    written = (
        "+12125550142", "(212) 555-0142", "030 901820", "12125550142", "anonymous", "+881612345678",
        "+39 06 123 4567", "011 15-2345-6789", "+8001234567", "999", "tel:1", "\u0661\u0662",
    )  # fmt: skip
    for n, text in enumerate(written):
        yield bytes([n]) + text.encode()
