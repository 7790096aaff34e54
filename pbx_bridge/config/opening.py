"""Opening hours as people write them, turned into OpenStreetMap's form.

`Monday to Friday 8am-5pm, Sat 9-12; Sunday closed` is
`Mo-Fr 08:00-17:00, Sa 09:00-12:00; Su off`. What is in that form already stays as it is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BeforeValidator

from pbx_bridge.config.values import did_you_mean
from pbx_bridge.core import opening

LONGEST = 1000
RIGHT = 'such as "Mon-Fri 8:00-12:00, 13:00-17:00; Sat 9-12"'

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_DAY_WORDS = {
    **{day[:length]: day[:2].title() for day in _DAYS for length in (2, 3, len(day))},
    **{f"{day}s": day[:2].title() for day in _DAYS},
    **dict.fromkeys(("thur", "thurs"), "Th"),
    "tues": "Tu",
    "weds": "We",
    **dict.fromkeys(("weekday", "weekdays"), "Mo-Fr"),
    **dict.fromkeys(("weekend", "weekends"), "Sa-Su"),
    **dict.fromkeys(("daily", "everyday", "every day"), "Mo-Su"),
    **dict.fromkeys(("ph", "holiday", "holidays", "public holiday", "public holidays"), "PH"),
}
_MONTH_WORDS = {
    **{month[:length]: month[:3].title() for month in _MONTHS for length in (3, len(month))},
    "sept": "Sep",
}
_STATES = {"closed": "off", "off": "off", "open": "open", "unknown": "unknown"}
_LINKS = {"and": ",", "to": "-", "until": "-", "till": "-", "through": "-"}
#: Words of the form itself that are no days, and how they are written.
_OTHERS = {
    **{word: word for word in ("week", "easter", "day", "days")},
    **{word: word for word in ("sunrise", "sunset", "dawn", "dusk")},
    "sh": "SH",
}
_KINDS = (
    ("day", _DAY_WORDS),
    ("month", _MONTH_WORDS),
    ("state", _STATES),
    ("link", _LINKS),
    ("", _OTHERS),  # each is a kind of its own
)
#: What other days than those before may begin with.
_DAY_KINDS = frozenset({"day", "month", "week", "easter"})
_SPELT = 3  #: letters; shorter words are too much like others

_DASHES = "[-\u2013\u2014]"
_TIME = r"(?:\d{1,2}(?!\d)(?:[:.h]\d\d(?!\d)|h)?(?:\s*[ap]\.?m\b\.?)?|noon\b|midnight\b)"
_TOKEN = re.compile(
    rf"""(?P<comment>"[^"]*")
    |(?P<always>24\s*/\s*7)
    |(?P<range>{_TIME}\s*(?:{_DASHES}|to|until|till)\s*{_TIME})
    |(?P<time>\d{{1,2}}:\d\d|\d{{1,2}}\s*[ap]\.?m\b\.?)
    |(?P<number>\d+)
    |(?P<word>every\s+day\b|public\s+holidays?\b|[^\W\d_]+\.?)
    |(?P<link>\s*{_DASHES}\s*|\s*[,&]\s*)
    |(?P<end>\s*[;\n]\s*)
    |(?P<space>\s+|(?<=[^\W_]):)
    |(?P<other>.)""",
    re.VERBOSE | re.IGNORECASE,
)
_DASH = re.compile(rf"\s*(?:{_DASHES}|to|until|till)\s*", re.IGNORECASE)
#: Hour, minute, and which half of the day.
_CLOCK = re.compile(r"(\d{1,2})(?:[:.h](\d\d)|h)?\s*(?:([ap])\.?m\.?)?")
_PARTS = r"\1|\2|\3"
_SPACED = re.compile(r'("[^"]*")| *([-,]) *')
_MIDNIGHT = 24 * 60


@dataclass(slots=True)
class _Rule:
    """What is written about some days."""

    parts: list[str] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)  #: minutes of the day
    separate: bool = True  #: from the one before, by more than a comma
    said: bool = False  #: there is a time in it, or a word like closed

    def text(self) -> str:
        """Write it as the form has it: no spaces around commas and dashes."""
        said = " ".join("".join(self.parts).split())
        return _SPACED.sub(lambda found: found[1] or found[2], said).strip(" ,")


def read(text: str) -> str:
    """Read opening hours.

    Raises:
        ValueError: saying where they are wrong, and what would be right.

    """
    if len(text) > LONGEST:
        raise ValueError(f"too long: at most {LONGEST} characters")
    if not text.strip():
        raise ValueError(f"empty; {RIGHT}")
    found = _in_form(text)
    wrong = opening.mistake(found)
    if wrong is None:
        return found
    if opening.mistake(text) is None:
        return text
    place, why = wrong
    where = f"at character {place}" if found == text else f'read as "{found}", at character {place}'
    raise ValueError(f"not opening hours, {where}: {why}; {RIGHT}")


def _in_form(text: str) -> str:
    rules = list(_rules(text))
    said = ""
    for index, rule in enumerate(rules):
        if said:
            # Times of a day that overlap those before are meant instead of them.
            before = [span for one in rules[:index] for span in one.spans]
            instead = rule.separate or not rule.spans or _overlap(before, rule.spans)
            said += "; " if instead else ", "
        said += rule.text()
    return said


def _overlap(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> bool:
    return any(a < d and c < b for a, b in some for c, d in others)


def _rules(text: str) -> Iterator[_Rule]:
    rule = _Rule()
    for kind, written, span in _tokens(text):
        if kind == "end" or (kind in _DAY_KINDS and rule.said):  # other days
            if rule.text():
                yield rule
            rule = _Rule(separate=kind == "end" or written == "PH")
        if span is not None:
            rule.spans.append(span)
        rule.said = rule.said or kind in {"range", "time", "state", "always"}
        rule.parts.append("" if kind == "end" else written)
    if rule.text():
        yield rule


def _tokens(text: str) -> Iterator[tuple[str, str, tuple[int, int] | None]]:
    """Give the kinds of what is written, how the form writes it, and times as minutes."""
    last = ""
    for token in _TOKEN.finditer(text):
        kind, written = str(token.lastgroup), token[0]
        place, span = token.start() + 1, None
        if kind == "word":
            kind, written = _word(written, place)
        elif kind == "range" and last in {"month", "week", "["}:
            kind = "number"
        elif kind == "range":
            written, span = _range(written, place)
        if kind == "number":
            written, last = _DASH.sub("-", written), kind
        elif kind == "link":
            written = "," if set(written) & set(",&") else "-"
        elif kind == "space":
            written = " "
        else:
            last = written if kind == "other" else kind
        yield kind, written, span


def _word(written: str, place: int) -> tuple[str, str]:
    """Give what kind of word it is, and how the form writes it."""
    word = " ".join(written.lower().rstrip(".").split())
    for kind, words in _KINDS:
        if word in words:
            return kind or word, words[word]
    spelt = [name for _, words in _KINDS for name in words if len(name) >= _SPELT]
    right = did_you_mean(word, spelt) if len(word) >= _SPELT else ""
    raise ValueError(
        f'not opening hours, at character {place}: "{written}";'
        f" {right if right.startswith('did') else RIGHT}"
    )


def _range(written: str, place: int) -> tuple[str, tuple[int, int]]:
    """Read `9-12`, `8:30am to 5pm`, `1-5pm`, `18:00-02:00`."""
    first, second = _DASH.split(written, maxsplit=1)
    begins, ends = _clock(first, place), _clock(second, place)
    start = _minutes(begins, _half(begins, ends))
    start = 0 if start == _MIDNIGHT else start
    end = _minutes(ends, ends["half"] or _half(ends, begins, after=start))
    if end <= start and not begins["half"] and not ends["half"] and _small(begins, ends):
        raise ValueError(
            f'not opening hours, at character {place}: "{written}" would end at night; write'
            f' "9am-5pm" or "9:00-17:00", and the hours of a night with a zero, "18:00-02:00"'
        )
    end = end or _MIDNIGHT
    return f"{_spell(start)}-{_spell(end)}", (start, end if end > start else end + _MIDNIGHT)


_Clock = dict[str, str]


def _clock(written: str, place: int) -> _Clock:
    word = written.lower()
    if word in {"noon", "midnight"}:
        return {"hour": "12" if word == "noon" else "24", "minute": "00", "half": ""}
    parts = dict(zip(("hour", "minute", "half"), _CLOCK.sub(_PARTS, word).split("|"), strict=True))
    hour, minute = int(parts["hour"]), int(parts["minute"] or 0)
    if hour > (12 if parts["half"] else 48) or minute > 59 or (parts["half"] and not hour):  # noqa: PLR2004 - the form's 48:00 is the end of the next day
        raise ValueError(f'not opening hours, at character {place}: no such time, "{written}"')
    return parts


def _half(one: _Clock, other: _Clock, *, after: int | None = None) -> str:
    """Give which half of the day is meant, if one of two times says its own."""
    if one["half"] or not other["half"] or int(one["hour"]) > 12:  # noqa: PLR2004 - says it itself
        return one["half"]
    same = other["half"]
    opposite = "a" if same == "p" else "p"
    if after is not None:
        return same if _minutes(one, same) > after else opposite
    return same if _minutes(one, same) < _minutes(other, same) else opposite


def _minutes(clock: _Clock, half: str) -> int:
    hour = int(clock["hour"])
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return hour * 60 + int(clock["minute"] or 0)


def _small(begins: _Clock, ends: _Clock) -> bool:
    """Tell whether both may be hours of the clock's face, as in `9-5`."""
    return int(begins["hour"]) <= 12 and not ends["hour"].startswith("0")  # noqa: PLR2004 - noon


def _spell(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _opening(value: object) -> object:
    if isinstance(value, list):
        value = "; ".join(str(one) for one in value)
    if not isinstance(value, str):
        raise ValueError(f"not opening hours; a text in quotes, {RIGHT}")  # noqa: TRY004 - pydantic collects ValueError
    return read(value)


OpeningHours = Annotated[str, BeforeValidator(_opening)]
"""Opening hours, as OpenStreetMap writes them; in the file perhaps as people do."""
