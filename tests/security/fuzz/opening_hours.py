"""Opening hours in OpenStreetMap's syntax, written by people and imported."""

from collections.abc import Iterator
from datetime import date

from pbx_bridge.core.opening import mistake, opened, says_holidays

FIRST, LAST = date(2026, 11, 23), date(2026, 12, 7)
HOLIDAYS = frozenset({date(2026, 11, 26)})
LONGEST = 300


def check(data: bytes) -> None:
    """It has a mistake at a place in it, or spans of time that begin before they end."""
    text = data.decode(errors="replace")
    wrong = mistake(text)
    says_holidays(text)
    if wrong is not None:
        assert 1 <= wrong[0] <= len(text) + 1
        assert wrong[1]
        return
    for begins, ends in opened(text, HOLIDAYS, FIRST, LAST):
        assert begins < ends


def seeds() -> Iterator[bytes]:
    for text in (
        "Mo-Fr 08:00-12:00,13:00-17:00; PH off", "24/7", "Mo-Sa 22:00-02:00", "PH,Su 10:00-12:00",
        "Jan-Mar Mo-Fr 09:00-17:00; Dec 24-26 off", "week 1-53/2 Fr 09:00-12:00", "Mo[1] 08:00+",
        '2026 Dec 01-2027 Jan 03 "closed for works"', "Mo-Fr 08:00-18:00 open, Sa 9-12 unknown",
        "easter -2 days off", "sunrise-sunset", "SH off", "Mo-Fr 09:00-12:00/01:30",
    ):  # fmt: skip
        yield text.encode()
