"""`users`: who may use the page."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.core.roles import Role
from pbx_bridge.store import accounts, audit, invites, sessions
from pbx_bridge.store.audit import Wanted
from pbx_bridge.store.invites import Invite
from pbx_bridge.web.access import opaque
from tests.cli.conftest import CONFIG

T = TypeVar("T")
Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: NOON)
    (folder / "pbx-bridge.toml").write_text(
        CONFIG + '[web]\npublic_url = "https://pbx.example.com/bridge"\n'
    )


@pytest.fixture
def _anna(write: Write) -> None:
    def fill(tx: Connection) -> None:
        made = accounts.add(
            tx, name="anna", role=Role.ADMIN, now=NOON, display_name="[b]Anna\x1b[2J"
        )
        assert made is not None
        sessions.begin(
            tx, user=made.row_id, token="t", csrf="c", address="", agent="", now=NOON,
            expires_at=NOON + timedelta(days=7),
        )  # fmt: skip

    write(fill)


def _read(write: Write, query: Callable[[Connection], T]) -> T:
    found: list[T] = []
    write(lambda tx: found.append(query(tx)))
    return found[0]


def _invite(write: Write, said: str) -> Invite | None:
    link = re.search(
        r"^https://pbx\.example\.com/bridge/welcome\?link=([\w-]{43})$", said, re.MULTILINE
    )
    assert link is not None, said
    return _read(write, lambda tx: invites.find(tx, opaque.digest(link[1]), NOON))


def test_without_a_page_there_are_no_users(command: Run, folder: Path) -> None:
    (folder / "pbx-bridge.toml").write_text(CONFIG)
    said = command("users", "link")
    assert said.exit_code == 2
    assert "[web]" in said.stderr


def test_the_first_link_is_an_administrators(command: Run, write: Write) -> None:
    write(lambda _tx: None)
    assert "nobody can log in yet" in command("users").stdout
    invite = _invite(write, command("users", "link").stdout)
    assert invite is not None
    assert (invite.role, invite.name) == (Role.ADMIN, "")


@pytest.mark.usefixtures("_anna")
def test_later_ones_are_as_asked_for(command: Run, write: Write) -> None:
    for arguments, role, name in (
        (("link",), Role.AGENT, ""),
        (("link", "--role", "viewer"), Role.VIEWER, ""),
        (("add", "Ben"), Role.AGENT, "ben"),
        (("add", "carl", "--role", "admin"), Role.ADMIN, "carl"),
    ):
        invite = _invite(write, command("users", *arguments).stdout)
        assert invite is not None
        assert (invite.role, invite.name) == (role, name)
    assert "a link for carl (admin) holds until 2026-11-26 12:00:00" in command("users").stdout
    entry = _read(write, lambda tx: audit.page(tx, Wanted(), limit=9))[0]
    assert (entry.action, entry.subject) == ("user.invite", "carl")
    assert entry.who.endswith(" on the console")


@pytest.mark.usefixtures("_anna")
def test_users_are_listed_and_no_hash_of_theirs(command: Run) -> None:
    said = command("users", "--json").stdout
    (one,) = [json.loads(line) for line in said.splitlines()]
    assert (one["name"], one["role"], one["disabled_at"]) == ("anna", "admin", None)
    assert "password" not in one
    shown = command("users").stdout
    assert "[b]Anna" in shown
    assert "\x1b" not in shown


@pytest.mark.usefixtures("_anna")
def test_a_reset_logs_out_and_prints_a_link(command: Run, write: Write) -> None:
    invite = _invite(write, command("users", "reset", "anna").stdout)
    assert invite is not None
    assert invite.user == 1
    assert _read(write, lambda tx: sessions.of(tx, 1, NOON)) == []


@pytest.mark.usefixtures("_anna")
def test_the_last_administrator_stays(command: Run) -> None:
    for arguments in (("disable", "anna"), ("role", "anna", "viewer")):
        said = command("users", *arguments)
        assert said.exit_code == 1
        assert "nobody else is an administrator" in said.stderr


@pytest.mark.usefixtures("_anna")
def test_role_disable_enable(command: Run, write: Write) -> None:
    write(lambda tx: accounts.add(tx, name="ben", role=Role.AGENT, now=NOON))
    assert "ben is admin now" in command("users", "role", "ben", "admin").stdout
    assert "is admin already" in command("users", "role", "ben", "admin").stdout
    assert "cannot log in" in command("users", "disable", "anna").stdout
    assert _read(write, lambda tx: sessions.of(tx, 1, NOON)) == []
    said = command("users", "reset", "anna")
    assert (said.exit_code, "enable anna" in said.stderr) == (1, True)
    assert "disabled" in command("users").stdout
    assert "can log in again" in command("users", "enable", "anna").stdout


@pytest.mark.usefixtures("_anna")
def test_what_cannot_be_is_told(command: Run) -> None:
    for arguments, code, told in (
        (("add", "two words"), 2, "is no name"),
        (("add", "anna"), 1, "there is anna already"),
        (("reset", "eve"), 1, "no user 'eve'; there are anna"),
        (("role", "anna", "king"), 2, "king"),
    ):
        said = command("users", *arguments)
        assert (said.exit_code, told in said.stderr) == (code, True), said.output
