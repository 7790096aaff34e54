"""What replies mean: a table of what people write, and words in every disguise."""

import json
import time
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core.keywords import Heard, classify, simplified
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.vocabulary import VOCABULARIES
from pbx_bridge.core.wording import Wording

EVERY = Wording(office="Miller", understood=tuple(VOCABULARIES))
ENGLISH = Wording(office="Miller")
ROWS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "keywords.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("row", ROWS, ids=[ascii(row["text"])[:50] for row in ROWS])
def test_a_reply_means_what_the_table_says(row: dict[str, Any]) -> None:
    """With all languages understood at once, which is the hardest."""
    heard = classify(row["text"], EVERY, asked=row.get("asked", False))
    assert (heard.meaning, heard.ambiguous) == (row["meaning"], row.get("ambiguous", False))
    assert (heard.word == "") == (heard.meaning is Meaning.REPLY)


def test_the_table_is_large_and_says_why() -> None:
    assert len(ROWS) >= 450
    assert all(row["why"] for row in ROWS)
    texts = [(row["text"], row.get("asked", False)) for row in ROWS]
    assert [text for text, count in Counter(texts).items() if count > 1] == []


#: Every word of every list, with what it means. What two languages share comes out as the first.
_LISTED = [
    (word, code, meaning, meaning is Meaning.OPT_OUT and word in vocabulary.ambiguous)
    for code, vocabulary in VOCABULARIES.items()
    for meaning, words in (
        (Meaning.OPT_OUT, vocabulary.opt_out),
        (Meaning.OPT_IN, vocabulary.opt_in),
        (Meaning.HELP, vocabulary.help),
    )
    for word in words
]


@pytest.mark.parametrize(("word", "code", "meaning", "ambiguous"), _LISTED)
def test_every_listed_word_means_what_its_list_says(
    word: str,
    code: str,
    meaning: Meaning,
    ambiguous: bool,  # noqa: FBT001 - a column of the table
) -> None:
    wording = Wording(understood=(code,))
    assert classify(word, wording) == Heard(meaning, word, ambiguous)


_CASES = st.sampled_from([str.lower, str.upper, str.title, str.swapcase, str.casefold])
_AROUND = st.text(alphabet=" .,!?¡¿\"'“”’()*_-–—…\n👍🛑🙏☎️\u200b\u00a0", max_size=6)
_ACCENTS = st.sampled_from(["", "", "\u0301", "\u0300", "\u0308", "\u0327"])


@st.composite
def _disguised(draw: st.DrawFn) -> tuple[str, Meaning, bool, str]:
    word, code, meaning, ambiguous = draw(st.sampled_from(_LISTED))
    shown = draw(_CASES)(word)
    if draw(st.booleans()):
        shown = "".join(c + (draw(_ACCENTS) if c.isalpha() else "") for c in shown)
    if draw(st.booleans()):
        shown = unicodedata.normalize("NFC", shown)
    match draw(st.integers(0, 3)):
        case 0:
            shown = draw(st.sampled_from(" .-*")).join(shown)
        case 1:
            shown = shown.replace(" ", draw(st.sampled_from(["", "-", "  ", "_", "."])))
        case _:
            pass
    return draw(_AROUND) + shown + draw(_AROUND), meaning, ambiguous, code


@settings(max_examples=4_000, deadline=None)
@given(_disguised())
def test_a_word_keeps_its_meaning_in_every_disguise(
    given_: tuple[str, Meaning, bool, str],
) -> None:
    text, meaning, ambiguous, code = given_
    heard = classify(text, Wording(understood=(code,)))
    assert (heard.meaning, heard.ambiguous) == (meaning, ambiguous)


_ORDINARY = [
    row["text"] for row in ROWS if row["meaning"] == "reply" and len(row["text"].split()) > 3
]


@settings(max_examples=2_000, deadline=None)
@given(
    st.lists(st.sampled_from(_ORDINARY), min_size=1, max_size=3),
    st.sampled_from([". ", "\n", "! ", "? "]),
    _CASES,
)
def test_ordinary_sentences_stay_for_people_to_read(
    sentences: list[str], between: str, case: Any
) -> None:
    assert classify(case(between.join(sentences)), EVERY).meaning is Meaning.REPLY


@settings(max_examples=2_000, deadline=None)
@given(st.text(max_size=300))
def test_no_text_whatever_is_too_much(text: str) -> None:
    heard = classify(text, EVERY)
    assert (heard.word == "") == (heard.meaning is Meaning.REPLY)


@pytest.mark.parametrize(
    "text", ["ok " * 5_000, "stop " * 5_000, "not " * 5_000, "a" * 100_000, "no more " * 5_000]
)
def test_a_hostile_length_takes_no_time(text: str) -> None:
    began = time.perf_counter()
    classify(text, EVERY)
    assert time.perf_counter() - began < 1


def test_only_the_languages_understood_count() -> None:
    assert classify("Abmelden", ENGLISH).meaning is Meaning.REPLY
    assert classify("Abmelden", EVERY).meaning is Meaning.OPT_OUT
    assert classify("dringend", ENGLISH).meaning is Meaning.REPLY


def test_urgent_words_can_be_the_offices_own() -> None:
    own = Wording(urgent_words=("flood", "no heat"))
    assert classify("We have NO HEAT!", own) == Heard(Meaning.URGENT, "no heat")
    assert classify("it flooded", own).meaning is Meaning.REPLY
    assert classify("not a flood", own).meaning is Meaning.REPLY
    assert classify("urgent", own).meaning is Meaning.REPLY
    assert classify("urgent", Wording(urgent_words=())).meaning is Meaning.REPLY


def test_more_words_can_mean_stop() -> None:
    own = Wording(extra_opt_out=("No thanks",))
    assert classify("no thanks!", own) == Heard(Meaning.OPT_OUT, "no thanks")
    assert classify("no thanks, I found it", own).meaning is Meaning.REPLY
    assert classify("no thanks", ENGLISH).meaning is Meaning.REPLY


def test_yes_opts_in_only_where_we_asked() -> None:
    assert classify("Yes", ENGLISH).meaning is Meaning.REPLY
    assert classify("Yes", ENGLISH, asked=True) == Heard(Meaning.OPT_IN, "yes")
    assert classify("Stop", ENGLISH, asked=True).meaning is Meaning.OPT_OUT


def test_words_are_compared_without_what_is_only_form() -> None:
    assert simplified("  DON’T—Stop: Él, ﬁn!  ") == "dont stop el fin"
