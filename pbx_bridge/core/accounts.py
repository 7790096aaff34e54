"""What a user may be called, and which passwords are taken: by their length, nothing else."""

import re

SHORTEST_PASSWORD = 12
#: Longer ones only cost time.
LONGEST_PASSWORD = 200
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")


def login_name(written: str) -> str | None:
    """Give the name as it is stored, in small letters; None if it cannot be one."""
    name = written.strip().lower()
    return name if _NAME.fullmatch(name) else None


def password_fits(password: str) -> bool:
    """Tell whether a password has the right length. A sentence is a good one."""
    return SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD


def is_extension(written: str) -> bool:
    """Tell whether this may be somebody's phone inside: what is longer might cost the office."""
    return re.fullmatch(r"[0-9]{1,6}", written) is not None
