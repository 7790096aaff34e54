"""The service as a whole, run as a process: starting, reloading, stopping, and whatever fails."""

import asyncio
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from standardwebhooks import Webhook as Verifier

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import State
from pbx_bridge.core.roles import Role
from pbx_bridge.destinations.webhook import new_secret
from pbx_bridge.store import accounts
from pbx_bridge.store.db import Database
from tests.contacts.addressbook import PASSWORD, USER, Server, card
from tests.gateways.fakes import TOKEN, Behaviour, FakeTwilio, Request, Told, answer
from tests.service import ROOT, Office, Service, office, pbx, until
from tests.store.disk import tiny_disk
from tests.web import door


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as made:
        yield made


async def _states(place: Office) -> list[State]:
    return [message.state for message in await place.messages()]


def _problem(entry: dict[str, Any]) -> str:
    return str(entry["problem"])


# -- the main job ---------------------------------------------------------------------------


async def test_a_missed_caller_is_texted_within_a_second(place: Office) -> None:
    service = await place.start_watching()
    number = place.pbx.misses()
    await until(lambda: place.texts == {number: 1}, 1)
    await service.told("message_accepted")
    assert await service.stops() == 0
    assert await _states(place) == [State.ACCEPTED]


async def test_an_answered_caller_is_not_texted(place: Office) -> None:
    service = await place.start_watching()
    line = place.pbx.calls()
    place.pbx.answers_it(line)
    place.pbx.ends(line)
    assert (await service.told("call_judged"))["decision"] == "skip"
    assert await service.stops() == 0
    assert await place.messages() == []


async def test_two_pbxs_at_once_with_the_same_uniqueids(place: Office) -> None:
    async with pbx() as branch:
        tables = (place.pbx_table("office", place.pbx), place.pbx_table("branch", branch))
        place.configure(pbx="\n".join(tables))
        service = await place.start()
        await service.told("pbx_up", times=2)
        one = place.pbx.calls()
        other = branch.calls(like=one)
        branch.ends(other)
        place.pbx.ends(one)
        await service.told("message_accepted", times=2)
        assert await service.stops() == 0
    assert place.texts == {one.number: 1, other.number: 1}
    assert {record.pbx for record in await place.calls()} == {"office", "branch"}


async def test_contacts_come_in_from_an_address_book(place: Office) -> None:
    async with Server().running() as book:
        book.put("a.vcf", card("Ann", "TEL:+12125550142"))
        place.config.write_text(
            f'{place.config.read_text()}\n[[contacts.sources]]\nname = "book"\ntype = "carddav"\n'
            f'url = "{book.book}"\nusername = "{USER}"\npassword = "{PASSWORD}"\n',
            encoding="utf-8",
        )
        service = await place.start_watching()
        assert (await service.told("contacts_read"))["new"] == 1
        assert await service.stops() == 0


async def test_shadow_mode_is_the_default_and_tells_what_would_have_been(place: Office) -> None:
    text = place.config.read_text()
    place.config.write_text(text.replace("enabled = true\n", ""))
    service = await place.start_watching()
    assert (await service.told("started"))["mode"] == "shadow: nothing is sent"
    number = place.pbx.misses()

    async def shadowed() -> bool:
        return await _states(place) == [State.SHADOW]

    await until(shadowed)
    listing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pbx_bridge", "calls", "--json", "-c", str(place.config)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    out, _ = await listing.communicate()
    (told,) = map(json.loads, out.decode().splitlines())
    assert (told["caller"], told["disposition"]) == (number, "missed")
    assert (told["decision"]["outcome"], told["message_state"]) == ("shadow", "shadow")
    assert await service.stops() == 0
    assert place.server.requests == []


# -- the PBX --------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_pbx_that_comes_up_later_is_found(place: Office) -> None:
    port = _free_port()
    place.configure(
        pbx=place.pbx_table("office", place.pbx).replace(str(place.pbx.port), str(port))
    )
    service = await place.start()
    assert "nothing listens on" in _problem(await service.told("pbx_down", times=2))
    async with pbx(port=port) as late:
        await service.told("pbx_up")
        number = late.misses()
        await service.told("message_accepted")
    assert place.texts == {number: 1}
    assert await service.stops() == 0


async def test_a_wrong_secret_is_one_clear_line_a_try_and_it_goes_on_trying(place: Office) -> None:
    place.configure(pbx=place.pbx_table("office", place.pbx, secret="hunter2"))
    service = await place.start()
    entry = await service.told("pbx_down", times=3)
    assert "refuses the login of 'bridge'" in _problem(entry)
    assert "manager.conf" in _problem(entry)
    assert "\n" not in _problem(entry)
    assert place.pbx.connections >= 3
    assert "hunter2" not in "".join(service.raw)
    assert await service.stops() == 0


async def test_what_was_missed_while_the_connection_was_broken_is_texted(place: Office) -> None:
    service = await place.start_watching()
    line = place.pbx.calls()
    place.pbx.hang_up()
    place.pbx.ends(line)
    number = place.pbx.misses()
    await service.told("message_accepted", times=2)
    assert place.texts == {line.number: 1, number: 1}
    assert await service.stops() == 0


async def test_a_call_that_was_up_in_the_gap_is_read_from_the_records_when_it_has_ended(
    place: Office,
) -> None:
    """What a person said to the caller meanwhile, nobody saw: the live watch cannot judge it."""
    service = await place.start_watching()
    line = place.pbx.calls()
    place.pbx.alive[line.root]["ChannelState"] = "6"  # a menu answered
    place.pbx.hang_up()
    await service.told("pbx_up", times=2)
    await service.told("records_read")
    place.pbx.alive[line.root]["ChannelState"] = "4"
    place.pbx.ends(line)
    await service.told("message_accepted")
    (record,) = await place.calls()
    assert record.call.source == "cel"
    assert place.texts == {line.number: 1}
    assert await service.stops() == 0


# -- SIGHUP ---------------------------------------------------------------------------------


async def test_sighup_applies_a_good_configuration(place: Office) -> None:
    place.configure(enabled="false")
    service = await place.start_watching()
    place.configure()
    service.signal(signal.SIGHUP)
    entry = await service.told("config_reloaded")
    assert (entry["mode"], entry["needs_restart"]) == ("live", [])
    number = place.pbx.misses()
    await until(lambda: place.texts == {number: 1})
    assert await service.stops() == 0


async def test_sighup_keeps_the_old_configuration_if_the_new_one_is_bad(place: Office) -> None:
    service = await place.start_watching()
    place.configure(delay='"soon"')
    service.signal(signal.SIGHUP)
    problem = _problem(await service.told("config_kept_old"))
    assert re.search(rf"{re.escape(str(place.config))}:7: texting\.delay = \"soon\": ", problem)
    number = place.pbx.misses()
    await until(lambda: place.texts == {number: 1})
    place.configure(enabled="false")
    service.signal(signal.SIGHUP)
    assert (await service.told("config_reloaded"))["mode"] == "shadow: nothing is sent"
    assert await service.stops() == 0


async def test_sighup_sends_through_the_new_gateway(
    place: Office, tmp_path_factory: pytest.TempPathFactory
) -> None:
    service = await place.start_watching()
    async with office(tmp_path_factory.mktemp("other")) as other:
        place.configure(gateway=other.twilio())
        service.signal(signal.SIGHUP)
        await service.told("config_reloaded")
        number = place.pbx.misses()
        await service.told("message_accepted")
        assert await service.stops() == 0
        assert (other.texts, place.texts) == ({number: 1}, {})


async def test_sighup_that_switches_texting_off_stops_what_is_queued(place: Office) -> None:
    place.configure(delay='"8s"')
    service = await place.start_watching()
    place.pbx.misses()
    await service.told("call_judged")
    place.configure(enabled="false")
    service.signal(signal.SIGHUP)

    async def cancelled() -> bool:
        return await _states(place) == [State.CANCELLED]

    await until(cancelled)
    assert await service.stops() == 0
    assert place.server.requests == []


async def test_a_pbx_that_is_gone_from_the_new_configuration_needs_a_restart(
    place: Office,
) -> None:
    service = await place.start_watching()
    for times in (1, 2):
        place.configure(pbx=place.pbx_table("elsewhere", place.pbx))
        service.signal(signal.SIGHUP)
        entry = await service.told("config_reloaded", times=times)
        assert entry["needs_restart"] == ["pbx"]
    place.pbx.hang_up()
    number = place.pbx.misses()
    await service.told("message_accepted")
    assert place.texts == {number: 1}
    assert await service.stops() == 0


# -- edits through the page --------------------------------------------------------------------


@dataclass
class Browser:
    """Somebody with a browser, at the real service."""

    session: ClientSession

    async def sends(self, path: str, **fields: str) -> str:
        """Open a page and send its form; give what is shown then."""
        form = "/setup" if path.startswith("/setup") else path
        async with self.session.get(form) as answer:
            page = await answer.text()
        hidden = re.findall(r'type="hidden" name="(csrf|seen)" value="([^"]*)"', page)
        async with self.session.post(path, data=dict(hidden) | fields) as answer:
            return await answer.text()


@asynccontextmanager
async def _administrator(place: Office, **changes: str) -> AsyncIterator[tuple[Service, Browser]]:
    """Start a service with a page, and log in there."""
    port = _free_port()
    place.configure(more=f"[web]\nport = {port}\n", **changes)
    async with Database.open(place.folder / "bridge.db") as db:
        await db.run(
            lambda tx: accounts.add(
                tx, name="anna", role=Role.ADMIN, now=utc_now(), password=door.HASH
            )
        )
    service = await place.start_watching()
    await service.told("page_listens")
    async with ClientSession(
        f"http://127.0.0.1:{port}", cookie_jar=CookieJar(unsafe=True)
    ) as session:
        browser = Browser(session)
        await browser.sends("/login", name="anna", password=door.PASSWORD)
        yield service, browser


async def test_shadow_mode_is_left_through_the_page(place: Office) -> None:
    async with _administrator(place, enabled="false") as (service, browser):
        before = place.config.read_text()
        place.pbx.misses()
        await service.told("call_judged")
        page = await browser.sends("/rules/edit/sending", step="show", enabled="yes")
        assert "<ins>enabled = true</ins>" in page
        assert TOKEN not in page
        page = await browser.sends("/rules/edit/sending", step="save", enabled="yes")
        assert "Saved and in force." in page
        assert (await service.told("config_reloaded"))["mode"] == "live"
        assert place.config.read_text() == before.replace("enabled = false", "enabled = true", 1)
        number = place.pbx.misses()
        await until(lambda: place.texts == {number: 1})
        assert await service.stops() == 0


async def test_edits_and_signals_at_the_same_time_end_with_what_stands_in_the_file(
    place: Office,
) -> None:
    async with _administrator(place) as (service, browser):
        for number in range(6):
            service.signal(signal.SIGHUP)
            saving = browser.sends("/rules/edit/office", step="save", name=f"Office {number}")
            storm = asyncio.get_running_loop().call_later(0.05, service.signal, signal.SIGHUP)
            assert "Saved and in force." in await saving
            storm.cancel()
        assert 'name = "Office 5"' in place.config.read_text()
        await service.told("config_reloaded", times=6)
        assert [entry for entry in service.log if entry["event"] == "config_kept_old"] == []
        place.pbx.misses()
        await service.told("message_accepted")
        (message,) = await place.messages()
        assert "Office 5" in message.body
        assert await service.stops() == 0


async def test_an_edit_of_a_file_that_has_a_mistake_elsewhere_is_not_written(
    place: Office, tmp_path: Path
) -> None:
    """Somebody moved a gateway's secret since: the old configuration stays in force."""
    async with _administrator(place) as (service, browser):
        missing = tmp_path / "gone"
        text = place.config.read_text()
        place.config.write_text(text.replace(f'"{TOKEN}"', f'{{ file = "{missing}" }}'))
        page = await browser.sends("/rules/edit/office", step="save", name="Other", number="")
        assert "cannot be read" in page
        assert str(missing) in page
        assert 'name = "Miller"' in place.config.read_text()
        number = place.pbx.misses()
        await until(lambda: place.texts == {number: 1})
        assert await service.stops() == 0


async def test_a_configuration_that_the_service_cannot_go_by_is_told_on_the_page(
    place: Office,
) -> None:
    """A gateway that was added by hand, and is no mistake in the file, cannot be opened."""
    async with _administrator(place) as (service, browser):
        text = place.config.read_text()
        more = '[gateways.dongle]\ntype = "pbx"\nmethod = "dongle"\ndevice = "d0"\npbx = "none"\n'
        place.config.write_text(
            text.replace("[texting]", '[texting]\ngateways = ["test", "dongle"]') + more
        )
        page = await browser.sends("/rules/edit/office", step="save", name="Other", number="")
        assert "Saved, but the service goes on with what it had: there is no PBX named" in page
        assert 'name = "Other"' in place.config.read_text()
        number = place.pbx.misses()
        await until(lambda: place.texts == {number: 1})
        (message,) = await place.messages()
        assert "Miller" in message.body
        assert await service.stops() == 0


async def test_a_test_call_ticks_itself_off_in_the_guide(place: Office) -> None:
    async with _administrator(place) as (service, browser):
        before = place.pbx.misses()
        await service.told("message_accepted")
        coming = f"+{int(before) + 1}"
        assert "Looking out for a call" in await browser.sends("/setup/call", number=coming)
        assert place.pbx.misses() == coming
        await service.told("message_accepted", times=2)
        async with browser.session.get("/setup/progress") as answer:
            page = await answer.text()
        assert re.findall(r'class="badge \w+">([^<]*)<', page)[:5] == [*["seen"] * 4, "waits"]
        async with browser.session.get("/setup") as answer:
            page = await answer.text()
        assert page.count(">connected<") == 1
        assert await service.stops() == 0


# -- SIGTERM --------------------------------------------------------------------------------


async def test_sigterm_lets_a_request_in_hand_finish(tmp_path: Path) -> None:
    fake = FakeTwilio()
    async with office(tmp_path, fake) as place:
        service = await place.start_watching()

        def stop(_: Request) -> None:
            service.signal(signal.SIGTERM)  # while the request is in hand

        fake.after = stop
        number = place.pbx.misses()
        assert await service.ended(10) == 0
        assert place.texts == {number: 1}
        assert await _states(place) == [State.ACCEPTED]


async def test_sigterm_leaves_a_text_that_is_not_due_for_the_next_start(place: Office) -> None:
    place.configure(delay='"1h"')
    text = place.config.read_text()
    place.config.write_text(text.replace("[texting]", '[texting]\nexpires_after = "2h"'))
    service = await place.start_watching()
    number = place.pbx.misses()
    await service.told("call_judged")
    assert await service.stops() == 0
    assert await _states(place) == [State.QUEUED]
    assert place.server.requests == []
    with sqlite3.connect(place.folder / "bridge.db") as connection:
        connection.execute("UPDATE message SET due_at = created_at")
    connection.close()
    service = await place.start()
    await service.told("message_accepted")
    assert place.texts == {number: 1}
    assert await service.stops() == 0


async def test_sigterm_while_the_gateway_hangs_ends_in_time_and_says_uncertain(
    tmp_path: Path,
) -> None:
    async with office(tmp_path, Behaviour.HANG) as place:
        place.configure(gateway=place.plain())
        service = await place.start_watching()
        place.pbx.misses()
        await until(lambda: len(place.server.requests) == 1)
        started = asyncio.get_running_loop().time()
        assert await service.stops() == 0
        assert asyncio.get_running_loop().time() - started < 10
        await service.told("stopped_while_sending")
        (message,) = await place.messages()
    assert message.state is State.UNCERTAIN
    assert message.detail == "the service was stopped while sending it"


async def test_a_database_that_stays_locked_does_not_hold_up_the_end(place: Office) -> None:
    assert await (await place.start_watching()).stops() == 0
    service = await place.start_watching(
        seconds={
            "service.DRAIN_SENDING": 0.5,
            "service.DRAIN_JUDGING": 0.5,
            "app.LAST_EXIT": 1,
            "followup.HEARTBEAT": 0.2,
        }
    )
    await until(lambda: _seen_lately(place))
    with sqlite3.connect(place.folder / "bridge.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        number = place.pbx.misses()
        service.signal(signal.SIGTERM)
        assert await service.ended(10) == 1
        other.execute("ROLLBACK")
    other.close()
    await service.told("stopped_by_force")
    service = await place.start()
    await service.told("message_accepted")
    assert place.texts == {number: 1}
    assert await service.stops() == 0


def _seen_lately(place: Office) -> bool:
    """Tell whether the heartbeat has beaten since the feed was restored."""
    connection = sqlite3.connect(place.folder / "bridge.db")
    try:
        (seen,) = connection.execute("SELECT seen_at FROM pbx").fetchone()
        gaps = connection.execute("SELECT max(ended) FROM gap").fetchone()
    finally:
        connection.close()
    return gaps[0] is not None and seen > gaps[0]


async def test_sigint_is_as_good_as_sigterm(place: Office) -> None:
    service = await place.start_watching()
    service.signal(signal.SIGINT)
    assert await service.ended(10) == 0


# -- what is wrong from the start -----------------------------------------------------------


async def test_a_wrong_configuration_is_reported_and_ends_with_2(place: Office) -> None:
    place.configure(enabled="maybe", delay='"soon"')
    service = await place.run("pbx_bridge", "run", "-c", str(place.config))
    assert await service.ended() == 2
    report = "".join(service.raw)
    assert f"{place.config}:6" in report
    place.configure(delay='"soon"', database="")
    service = await place.run("pbx_bridge", "run", "-c", str(place.config))
    assert await service.ended() == 2
    assert f"{place.config}:7: texting.delay" in "".join(service.raw)
    assert "Traceback" not in "".join(service.raw)


async def test_an_unwritable_database_is_one_clear_line_and_ends_with_1(place: Office) -> None:
    place.configure(database=f"{place.config}/bridge.db")
    service = await place.start()
    assert await service.ended() == 1
    (line,) = service.raw
    assert "cannot be opened for writing" in line
    assert place.pbx.connections == 0


# -- what goes wrong meanwhile --------------------------------------------------------------


async def test_a_bug_ends_the_process_with_a_traceback(place: Office) -> None:
    service = await place.start(fail_at="recorded")
    assert await service.ended() == 1
    entry = service.log[-1]
    assert (entry["event"], entry["level"]) == ("bug", "critical")
    assert "ZeroDivisionError: a bug, as far as anybody can tell" in entry["exception"]


async def test_a_bug_while_sending_ends_the_process_and_loses_nothing(place: Office) -> None:
    service = await place.start(fail_at="settled")
    await service.told("pbx_up")
    numbers = [place.pbx.misses(), place.pbx.misses()]
    assert await service.ended() == 1
    assert service.log[-1]["event"] == "bug"
    service = await place.start_watching()

    async def accepted() -> bool:
        return await _states(place) == [State.ACCEPTED] * 2

    await until(accepted)
    assert await service.stops() == 0
    assert place.texts == dict.fromkeys(numbers, 1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with tiny_disk(tmp_path / "disk") as folder:
        yield folder


async def test_a_full_disk_delays_and_loses_nothing(place: Office, small_disk: Path) -> None:
    place.configure(database=str(small_disk / "bridge.db"))
    service = await place.start_watching()
    ballast = small_disk / "ballast"
    _fill(ballast)
    numbers = [place.pbx.misses() for _ in range(5)]
    entry = await service.told("database_unavailable")
    assert "is full: free some space" in _problem(entry)
    assert service.runs
    assert place.server.requests == []
    ballast.unlink()
    await service.told("message_accepted", times=5)
    assert place.texts == dict.fromkeys(numbers, 1)
    assert await service.stops() == 0


async def test_stopped_on_a_full_disk_it_finds_the_calls_again(
    place: Office, small_disk: Path
) -> None:
    place.configure(database=str(small_disk / "bridge.db"))
    service = await place.start_watching(seconds={"service.DRAIN_JUDGING": 1})
    number = place.pbx.misses()
    await service.told("message_accepted")
    ballast = small_disk / "ballast"
    _fill(ballast)
    later = place.pbx.misses()
    await service.told("database_unavailable")
    assert await service.stops() == 0
    await service.told("stopped_while_judging")
    ballast.unlink()
    service = await place.start()
    await service.told("message_accepted")
    assert place.texts == {number: 1, later: 1}
    assert await service.stops() == 0


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


# -- other programs -------------------------------------------------------------------------

WEBHOOK = """[[webhooks]]
name = "hook"
url = "{url}"
secret = "{secret}"
events = ["message.changed"]
"""
SECRET = new_secret(b"s" * 24)


def _genuine(requests: list[Request]) -> list[tuple[str, str]]:
    """Verify what a webhook was told; give each id and where the message got to."""
    told = [(one.headers["webhook-id"], one) for one in requests]
    return [
        (key, Verifier(SECRET).verify(one.body, one.headers)["data"]["state"]) for key, one in told
    ]


def _with_webhook(place: Office, server: Told) -> str:
    return f"{place.twilio()}\n{WEBHOOK.format(url=server.url, secret=SECRET)}"


async def test_a_webhook_is_told_after_a_sighup_and_others_are_not_forgotten(
    place: Office,
) -> None:
    async with Told(answer(200)).running() as first, Told(answer(204)).running() as second:
        place.configure(gateway=_with_webhook(place, first))
        service = await place.start_watching()
        place.pbx.misses()
        await service.told("event_delivered")
        place.configure(gateway=_with_webhook(place, second))
        service.signal(signal.SIGHUP)
        await service.told("config_reloaded")
        place.pbx.misses()
        await service.told("event_delivered", times=2)
        assert await service.stops() == 0
    messages = await place.messages()
    assert _genuine(first.requests) == [(f"{messages[1].key}-accepted", "accepted")]
    assert _genuine(second.requests) == [(f"{messages[0].key}-accepted", "accepted")]
    assert SECRET not in "".join(service.raw)


async def test_sighup_with_a_bad_webhook_keeps_the_old_one(place: Office) -> None:
    async with Told(answer(200)).running() as server:
        place.configure(gateway=_with_webhook(place, server))
        service = await place.start_watching()
        place.configure(gateway=_with_webhook(place, server).replace(SECRET, "whsec_"))
        service.signal(signal.SIGHUP)
        assert "webhooks[1].secret" in (await service.told("config_kept_old"))["problem"]
        place.pbx.misses()
        await service.told("event_delivered")
        assert await service.stops() == 0


@pytest.mark.parametrize("point", ["delivery_claimed", "delivered"])
async def test_killed_while_it_tells_a_webhook_it_tells_it_again(place: Office, point: str) -> None:
    async with Told(answer(200)).running() as server:
        place.configure(gateway=_with_webhook(place, server))
        soon = {"outgoing.LEASE": 0.3}
        service = await place.start_watching(die_at=point, seconds=soon)
        place.pbx.misses()
        assert await service.ended() == -signal.SIGKILL
        service = await place.start(seconds=soon)
        await service.told("event_delivered")
        assert await service.stops() == 0
    (message,) = await place.messages()
    told = [(f"{message.key}-accepted", "accepted")]
    assert _genuine(server.requests) == told * (2 if point == "delivered" else 1)
    assert place.texts.total() == 1


async def test_a_dead_webhook_delays_neither_texts_nor_the_end(place: Office) -> None:
    async with Told(Behaviour.HANG).running() as server:
        place.configure(gateway=_with_webhook(place, server))
        service = await place.start_watching()
        for _ in range(3):
            place.pbx.misses()
        await service.told("message_accepted", times=3)
        assert len(server.requests) == 1
        assert await service.stops() == 0
