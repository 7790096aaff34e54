"""What comes back is read as described, and nothing else is made of it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from pbx_bridge.core.delivery import Blame, Receipt, State
from pbx_bridge.core.reply import Reply
from pbx_bridge.gateways._http_news import Hooks, Receipts, Replies, body_of, items_at
from pbx_bridge.gateways._values import Meaning
from tests.gateways import signing

SIGNATURE = {"kind": "path", "secret": "s"}
RECEIPTS: dict[str, Any] = {
    "tail": "status",
    "id_path": "id",
    "key_path": "ref",
    "status_path": "status",
    "status": {"ok": "delivered", "bad": "undelivered", "1": "accepted"},
    "code_path": "code",
    "detail_path": "why",
}
REPLIES: dict[str, Any] = {
    "tail": "reply",
    "id_path": "id",
    "from_path": "from",
    "to_path": "to",
    "text_path": "text",
    "time_path": "at",
}
ERRORS = {"7": Meaning(means="a landline", blame=Blame.NUMBER)}


def hooks(**changes: Any) -> Hooks:
    table = {"signature": SIGNATURE, "receipts": RECEIPTS, "replies": REPLIES} | changes
    return Hooks.model_validate(table)


def news(described: Hooks, document: str, tail: str = "status") -> Any:
    return described.news(signing.request(document.encode()), tail, ERRORS)


def test_a_receipt_names_the_message_by_their_id_or_our_key() -> None:
    (by_id,) = news(hooks(), '{"id": 5, "status": "ok"}')
    assert by_id == Receipt(state=State.DELIVERED, gateway_ref="5")
    (by_key,) = news(hooks(), "ref=key-1&status=1")
    assert by_key == Receipt(state=State.ACCEPTED, key="key-1")
    with pytest.raises(ValueError, match="names no message"):
        news(hooks(), '{"status": "ok"}')


def test_why_it_was_not_delivered_is_looked_up_or_quoted() -> None:
    (known,) = news(hooks(), '{"id": "1", "status": "bad", "code": 7, "why": "x"}')
    assert known == Receipt(
        state=State.UNDELIVERED,
        gateway_ref="1",
        code="7",
        detail="a landline",
        blame=Blame.NUMBER,
    )
    (other,) = news(hooks(), '{"id": "1", "status": "bad", "code": 8, "why": "+15551234567\\r\\n"}')
    assert (other.code, other.detail, other.blame) == ("8", "…567  ", Blame.MESSAGE)
    own = hooks(receipts=RECEIPTS | {"errors": {"7": {"means": "spam", "blame": "filtered"}}})
    (theirs,) = news(own, '{"id": "1", "status": "bad", "code": 7}')
    assert theirs.blame is Blame.FILTERED


def test_a_status_that_is_not_in_the_table_tells_nothing() -> None:
    assert news(hooks(), '{"id": "1", "status": "pondering"}') == ()
    assert news(hooks(), '{"id": "1"}') == ()


def test_the_path_tells_receipts_from_replies() -> None:
    both = '{"id": "1", "status": "ok", "from": "+15551234567", "text": "hi"}'
    (receipt,) = news(hooks(), both, "status")
    assert isinstance(receipt, Receipt)
    (reply,) = news(hooks(), both, "/reply/")
    assert isinstance(reply, Reply)
    assert news(hooks(), both, "else") == ()


def test_a_field_tells_them_apart_in_a_list_of_events() -> None:
    described = hooks(
        events="events",
        receipts=RECEIPTS | {"tail": None, "when": {"path": "type", "one_of": ["dlr"]}},
        replies=REPLIES | {"tail": None, "when": {"path": "type", "one_of": ["mo"]}},
    )
    document = """{"events": [
        {"type": "dlr", "id": "1", "status": "ok"},
        {"type": "ping"}, 7, null, [],
        {"type": "mo", "id": "2", "from": "+15551234567", "text": "STOP"}
    ]}"""
    assert [type(one) for one in news(described, document, "")] == [Receipt, Reply]
    for wrong in ("{}", '{"events": {}}', "[]"):
        with pytest.raises(ValueError, match="no list at events"):
            news(described, wrong, "")


def test_a_reply_without_a_sender_or_a_text_is_none() -> None:
    for wrong in (
        '{"id": "1", "text": "x"}',
        '{"id": "1", "from": "x"}',
        '{"from": [], "text": 1}',
    ):
        with pytest.raises(ValueError, match="without sender or text"):
            news(hooks(), wrong, "reply")
    (empty,) = news(hooks(), '{"id": "1", "from": "x", "text": ""}', "reply")
    assert empty.body == ""


def test_a_long_reply_is_whole() -> None:
    (long,) = news(hooks(), '{"id": "1", "from": "x", "text": "%s"}' % ("y" * 1500), "reply")
    assert len(long.body) == 1500


def test_without_an_id_the_same_words_at_the_same_time_are_the_same_reply() -> None:
    replies = Replies.model_validate(REPLIES | {"id_path": None})
    event = {"from": "1", "to": "2", "text": "hi", "at": "2026-01-01"}
    ref = replies.read(event).gateway_ref
    assert replies.read(dict(event)).gateway_ref == ref
    for changed in ("from", "to", "text", "at"):
        assert replies.read(event | {changed: "3"}).gateway_ref != ref
    assert replies.read(event | {"text": "\ud800"}).gateway_ref


@pytest.mark.parametrize(
    ("told", "form", "zone", "time"),
    [
        ("2026-11-24T12:00:00Z", "iso", None, datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ("2026-11-24T12:00:00+07:00", "iso", None, datetime(2026, 11, 24, 5, tzinfo=UTC)),
        ("2026-11-24T12:00:00", "iso", None, None),
        ("2026-11-24T12:00:00", "iso", "UTC", datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ("1763985600", "unix", None, datetime(2025, 11, 24, 12, tzinfo=UTC)),
        ("1e99", "unix", None, None),
        ("nan", "unix", None, None),
        ("20261124120000", "%Y%m%d%H%M%S", "UTC", datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ("yesterday", "%Y%m%d%H%M%S", "UTC", None),
        ("", "iso", "UTC", None),
    ],
)
def test_a_time_is_read_or_unknown(
    told: str, form: str, zone: str | None, time: datetime | None
) -> None:
    replies = Replies.model_validate(REPLIES | {"time_format": form, "time_zone": zone})
    reply = replies.read({"id": "1", "from": "x", "text": "y", "at": told})
    assert reply.sent_at == time


@pytest.mark.parametrize(
    ("told", "sender"),
    [
        ("447700900001", "+447700900001"),
        ("+447700900001", "+447700900001"),
        ("62262", "62262"),
        ("Vonage", "Vonage"),
        ("٤٤٧٧٠٠٩٠٠٠٠١", "٤٤٧٧٠٠٩٠٠٠٠١"),
    ],
)
def test_a_missing_plus_is_put_before_what_is_a_whole_number(told: str, sender: str) -> None:
    replies = Replies.model_validate(REPLIES | {"plus": True})
    event = {"id": "1", "from": told, "to": told, "text": "y"}
    assert replies.read(event).sender == sender
    assert replies.read(event).recipient == sender
    assert Replies.model_validate(REPLIES).read(event).sender == told


def test_the_query_is_read_only_if_the_description_says_so() -> None:
    query = (("id", "1"), ("status", "ok"))
    request = signing.request(b"", query=query, method="GET")
    assert hooks(read="query").news(request, "status", {}) == (
        Receipt(state=State.DELIVERED, gateway_ref="1"),
    )
    both = signing.request(b"id=2&status=bad", query=query)
    (receipt,) = hooks().news(both, "status", {})
    assert receipt == Receipt(state=State.UNDELIVERED, gateway_ref="2")


@pytest.mark.parametrize("body", [b"{", b"[1,", b"\xff", b"[" * 60_000, b"", b"novalue"])
def test_a_body_that_is_neither_json_nor_a_form_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        body_of(signing.request(body))


def test_what_says_that_it_is_json_is_no_form() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        body_of(signing.request(b"a=b", content_type="application/json; charset=utf-8"))
    assert body_of(signing.request(b"a=b&c=")) == {"a": "b", "c": ""}


def test_items_are_a_list() -> None:
    assert items_at([1], "") == [1]
    assert items_at({"a": {"b": [2]}}, "a.b") == [2]
    assert items_at({"a": {"b": {}}}, "a.b") is None
    assert items_at({}, "a") is None
    assert items_at({}, "") is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"signature": None}, "signature"),
        ({"receipts": None, "replies": None}, "are for nothing"),
        ({"replies": REPLIES | {"tail": "status"}}, "to tell them apart"),
        ({"receipts": RECEIPTS | {"id_path": None, "key_path": None}}, "need id_path or key_path"),
        ({"receipts": RECEIPTS | {"status": {"x": "lost"}}}, "status"),
        ({"replies": REPLIES | {"id_path": None, "time_path": None}}, "need id_path or time_path"),
        ({"replies": REPLIES | {"time_zone": "Mars/Base"}}, "not a time zone"),
        ({"read": "query", "signature": {"kind": "jwt", "secret": "s"}}, "not over the query"),
        ({"read": "headers"}, "read"),
    ],
)
def test_mistakes_in_hooks_are_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        hooks(**changes)


def test_receipts_alone_need_nothing_to_be_told_apart() -> None:
    described = hooks(receipts=RECEIPTS | {"tail": None}, replies=None)
    assert len(news(described, "id=1&status=ok", "anything")) == 1
    assert Receipts.model_validate(RECEIPTS).read({"id": "1", "status": "ok"}, {}) is not None
