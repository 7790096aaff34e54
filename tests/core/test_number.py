"""Numbers as callers and carriers send them."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.number import (
    dialled_digits,
    dialled_from,
    example,
    family,
    is_country,
    is_nobody,
    national_part,
    normalise,
    parse,
    spellings,
    uncallable,
    zones,
)


@pytest.mark.parametrize(
    ("text", "country", "e164"),
    [
        ("+12125550142", "US", "+12125550142"),
        ("2125550142", "US", "+12125550142"),
        ("12125550142", "US", "+12125550142"),
        ("(212) 555-0142", "US", "+12125550142"),
        ("015112345678", "DE", "+4915112345678"),
        ("4915112345678", "US", "+4915112345678"),
        ("+44 7911 123456", "GB", "+447911123456"),
    ],
)
def test_a_number_is_read_as_the_offices_country_writes_it(
    text: str, country: str, e164: str
) -> None:
    assert normalise(text, country) == e164


@pytest.mark.parametrize(
    "text",
    ["", "anonymous", "101", "911", "+1555", "12125550142;evil", "+1212555014\r\n2", "sip:x@y",
     "+12125550142,,1", "٣٤٥٦٧٨٩٠١٢", "+999999999999999999999999"],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    assert parse(text, "US") is None


@pytest.mark.parametrize(
    ("text", "country", "why"),
    [
        ("+18005550199", "US", "a toll-free number"),
        ("+493012345678", "DE", "a landline"),
        ("+4915112345678", "DE", ""),
        ("+12125550142", "US", ""),  # the North American plan cannot tell landlines
        ("+19002345678", "US", "a premium-rate number"),
    ],
)
def test_what_a_text_makes_no_sense_to(text: str, country: str, why: str) -> None:
    number = parse(text, country)
    assert number is not None
    assert number.untextable == why


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+12125550142", "US"),
        ("+16045550142", "CA"),
        ("+18762101234", "JM"),
        ("+12423591234", "BS"),
        ("+18092345678", "DO"),
        ("+12642351234", "AI"),
    ],
)
def test_one_calling_code_is_not_one_country(text: str, region: str) -> None:
    """Texts to most of +1 are international, and dear: the trap of every list of calling codes."""
    number = parse(text, "US")
    assert number is not None
    assert number.region == region
    assert (number.region in family("US")) is (region == "US")


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+447911123456", "GG"),
        ("+447797123456", "JE"),
        ("+447624123456", "IM"),
        ("+447400123456", "GB"),
    ],
)
def test_the_islands_belong_to_the_british_family(text: str, region: str) -> None:
    number = parse(text, "GB")
    assert number is not None
    assert number.region == region
    assert region in family("GB")
    assert family(region) == family("GB"), "and London to an office in Jersey"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+17875551234", "PR"),
        ("+13405551234", "VI"),
        ("+16713001234", "GU"),
        ("+16846331234", "AS"),
        ("+16702341234", "MP"),
    ],
)
def test_the_territories_belong_to_the_american_family(text: str, region: str) -> None:
    number = parse(text, "US")
    assert number is not None
    assert number.region == region
    assert region in family("US")


def test_a_country_without_a_family_stands_alone() -> None:
    assert family("DE") == {"DE"}
    assert family("CA") == {"CA"}


@pytest.mark.parametrize(
    "text", ["911", "112", "999", "+911", "+1911", "110", "611", "72404", "101", "*69", "#31#"]
)
@pytest.mark.parametrize("country", ["US", "GB", "DE"])
def test_emergency_and_short_numbers_and_extensions_are_no_numbers(text: str, country: str) -> None:
    assert parse(text, country) is None


@pytest.mark.parametrize("text", ["+88216123456", "+881612345678", "+80012345678", "+870773123456"])
def test_numbers_of_no_country_get_no_texts(text: str) -> None:
    """Satellite telephones cost dollars a text, and are a favourite of who has texts pumped."""
    number = parse(text, "US")
    assert number is not None
    assert number.region == "001"
    assert number.untextable


def test_a_valid_number_is_always_of_a_known_type() -> None:
    """Only what is of some type counts as valid, so there is none that is to be decided on."""
    for region in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number(region)
        assert example is not None
        assert phonenumbers.is_valid_number(example)
        assert phonenumbers.number_type(example) != phonenumbers.PhoneNumberType.UNKNOWN


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("+12125550142", {"America/New_York"}),
        ("+12085551234", {"America/Boise", "America/Los_Angeles"}),
        ("+17875551234", {"America/Puerto_Rico"}),
        ("+4915112345678", {"Europe/Berlin"}),
        (
            "+447400123456",
            {"Europe/London", "Europe/Jersey", "Europe/Guernsey", "Europe/Isle_of_Man"},
        ),
        ("+18005550199", set()),  # 42 zones
        ("+79161234567", set()),  # 16
        ("+88216123456", set()),  # Etc/Unknown
    ],
)
def test_the_zones_in_which_a_number_may_be(text: str, names: set[str]) -> None:
    number = parse(text, "US")
    assert number is not None
    assert set(zones(number)) == names


@pytest.mark.parametrize("text", ["", "<unknown>", "Anonymous", "RESTRICTED", " unavailable "])
def test_who_is_nobody(text: str) -> None:
    assert is_nobody(text)


@pytest.mark.parametrize(
    ("dial_string", "digits"),
    [
        ("+12125550142@trunk", "12125550142"),
        ("g0/92125550142", "92125550142"),
        ("trunk/sip:02125550142@10.0.0.1:5060", "02125550142"),
        ("Local/2125550142@from-internal/n", "2125550142"),
        ("101", "101"),
        ("", ""),
    ],
)
def test_the_number_in_what_the_dialplan_dials(dial_string: str, digits: str) -> None:
    assert dialled_digits(dial_string) == digits


def test_countries_are_those_with_a_numbering_plan() -> None:
    assert is_country("DE")
    assert not is_country("XX")


@pytest.mark.parametrize(
    ("text", "among"),
    [
        (
            "+12125550142",
            {
                *("+12125550142", "12125550142", "2125550142", "(212) 555-0142", "212-555-0142"),
                *("212.555.0142", "212 555 0142", "+1 212-555-0142", "+1 (212) 555-0142"),
            },
        ),
        ("+442079460958", {"+442079460958", "02079460958", "020 7946 0958", "+44 20 7946 0958"}),
        ("+493012345678", {"+493012345678", "03012345678", "030 12345678", "030/12345678"}),
        ("+390612345678", {"+390612345678", "0612345678", "06 1234 5678"}),
    ],
)
def test_how_address_books_write_a_number(text: str, among: set[str]) -> None:
    number = parse(text, "US")
    assert number is not None
    written = spellings(number)
    assert among <= set(written)
    assert written[0] == number.e164
    assert len(written) == len(set(written)) <= 16


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_no_spelling_can_break_out_of_a_query(region: str) -> None:
    example = phonenumbers.example_number(region)
    assert example is not None
    e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    number = parse(e164, region)
    assert number is not None
    for text in spellings(number):
        assert set(text) <= set("0123456789+-./() "), text


@given(st.text(max_size=40), st.sampled_from(["US", "DE", "GB"]))
def test_no_text_raises_and_what_parses_is_plain(text: str, country: str) -> None:
    number = parse(text, country)
    if number is not None:
        assert number.e164[0] == "+"
        assert number.e164[1:].isascii()
        assert number.e164[1:].isdigit()


@pytest.mark.parametrize(("country", "number"), [("US", "+12015550123"), ("GB", "+447400123456")])
def test_an_example_of_a_country_can_be_texted(country: str, number: str) -> None:
    assert example(country) == number
    parsed = parse(number, country)
    assert parsed is not None
    assert (parsed.region, parsed.untextable) == (country, "")


def test_not_every_country_has_mobile_numbers() -> None:
    assert example("TA") is None


@pytest.mark.parametrize(
    ("called", "country", "dialled"),
    [
        ("+12125550142", "US", "12125550142"),
        ("+4930901820", "US", "0114930901820"),
        ("+4930901820", "DE", "030901820"),
        ("+12125550142", "DE", "0012125550142"),
        ("+390612345678", "IT", "0612345678"),
        ("+441534700000", "GB", "01534700000"),
        ("+4930901820", "BR", "+4930901820"),
    ],
)
def test_how_a_number_is_dialled(called: str, country: str, dialled: str) -> None:
    number = parse(called, country)
    assert number is not None
    assert dialled_from(number, country) == dialled


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("+12125550142", ""),
        ("+4930901820", ""),  # a landline gets no text, but a call
        ("+18005550199", ""),
        ("+19005551234", "a premium-rate number"),
        ("+881612345678", "a number of no country (satellite, international)"),
    ],
)
def test_what_nobody_is_put_through_to(text: str, why: str) -> None:
    number = parse(text, "US")
    assert number is not None
    assert uncallable(number) == why


@pytest.mark.parametrize("country", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_the_national_part_is_that_of_the_numbers_plan(country: str) -> None:
    e164 = example(country)
    if e164 is None:  # no mobiles there
        return
    number = parse(e164, "US")
    assert number is not None
    assert national_part(e164) == number.national


@pytest.mark.parametrize("text", ["", "+", "12125550143", "anonymous", "+12a", "+999", "+\u0661"])
def test_what_is_no_number_has_no_national_part(text: str) -> None:
    assert national_part(text) is None
