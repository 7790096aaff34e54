"""Every outcome has words."""

from pbx_bridge.core.outcomes import TEXTED, WORDS, words
from pbx_bridge.core.skip import SkipReason


def test_every_reason_not_to_text_has_words() -> None:
    assert WORDS.keys() >= {reason.value for reason in SkipReason}


def test_a_name_that_has_none_is_words_already() -> None:
    assert words(TEXTED) == "texted"
    assert words("told_later") == "told later"
