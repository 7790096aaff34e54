"""What the dialplan may read of us in the PBX's own database (AstDB).

Three things: who was missed (`pbxbridge-missed/KEY`, the time of the call), who spoke with a caller
last (`pbxbridge-last/KEY`, the endpoint), and until when missed callers are texted for certain
(`pbxbridge/texting`). KEY is the end of the caller's number, so that the dialplan needs no more
than `${CALLERID(num):-9}`, however the PBX writes numbers.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice

from pbx_bridge.core.call import Disposition, Reason
from pbx_bridge.core.number import parse, spellings

MISSED = "pbxbridge-missed"
LAST = "pbxbridge-last"
OURS = "pbxbridge"
TEXTING = (OURS, "texting")

#: Who forges caller IDs could fill the PBX's database: of each kind there are so many at most.
MOST = 1_000
#: The word that callers are texted holds so long at least, should nobody be here to take it back.
HOLDS_FOR = timedelta(minutes=10)
#: It is given anew this often.
RENEWED = timedelta(minutes=5)

_ENDPOINT = re.compile(r"[A-Za-z0-9_-]{1,32}")
_DIALLED = re.compile(r"\+?[0-9]+")

Key = tuple[str, str]
"""Family and key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What one PBX's dialplan reads."""

    missed: bool = False
    last: bool = False
    texting: bool = False
    keep: timedelta = timedelta(days=7)  #: so long an entry stands after the call
    digits: int = 9  #: of a number's end, as in the dialplan

    def __bool__(self) -> bool:
        return self.missed or self.last or self.texting


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A call from outside; one that lives has no end."""

    pbx: str
    e164: str
    began: datetime
    ended: datetime | None
    disposition: Disposition
    reason: Reason
    answered_at: datetime | None
    answered_by: str


@dataclass(frozen=True, slots=True)
class Went:
    """A conversation with somebody who was rung from here."""

    dialled: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What happened of late. Of a withheld number nothing is in it."""

    came: Collection[Came] = ()  #: the newest first
    went: Collection[Went] = ()
    trunks: frozenset[str] = frozenset()  #: endpoints that are no colleague's


def entries(  # noqa: PLR0913 - whose, and all that it depends on
    pbx: str,
    keeping: Keeping,
    seen: Seen,
    now: datetime,
    *,
    nobody: frozenset[str] = frozenset(),
    texts: bool = False,
) -> dict[Key, str]:
    """Give all that the AstDB of a PBX is to hold of ours; of the numbers of `nobody` nothing."""
    since = now - keeping.keep
    came = [one for one in seen.came if one.began >= since and one.e164 not in nobody]
    wanted: dict[Key, str] = {}
    if keeping.texting and texts:
        step = RENEWED.total_seconds()
        until = (now.timestamp() // step + 1) * step + HOLDS_FOR.total_seconds()
        wanted[TEXTING] = str(int(until))
    if keeping.missed:
        wanted |= _of_numbers(MISSED, _missed(came, seen.went), keeping.digits)
    if keeping.last:
        here = [one for one in came if one.pbx == pbx]
        wanted |= _of_numbers(LAST, _last(here, seen.trunks), keeping.digits)
    return wanted


@lru_cache(maxsize=4_096)  # the same thousand numbers are asked for again and again
def keys(e164: str, digits: int) -> tuple[str, ...]:
    """Give the ends of a number in every way that a PBX may write it: mostly they are one.

    They differ where a number with its country code is longer than `digits`, and without is not.
    """
    number = parse(e164, "")
    if number is None:
        return ()
    forms = [one for one in spellings(number) if _DIALLED.fullmatch(one)]
    forms.append("00" + number.e164[1:])
    return tuple(dict.fromkeys(form[-digits:] for form in forms))


def difference(held: Mapping[Key, str], wanted: Mapping[Key, str]) -> dict[Key, str]:
    """Give what is to be changed: the new values, and an empty one for what is to go."""
    changes = {key: value for key, value in wanted.items() if held.get(key) != value}
    return changes | {key: "" for key in held if key not in wanted and held[key]}


def _missed(came: Iterable[Came], went: Collection[Went]) -> dict[str, str]:
    """Give who was missed last time, and when, the newest first."""
    newest: dict[str, Came] = {}
    for one in came:
        if one.e164 not in newest and (one.ended is not None or one.answered_at is not None):
            newest[one.e164] = one
    missed = (
        one
        for one in newest.values()
        if one.disposition is Disposition.MISSED
        and one.answered_at is None
        and one.reason is not Reason.REJECTED
    )
    lost = {one.e164: one for one in islice(missed, MOST)}
    rung = _rung(lost, went)
    return {
        e164: str(int(one.began.timestamp()))
        for e164, one in lost.items()
        if e164 not in rung or rung[e164] < one.began
    }


def _rung(numbers: Collection[str], went: Collection[Went]) -> dict[str, datetime]:
    """Give when somebody here last spoke with whom; what was dialled is compared by its end."""
    nationals = {e164: _national(e164) for e164 in numbers}
    lengths = {len(national) for national in nationals.values() if national}
    ends: dict[str, datetime] = {}
    for one in went:
        for length in lengths:
            end = one.dialled[-length:]
            ends[end] = max(one.at, ends.get(end, one.at))
    return {e164: ends[end] for e164, end in nationals.items() if end in ends}


@lru_cache(maxsize=4_096)
def _national(e164: str) -> str:
    number = parse(e164, "")
    return "" if number is None else number.national


def _last(came: Iterable[Came], trunks: frozenset[str]) -> dict[str, str]:
    """Give who spoke with whom last, the newest first."""
    found: dict[str, str] = {}
    for one in came:
        colleague = one.answered_by
        if one.answered_at is None or one.e164 in found or colleague in trunks:
            continue
        if _ENDPOINT.fullmatch(colleague):
            found[one.e164] = colleague
    return found


def _of_numbers(family: str, values: Mapping[str, str], digits: int) -> dict[Key, str]:
    made: dict[Key, str] = {}
    for e164, value in islice(values.items(), MOST):
        for key in keys(e164, digits):
            made.setdefault((family, key), value)
    return made
