"""Other programs that are told what happens: webhooks, and CRMs. One file each.

The module of a CRM exports `Settings`, a pydantic model of its section of the configuration, found
by its `type`, and `Destination(settings, around)`, a `pbx_bridge.ports.Crm`. A new file here is a
new kind; what begins with `webhook` is none.
"""

import importlib
import pkgutil
from types import ModuleType

KINDS = tuple(
    sorted(
        found.name
        for found in pkgutil.iter_modules(__path__)
        if not found.name.startswith(("_", "webhook"))
    )
)


def load(kind: str) -> ModuleType:
    """Give the module of a kind of CRM.

    Raises:
        ValueError: there is no such kind; the text lists those there are.

    """
    if kind not in KINDS:  # before importing anything that a configuration names
        raise ValueError(f"there is no connector of type {kind!r}; there are {', '.join(KINDS)}")
    return importlib.import_module(f"{__name__}.{kind}")
