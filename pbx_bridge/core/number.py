"""Telephone numbers: E.164, withheld callers, and whether a number can get a text.

The only home of `phonenumbers` (Google's libphonenumber). A number here is what somebody sent
us: nothing is believed before it has parsed.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType, timezone

from pbx_bridge.core.saying import say

_DIALABLE = re.compile(r"\+?[0-9(][0-9 ()./-]{1,30}")
_DIGIT_RUN = re.compile(r"\+?[0-9]{3,}")
_NO_DIGIT = re.compile(r"[^0-9]+")
_NANP = 1  #: the country code of North America
_LONGEST_COUNTRY_CODE = 3  #: in digits

#: What Asterisk and carriers put in place of a number that the caller does not show.
_NOBODY = frozenset(
    {
        "",
        "<unknown>",
        "unknown",
        "anonymous",
        "unavailable",
        "restricted",
        "private",
        "withheld",
        "asterisk",
        "s",
        "none",
        "blocked",
        "no number",
        "not available",
        "payphone",
        "coinphone",
    }
)

#: Types that a text to would be lost on, costs extra, or reaches nobody who called.
_UNTEXTABLE = {
    PhoneNumberType.FIXED_LINE: say("a landline"),
    PhoneNumberType.PREMIUM_RATE: say("a premium-rate number"),
    PhoneNumberType.TOLL_FREE: say("a toll-free number"),
    PhoneNumberType.SHARED_COST: say("a shared-cost number"),
    PhoneNumberType.UAN: say("a company access number"),
    PhoneNumberType.PAGER: say("a pager"),
    PhoneNumberType.PERSONAL_NUMBER: say("a personal (follow-me) number"),
    PhoneNumberType.VOICEMAIL: say("a voicemail access number"),
}

#: Types that are not to be called because somebody clicked: they cost, or no person is there.
_UNCALLABLE = {
    kind: _UNTEXTABLE[kind]
    for kind in (
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PAGER,
        PhoneNumberType.VOICEMAIL,
    )
}

#: One country to its people and its carriers, several to ISO 3166 and libphonenumber: a customer
#: with a Jersey SIM is no foreigner in London, nor one from San Juan in New York. The rest of +1
#: is: a text to Jamaica (+1 876) or the Bahamas (+1 242) is international, and how pumping pays.
_ONE_COUNTRY = (
    frozenset({"GB", "GG", "JE", "IM"}),
    frozenset({"US", "PR", "VI", "GU", "AS", "MP"}),
)
#: The region of satellite telephones and international freephone numbers.
_NO_COUNTRY = "001"

#: A number that may be in more zones than this says nothing: +1 800 has 42, Russian mobiles 16.
MOST_ZONES = 12


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a real numbering plan."""

    e164: str
    region: str  #: ISO 3166 code; `001` for numbers of no country (satellite, international)
    national: str  #: national significant number: the digits without country code and trunk zero
    untextable: str  #: why a text makes no sense, in words; empty if it does


def is_nobody(text: str) -> bool:
    """Whether a caller ID stands for no number at all."""
    return text.strip().lower() in _NOBODY


@lru_cache(maxsize=1024)  # a call's number is read several times, at a third of a millisecond
def parse(text: str, country: str) -> Number | None:
    """Read a caller ID as a number of `country` unless it says otherwise; None if it is none.

    Strict on purpose: the text comes from outside, and what parses here is what gets a text.
    """
    text = text.strip()
    if not _DIALABLE.fullmatch(text):
        return None
    number = _valid(text, country)
    if number is None and not text.startswith("+"):
        # Some carriers deliver E.164 without its plus.
        number = _valid(f"+{text}", country)
    if number is None:
        return None
    region = phonenumbers.region_code_for_number(number) or _NO_COUNTRY
    untextable = _UNTEXTABLE.get(phonenumbers.number_type(number), "")
    if region == _NO_COUNTRY:
        untextable = untextable or say("a number of no country (satellite, international)")
    return Number(
        e164=phonenumbers.format_number(number, PhoneNumberFormat.E164),
        region=region,
        national=phonenumbers.national_significant_number(number),
        untextable=untextable,
    )


def national_part(e164: str) -> str | None:
    """Give the digits of a number in E.164 without country code; None if it is none.

    Nothing else of its plan is looked at, which makes it a hundred times quicker than `parse`.
    """
    digits = e164.removeprefix("+")
    if digits == e164 or not (digits.isascii() and digits.isdigit()):
        return None
    for length in range(1, _LONGEST_COUNTRY_CODE + 1):
        if int(digits[:length]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return digits[length:]
    return None


def normalise(text: str, country: str) -> str | None:
    """Give the E.164 form, or None if `text` is no valid number."""
    number = parse(text, country)
    return number.e164 if number else None


def is_country(code: str) -> bool:
    """Whether `code` is an ISO 3166 code with a numbering plan."""
    return code in phonenumbers.SUPPORTED_REGIONS


def family(country: str) -> frozenset[str]:
    """Give the regions that an office in `country` regards as its own."""
    return next((one for one in _ONE_COUNTRY if country in one), frozenset({country}))


@lru_cache(maxsize=1024)
def zones(number: Number) -> tuple[str, ...]:
    """Name the time zones in which a number may be; empty if that says nothing.

    By the number's prefix. Who has moved with their mobile is somewhere else.
    """
    names = timezone.time_zones_for_number(phonenumbers.parse(number.e164))
    if timezone.UNKNOWN_TIMEZONE in names or len(names) > MOST_ZONES:
        return ()
    return tuple(names)


@lru_cache(maxsize=4096)
def spaced(e164: str) -> str:
    """Write a number with blanks, as people read it; what is none is given back."""
    try:
        parsed = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)


def spellings(number: Number) -> tuple[str, ...]:
    """Give the ways in which address books write a number: E.164 first, nothing twice.

    For those that can only be asked for what stands there, letter by letter.
    """
    parsed = phonenumbers.parse(number.e164)
    inside = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
    outside = phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)
    grouped = _NO_DIGIT.sub(" ", inside).strip()
    forms = [
        number.e164,
        number.e164[1:],
        number.national,
        _NO_DIGIT.sub("", inside),
        inside,
        outside,
        *(grouped.replace(" ", between) for between in " -./"),
        _NO_DIGIT.sub(" ", outside).strip().replace(" ", "-"),
    ]
    if parsed.country_code == _NANP:
        forms += [f"+1 {inside}", f"1 {inside}", f"+1-{grouped.replace(' ', '-')}"]
    return tuple(dict.fromkeys(forms))


def example(country: str) -> str | None:
    """Give a mobile number as they are in a country, in E.164; None where there are none."""
    number = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    if number is None:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def uncallable(number: Number) -> str:
    """Say why nobody should be put through to a number, in words; empty if nothing is wrong."""
    if number.region == _NO_COUNTRY:
        return say("a number of no country (satellite, international)")
    return _UNCALLABLE.get(phonenumbers.number_type(phonenumbers.parse(number.e164)), "")


def dialled_from(number: Number, country: str) -> str:
    """Give what one dials in a country to reach a number, with trunk or country prefix.

    In the United States that is `12125550142` and `0114930901820`, in Germany `030901820`. Where
    calls abroad go by a carrier that one chooses, as in Brazil, it begins with a plus.
    """
    written = phonenumbers.format_out_of_country_calling_number(
        phonenumbers.parse(number.e164), country
    )
    return ("+" if written.startswith("+") else "") + _NO_DIGIT.sub("", written)


def dialled_digits(dial_string: str) -> str:
    """Find the number in what a dialplan dials (`+4930…@trunk`, `g0/030…`); empty if none."""
    runs = _DIGIT_RUN.findall(dial_string)
    return max(runs, key=len).lstrip("+") if runs else ""


def _valid(text: str, country: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, country)
    except NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None
