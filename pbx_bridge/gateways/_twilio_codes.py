"""What Twilio's error codes mean for an office, and what follows from each.

The same codes come as refusals of a request and, later, with a message that failed. Twilio's own
words for them are in its error dictionary (twilio.com/docs/api/errors); those here are for people
who do not run Twilio accounts for a living.

A code is blamed on the gateway only if it would meet every message: that opens its circuit. What
depends on the recipient's country or number (21408, 21612) must not, or one caller from abroad
could stop the texts to all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from pbx_bridge.core.delivery import Blame
from pbx_bridge.core.saying import say


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says, whose fault it is, and whether the same may be tried again."""

    words: str
    blame: Blame = Blame.MESSAGE
    later: bool = False  #: as a refusal it says "not now": certainly not sent
    wait: timedelta | None = None  #: before trying again, if Twilio itself does not say


#: Daily caps: T-Mobile counts by its own day, Twilio by a window of 24 hours.
NEXT_DAY = timedelta(hours=24)

#: The code of wrong credentials, also for a 401 or 403 that names none.
CREDENTIALS = "20003"


def _account(words: str) -> Meaning:
    return Meaning(words, Blame.GATEWAY)


def _number(words: str) -> Meaning:
    return Meaning(words, Blame.NUMBER)


def _later(words: str, wait: timedelta | None = None) -> Meaning:
    return Meaning(words, later=True, wait=wait)


MEANING: Mapping[str, Meaning] = {
    # The account, its numbers and its registrations: nothing goes out until somebody acts.
    CREDENTIALS: _account(
        say("wrong account_sid, auth_token or api key, or the account is suspended")
    ),
    "21601": _account(say("from_number is not a number of this account that can send texts")),
    "21606": _account(say("from_number is not a number of this account that can send texts")),
    "21608": _account(
        say("a trial account texts verified numbers only, or the compliance profile is missing")
    ),
    "21609": _account(say("Twilio does not take public_url in [hooks] as an address to report to")),
    "21659": _account(say("from_number is not a Twilio number")),
    "21660": _account(say("from_number belongs to another account")),
    "21703": _account(say("the messaging service has no number")),
    "21704": _account(say("the messaging service has no number that fits")),
    "30002": _account(say("the Twilio account is suspended")),
    "30032": _account(say("the toll-free number is not verified")),
    "30034": _account(
        say(
            "the number is not registered for US business texting (A2P 10DLC), or not "
            "attached to the messaging service of its campaign"
        )
    ),
    "30040": _account(say("carriers there want the sender registered beforehand")),
    "30041": _account(say("carriers in the United Kingdom want the sender registered")),
    "30450": _account(say("blocked by Twilio as fraud (SMS pumping)")),
    "30454": _account(say("Twilio limits this account until it has been looked at")),
    # This number, for good.
    "21211": _number(say("not a valid number")),
    "21614": _number(say("not a mobile number")),
    "21635": _number(say("a landline")),
    "30005": _number(say("unknown number")),
    "30006": _number(say("a landline, or a carrier that cannot be reached")),
    "21610": Meaning(say("this customer opted out (STOP)"), Blame.OPTED_OUT),
    # This text.
    "21408": Meaning(
        say("config: this country is not enabled: Messaging Geo Permissions in the Twilio console")
    ),
    "21612": Meaning(
        say("config: from_number cannot text this number; perhaps another of yours can")
    ),
    "30003": Meaning(say("the phone was off or out of reach; a later text may arrive")),
    "30004": Meaning(say("blocked by the customer or the carrier")),
    "30008": Meaning(say("not delivered, the carrier does not say why; a later text may arrive")),
    "30036": Meaning(say("it could not be delivered in time")),
    "30007": Meaning(say("filtered as spam by the carrier"), Blame.FILTERED),
    "14107": Meaning(say("more than 30 replies in 30 seconds: two machines talk"), Blame.LOOP),
    "30039": Meaning(say("Twilio takes the other side for a machine that answers"), Blame.LOOP),
    # Later: there is nothing wrong.
    "20429": _later(say("too many requests at once")),
    "21611": _later(say("too many texts wait for from_number")),
    "30001": _later(say("too many texts wait at Twilio")),
    "30022": _later(say("faster than carriers allow this number (A2P 10DLC)")),
    "30026": _later(say("most of T-Mobile's daily limit is used up"), NEXT_DAY),
    "30027": _later(say("T-Mobile's daily limit is used up"), NEXT_DAY),
    "63038": _later(say("the account's daily limit is used up"), NEXT_DAY),
}
