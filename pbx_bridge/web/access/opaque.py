"""Secrets that mean nothing by themselves: cookies, links, tokens. Stored is their hash."""

import hashlib
import secrets

#: What a program's token begins with, so that scanners of repositories know it.
TOKEN_PREFIX = "pbxb_"  # noqa: S105 - no secret
#: No secret of ours is longer.
LONGEST = 100


def new() -> str:
    """Make a secret of 256 bits, in letters that may stand in cookies and addresses."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """Make a token for a program."""
    return TOKEN_PREFIX + new()


def digest(secret: str) -> str:
    """Give what is stored of a secret. It is random enough for a plain hash."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
