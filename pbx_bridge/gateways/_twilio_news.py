"""What Twilio tells of a message, in a webhook or a list, as receipts and replies."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from pbx_bridge.core.delivery import Price, Receipt, State
from pbx_bridge.core.reply import Meaning as Handled
from pbx_bridge.core.reply import Reply
from pbx_bridge.gateways._number import quoted
from pbx_bridge.gateways._twilio_codes import MEANING, Meaning

#: Any other status is no news: of a message to us, or one that Twilio has yet to invent.
STATES: Mapping[str, State] = {
    "accepted": State.ACCEPTED,
    "scheduled": State.ACCEPTED,
    "queued": State.ACCEPTED,
    "sending": State.ACCEPTED,
    "sent": State.ACCEPTED,
    "delivered": State.DELIVERED,
    "read": State.DELIVERED,
    "undelivered": State.UNDELIVERED,
    "failed": State.UNDELIVERED,
    "canceled": State.UNDELIVERED,
}
#: Twilio's OptOutType: it has already answered, and stops or lets through by itself.
HANDLED: Mapping[str, Handled] = {
    "STOP": Handled.OPT_OUT,
    "START": Handled.OPT_IN,
    "HELP": Handled.HELP,
}

_AMOUNT = re.compile(r"-?[0-9]{1,6}(\.[0-9]{1,10})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)


def receipt(  # noqa: PLR0913 - what Twilio may tell
    *,
    status: str,
    ref: str,
    key: str = "",
    code: str = "",
    said: str = "",
    cost: Price | None = None,
) -> Receipt | None:
    """Give the receipt that a status is, if it is any; `said` are Twilio's words for `code`."""
    state = STATES.get(status.strip().lower())
    if state is None:
        return None
    if state is not State.UNDELIVERED:
        return Receipt(state=state, gateway_ref=ref, key=key, price=cost)
    code = code.strip() if code.strip() != "0" else ""
    fallback = quoted(said) or f"Twilio says {status.strip().lower()}"
    meaning = MEANING.get(code, Meaning(fallback))
    return Receipt(
        state=state,
        gateway_ref=ref,
        key=key,
        code=quoted(code),
        detail=meaning.words,
        blame=meaning.blame,
        price=cost,
    )


def reply(  # noqa: PLR0913 - what Twilio may tell
    *,
    ref: str,
    sender: str,
    recipient: str,
    body: str,
    media: str = "",
    opt_out: str = "",
    sent_at: datetime | None = None,
) -> Reply:
    """Give a customer's message; of one without words, how many pictures it has.

    Raises:
        ValueError: it has no id, or no sender.

    """
    if not ref or not sender:
        raise ValueError("a message without MessageSid or From")
    if not body.strip() and media.strip() not in {"", "0"}:
        pictures = media.strip()
        body = "(a picture)" if pictures == "1" else f"({quoted(pictures)} pictures)"
    return Reply(
        gateway_ref=ref,
        sender=sender,
        body=body,
        recipient=recipient,
        sent_at=sent_at,
        handled=HANDLED.get(opt_out.strip().upper()),
    )


def price(amount: object, unit: object) -> Price | None:
    """Read a price, which Twilio writes as what it takes from the account: `-0.00750`, `USD`."""
    number, currency = str(amount), str(unit)
    if _AMOUNT.fullmatch(number) is None or _CURRENCY.fullmatch(currency) is None:
        return None
    return Price(abs(Decimal(number)), currency.upper())
