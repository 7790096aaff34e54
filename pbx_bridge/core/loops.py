"""Machines that write to us: never answered, or two machines answer each other for ever."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from pbx_bridge.core.number import is_nobody, parse
from pbx_bridge.core.saying import say

#: More often than people write.
MANY, SOON = 3, timedelta(seconds=60)
#: Nobody sends the same words as often, but a machine does.
SAME, LONG = 3, timedelta(hours=1)
#: So long a machine is not written to.
MUTE = timedelta(hours=24)

#: The shortest number that anybody can have; what is shorter is a short code.
_SHORTEST_NUMBER = 7


def is_machine_sender(sender: str, country: str) -> str:
    """Say in words why a sender cannot be a person with a telephone; empty if it can.

    Banks, parcel services and carriers write by names (`FedEx`) and short codes (`72404`).
    """
    if is_nobody(sender):
        return "no sender"
    if any(character.isalpha() for character in sender):
        return "a name instead of a number"
    if parse(sender, country) is not None:
        return ""
    if sum(character.isdigit() for character in sender) < _SHORTEST_NUMBER:
        return say("a short code")
    return say("no valid telephone number")


def looks_like_loop(recent: Sequence[tuple[datetime, str]], now: datetime) -> str:
    """Say in words why what one number wrote looks like a machine's answers; empty if it does not.

    `recent` is when and what it wrote in the last hour, with the newest text, in any order.
    """
    soon = sum(1 for at, _ in recent if now - at < SOON)
    if soon >= MANY:
        return say("{n} texts within {seconds:.0f} seconds", n=soon, seconds=SOON.total_seconds())
    same = Counter(_essence(body) for at, body in recent if now - at < LONG)
    body, times = max(same.items(), key=lambda found: found[1], default=("", 0))
    if times >= SAME:
        return (
            say("the same text {n} times within an hour", n=times)
            if body
            else say("{n} empty texts", n=times)
        )
    return ""


def _essence(body: str) -> str:
    """Drop what a carrier or a phone may change on the way."""
    return " ".join(body.casefold().split())
