"""What Twilio tells of a message becomes a receipt or a reply."""

from decimal import Decimal

import pytest

from pbx_bridge.core.delivery import Blame, Price, Receipt, State
from pbx_bridge.core.reply import Meaning
from pbx_bridge.gateways._twilio_codes import MEANING
from pbx_bridge.gateways._twilio_news import price, receipt, reply


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("accepted", State.ACCEPTED),
        ("scheduled", State.ACCEPTED),
        ("queued", State.ACCEPTED),
        ("sending", State.ACCEPTED),
        ("sent", State.ACCEPTED),
        ("Delivered", State.DELIVERED),
        (" read ", State.DELIVERED),
        ("undelivered", State.UNDELIVERED),
        ("failed", State.UNDELIVERED),
        ("canceled", State.UNDELIVERED),
        ("received", None),
        ("receiving", None),
        ("partially_delivered", None),
        ("teleported", None),
        ("", None),
    ],
)
def test_every_status_has_its_state(status: str, state: State | None) -> None:
    found = receipt(status=status, ref="SM1", key="k")
    assert (found.state if found else None) is state


@pytest.mark.parametrize("code", sorted(MEANING))
@pytest.mark.parametrize("status", ["failed", "undelivered"])
def test_every_code_is_told_with_its_blame(code: str, status: str) -> None:
    assert receipt(status=status, ref="SM1", code=code) == Receipt(
        state=State.UNDELIVERED,
        gateway_ref="SM1",
        code=code,
        detail=MEANING[code].words,
        blame=MEANING[code].blame,
    )


@pytest.mark.parametrize(
    ("code", "said", "detail"),
    [
        ("", "", "Twilio says failed"),
        ("0", "", "Twilio says failed"),
        ("99999", "", "Twilio says failed"),
        ("99999", "Bad \x1b[2J +15551234567\n", "Bad  [2J …567 "),
    ],
)
def test_an_unknown_code_is_this_texts_own(code: str, said: str, detail: str) -> None:
    found = receipt(status="failed", ref="SM1", code=code, said=said)
    assert found is not None
    assert found.detail == detail
    assert found.blame is Blame.MESSAGE


def test_what_arrived_after_all_is_nobodys_fault() -> None:
    found = receipt(status="delivered", ref="SM1", code="30003", cost=Price(Decimal("0.1"), "USD"))
    assert found == Receipt(
        state=State.DELIVERED, gateway_ref="SM1", price=Price(Decimal("0.1"), "USD")
    )


@pytest.mark.parametrize(
    ("amount", "unit", "expected"),
    [
        ("-0.00750", "USD", Price(Decimal("0.00750"), "USD")),
        ("-0.0075", "usd", Price(Decimal("0.0075"), "USD")),
        ("0.04", "EUR", Price(Decimal("0.04"), "EUR")),
        (-0.5, "EUR", Price(Decimal("0.5"), "EUR")),
        (0, "EUR", Price(Decimal(0), "EUR")),
        (None, "USD", None),
        ("", "USD", None),
        ("NaN", "USD", None),
        ("1e999999999", "USD", None),
        ("-0.0075", None, None),
        ("-0.0075", "US$", None),
        ("٣", "USD", None),
        ([], {}, None),
    ],
)
def test_a_price_is_what_we_pay(amount: object, unit: object, expected: Price | None) -> None:
    assert price(amount, unit) == expected


@pytest.mark.parametrize(
    ("body", "media", "expected"),
    [
        ("Hello", "", "Hello"),
        ("Hello", "2", "Hello"),
        ("", "0", ""),
        ("", "", ""),
        (" ", "1", "(a picture)"),
        ("", "3", "(3 pictures)"),
        ("", "+15551234567\n", "(…567 pictures)"),
    ],
)
def test_a_message_of_pictures_says_how_many(body: str, media: str, expected: str) -> None:
    found = reply(ref="SM1", sender="+1", recipient="+2", body=body, media=media)
    assert found.body == expected


@pytest.mark.parametrize(
    ("said", "handled"),
    [
        ("STOP", Meaning.OPT_OUT),
        ("start", Meaning.OPT_IN),
        ("HELP", Meaning.HELP),
        ("", None),
        ("DANCE", None),
    ],
)
def test_what_twilio_handled_is_told(said: str, handled: Meaning | None) -> None:
    found = reply(ref="SM1", sender="+1", recipient="", body="x", opt_out=said)
    assert found.handled is handled


@pytest.mark.parametrize(("ref", "sender"), [("", "+1"), ("SM1", "")])
def test_a_message_from_nowhere_is_none(ref: str, sender: str) -> None:
    with pytest.raises(ValueError, match="MessageSid or From"):
        reply(ref=ref, sender=sender, recipient="", body="x")
