"""The lists of words themselves."""

import re
from pathlib import Path

import pytest

from pbx_bridge.core.keywords import simplified
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.vocabulary import AWS, FCC, TELNYX, TWILIO, VOCABULARIES

EVERY = pytest.mark.parametrize("code", VOCABULARIES)

#: As published (MESSAGING 3.3), so that none is lost.
PUBLISHED = {
    FCC: {"stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"},
    TWILIO: {"stop", "unsubscribe", "end", "quit", "stop all", "revoke", "opt out", "cancel"},
    AWS: {
        *("arret", "cancel", "end", "opt out", "quit", "remove", "stop", "td"),
        "unsubscribe",
    },
    TELNYX: {"stop", "stop all", "unsubscribe", "cancel", "end", "quit"},
}


@pytest.mark.parametrize("source", PUBLISHED)
def test_every_published_word_is_known_with_its_source(source: str) -> None:
    english = VOCABULARIES["en"].opt_out
    assert {word for word, sources in english.items() if source in sources} == PUBLISHED[source]


def test_every_language_that_is_spoken_is_understood() -> None:
    assert VOCABULARIES.keys() == LANGUAGES.keys()


@EVERY
def test_words_stand_in_the_form_in_which_they_are_compared(code: str) -> None:
    vocabulary = VOCABULARIES[code]
    for word in (
        *vocabulary.opt_out,
        *vocabulary.ambiguous,
        *vocabulary.opt_in,
        *vocabulary.agreement,
        *vocabulary.help,
        *vocabulary.courtesy,
        *vocabulary.urgent,
    ):
        assert word == simplified(word)


@EVERY
def test_no_word_means_two_things(code: str) -> None:
    vocabulary = VOCABULARIES[code]
    lists = [
        {word.replace(" ", "") for word in words}
        for words in (vocabulary.opt_out, vocabulary.opt_in, vocabulary.help, vocabulary.agreement)
    ]
    assert len(set().union(*lists)) == sum(map(len, lists))
    assert vocabulary.ambiguous <= vocabulary.opt_out.keys()


@EVERY
def test_stop_start_and_info_are_understood_in_every_language(code: str) -> None:
    vocabulary = VOCABULARIES[code]
    assert {"stop", "stopp"} <= vocabulary.opt_out.keys()
    assert {"start", "unstop"} <= vocabulary.opt_in.keys()
    assert "info" in vocabulary.help


@EVERY
def test_patterns_compile_and_match_no_empty_text(code: str) -> None:
    vocabulary = VOCABULARIES[code]
    for pattern in (*vocabulary.refusals, vocabulary.reversing, vocabulary.calming):
        assert not re.compile(pattern).search("")


@EVERY
def test_the_documentation_lists_every_word(code: str) -> None:
    docs = Path(__file__).parent.parent.parent / "docs" / "templates.md"
    (row,) = re.findall(
        rf"^\| {LANGUAGES[code].name} \(`{code}`\) \| (.+) \|$",
        docs.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    listed = [cell.split(", ") for cell in row.split(" | ")]
    vocabulary = VOCABULARIES[code]
    assert listed == [
        [word for word in vocabulary.opt_out if word not in vocabulary.ambiguous],
        [word for word in vocabulary.opt_out if word in vocabulary.ambiguous],
        list(vocabulary.opt_in),
        list(vocabulary.help),
        list(vocabulary.urgent),
    ]
