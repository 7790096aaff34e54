"""What the dialplan tells and keeps of texts, read whatever it is."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.reply import Reply
from pbx_bridge.gateways._pbx_inbox import Numbered, decoded, kept, raised, since


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def entry(no: object, *, body: str = "hello", sender: str = "<sip:+1555@x>") -> dict[str, str]:
    return {"Val": f"{no} id-{no} {base64(sender)} {base64('us')} {base64(body)}"}


def numbered(no: int, body: str = "hello") -> Numbered:
    return Numbered(no, Reply(gateway_ref=f"id-{no}", sender="+1555", recipient="us", body=body))


def test_texts_are_read_in_the_order_in_which_they_came() -> None:
    items = [entry(101), {"Val": "101"}, entry(99), {}, entry(100, body="STOP, now\r\nplease")]
    assert kept(items) == [numbered(99), numbered(100, "STOP, now\nplease"), numbered(101)]


def test_a_text_to_a_modem_has_no_recipient() -> None:
    (text,) = kept([{"Val": f"3 id {base64('+1555')}  {base64('hola')}"}])
    assert (text.number, text.reply.recipient, text.reply.body) == (3, "", "hola")


@pytest.mark.parametrize(
    ("number", "newer"), [(0, [2, 3]), (2, [3]), (3, []), (4, [2, 3])], ids=str
)
def test_what_came_since(number: int, newer: list[int]) -> None:
    """The last: the PBX has lost its database, and counts anew."""
    found = since([numbered(2), numbered(3)], number)
    assert [one.number for one in found] == newer
    assert since([], number) == []


@given(st.lists(st.fixed_dictionaries({}, optional={"Val": st.text()})))
def test_whatever_lies_there_is_read_or_passed_over(items: list[dict[str, str]]) -> None:
    assert all(one.reply.sender for one in kept(items))


@given(st.dictionaries(st.sampled_from(["No", "Id", "From", "To", "Body"]), st.text()))
def test_whatever_is_raised_is_read_or_is_none(headers: dict[str, str]) -> None:
    told = raised(headers)
    assert told is None or told.reply.sender


@given(st.text())
def test_words_come_back_from_base64(words: str) -> None:
    assert decoded(base64(words)) == words
