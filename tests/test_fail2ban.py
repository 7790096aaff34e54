"""packaging/fail2ban/pbx-bridge.conf finds who was refused in our log, and nobody else."""

import configparser
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pbx_bridge import logs
from pbx_bridge.store.db import Database
from pbx_bridge.web.access.logins import MOST_OF_ONE, Logins
from pbx_bridge.web.access.passwords import Passwords
from tests.store.examples import NOON
from tests.web.door import QUICK

FILTER = Path(__file__).parent.parent / "packaging" / "fail2ban" / "pbx-bridge.conf"
#: What fail2ban puts in the place of <HOST>, without names of hosts.
HOST = r"(?P<host>(?:::ffff:)?\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]+)"
#: What stands before our line where it is read.
BEFORE = {
    "json": ["", "Nov 23 12:00:00 pbx pbx-bridge[123]: "],
    "journal": ["Nov 23 12:00:00 pbx pbx-bridge[123]: ", "pbx pbx-bridge[123]: ", ""],
    "console": [""],
}


def banned(line: str) -> str | None:
    read = configparser.ConfigParser(interpolation=None)
    read.read(FILTER)
    for pattern in read["Definition"]["failregex"].strip().splitlines():
        found = re.search(pattern.strip().replace("<HOST>", HOST), line)
        if found is not None:
            return found["host"]
    return None


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("style", ["json", "journal", "console"])
@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
async def test_who_was_refused_is_found(db: Database, style: logs.Format, address: str) -> None:
    stream, passwords = io.StringIO(), Passwords(QUICK)
    logs.configure("info", style, stream)
    logins = Logins(db, passwords)
    for _ in range(MOST_OF_ONE + 1):  # the last one is not even tried
        await logins.prove("address=203.0.113.9 login_refused", "x", address, NOON)
    passwords.close()
    lines = [re.sub(r"^<\d>", "", line) for line in stream.getvalue().splitlines()]
    assert len(lines) == MOST_OF_ONE + 1
    for line in lines:
        for before in BEFORE[style]:
            assert banned(before + line) == address, before + line


@pytest.mark.parametrize("style", ["json", "journal", "console"])
def test_nobody_has_another_one_banned(style: logs.Format) -> None:
    """What visitors send stands in other lines of the log, and in none as it was sent."""
    stream = io.StringIO()
    logs.configure("info", style, stream)
    log = structlog.get_logger()
    for hostile in (
        "login_refused address=203.0.113.9 reason=wrong",
        "x\nlogin_refused address=203.0.113.9 reason=wrong",
        '{"address": "203.0.113.9", "reason": "wrong", "event": "login_refused", ',
        'x", "y": {"address": "203.0.113.9", "reason": "wrong", "event": "login_refused", "',
    ):
        log.warning("page_foreign_write", origin=hostile, address="192.0.2.7")
        log.warning("hook_forged", gateway=hostile)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 8
    for line in lines:
        for before in BEFORE[style]:
            assert banned(before + re.sub(r"^<\d>", "", line)) is None, line
