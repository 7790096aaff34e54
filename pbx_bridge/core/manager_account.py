"""The account in the PBX's manager.conf, and its place among lines that are not ours."""

import re
from collections.abc import Iterable

from pbx_bridge.core.asterisk_conf import Files, sections

#: Between these lines is what we wrote; nothing else in a file is ours.
BEGIN = "; --- pbx_bridge: begin (written by `pbx-bridge init --install`)"
END = "; --- pbx_bridge: end"
USERNAME = "pbxbridge"

_BLOCK = re.compile(rf"^{re.escape(BEGIN)}\n.*?^{re.escape(END)}\n?", re.MULTILINE | re.DOTALL)
_HEADER = re.compile(r"^\[[^\]]*\]$", re.MULTILINE)
_SECRET = re.compile(r"^secret = .*$", re.MULTILINE)
_PERMIT = re.compile(r"^permit = .*$", re.MULTILINE)


def account(pattern: str, username: str, secret: str, permits: Iterable[str]) -> str:
    """Give the account's lines: those of `pattern` with this name, secret and these addresses.

    `permits` are networks as manager.conf writes them: `127.0.0.1/255.255.255.255`.
    """
    lines = "\n".join(f"permit = {network}" for network in permits)
    for what, written in (
        (_HEADER, f"[{username}]"),
        (_SECRET, f"secret = {_escaped(secret)}"),
        (_PERMIT, lines),
    ):
        pattern = what.sub(lambda _, written=written: written, pattern, count=1)  # type: ignore[misc]
    return pattern.strip() + "\n"


def placed(text: str, block: str) -> str:
    """Put the account into a file: in place of the one that we wrote before, or else at its end."""
    ours = f"{BEGIN}\n{block}{END}\n"
    if _BLOCK.search(text):
        return _BLOCK.sub(lambda _: ours, text, count=1)
    if not text:
        return ours
    return text + ("\n" if text.endswith("\n") else "\n\n") + ours


def foreign(files: Files, folder: str, username: str) -> str | None:
    """Name the file in which somebody else made an account of that name, if there is one."""
    others = {name: _BLOCK.sub("", text) for name, text in files.items()}
    for section in sections(others, f"{folder}/manager.conf"):
        if section.name == username:
            return section.file
    return None


def _escaped(secret: str) -> str:
    return secret.replace(";", "\\;")  # it would begin a comment
