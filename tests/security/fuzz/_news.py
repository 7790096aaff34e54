"""What holds of news that were read of a webhook, a topic or an SMSC, on their way to the disk."""

from collections.abc import Iterable
from dataclasses import fields

from pbx_bridge.intake import _storable
from pbx_bridge.ports import News


def are_news(found: Iterable[News]) -> None:
    """Assert that they name what they are about, and that SQLite takes every text in them."""
    for one in map(_storable, found):
        assert one.gateway_ref or getattr(one, "key", "")
        for field in fields(one):
            if isinstance(text := getattr(one, field.name), str):
                text.encode()
