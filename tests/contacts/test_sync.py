"""Sources read on schedule, and written back to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from pbx_bridge.contacts.reading import Manner
from pbx_bridge.contacts.source import Source, SourceKind
from pbx_bridge.contacts.sync import ContactSync, Outcome
from pbx_bridge.contacts.web import SourceProblem
from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.secret import Secret
from pbx_bridge.store import contact_sources, contacts
from pbx_bridge.store.contacts import ContactRecord
from pbx_bridge.store.db import Database
from tests.contacts.addressbook import PASSWORD, USER, Server, card
from tests.store.examples import NOON

ANN = "+12125550142"
BOB = "+12125550143"
TEL = "TEL;TYPE=CELL:(212) 555-0142"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server().running() as running:
        yield running


@pytest.fixture
def source(server: Server) -> Source:
    return Source(
        name="book",
        kind=SourceKind.CARDDAV,
        url=server.book,
        username=USER,
        password=Secret(PASSWORD),
        manner=Manner("US", CallerKind.CUSTOMER),
    )


def now() -> datetime:
    return NOON


async def read(db: Database, source: Source, *, even_if_smaller: bool = False) -> Outcome:
    return await ContactSync(db, [], now=now).read(source, even_if_smaller=even_if_smaller)


async def who(db: Database, number: str = ANN) -> ContactRecord:
    found = await db.read(lambda tx: contacts.of_number(tx, number))
    assert found is not None
    return found


async def names(db: Database) -> list[str]:
    return [record.contact.name for record in await db.read(contacts.everyone)]


async def edit(db: Database, number: str = ANN, **changes: object) -> None:
    record = await who(db, number)
    changed = replace(record.contact, **changes)  # type: ignore[arg-type]
    await db.run(lambda tx: contacts.edit(tx, record.row_id, changed, by="eve", now=NOON))


async def test_an_address_book_is_taken_and_followed(
    db: Database, server: Server, source: Source
) -> None:
    server.put("a.vcf", card("Ann", TEL, "ORG:Acme;Sales", "CATEGORIES:VIP,Old"))
    server.put("b.vcf", card("Bob", f"TEL:{BOB}"))
    outcome = await read(db, source)
    assert str(outcome) == "2 new"
    assert (await who(db)).contact == Contact(
        name="Ann",
        company="Acme",
        kind=CallerKind.CUSTOMER,
        tags=frozenset({"vip", "old"}),
        numbers={ANN: "mobile"},
    )
    assert str(await read(db, source)) == "nothing new"
    server.put("a.vcf", card("Anne", TEL))
    server.put("c.vcf", card("Cid", "TEL:+12125550144"))
    server.delete("b.vcf")
    assert str(await read(db, source)) == "1 new, 1 changed, 1 removed"
    assert await names(db) == ["Anne", "Cid"]
    assert not (await who(db)).contact.tags


@pytest.mark.parametrize("oddity", ["with_sync", "with_multiget", "forgets", "piece", "quotes"])
async def test_so_is_one_on_an_odd_server(
    db: Database, server: Server, source: Source, oddity: str
) -> None:
    server.quotes = oddity != "quotes"
    for n in range(7):
        server.put(f"{n} ä%.vcf", card(f"No {n}", f"TEL:+1212555010{n}", uid=str(n)))
    assert str(await read(db, source)) == "7 new"
    value: object = {"forgets": True, "piece": 2}.get(oddity, False)
    setattr(server, oddity, value)
    server.put("1 ä%.vcf", card("Changed", "TEL:+12125550101"))
    for n in (2, 3, 4):
        server.delete(f"{n} ä%.vcf")
    assert str(await read(db, source)) == "1 changed, 3 removed"
    assert await names(db) == ["Changed", "No 0", "No 5", "No 6"]
    assert str(await read(db, source)) == "nothing new"


async def test_without_changes_no_card_is_asked_for(
    db: Database, server: Server, source: Source
) -> None:
    server.with_sync = False
    server.put("a.vcf", card("Ann", TEL))
    await read(db, source)
    server.asked.clear()
    await read(db, source)
    assert [method for method, _ in server.asked] == ["PROPFIND", "PROPFIND"]


async def test_a_person_s_edits_stay_and_the_conflict_is_told(
    db: Database, server: Server, source: Source
) -> None:
    server.put("a.vcf", card("Ann", TEL))
    await read(db, source)
    await edit(db, name="Ann Baker", owner="eve")
    server.put("a.vcf", card("Anna", TEL, "NOTE:new, too"))
    outcome = await read(db, source)
    record = await who(db)
    assert (record.contact.name, record.contact.notes) == ("Ann Baker", "new, too")
    row = record.row_id
    assert str(outcome) == (
        "1 changed\n"
        f"contact {row} (Ann Baker): name: here 'Ann Baker', there 'Anna'; decided here by hand"
    )
    state = await db.read(lambda tx: contact_sources.get(tx, "book"))
    assert state.detail == str(outcome)
    assert server.count("PUT") == 0


async def test_who_is_gone_there_but_was_edited_here_stays(
    db: Database, server: Server, source: Source
) -> None:
    for n in range(3):
        server.put(f"{n}.vcf", card(f"No {n}", f"TEL:+1212555010{n}"))
    await read(db, source)
    await edit(db, "+12125550100", notes="pays late")
    server.delete("0.vcf")
    assert str(await read(db, source)) == "nothing new"
    assert (await who(db, "+12125550100")).contact.notes == "pays late"


async def test_what_people_change_here_is_written_back(
    db: Database, server: Server, source: Source
) -> None:
    photo = "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ"
    server.put("a.vcf", card("Ann", TEL, photo, "BDAY:1970-01-01", "CATEGORIES:VIP,Kegelclub"))
    await read(db, source)
    before = await who(db)
    await edit(
        db,
        name="Ann Baker",
        tags=frozenset({"vip", "süd"}),
        numbers={ANN: "mobile", BOB: "second"},
        email="ann@example.com",
        owner="eve",
    )
    assert str(await read(db, source)) == "nothing new"  # write = false
    writing = replace(source, write=True)
    assert str(await read(db, writing)) == "1 written back"
    text = server.cards["a.vcf"]
    for line in (photo, "BDAY:1970-01-01", TEL, "FN:Ann Baker", "N:Baker;Ann;;;",
                 "CATEGORIES:VIP,süd", "EMAIL:ann@example.com", f"item1.TEL:{BOB}",
                 "item1.X-ABLABEL:second"):  # fmt: skip
        assert f"{line}\r\n" in text, line
    assert "Kegelclub" not in text
    assert "eve" not in text  # the book has nothing of owners
    server.asked.clear()
    assert str(await read(db, writing)) == "nothing new"
    assert server.count("PUT") == server.count("GET") == 0
    assert (await who(db)).row_id == before.row_id


async def test_a_card_that_changed_meanwhile_is_merged_and_written_then(
    db: Database, server: Server, source: Source
) -> None:
    server.put("a.vcf", card("Ann", TEL))
    await read(db, source)
    await edit(db, name="Ann Baker")
    server.meanwhile.append(("a.vcf", card("Ann", TEL, "NOTE:just now")))
    outcome = await read(db, replace(source, write=True))
    assert len(outcome.written) == 1
    assert server.count("PUT") == 2
    assert "NOTE:just now" in server.cards["a.vcf"]
    assert "FN:Ann Baker" in server.cards["a.vcf"]
    assert (await who(db)).contact.notes == "just now"


async def test_one_that_never_comes_to_rest_is_left_for_later(
    db: Database, server: Server, source: Source
) -> None:
    server.put("a.vcf", card("Ann", TEL))
    await read(db, source)
    await edit(db, name="Ann Baker")
    server.meanwhile += [("a.vcf", card("Ann", TEL, f"NOTE:{n}")) for n in range(9)]
    outcome = await read(db, replace(source, write=True))
    assert "others change its card at the same time" in str(outcome)
    assert server.count("PUT") == 3
    server.meanwhile.clear()
    assert "1 written back" in str(await read(db, replace(source, write=True)))


async def test_a_book_that_may_not_be_written_to_is_told(
    db: Database, server: Server, source: Source
) -> None:
    server.writable = False
    server.put("a.vcf", card("Ann", TEL))
    await read(db, source)
    await edit(db, name="Ann Baker")
    with pytest.raises(SourceProblem, match="does not let itself be written to"):
        await read(db, replace(source, write=True))
    state = await db.read(lambda tx: contact_sources.get(tx, "book"))
    assert "write = false" in state.problem
    assert state.cursor


async def test_a_card_gone_before_it_is_written_is_no_problem(
    db: Database, server: Server, source: Source
) -> None:
    server.put("a.vcf", card("Ann", TEL))
    await read(db, source)
    await edit(db, name="Ann Baker")
    del server.cards["a.vcf"]  # unnoticed
    assert str(await read(db, replace(source, write=True))) == "nothing new"


async def test_a_card_that_cannot_be_written_to_is_told(
    db: Database, server: Server, source: Source
) -> None:
    server.put("a.vcf", card("Ann", TEL, version="2.1"))
    await read(db, source)
    await edit(db, name="Ann Baker")
    assert "version 2.1" in str(await read(db, replace(source, write=True)))


@pytest.mark.parametrize("left", [0, 1])
async def test_a_book_that_lost_most_of_its_cards_is_not_believed(
    db: Database, server: Server, source: Source, left: int
) -> None:
    for n in range(4):
        server.put(f"{n}.vcf", card(f"No {n}", f"TEL:+1212555010{n}"))
    await read(db, source)
    for n in range(left, 4):
        server.delete(f"{n}.vcf")
    with pytest.raises(SourceProblem, match="nothing was changed") as refused:
        await read(db, source)
    assert "pbx-bridge contacts sync book --even-if-smaller" in str(refused.value)
    assert len(await names(db)) == 4
    assert str(await read(db, source, even_if_smaller=True)) == f"{4 - left} removed"


async def test_a_problem_is_kept_until_the_source_can_be_read_again(
    db: Database, server: Server, source: Source
) -> None:
    server.put("a.vcf", card("Ann", TEL))
    with pytest.raises(SourceProblem, match="refuses the login"):
        await read(db, replace(source, password=Secret("wrong")))
    state = await db.read(lambda tx: contact_sources.get(tx, "book"))
    assert (state.problem, state.read_at) != ("", NOON)
    await read(db, source)
    state = await db.read(lambda tx: contact_sources.get(tx, "book"))
    assert (state.problem, state.read_at) == ("", NOON)


async def test_sources_are_read_when_they_are_due(
    db: Database, server: Server, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time passes as fast as it is slept."""
    server.put("a.vcf", card("Ann", TEL))
    clock = [NOON]
    slept: list[float] = []
    enough = asyncio.Event()
    really = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += timedelta(seconds=seconds)
        if len(slept) == 5:
            enough.set()
            await asyncio.Event().wait()
        await really(0)

    sync = ContactSync(db, [source], now=lambda: clock[0])
    reading = sync.read
    tries = 0

    async def read_or_fail(source: Source) -> Outcome:
        nonlocal tries
        tries += 1
        if tries == 2:
            server.answers["PROPFIND"] = web.Response(status=500)
        if tries == 3:
            raise RuntimeError("a bug")
        if tries == 4:
            server.answers.clear()
        return await reading(source)

    monkeypatch.setattr(sync, "read", read_or_fail)
    monkeypatch.setattr("pbx_bridge.contacts.sync.asyncio.sleep", sleep)
    with capture_logs() as logs:
        task = asyncio.get_running_loop().create_task(sync.run())
        await enough.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert slept == [0, 3600, 300, 600, 3600]
    assert [entry["event"] for entry in logs] == [
        "contacts_read",
        "contacts_not_read",
        "bug",
        "contacts_read",
    ]
    assert await names(db) == ["Ann"]


async def test_after_a_restart_a_source_waits_until_it_is_due(
    db: Database, server: Server, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put("a.vcf", card("Ann", TEL))
    await read(db, source)
    slept: list[float] = []
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        asleep.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("pbx_bridge.contacts.sync.asyncio.sleep", sleep)
    sync = ContactSync(db, [source], now=lambda: NOON + timedelta(minutes=20))
    task = asyncio.get_running_loop().create_task(sync.run())
    await asleep.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slept == [40 * 60]


async def test_without_sources_there_is_nothing_to_do(db: Database) -> None:
    await ContactSync(db, [], now=now).run()
