"""Webhooks of Twilio, signed on the other side by Twilio's own library."""

import json
import random
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from pbx_bridge.core.delivery import Blame, Receipt, State
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.gateways._twilio_hooks import Secrets, read
from pbx_bridge.ports import Forged, HookAnswer, HookRequest

TOKEN = "12345"
SHARED = "a-shared-key"
BOTH = Secrets(TOKEN, SHARED)
URL = "https://pbx.example.com/bridge/hooks/sms"
FORM = "application/x-www-form-urlencoded"
SHARED_KEY = "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256"

RECEIVED = {
    "MessageSid": "SM1",
    "SmsSid": "SM1",
    "AccountSid": "AC1",
    "From": "+15551234567",
    "To": "+15550001111",
    "Body": "Yes please — call me & hurry + thanks 😀",
    "NumMedia": "0",
    "FromCity": "",
}
DELIVERED = {"MessageSid": "SM1", "MessageStatus": "delivered", "ErrorCode": ""}
TWICE = MultiDict([("MessageSid", "SM1"), ("From", "1"), ("Body", "no"), ("Body", "yes")])


def signature(
    url: str, fields: Mapping[str, str], secret: str = TOKEN, algorithm: str = "HMAC_SHA1"
) -> str:
    return str(RequestValidator(secret).compute_signature(url, fields, algorithm))


def request(  # noqa: PLR0917 - as they stand in the request
    url: str, body: bytes, signed: str, settings: str = "", kind: str = FORM, method: str = "POST"
) -> HookRequest:
    headers = {"x-twilio-signature": signed, "content-type": kind}
    if settings:
        headers["x-twilio-webhooks-signature-settings"] = settings
    tail = url.partition("?")[0].rpartition("/")[2]
    return HookRequest(method=method, tail=tail, url=url, headers=headers, query=(), body=body)


def form(url: str, fields: Mapping[str, str], **changes: Any) -> HookRequest:
    values = {"signed": signature(url, fields)} | changes
    return request(url, urlencode(fields).encode(), **values)


def as_json(url: str, document: object, secret: str = TOKEN) -> HookRequest:
    body = json.dumps(document).encode()
    url += ("&" if "?" in url else "?") + f"bodySHA256={sha256(body).hexdigest()}"
    return request(url, body, signature(url, {}, secret), kind="application/json; charset=utf-8")


def status(**fields: str) -> HookAnswer:
    return read(form(f"{URL}/status?m=key-1", DELIVERED | fields), BOTH)


# What is genuine, and what it says.


def test_a_message_from_a_customer_is_a_reply() -> None:
    assert read(form(f"{URL}/reply", RECEIVED), BOTH) == HookAnswer(
        news=(
            Reply(
                gateway_ref="SM1",
                sender="+15551234567",
                recipient="+15550001111",
                body=RECEIVED["Body"],
            ),
        ),
        content_type="text/xml",
        body="<Response/>",
    )


def test_stop_that_twilio_has_handled_says_so() -> None:
    (news,) = read(form(f"{URL}/reply", RECEIVED | {"OptOutType": "STOP"}), BOTH).news
    assert isinstance(news, Reply)
    assert news.handled is Meaning.OPT_OUT


def test_pictures_alone_are_counted() -> None:
    (news,) = read(form(f"{URL}/reply", RECEIVED | {"Body": "", "NumMedia": "2"}), BOTH).news
    assert isinstance(news, Reply)
    assert news.body == "(2 pictures)"


def test_a_status_is_a_receipt_with_our_key() -> None:
    expected = Receipt(state=State.DELIVERED, gateway_ref="SM1", key="key-1")
    assert status() == HookAnswer(news=(expected,), status=204)


def test_a_failure_has_its_code_words_and_blame() -> None:
    (news,) = status(MessageStatus="undelivered", ErrorCode="30006").news
    assert isinstance(news, Receipt)
    assert (news.code, news.blame) == ("30006", Blame.NUMBER)
    assert "landline" in news.detail


@pytest.mark.parametrize("word", ["receiving", "partially_delivered", "whatever"])
def test_an_unknown_status_is_no_news(word: str) -> None:
    assert status(MessageStatus=word) == HookAnswer(status=204)


def test_a_key_with_anything_in_it_comes_back() -> None:
    url = f"{URL}/status?m=call%207%2Fstep%261"
    (news,) = read(form(url, DELIVERED), BOTH).news
    assert isinstance(news, Receipt)
    assert news.key == "call 7/step&1"


def test_without_a_key_twilios_own_id_is_enough() -> None:
    (news,) = read(form(f"{URL}/status", DELIVERED), BOTH).news
    assert news == Receipt(state=State.DELIVERED, gateway_ref="SM1")


def test_the_same_twice_is_told_twice_and_looks_the_same() -> None:
    assert status() == status()


def test_json_bodies_are_read_too() -> None:
    answer = read(as_json(f"{URL}/status?m=key-1", DELIVERED | {"ErrorCode": 0, "x": None}), BOTH)
    assert answer == status()


def test_a_number_that_is_set_to_get_is_read_too() -> None:
    url = f"{URL}/reply?{urlencode(RECEIVED)}"
    asked = request(url, b"", signature(url, {}), kind="", method="GET")
    assert read(asked, BOTH) == read(form(f"{URL}/reply", RECEIVED), BOTH)


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        (f"{URL}/status", {"MessageSid": "SM1"}),
        (f"{URL}/status", {"MessageStatus": "sent"}),
        (f"{URL}/reply", {"MessageSid": "SM1", "Body": "x"}),
        (f"{URL}/reply", {"From": "+1", "Body": "x"}),
        (f"{URL}/voice", RECEIVED),
        (URL, RECEIVED),
    ],
)
def test_what_is_genuine_and_makes_no_sense_is_a_bad_request(
    url: str, fields: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"without|no such webhook"):
        read(form(url, fields), BOTH)


@pytest.mark.parametrize("body", ["[]", "null", "7", "{", "", "[" * 60_000])
def test_genuine_json_that_is_no_object_is_a_bad_request(body: str) -> None:
    raw = body.encode()
    url = f"{URL}/status?bodySHA256={sha256(raw).hexdigest()}"
    with pytest.raises(ValueError):  # noqa: PT011 - the words are json's
        read(request(url, raw, signature(url, {}), kind="application/json"), BOTH)


# Who may say so.


@pytest.mark.parametrize(
    ("secrets", "signed", "settings"),
    [
        (Secrets(TOKEN, None), "9pyy2ZSJda9ihJ1NNXPXtY4oV2Y=", ""),
        (
            Secrets(None, TOKEN),
            "XH6ykHQqWd8vpNGZCQf5a3iicPtxojiO6E1kLorCBM4=",
            "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256",
        ),
    ],
)
def test_the_documented_vectors_are_genuine(secrets: Secrets, signed: str, settings: str) -> None:
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://example.com/myapp.php?foo=1&bar=2"
    body = urlencode(fields).encode()
    with pytest.raises(ValueError, match="no such webhook"):  # believed, and not about a message
        read(request(url, body, signed, settings), secrets)
    with pytest.raises(Forged, match="wrong"):
        read(request(url, body + b"1", signed, settings), secrets)


@pytest.mark.parametrize(
    ("called", "signed"),
    [
        ("https://pbx.example.com/hooks/sms/reply", "https://pbx.example.com:443/hooks/sms/reply"),
        ("https://pbx.example.com:443/hooks/sms/reply", "https://pbx.example.com/hooks/sms/reply"),
        ("http://pbx.example.com:8088/hooks/sms/reply", "http://pbx.example.com/hooks/sms/reply"),
        ("http://pbx.example.com/hooks/sms/reply", "http://pbx.example.com:80/hooks/sms/reply"),
    ],
)
@pytest.mark.parametrize("algorithm", ["HMAC_SHA1", "HMAC_SHA256"])
def test_twilio_may_sign_with_or_without_the_port(called: str, signed: str, algorithm: str) -> None:
    by = signature(signed, RECEIVED, SHARED, algorithm)
    assert read(
        form(called, RECEIVED, signed=by, settings=f"key=k,algorithm={algorithm}"), BOTH
    ).news


@pytest.mark.parametrize("algorithm", ["HMAC_SHA256", "hmac_sha256", "HMAC_SHA1"])
def test_a_shared_key_proves_where_the_header_names_one(algorithm: str) -> None:
    url = f"{URL}/reply"
    by = signature(url, RECEIVED, SHARED, algorithm.upper())
    asked = form(url, RECEIVED, signed=by, settings=f"key=k, algorithm={algorithm}")
    assert read(asked, BOTH).news


@pytest.mark.parametrize(
    ("secret", "algorithm", "settings"),
    [
        (TOKEN, "HMAC_SHA256", SHARED_KEY),  # the token where the header says shared key
        (TOKEN, "HMAC_SHA1", "key=k,algorithm=HMAC_SHA1"),
        (TOKEN, "HMAC_SHA1", "key=k"),
        (SHARED, "HMAC_SHA1", SHARED_KEY),  # not by the algorithm that it names
        (SHARED, "HMAC_SHA256", "key=k,algorithm=HMAC_SHA1"),
        (SHARED, "HMAC_SHA1", ""),  # the shared key where no header says so
        (SHARED, "HMAC_SHA256", ""),
        (TOKEN, "HMAC_SHA256", ""),
        ("", "HMAC_SHA1", ""),
        ("None", "HMAC_SHA1", ""),
    ],
)
def test_one_secret_does_not_stand_for_the_other(
    secret: str, algorithm: str, settings: str
) -> None:
    by = signature(f"{URL}/reply", RECEIVED, secret, algorithm)
    with pytest.raises(Forged, match="wrong"):
        read(form(f"{URL}/reply", RECEIVED, signed=by, settings=settings), BOTH)


@pytest.mark.parametrize(
    ("secrets", "settings", "problem"),
    [
        (Secrets(None, SHARED), "", "set auth_token"),
        (Secrets(None, None), "", "set auth_token"),
        (Secrets(TOKEN, None), SHARED_KEY, "set webhook_secret"),
        (BOTH, "key=k,algorithm=HMAC_MD5", "algorithm"),
        (BOTH, "algorithm=none", "algorithm"),
    ],
)
def test_without_its_secret_nothing_is_believed(
    secrets: Secrets, settings: str, problem: str
) -> None:
    with pytest.raises(Forged, match=problem):
        read(form(f"{URL}/reply", RECEIVED, settings=settings), secrets)


@pytest.mark.parametrize(
    "forged",
    [
        form(f"{URL}/reply", RECEIVED, signed=""),
        form(f"{URL}/reply", RECEIVED, signed="é" * 28),
        form(f"{URL}/reply", RECEIVED, kind="text/plain"),
        form(f"{URL}/reply", RECEIVED, kind="multipart/form-data; boundary=x"),
        form(f"{URL}/reply", RECEIVED, kind=""),
        # JSON of which the signature says nothing.
        form(f"{URL}/reply", {}, kind="application/json"),
        request(f"{URL}/reply", b"{}", signature(f"{URL}/reply", {}), kind="application/json"),
        request(
            f"{URL}/reply?bodySHA256=",
            b"{}",
            signature(f"{URL}/reply?bodySHA256=", {}),
            kind="application/json",
        ),
        # One name twice: anybody could turn the values round.
        request(
            f"{URL}/reply", urlencode([*TWICE.items()]).encode(), signature(f"{URL}/reply", TWICE)
        ),
        # What no form of Twilio has in it.
        request(f"{URL}/reply", b"Body=%ff%fe", "x"),
        request(f"{URL}/reply", b"\xff\xfe", "x"),
        request(f"{URL}/reply", b"a=1&" * 600, "x"),
        request(f"{URL}/reply?x=%ff", b"", "x"),
        request(f"{URL}/reply?\udcff", b"", "x"),
        request("https://[x/reply", b"", "x"),
    ],
)
def test_a_forged_one_is_never_believed(forged: HookRequest) -> None:
    with pytest.raises(Forged):
        read(forged, BOTH)


def test_another_host_than_the_public_one_is_not_believed() -> None:
    by = signature("https://evil.example.com/bridge/hooks/sms/reply", RECEIVED)
    with pytest.raises(Forged, match="public_url"):
        read(form(f"{URL}/reply", RECEIVED, signed=by), BOTH)


SIGNED: Mapping[str, tuple[HookRequest, int]] = {
    "a form by the token": (form(f"{URL}/reply", RECEIVED), 12_000),
    "a status by the token": (form(f"{URL}/status?m=key-1", DELIVERED), 6_000),
    "a form by the shared key": (
        form(
            f"{URL}/reply",
            RECEIVED,
            signed=signature(f"{URL}/reply", RECEIVED, SHARED, "HMAC_SHA256"),
            settings=SHARED_KEY,
        ),
        6_000,
    ),
    "json": (as_json(f"{URL}/status?m=key-1", DELIVERED), 6_000),
}


@pytest.mark.parametrize("name", SIGNED)
def test_no_change_on_the_way_is_ever_believed(name: str) -> None:
    genuine, times = SIGNED[name]
    assert read(genuine, BOTH).news
    dice = random.Random(name)  # noqa: S311 - the same every time
    tried = 0
    while tried < times:
        changed = mutated(genuine, dice)
        if meaning(changed) == meaning(genuine):
            continue  # spelt otherwise, the same address, fields and signature
        tried += 1
        with pytest.raises(Forged):
            read(changed, BOTH)


def mutated(genuine: HookRequest, dice: random.Random) -> HookRequest:
    """Change one to three bytes of the address' path and query, the body, or the signature."""
    url, body = genuine.url, genuine.body
    signed = genuine.headers["x-twilio-signature"]
    host = len("https://pbx.example.com/")
    for _ in range(dice.randint(1, 3)):
        part = dice.randrange(3)
        if part == 0:
            url = url[:host] + scribbled(url[host:].encode(), dice, printable=True).decode()
        elif part == 1:
            body = scribbled(body, dice, printable=False)
        else:
            signed = scribbled(signed.encode(), dice, printable=True).decode()
    headers = dict(genuine.headers) | {"x-twilio-signature": signed}
    return HookRequest(
        method="POST", tail=genuine.tail, url=url, headers=headers, query=(), body=body
    )


def scribbled(text: bytes, dice: random.Random, *, printable: bool) -> bytes:
    at = dice.randrange(len(text) + 1)
    new = bytes([dice.randrange(33, 127) if printable else dice.randrange(256)])
    match dice.randrange(4):
        case 0:
            return text[:at] + new + text[at:]
        case 1:
            return text[:at] + text[at + 1 :]
        case 2:
            return text[:at] + new + text[at + 1 :]
        case _:
            other = dice.randrange(len(text) + 1)
            low, high = sorted((at, other))
            return text[:low] + text[low:high][::-1] + text[high:]


def meaning(one: HookRequest) -> object:
    """Give what the signature is about, and the signature: requests with the same are the same.

    Names and values are run together in it, so `Body=xy` and `Bodyx=y` are the same to Twilio.
    """
    signed = one.headers["x-twilio-signature"]
    settings = one.headers.get("x-twilio-webhooks-signature-settings", "")
    url = one.url.rstrip("?#")  # an empty query or fragment is none
    if one.headers["content-type"].startswith("application/json"):
        return (signed, settings, url, one.body)
    try:
        pairs = parse_qsl(one.body.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        return one
    names = sorted({name for name, _ in pairs})
    run = [name + value for name in names for value in sorted({v for n, v in pairs if n == name})]
    return (signed, settings, url, "".join(run))


#: As Twilio's are.
NAMES = st.text("AZaz09_", min_size=1, max_size=20)


@given(
    fields=st.dictionaries(NAMES, st.text(max_size=50), max_size=8),
    secret=st.text(min_size=1, max_size=40),
)
@example(fields={"From": "+1", "Body": "\r\n\x00"}, secret="é")
def test_only_who_knows_the_secret_is_believed(fields: dict[str, str], secret: str) -> None:
    fields = fields | {"MessageSid": "SM1", "From": "+1", "Body": "x"}
    asked = form(f"{URL}/reply", fields, signed=signature(f"{URL}/reply", fields, secret))
    assert read(asked, Secrets(secret, None)).news
    with pytest.raises(Forged):
        read(asked, Secrets(secret + "x", secret))


@pytest.mark.parametrize("name", ["Call me", "Body ", "b\u00f6dy", "", "a.b"])
def test_a_field_that_twilio_cannot_have_sent_is_not_believed(name: str) -> None:
    fields = RECEIVED | {name: "x"}
    with pytest.raises(Forged, match="name"):
        read(form(f"{URL}/reply", fields), BOTH)


def test_an_id_that_swallowed_another_field_is_not_believed() -> None:
    """Its signature is right, as nothing stands between names and values."""
    with pytest.raises(Forged, match="longer"):
        read(form(f"{URL}/reply", RECEIVED | {"MessageSid": "SM" + "0" * 32 + "NumMedia0"}), BOTH)


def test_a_message_always_has_a_body() -> None:
    fields = {name: value for name, value in RECEIVED.items() if name != "Body"}
    with pytest.raises(ValueError, match="without Body"):
        read(form(f"{URL}/reply", fields), BOTH)
