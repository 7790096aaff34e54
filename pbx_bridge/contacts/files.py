"""A file of contacts, of whichever kind it is."""

import importlib.util
import re
from types import ModuleType

from pbx_bridge.contacts import table
from pbx_bridge.contacts.reading import Manner, Reading, Unreadable, decoded

NO_VCARDS = "vCards need a library that is not installed; pip install 'pbx-bridge[contacts]'"
_A_CARD = re.compile(r"\s*BEGIN\s*:\s*VCARD", re.IGNORECASE)


def read(body: bytes, manner: Manner) -> Reading:
    """Read a file: vCards if it begins like one, else a CSV table.

    Raises:
        Unreadable: it is neither, or too large.

    """
    text = decoded(body)
    if _A_CARD.match(text.lstrip("\ufeff")):
        cards: Reading = vcards().read(text.lstrip("\ufeff"), manner)
        return cards
    return table.read(text, manner)


def has_vcards() -> bool:
    """Tell whether vCards can be read and written here."""
    return importlib.util.find_spec("vobject") is not None


def vcards() -> ModuleType:
    """Give the module that reads and writes vCards.

    Raises:
        Unreadable: its library is not installed.

    """
    if not has_vcards():
        raise Unreadable(0, NO_VCARDS)
    from pbx_bridge.contacts import vcard  # noqa: PLC0415 - vobject is an extra

    return vcard
