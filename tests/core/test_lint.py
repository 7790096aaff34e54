"""What the linter says about texts: one row for each rule, and the guide's own bad samples."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core import lint as linter
from pbx_bridge.core.lint import CHECKS, Circumstances, Finding, Linted, Severity, lint
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.text import segments

MILLER = Circumstances(office="Miller & Sons", country="US", price=Decimal("0.0079"))
GOOD = (
    "Hello, this is Miller & Sons. We missed your call; call +12125550100. Reply STOP to opt out."
)
UK = Circumstances(office="Miller & Sons", country="GB")


def rules(text: str, around: Circumstances = MILLER) -> list[str]:
    return [finding.rule for finding in lint(text, around).findings]


def finding(text: str, rule: str, around: Circumstances = MILLER) -> Finding:
    (found,) = [one for one in lint(text, around).findings if one.rule == rule]
    return found


def test_a_good_text_has_no_findings() -> None:
    assert lint(GOOD, MILLER) == Linted(
        body=GOOD, encoding="GSM-7", parts=1, price=Decimal("0.0079"), findings=()
    )


#: The guide's text-back and after-hours samples as the project's study measured them: the same
#: characters that cost, the same length.
TEXT_BACK = (
    "Hi, this is [Business Name] — we just missed your call and we are sorry about that! Reply to"
    " this message with what you need and we will get right back to you, or book here:"
    " https://example.com/b and we call."
)
AFTER_HOURS = (
    "Thanks for calling [Business Name]. We’re closed right now, but we’ll get back to you first"
    " thing in the morning. Is it an emergency? Reply “URGENT” and somebody calls you at once."
)


def test_the_guides_text_back_costs_four_segments_and_two_once_mended() -> None:
    assert (len(TEXT_BACK), segments(TEXT_BACK).parts) == (208, 4)
    linted = lint(TEXT_BACK, MILLER)
    assert (linted.encoding, linted.parts, linted.price) == ("GSM-7", 2, Decimal("0.0158"))
    assert finding(TEXT_BACK, "look_alikes").text == (
        '"—" is sent as "-"; that saves 2 segments, $0.0158'
    )
    assert finding(TEXT_BACK, "blank").severity is Severity.ERROR
    assert not linted.passes


def test_the_guides_after_hours_text_costs_three_segments_and_two_once_mended() -> None:
    assert (len(AFTER_HOURS), segments(AFTER_HOURS).parts) == (180, 3)
    linted = lint(AFTER_HOURS, MILLER)
    assert (linted.encoding, linted.parts) == ("GSM-7", 2)
    assert finding(AFTER_HOURS, "look_alikes").text == (
        '"’" is sent as "\'", "“" is sent as """, "”" is sent as """; that saves 1 segment, $0.0079'
    )


#: Text, the one rule beside those of GOOD that finds something, how bad it is, and words of it.
ROWS = [
    (GOOD + " Or visit [website].", "blank", Severity.ERROR, "[website] goes out as it stands"),
    (GOOD + " <name>", "blank", Severity.ERROR, "<name> goes out"),
    (GOOD.replace("Miller & Sons", "us"), "identity", Severity.ERROR, '("Miller & Sons")'),
    (
        GOOD.replace("Reply STOP to opt out", "Bye"),
        "opt_out_words",
        Severity.WARNING,
        "which US expects",
    ),
    (GOOD + " 20 % off today!", "promotional", Severity.WARNING, '"20 % off" makes this'),
    (GOOD + " Get a free quote.", "promotional", Severity.WARNING, '"free quote"'),
    (GOOD + " See a.com and b.org/x", "links", Severity.WARNING, "2 links"),
    (GOOD + " https://bit.ly/3xY", "shortener", Severity.WARNING, "bit.ly hides"),
    (GOOD.upper(), "capitals", Severity.WARNING, "shouting"),
    (GOOD + " Ş", "encoding", Severity.WARNING, 'the character "Ş" at 94 costs 1 segment more'),
    (GOOD + " x" * 115, "length", Severity.WARNING, "more than 320 are seldom read"),
    (GOOD + "[" * 35, "encoding", Severity.WARNING, 'the character "[" at 93 costs 1 segment'),
    (GOOD.replace(";", " —"), "look_alikes", Severity.NOTE, '"—" is sent as "-"; that saves 1'),
]


@pytest.mark.parametrize(("text", "rule", "severity", "words"), ROWS, ids=[r[1] for r in ROWS])
def test_each_rule(text: str, rule: str, severity: Severity, words: str) -> None:
    assert [one for one in rules(text) if one != "segments"] == [rule]
    found = finding(text, rule)
    assert found.severity is severity
    assert words in found.text


def test_an_empty_text_is_an_error() -> None:
    assert "empty" in rules("  \n")


def test_a_character_is_priced_with_its_place_and_what_would_do_instead() -> None:
    text = "Hi from Miller & Sons, " + "a" * 150 + " ş ok? STOP ends this. +12125550100"
    assert finding(text, "encoding").text == (
        'the character "ş" at 175 costs 2 segments more: $0.0158'
        ' (UCS-2, 70 characters to a segment); "s" would do'
    )
    text = text.replace("ş", "şğ漢я🛑")
    assert finding(text, "encoding").text == (
        'the characters "ş" at 175, "ğ" at 176, "漢" at 177, "я" at 178 and 1 more cost 2 segments'
        " more: $0.0158 (UCS-2, 70 characters to a segment)"
    )


def test_a_character_that_costs_nothing_here_is_a_note() -> None:
    found = finding("Miller & Sons: á STOP +12125550100", "encoding")
    assert found.severity is Severity.NOTE
    assert found.text == (
        'the character "á" at 16 makes it UCS-2, 70 characters to a segment, at no cost here;'
        ' "a" would do'
    )


def test_an_invisible_character_is_named_by_its_number() -> None:
    assert "U+200D at 15" in finding("Miller & Sons:\u200d STOP +12125550100", "encoding").text


def test_without_a_price_segments_are_told_all_the_same() -> None:
    assert finding(GOOD + " Ş", "encoding", UK).text.startswith(
        'the character "Ş" at 94 costs 1 segment more (UCS-2'
    )
    assert lint(GOOD, UK).price is None


def test_other_money_is_written_with_its_name() -> None:
    euro = Circumstances(price=Decimal("0.070"), currency="EUR")
    assert euro.money(3) == "0.21 EUR"


def test_many_segments_are_told_with_their_price() -> None:
    text = GOOD + " and more" * 30
    assert "segments, each paid for: $0.0237" in finding(text, "segments").text
    assert finding(GOOD + "a" * 1600, "length").severity is Severity.ERROR


def test_a_way_out_is_asked_for_only_where_it_is_expected() -> None:
    text = GOOD.replace("Reply STOP to opt out", "Bye")
    assert rules(text, UK) == []
    canada = Circumstances(office="Miller & Sons", country="CA", language="fr")
    assert rules(text, canada) == ["opt_out_words"]
    assert rules(text + " ARRET pour arrêter", canada) == ["encoding"]
    assert "opt_out_words" in rules(text + " You can cancel.")  # an appointment, perhaps


def test_a_first_text_without_number_or_link_is_noted() -> None:
    text = "Miller & Sons: sorry that we missed you. Reply STOP to opt out."
    assert rules(text) == ["contact"]
    for contact in ("(212) 555-0100", "miller.example.com", "https://x.example/b", "a@b.example"):
        assert rules(f"{text} {contact}") == []


def test_the_answer_to_help_needs_a_contact() -> None:
    around = Circumstances(office="Miller & Sons", answers=Meaning.HELP)
    found = finding("Miller & Sons texts you after calls.", "contact", around)
    assert found.severity is Severity.WARNING
    assert rules("Miller & Sons: call +12125550100", around) == []


def test_a_confirmation_may_not_advertise_and_needs_no_way_out() -> None:
    around = Circumstances(office="Miller & Sons", country="US", answers=Meaning.OPT_OUT)
    assert rules("Miller & Sons: no more texts from us.", around) == []
    found = finding("Miller & Sons: no more texts, no more discounts.", "promotional", around)
    assert found.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "descuento"),
        ("fr", "soldes"),
        ("de", "Rabatt"),
        ("it", "sconto"),
        ("nl", "korting"),
        ("pt", "promoção"),
    ],
)
def test_advertising_is_known_in_every_language(language: str, text: str) -> None:
    around = Circumstances(office="Miller & Sons", country="GB", language=language)
    assert "promotional" in rules(f"{GOOD} {text}", around)
    assert "promotional" in rules(f"{GOOD} coupon", around)


@pytest.mark.parametrize(
    "text",
    [
        "Feel free to call",
        "Our toll-free number",
        "We will offer you a time",
        "a good deal of snow",
        "Wir machen Ihnen ein Angebot",
        "on Saturday",
        "We won't forget you",
    ],
)
def test_service_words_are_no_advertising(text: str) -> None:
    around = Circumstances(office="Miller & Sons", country="GB", language="de")
    assert rules(f"{GOOD} {text}", around) == []


@pytest.mark.parametrize(
    "text", ["Back at 2 p.m. today", "Mr.Baker calls", "e.g. today", "a@b.com", "It is 3.5 miles"]
)
def test_not_every_dot_is_a_link(text: str) -> None:
    assert "links" not in rules(f"{GOOD} example.com {text}")


def test_keywords_and_the_offices_name_are_no_shouting() -> None:
    acme = Circumstances(office="ACME ROOFING INC", country="US")
    assert rules("ACME ROOFING INC: call +12125550100. STOP STOP START HELP", acme) == []


def test_every_rule_has_its_row() -> None:
    named = {row[1] for row in ROWS} | {"empty", "contact", "segments", "extension"}
    assert {check.__name__ for check in CHECKS} <= named


def test_the_documentation_names_every_rule() -> None:
    source = Path(linter.__file__).read_text(encoding="utf-8")
    named = set(re.findall(r'Severity\.\w+,\s*"(\w+)"', source)) | {"promotional"}
    docs = Path(__file__).parent.parent.parent / "docs" / "templates.md"
    listed = re.findall(r"^\| `(\w+)` \|", docs.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(named)


def test_the_promotional_words_of_a_language_are_a_pattern_each() -> None:
    assert linter.PROMOTIONAL.keys() == {"en", "es", "fr", "de", "it", "nl", "pt"}


@settings(max_examples=1_000, deadline=None)
@given(st.text(max_size=400), st.sampled_from([MILLER, UK]))
def test_any_text_can_be_linted_and_its_price_is_that_of_its_segments(
    text: str, around: Circumstances
) -> None:
    linted = lint(text, around)
    assert (linted.encoding, linted.parts) == (
        segments(linted.body).encoding,
        segments(linted.body).parts,
    )
    assert linted.price == (None if around.price is None else around.price * linted.parts)
    assert linted.passes == all(f.severity is not Severity.ERROR for f in linted.findings)
