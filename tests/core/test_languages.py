"""What we say by default: short, plain, ours, and found good by our own linter."""

import pytest

from pbx_bridge.core.keywords import classify
from pbx_bridge.core.languages import LANGUAGES, SPOKEN, language
from pbx_bridge.core.lint import Circumstances, lint
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.text import fill, placeholders, plain, segments
from pbx_bridge.core.wording import Wording

#: As long as most names and numbers get.
VALUES = {"office": "Miller & Sons Roofing", "office_number": "+12125550100"}
TEXTS = [
    (code, field, meaning)
    for code in LANGUAGES
    for field, meaning in (
        ("first_text", None),
        ("voicemail_text", None),
        ("second_text", None),
        ("opted_out", Meaning.OPT_OUT),
        ("opted_in", Meaning.OPT_IN),
        ("help", Meaning.HELP),
    )
]
EVERY = pytest.mark.parametrize(("code", "field", "meaning"), TEXTS)


@EVERY
def test_a_text_is_one_plain_segment(code: str, field: str, meaning: Meaning | None) -> None:
    del meaning
    template = getattr(LANGUAGES[code], field)
    assert template == plain(template)
    counted = segments(fill(template, VALUES))
    assert (counted.encoding, counted.parts) == ("GSM-7", 1)


@EVERY
def test_a_text_needs_only_what_every_office_has(
    code: str, field: str, meaning: Meaning | None
) -> None:
    del meaning
    template = getattr(LANGUAGES[code], field)
    assert fill(template, {"office": "Miller"}).count("Miller") == 1
    assert placeholders(template) <= {"office", "office_number"}


@EVERY
def test_our_own_linter_finds_nothing_wrong(code: str, field: str, meaning: Meaning | None) -> None:
    country = "GB" if meaning is None else "US"  # a first text's way out is the office's decision
    around = Circumstances(office=VALUES["office"], country=country, language=code, answers=meaning)
    found = lint(fill(getattr(LANGUAGES[code], field), VALUES), around).findings
    without_contact = field in ("first_text", "voicemail_text")
    assert [finding.rule for finding in found] == (["contact"] if without_contact else [])


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("number", [VALUES["office_number"], ""])
def test_a_second_text_says_who_about_what_and_how_to_get_no_more(code: str, number: str) -> None:
    values = VALUES | {"office_number": number}
    around = Circumstances(office=VALUES["office"], country="US", language=code)
    linted = lint(fill(LANGUAGES[code].second_text, values), around)
    assert linted.parts == 1
    assert {finding.rule for finding in linted.findings} <= {"contact"}
    assert "STOP" in linted.body


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_mail_says_who_about_what_and_how_to_get_no_more(code: str) -> None:
    one = LANGUAGES[code]
    around = Circumstances(office=VALUES["office"], country="US", language=code)
    found = lint(fill(one.mail, VALUES), around).findings
    assert {finding.rule for finding in found} <= {"encoding", "segments", "length"}  # of texts
    assert placeholders(one.mail) == {"office", "office_number"}
    assert placeholders(one.mail_subject) == {"office"}
    assert "STOP" in one.mail
    assert fill(one.mail, VALUES | {"office_number": ""}).count(VALUES["office"]) == 1


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_words_that_a_text_asks_for_are_understood(code: str) -> None:
    one, wording = LANGUAGES[code], Wording(understood=(code,))
    asked_for = {
        word: classify(word, wording).meaning
        for text in (one.opted_out, one.opted_in, one.help)
        for word in text.replace("{office}", "").replace(".", " ").replace(",", " ").split()
        if word.isalpha() and word.isupper() and word != "SMS"
    }
    assert {Meaning.OPT_OUT, Meaning.OPT_IN, Meaning.HELP} == set(asked_for.values()), asked_for


def test_an_unknown_language_is_answered_in_english() -> None:
    assert language("xx") is LANGUAGES["en"]


def test_what_is_spoken_in_a_country_is_known() -> None:
    assert set().union(*SPOKEN.values()) <= LANGUAGES.keys()
