"""What a text costs, and what an office should change in it before callers get it.

`CHECKS` is everything that is looked at. An error is a text that must not go out like that; a
warning costs money, trust or delivery; a note is worth knowing. docs/templates.md tells the same.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from pbx_bridge.core.keywords import simplified
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.saying import Saying, joined, say, say_n
from pbx_bridge.core.text import GSM_EXTENDED, LONGEST, is_gsm, mended, plain, segments
from pbx_bridge.core.vocabulary import VOCABULARIES


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to change or to know."""

    severity: Severity
    rule: str  #: its name in docs/templates.md
    text: str  #: in plain words
    because: str = ""  #: who says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """For whom a text is, and what it costs to send."""

    office: str = ""  #: its name; empty if not known
    country: str = ""
    language: str = "en"
    price: Decimal | None = None  #: of one segment
    currency: str = "USD"
    answers: Meaning | None = (
        None  #: the text confirms STOP, START or HELP; None: it is a first one
    )

    def money(self, parts: int) -> str:
        """Write what some segments cost; empty if the price is not known."""
        if self.price is None:
            return ""
        amount = f"{(self.price * parts).normalize():f}"
        return f"${amount}" if self.currency == "USD" else f"{amount} {self.currency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """A text as it will go out, and all that was found about it."""

    body: str
    encoding: str
    parts: int
    price: Decimal | None
    findings: tuple[Finding, ...]

    @property
    def passes(self) -> bool:
        """Whether there is no error in it."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


@dataclass(frozen=True, slots=True)
class _Draft:
    typed: str  #: filled in, look-alikes as they were typed
    body: str  #: as it will go out
    parts: int
    around: Circumstances
    words: str = field(default="")  #: `body`, simplified


def lint(filled: str, around: Circumstances) -> Linted:
    """Look at a text that is filled in, its look-alikes not yet replaced (`text.substitute`)."""
    body = plain(filled)
    counted = segments(body)
    draft = _Draft(filled, body, counted.parts, around, simplified(body))
    return Linted(
        body=body,
        encoding=counted.encoding,
        parts=counted.parts,
        price=None if around.price is None else around.price * counted.parts,
        findings=tuple(finding for check in CHECKS for finding in check(draft)),
    )


#: More reads like a letter; Twilio advises no more, and two segments is what most phones show well.
LONG_CHARACTERS = 320
LONG_PARTS = 2
#: Where a text without a way out is refused or illegal more easily than elsewhere.
OPT_OUT_COUNTRIES = frozenset({"US", "PR", "CA", "AU"})
#: Domains that hide where a link goes. Carriers filter texts with them.
SHORTENERS = frozenset(
    "adf.ly bit.do bit.ly bitly.com bl.ink buff.ly clck.ru cutt.ly goo.gl is.gd j.mp lnkd.in"
    " ow.ly rb.gy rebrand.ly s.id short.io shorturl.at snip.ly soo.gd t.co t.ly tiny.cc tiny.one"
    " tinyurl.com tr.im u.to v.gd x.co".split()
)
#: Words that turn a service text into advertising, by language; English ones everywhere.
PROMOTIONAL = {
    "en": (
        r"\d+ ?% ?(?:off|discount)|discounts?|coupons?|promo(?:tion|tions|s| code)?"
        r"|(?:special|exclusive|limited|introductory) (?:time )?(?:offers?|deals?|prices?)"
        r"|limited time|act now|buy now|order now|best prices?|lowest price"
        r"|save (?:up to )?[$£€]?\d"
        r"|for free|free (?:gift|trial|quote|estimate|consultation|shipping)|clearance|on sale"
        r"|winners?|you(?: ha|')ve won|bargains?|gift ?cards?"
    ),
    "es": r"descuentos?|ofertas?|promoci[oó]n(?:es)?|gratis|rebajas?|cup[oó]n(?:es)?|compre ahora",
    "fr": r"remises?|soldes?|promotions?|promos?|gratuit(?:e|s|es)?|offre sp[eé]ciale|r[eé]duction",
    "de": r"rabatte?|gutscheine?|sonderangebote?|gratis|kostenlos\w*|aktion(?:spreis)?",
    "it": r"scont[oi]|offert[ae]|promozion[ei]|gratis|gratuit[oaie]|saldi|buono sconto",
    "nl": r"korting(?:en)?|aanbieding(?:en)?|gratis|actie(?:prijs)?|kortingscode|uitverkoop",
    "pt": r"descontos?|promo[cç](?:[aã]o|[oõ]es)|ofertas?|gr[aá]tis|cup(?:om|ons)|liquida[cç][aã]o",
}
_URL = re.compile(
    r"(?:https?://|www\.)\S+"
    r"|(?<![@\w.-])(?:[a-z0-9-]+\.)+(?:[a-z]{2,24}/\S*|"
    # without a path, only what is surely no sentence without a space
    r"(?:com|net|org|info|biz|co|io|app|ly|me|us|uk|de|fr|es|it|nl|pt|ca|au|eu|be|at|ch|example)\b)",
    re.IGNORECASE,
)
_HOST = re.compile(r"(?:https?://)?(?:www\.)?([^/\s:?#]+)", re.IGNORECASE)
_PHONE = re.compile(r"\+?\(?\d[\d ().-]{5,}\d")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[a-z]{2,}", re.IGNORECASE)
_BLANK = re.compile(r"\[[^\]\n]{2,40}\]|<[a-z][^>\n]{1,40}>", re.IGNORECASE)


def empty(draft: _Draft) -> Iterator[Finding]:
    if not draft.body.strip():
        yield Finding(Severity.ERROR, "empty", say("there is nothing in it"))


def blank(draft: _Draft) -> Iterator[Finding]:
    """Something from a sample that nobody filled in."""
    for found in _BLANK.findall(draft.typed):
        yield Finding(
            Severity.ERROR,
            "blank",
            say(
                "{found} goes out as it stands; write {{office}} or another variable in braces",
                found=found,
            ),
        )


def identity(draft: _Draft) -> Iterator[Finding]:
    """Whoever gets a text must see whose it is."""
    office = simplified(draft.around.office)
    if office and office not in draft.words:
        yield Finding(
            Severity.ERROR,
            "identity",
            say(
                'the office\'s name is not in it; write {{office}} ("{office}")',
                office=draft.around.office,
            ),
            "CTIA principles; CASL in Canada, Spam Act in Australia, PECR reg. 23 in the UK",
        )


def opt_out_words(draft: _Draft) -> Iterator[Finding]:
    """A way out, where the law or the carriers want one."""
    around = draft.around
    if around.country not in OPT_OUT_COUNTRIES or around.answers is Meaning.OPT_OUT:
        return
    known = {
        word
        for code in {"en", around.language} & VOCABULARIES.keys()
        for word in VOCABULARIES[code].opt_out
        if word not in VOCABULARIES[code].ambiguous
    }
    if not any(f" {word} " in f" {draft.words} " for word in known):
        yield Finding(
            Severity.WARNING,
            "opt_out_words",
            say(
                "it does not say how to get no more texts, which {country} expects; such as: "
                "Reply STOP to opt out.",
                country=around.country,
            ),
            "10DLC samples; CASL; Spam Act",
        )


def contact(draft: _Draft) -> Iterator[Finding]:
    """A way to reach somebody."""
    if any(known.search(draft.body) for known in (_PHONE, _EMAIL, _URL)):
        return
    if draft.around.answers is Meaning.HELP:
        yield Finding(
            Severity.WARNING,
            "contact",
            say("the answer to HELP has to name a contact: set [office] number, or write one"),
            "CTIA; AWS and Braze ask for the business and a contact",
        )
    elif draft.around.answers is None:
        yield Finding(
            Severity.NOTE,
            "contact",
            say("no number or link to reach the office by; {{office_number}} is yours"),
        )


def promotional(draft: _Draft) -> Iterator[Finding]:
    """Advertising needs a consent that a call does not give."""
    patterns = {PROMOTIONAL["en"], PROMOTIONAL.get(draft.around.language, PROMOTIONAL["en"])}
    found = {
        match[0]: None
        for pattern in sorted(patterns)
        for match in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", draft.body, re.IGNORECASE)
    }
    if found:
        words = ", ".join(f'"{word}"' for word in found)
        yield Finding(
            Severity.WARNING if draft.around.answers is None else Severity.ERROR,
            "promotional",
            say(
                "{words} makes this advertising, for which a missed call is no consent", words=words
            ),
            "TCPA: prior express written consent; PECR reg. 22; a confirmation may not advertise",
        )


def links(draft: _Draft) -> Iterator[Finding]:
    """One link is helpful, more look like spam; a hidden one is filtered as such."""
    found = _URL.findall(_EMAIL.sub("", draft.body))
    if len(found) > 1:
        yield Finding(
            Severity.WARNING,
            "links",
            say("{n} links; carriers take more than one for spam", n=len(found)),
        )
    for link in found:
        host = _HOST.match(link)
        if host and host[1].lower().rstrip(".") in SHORTENERS:
            yield Finding(
                Severity.WARNING,
                "shortener",
                say(
                    "{host} hides where it leads, and carriers filter such texts; use a link of "
                    "your own domain",
                    host=host[1],
                ),
                "Telnyx, Twilio and AWS on public URL shorteners",
            )


_ENOUGH_TO_SHOUT = 12  # letters


def capitals(draft: _Draft) -> Iterator[Finding]:
    """Shouting."""
    body = _URL.sub("", draft.body)
    if draft.around.office:
        body = body.replace(plain(draft.around.office), "")
    keywords = {
        word for one in VOCABULARIES.values() for word in (*one.opt_out, *one.help, *one.opt_in)
    }
    letters = "".join(
        word for word in re.findall(r"[^\W\d_]+", body) if simplified(word) not in keywords
    )
    upper = sum(letter.isupper() for letter in letters)
    if len(letters) >= _ENOUGH_TO_SHOUT and upper > len(letters) / 2:
        yield Finding(
            Severity.WARNING, "capitals", say("mostly capitals: it reads as shouting, and as spam")
        )


def length(draft: _Draft) -> Iterator[Finding]:
    """A text is not a letter."""
    if len(draft.body) > LONGEST:
        yield Finding(
            Severity.ERROR,
            "length",
            say(
                "{n} characters; what is beyond {longest} is cut off",
                n=len(draft.body),
                longest=LONGEST,
            ),
        )
    elif len(draft.body) > LONG_CHARACTERS:
        yield Finding(
            Severity.WARNING,
            "length",
            say(
                "{n} characters; more than {most} are seldom read",
                n=len(draft.body),
                most=LONG_CHARACTERS,
            ),
            "Twilio's advice",
        )
    if draft.parts > LONG_PARTS:
        cost = draft.around.money(draft.parts)
        yield Finding(
            Severity.WARNING,
            "segments",
            say("{n} segments, each paid for: {cost}", n=draft.parts, cost=cost)
            if cost
            else say("{n} segments, each paid for", n=draft.parts),
        )


def encoding(draft: _Draft) -> Iterator[Finding]:
    """Tell which characters need UCS-2, and what they cost."""
    needing = _places(draft.body, lambda character: not is_gsm(character))
    if not needing:
        return
    without = segments("".join(c if is_gsm(c) else "?" for c in draft.body)).parts
    yield _cost(draft, needing, draft.parts - without, say("UCS-2, 70 characters to a segment"))


def extension(draft: _Draft) -> Iterator[Finding]:
    """Brackets, braces and the euro sign take the room of two."""
    if not all(map(is_gsm, draft.body)):
        return
    double = _places(draft.body, lambda character: character in GSM_EXTENDED)
    more = (
        draft.parts - segments("".join("?" if c in GSM_EXTENDED else c for c in draft.body)).parts
    )
    if more:
        yield _cost(draft, double, more, say("characters that take the room of two"))


def look_alikes(draft: _Draft) -> Iterator[Finding]:
    """What is replaced by itself, and what that saves."""
    replaced = mended(draft.typed)
    if not replaced:
        return
    saved = segments(draft.typed).parts - draft.parts
    said = joined(
        (
            say("{old} is sent as {new}", old=_shown(old), new=_shown(new))
            for old, new in replaced.items()
        ),
        ", ",
    )
    if saved > 0:
        money = draft.around.money(saved)
        saving = _with(money, _counted(saved), ", ")
        said = say("{said}; that saves {segments}", said=said, segments=saving)
    yield Finding(
        Severity.NOTE,
        "look_alikes",
        said,
        "GSM 03.38 has none of them",
    )


Check = Callable[[_Draft], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    empty,
    blank,
    identity,
    contact,
    opt_out_words,
    promotional,
    links,
    capitals,
    length,
    encoding,
    extension,
    look_alikes,
)


def _places(body: str, wanted: Callable[[str], bool]) -> dict[str, int]:
    """Give each wanted character and where it first stands, counted from 1."""
    places: dict[str, int] = {}
    for place, character in enumerate(body, start=1):
        if wanted(character):
            places.setdefault(character, place)
    return places


_NAMED = 4


def _cost(draft: _Draft, places: dict[str, int], more: int, what: str) -> Finding:
    named: list[str] = [
        say("{character} at {place}", character=_shown(c), place=place)
        for c, place in places.items()
    ]
    listed = joined(named[:_NAMED], ", ")
    if more_of_them := len(named) - len(named[:_NAMED]):
        listed = say("{some} and {n} more", some=listed, n=more_of_them)
    if more <= 0:
        said = say_n(
            "the character {characters} makes it {what}, at no cost here",
            "the characters {characters} make it {what}, at no cost here",
            len(places),
            characters=listed,
            what=what,
        )
    else:
        extra = say_n("{n} segment more", "{n} segments more", more)
        said = say_n(
            "the character {characters} costs {segments} ({what})",
            "the characters {characters} cost {segments} ({what})",
            len(places),
            characters=listed,
            segments=_with(draft.around.money(more), extra, ": "),
            what=what,
        )
    instead = next((new for new in map(_instead, places) if new), "")
    if instead and len(places) == 1:
        said = say('{said}; "{character}" would do', said=said, character=instead)
    if more <= 0:
        return Finding(Severity.NOTE, "encoding", said, "3GPP TS 23.038")
    return Finding(Severity.WARNING, "encoding", said, "3GPP TS 23.038")


def _instead(character: str) -> str:
    """Give the letter without its accent, if that one is plain."""
    base = unicodedata.normalize("NFKD", character)[:1]
    return base if base and is_gsm(base) and base != character else ""


def _counted(parts: int) -> Saying:
    return say_n("{n} segment", "{n} segments", parts)


def _with(money: str, said: Saying, between: str) -> Saying:
    """Add what it costs, where that is known."""
    return joined([said, money], between) if money else said


def _shown(character: str) -> str:
    if not character:
        return say("nothing")
    if character.isprintable() and not character.isspace():
        return f'"{character}"'
    return say("a space") if character == " " else f"U+{ord(character[0]):04X}"
