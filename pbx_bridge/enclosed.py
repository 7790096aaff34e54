"""Texts that come with the program: the annotated configuration, and the account for the PBX.

A wheel has them inside the package (pyproject.toml, force-include); in a checkout they are where
people look for them.
"""

from pathlib import Path

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parent


def reference() -> str:
    """Give the whole configuration, annotated: pbx-bridge.example.toml."""
    return _text("pbx-bridge.example.toml", _CHECKOUT)


def account() -> str:
    """Give the account as the end-to-end tests prove it: asterisk-conf/manager.d/pbxbridge.conf."""
    return _text("pbxbridge.conf", _CHECKOUT / "asterisk-conf" / "manager.d")


def _text(name: str, otherwise: Path) -> str:
    inside = _PACKAGE / name
    return (inside if inside.exists() else otherwise / name).read_text(encoding="utf-8")
