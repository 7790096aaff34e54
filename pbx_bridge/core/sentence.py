"""A missed call told in plain English: `a new caller, sales line, Saturday 14:05, abandoned`.

What is said is cut at commas, and each piece is read from its beginning, phrase by phrase. A piece
that is not understood to its end is reported; nothing is guessed at and nothing passed over.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from difflib import get_close_matches
from typing import Any

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.number import is_country, normalise
from pbx_bridge.core.saying import say
from pbx_bridge.core.scenario import USUAL_SPAN, Scenario, contradictions
from pbx_bridge.core.spoken_time import CLOCK, DAY_SAID, DURATION, Said, read_duration
from pbx_bridge.core.text import clean

#: What a piece may be, for people.
EXAMPLE = "a new caller, sales line, Saturday 14:05, abandoned after 20 s"
LONGEST = 1000
MOST_CALLS = 20


class NotUnderstood(ValueError):  # noqa: N818 - names the fact
    """What was said that makes no sense, each with what would."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the office has names for."""

    country: str
    lines: Mapping[str, str] = field(default_factory=dict)  #: how the PBX says them, by name


def read(
    words: str, now: datetime, zone: tzinfo, known: Known, given: Mapping[str, Any] | None = None
) -> Scenario:
    """Read what is imagined. `given` are fields of the scenario that were said elsewhere.

    Raises:
        NotUnderstood: with everything that makes no sense.

    """
    if len(words) > LONGEST:
        raise NotUnderstood([say("too long; at most {longest} characters", longest=LONGEST)])
    reading = _Reading(known)
    for piece in re.split(r"[,;\n]", clean(words)):
        reading.take(piece)
    reading.give(given or {})
    imagined = reading.scenario(now, zone)
    if reading.problems:
        raise NotUnderstood(reading.problems)
    return imagined


def read_when(words: str, now: datetime, zone: tzinfo) -> datetime:
    """Read a day, a time of day, or both.

    Raises:
        NotUnderstood: if it is neither.

    """
    reading = _Reading(Known(country=""))
    reading.take(words)
    strange = sorted(reading.said.keys() - {"day", "clock"})
    if reading.problems or strange:
        raise NotUnderstood(
            [say('not a time: {words}; such as "Saturday 14:05" or "tomorrow 7:30"', words=words)]
        )
    try:
        return Said(**reading.said).instant(now, zone)
    except ValueError as error:
        raise NotUnderstood([error.args[0]]) from error


def read_line(words: str, known: Known) -> str:
    """Read a line's name or number.

    Raises:
        NotUnderstood: there is no line of this name.

    """
    for name, called in known.lines.items():
        if words.strip().lower() == name.lower():
            return called
    reading = _Reading(known)
    reading.take(f"line {words}")
    if reading.problems or reading.said.keys() != {"line"}:
        raise NotUnderstood(reading.problems or [say('no such line: "{words}"', words=words)])
    return str(reading.said["line"])


_Heard = dict[str, Any]
_Phrase = tuple[re.Pattern[str], Callable[[re.Match[str], Known], _Heard]]


class _Reading:
    """What was said so far."""

    def __init__(self, known: Known) -> None:
        self.said: dict[str, Any] = {}
        self.problems: list[str] = []
        self._known = known
        self._phrases = (*_named_lines(known), *_PHRASES, *_OTHER_LINES)

    def take(self, piece: str) -> None:
        rest = " ".join(piece.replace("\u2019", "'").split()).rstrip(".!")
        while rest := _FILLER.sub("", rest):
            taken = self._phrase(rest)
            if not taken:
                self.problems.append(
                    say('not understood: "{rest}"; {right}', rest=rest, right=_right(rest))
                )
                return
            rest = rest[taken:].lstrip()

    def give(self, fields: Mapping[str, Any]) -> None:
        """Take fields of the scenario that were said elsewhere."""
        for name, value in fields.items():
            if _same(name) & self.said.keys():
                self.problems.append(
                    say("{name} is said twice: in the words, and by its option", name=name)
                )
            self.said[name] = value

    def scenario(self, now: datetime, zone: tzinfo) -> Scenario:
        """Put together what was said."""
        said = dict(self.said)
        when = Said(said.pop("day", None), said.pop("clock", None))
        if said.pop("gave_up", False) and "reason" not in said:
            queued = "queue" in said or "wait" in said
            said["reason"] = Reason.QUEUE_ABANDONED if queued else Reason.RANG_CANCELLED
        if "at" not in said:
            said["at"] = now
            try:
                said["at"] = when.instant(now, zone)
            except ValueError as error:
                self.problems.append(error.args[0])
        imagined = Scenario(**said)
        self.problems += contradictions(imagined)
        return imagined

    def _phrase(self, rest: str) -> int:
        """Take the phrase that is longest, so that `left no message` is not `left`."""
        found = [
            (match, heard) for pattern, heard in self._phrases if (match := pattern.match(rest))
        ]
        if not found:
            return 0
        match, hear = max(found, key=lambda one: one[0].end())
        try:
            heard = hear(match, self._known)
        except ValueError as error:
            self.problems.append(error.args[0])
            return match.end()
        for name, value in heard.items():
            if _same(name) & self.said.keys() and name != "tags":
                self.problems.append(
                    say('"{match}": that was said before, or otherwise', match=match[0])
                )
            self.said[name] = value | self.said.get(name, value) if name == "tags" else value
        return match.end()


#: Different words for what can be said once.
_ONCE = ({"at", "day"}, {"at", "clock"}, {"reason", "gave_up"}, {"number", "country"})


def _same(name: str) -> set[str]:
    """Name what cannot be said beside this."""
    return {name}.union(*(once for once in _ONCE if name in once))


def _phrase(pattern: str, heard: Callable[[re.Match[str], Known], _Heard]) -> _Phrase:
    return re.compile(rf"(?:{pattern})(?![\w:])", re.IGNORECASE), heard


def _always(**fields: Any) -> Callable[[re.Match[str], Known], _Heard]:
    return lambda _match, _known: dict(fields)


#: Words that join phrases and say nothing.
_FILLER = re.compile(
    r"^(?:(?:an?|the|and|who|is|was|but|with|has|at|of|our|somebody|someone|on|it)\b ?|- ?)+",
    re.IGNORECASE,
)
_NAME = r"[\w&'.+/-]+"
_NUMBER = r"\+?[\d(][\d()./-]*(?: [\d()./-]+)*"
_AFTER = rf"(?: (?:after|for|of|in) ({DURATION}))?"


_TO = r"(?:(?:to|called|calling|calls) (?:the )?)"


def _named_lines(known: Known) -> list[_Phrase]:
    return [
        _phrase(rf"{_TO}?(?:line )?{re.escape(name)}(?: line)?", _always(line=called))
        for name, called in known.lines.items()
    ]


def _line_by_number(match: re.Match[str], known: Known) -> _Heard:
    said = match["line"]
    return {"line": normalise(said, known.country) or re.sub(r"[^+\d]", "", said)}


def _line_by_name(match: re.Match[str], known: Known) -> _Heard:
    if not known.lines:
        return {"line": match["line"]}
    close = get_close_matches(match["line"].lower(), [name.lower() for name in known.lines], n=1)
    names = [name for name in known.lines if name.lower() in close]
    right = say("known are {names}", names=", ".join(known.lines))
    if names:
        right = say('did you mean "{phrase}"?', phrase=names[0])
    raise ValueError(say('no such line: "{match}"; {right}', match=match["line"], right=right))


#: Lines by a number, or by a name that nobody knows.
_OTHER_LINES: tuple[_Phrase, ...] = (
    _phrase(rf"(?:{_TO}|line )(?P<line>{_NUMBER})", _line_by_number),
    _phrase(rf"{_TO}?(?P<line>{_NAME}) line", _line_by_name),
    _phrase(rf"{_TO}?line (?P<line>{_NAME})", _line_by_name),
    _phrase(rf"{_TO}(?P<line>{_NAME})", _line_by_name),
)


def _caller_number(match: re.Match[str], known: Known) -> _Heard:
    number = normalise(match[1], known.country)
    if number is None:
        raise ValueError(
            say('not a telephone number: "{match}"; such as +12125550142', match=match[1])
        )
    return {"number": number}


def _lonely_number(match: re.Match[str], _known: Known) -> _Heard:
    raise ValueError(
        say(
            'whose number is it? "from {match}" is the caller\'s, "to {match}" the line\'s',
            match=match[0],
        )
    )


def _country(match: re.Match[str], _known: Known) -> _Heard:
    code = match[1].upper()
    if not is_country("GB" if code == "UK" else code):
        raise ValueError(
            say('not a country: "{match}"; two letters (ISO 3166) such as US or GB', match=match[1])
        )
    return {"country": "GB" if code == "UK" else code}


def _tags(match: re.Match[str], _known: Known) -> _Heard:
    return {"tags": frozenset(re.split(r" and ", match[1], flags=re.IGNORECASE))}


def _language(match: re.Match[str], _known: Known) -> _Heard:
    said = (match[1] or match[2]).lower()
    for code, spoken in LANGUAGES.items():
        if said in {code, spoken.name.lower()}:
            return {"language": code}
    known = ", ".join(one.name for one in LANGUAGES.values())
    raise ValueError(
        say('no texts in this language: "{said}"; known are {known}', said=said, known=known)
    )


def _missed(reason: Reason) -> Callable[[re.Match[str], Known], _Heard]:
    def heard(match: re.Match[str], _known: Known) -> _Heard:
        return {"reason": reason} | _lasting("lasts", match[1])

    return heard


def _gave_up(match: re.Match[str], _known: Known) -> _Heard:
    return {"gave_up": True} | _lasting("lasts", match[1])


def _length(name: str) -> Callable[[re.Match[str], Known], _Heard]:
    return lambda match, _known: _lasting(name, match[1])


def _lasting(name: str, said: str | None) -> _Heard:
    return {} if said is None else {name: read_duration(said)}


def _reason(match: re.Match[str], _known: Known) -> _Heard:
    return {"reason": Reason(match[1].lower())} | _lasting("lasts", match[2])


_ORDINALS = {"second": 2, "third": 3, "fourth": 4, "fifth": 5, "twice": 2}


def _calls(match: re.Match[str], _known: Known) -> _Heard:
    said = match[1].lower()
    count = _ORDINALS.get(said) or int(re.sub(r"\D", "", said))
    if not 1 <= count <= MOST_CALLS:
        raise ValueError(
            say(
                'which call? "{match}"; at most {most_calls}', match=match[0], most_calls=MOST_CALLS
            )
        )
    within = USUAL_SPAN if match[2] is None else read_duration(match[2])
    return {"calls": count, "within": within}


def _field(name: str) -> Callable[[re.Match[str], Known], _Heard]:
    return lambda match, _known: {name: match[1]}


_QUEUE = rf"(?:in |from )?(?:the )?(?:queue ({_NAME})|({_NAME}) queue)"
_KINDS = {
    CallerKind.NEW: r"(?:new|unknown|first-time) callers?|strangers?|new",
    CallerKind.KNOWN: r"(?:known|existing) (?:callers?|contacts?)|contacts?|known",
    CallerKind.CUSTOMER: r"(?:(?:existing|known|regular|old) )?(?:customers?|clients?)",
    CallerKind.STAFF: r"staff|colleagues?|employees?|(?:one of )?our own people",
    CallerKind.BLOCKED: r"blocked(?: callers?)?",
    CallerKind.ANONYMOUS: (
        r"anonymous(?: callers?)?|(?:number )?withheld(?: number)?|(?:hidden|no|without a) number"
    ),
}
_MISSED = {
    Reason.RANG_NO_ANSWER: (
        r"(?:nobody|no one) (?:picked up|answered|answers)|no answer|not answered|unanswered"
        r"|rang out|missed"
    ),
    Reason.BUSY: r"(?:all )?(?:phones? )?(?:were |was |all )?busy|engaged",
    Reason.UNAVAILABLE: (
        r"unavailable|phones? (?:are |were )?(?:down|unreachable)"
        r"|no phone (?:could be |can be |was )?reach(?:ed|able)"
    ),
    Reason.VOICEMAIL_MESSAGE: r"(?:left|leaves) (?:a )?(?:voicemail )?(?:message|voicemail)",
    Reason.VOICEMAIL_HANGUP: (
        r"(?:left|leaves) no (?:voicemail )?(?:message|voicemail)|no message|reached voicemail"
        r"|(?:voicemail,? )?without (?:leaving )?a message|hung up (?:on|in|at) voicemail"
    ),
    Reason.QUEUE_UNSERVED: r"(?:was )?turned away|queue (?:was )?(?:full|empty|timed out|timeout)",
    Reason.IVR_ABANDONED: r"hung up in (?:a|the) menu",
    Reason.ANNOUNCEMENT_ONLY: r"(?:heard |hears )?(?:only )?(?:an )?announcement(?: only)?",
    Reason.PARKED: r"parked(?: and nobody took (?:it|the call))?",
    Reason.REJECTED: r"rejected|refused",
    Reason.CONFERENCE_ALONE: r"(?:waited )?alone in a conference",
    Reason.LOST_IN_TRANSFER: r"lost in (?:a |the )?transfer",
    Reason.PERSON: r"answered(?: by (?:a|the) person)?|(?:a )?person answered|spoke to us",
}
_PHRASES: tuple[_Phrase, ...] = (
    *(_phrase(pattern, _always(caller=kind)) for kind, pattern in _KINDS.items()),
    *(_phrase(rf"(?:{said}){_AFTER}", _missed(reason)) for reason, said in _MISSED.items()),
    _phrase(rf"({'|'.join(Reason)}){_AFTER}", _reason),
    _phrase(
        rf"(?:abandoned|gave up(?: waiting)?|gives up|hung up|hangs up|cancelled){_AFTER}", _gave_up
    ),
    _phrase(rf"after ({DURATION})", _length("lasts")),
    _phrase(rf"lasts ({DURATION})", _length("lasts")),
    _phrase(rf"(?:after )?wait(?:ed|ing|s)?(?: for)? ({DURATION})", _length("wait")),
    _phrase(rf"(?:phones? )?r(?:a|i)ng(?:s|ing)?(?: for)? ({DURATION})", _length("ring")),
    _phrase(_QUEUE, lambda match, _: {"queue": match[1] or match[2]}),
    _phrase(rf"(?:extension|ext\.?) ({_NAME})(?: rang| ringing)?", _field("extension")),
    _phrase(rf"tagged ({_NAME}(?: and {_NAME})*)", _tags),
    _phrase(r"(?:e-?mail|mail)(?: address)?(?: is)?(?: known)?", _always(email=True)),
    _phrase(r"(?:no|without(?: an?)?) (?:e-?mail|mail)(?: address)?", _always(email=False)),
    _phrase(
        r"(?:gave |given )?consent(?:ed)?|agreed(?: to (?:texts|it))?|opted in",
        _always(consented=True),
    ),
    _phrase(r"(?:no|without(?: any)?|never gave) consent|never agreed", _always(consented=False)),
    _phrase(
        r"(?:speaks?|speaking|written to in|in) ([a-z]{4,})|([a-z]{4,})[- ]speak(?:s|ing|er)",
        _language,
    ),
    _phrase(rf"(?:crm )?status ({_NAME})", _field("crm_status")),
    _phrase(rf"(?:named|by the name of) ((?:{_NAME})(?: {_NAME})*)", _field("name")),
    _phrase(
        r"(second|third|fourth|fifth|\d{1,3}(?:st|nd|rd|th)) (?:missed )?call"
        rf"(?: (?:with)?in ({DURATION}))?",
        _calls,
    ),
    _phrase(rf"called (twice|\d{{1,3}} times)(?: (?:with)?in ({DURATION}))?", _calls),
    _phrase(
        rf"(?:was )?(?:last )?texted ({DURATION})(?: ago| before)?",
        lambda match, _: {"texted": read_duration(match[1])},
    ),
    _phrase(r"opted out|wrote STOP|on the opt-out list", _always(opted_out=True)),
    _phrase(rf"(?:from|caller|number) ({_NUMBER})", _caller_number),
    _phrase(r"(?:from|country|number (?:of|from)) (?:the )?([a-z]{2})", _country),
    _phrase(r"\+\d[\d()./-]*(?: [\d()./-]+)*", _lonely_number),
    _phrase(rf"({DAY_SAID})", _field("day")),
    _phrase(rf"({CLOCK})(?: o'clock)?", _field("clock")),
    _phrase(r"(?:just |right )?now", _always()),
)
#: How pieces begin, to find what was meant by one that is not understood.
_KNOWN_WORDS = (
    *("new caller", "known caller", "customer", "staff", "blocked", "anonymous", "tagged vip"),
    *("sales line", "to +12125550100", "from +12125550142", "from GB", "in the queue support"),
    *("Saturday 14:05", "tomorrow 7:30", "today", "yesterday", "abandoned after 20 s"),
    *("hung up after 20 s", "hung up in a menu", "nobody picked up", "busy", "unavailable"),
    *("left a message", "left no message", "turned away", "heard an announcement", "parked"),
    *("rejected", "waited 1 min", "rang for 20 s", "extension 101", "e-mail known"),
    *("agreed to texts", "without consent", "speaks Spanish", "2nd call within the hour"),
    *("named Ann Baker", "CRM status lead", "answered", "lost in transfer"),
    *("texted 2 h ago", "opted out"),
)


def _right(rest: str) -> str:
    """Say what was perhaps meant: compared with as many words as the phrase has."""
    first = rest.lower().split()
    for phrase in _KNOWN_WORDS:
        words = phrase.lower().split()
        if get_close_matches(" ".join(first[: len(words)]), [phrase.lower()], n=1, cutoff=0.75):
            return say('did you mean "{phrase}"?', phrase=phrase)
    close = get_close_matches(
        first[0], sorted({word for known in _KNOWN_WORDS for word in known.lower().split()}), n=1
    )
    for phrase in _KNOWN_WORDS:
        if close and close[0] in phrase.lower().split():
            return say('did you mean "{phrase}"?', phrase=phrase)
    return say('write it as in "{example}"', example=EXAMPLE)
