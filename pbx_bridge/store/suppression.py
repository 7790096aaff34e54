"""Who wants no texts, though all about them was erased: a hash stands on the list for the address.

It must be recognised when it rings again, or it would be texted again. The hash is slow on purpose
(scrypt), as telephone numbers are few; its salt is this database's own.
"""

import hashlib
import secrets
from functools import lru_cache

from sqlalchemy import Connection, bindparam, select

from pbx_bridge.store.schema import consent as table

#: No address begins so.
MARK = "##"
_SALT = 16  # characters
_ANY = (
    select(table.c.address)
    .where(table.c.address >= bindparam("low"), table.c.address < bindparam("high"))
    .order_by(table.c.address)
    .limit(1)
)
_BETWEEN = {"low": MARK, "high": "#$"}


def stand_in(tx: Connection, address: str) -> str:
    """Give what stands on the list for an address if it was erased; itself while none was."""
    known = tx.execute(_ANY, _BETWEEN).scalar_one_or_none()
    return address if known is None else _hashed(address, known[len(MARK) :][:_SALT])


def make_stand_in(tx: Connection, address: str) -> str:
    """Give what is to stand on the list for an address that is erased."""
    known = tx.execute(_ANY, _BETWEEN).scalar_one_or_none()
    salt = secrets.token_hex(_SALT // 2) if known is None else known[len(MARK) :][:_SALT]
    return _hashed(address, salt)


@lru_cache(4096)
def _hashed(address: str, salt: str) -> str:
    told = hashlib.scrypt(address.encode(), salt=salt.encode(), n=2**13, r=8, p=1, dklen=16)
    return f"{MARK}{salt}{told.hex()}"
