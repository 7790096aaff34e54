"""What holds of texts that are kept and shown."""

import re

#: What steers a terminal, turns the direction of writing, or is half a character.
_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_clean(text: str) -> None:
    assert _STEERS.search(text) is None, ascii(text)


def is_one_line(text: str) -> None:
    is_clean(text)
    assert "\n" not in text, ascii(text)
