"""What customers write back."""

from collections.abc import Iterator

from pbx_bridge.core.keywords import classify
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.vocabulary import VOCABULARIES
from pbx_bridge.core.wording import Wording
from tests.core.test_keywords import ROWS

EVERY = Wording(office="Miller", understood=tuple(VOCABULARIES))


def check(data: bytes) -> None:
    """Whatever is written means something, with a word for it unless it is for people to read."""
    body = data[1:].decode("utf-8", "surrogateescape")
    heard = classify(body, EVERY, asked=bool(data and data[0] & 1))
    assert (heard.word == "") == (heard.meaning is Meaning.REPLY)
    # A bare STOP ends it, whatever stands around it on lines of its own.
    assert classify(f" {body[:3]} ", EVERY).meaning in Meaning


def seeds() -> Iterator[bytes]:
    for row in ROWS[::6]:
        yield bytes([row.get("asked", False)]) + row["text"].encode()
