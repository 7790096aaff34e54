"""What every connector does, whichever CRM it is: on a fake of each that keeps what it gets."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from pbx_bridge.core import number
from pbx_bridge.core.delivery import Accepted, Blame, Deferred, Rejected, SendResult, Uncertain
from pbx_bridge.core.happening import Happened, Happening
from pbx_bridge.core.samples import sample
from pbx_bridge.outgoing import Outgoing
from pbx_bridge.ports import Crm, DestinationProblem
from pbx_bridge.store import events
from pbx_bridge.store.db import Database
from tests.destinations.hubspots import FakeHubSpot
from tests.destinations.office import (
    CALLER,
    HOSTILE,
    NOON,
    SECRET,
    TOKEN,
    Clock,
    FakeCrm,
    missed_call,
    reply,
    text,
    told,
)
from tests.destinations.salesforces import FakeSalesforce
from tests.destinations.zohos import FakeZoho
from tests.gateways.fakes import Behaviour, Request, Told, answer

FAKES: list[Callable[[], FakeCrm]] = [FakeHubSpot, FakeSalesforce, FakeZoho]
#: The same with what makes a second entry impossible, and a HubSpot that finds nothing at once.
STRICT: dict[str, tuple[Callable[[], FakeCrm], dict[str, Any]]] = {
    "hubspot": (FakeHubSpot, {}),
    "hubspot, slow search": (lambda: FakeHubSpot(lag=timedelta(seconds=30)), {}),
    "hubspot, unique property": (
        lambda: FakeHubSpot(lag=timedelta(seconds=30), unique_property="pbx_id"),
        {"unique_property": "pbx_id"},
    ),
    "salesforce": (FakeSalesforce, {}),
    "salesforce, contacts only": (FakeSalesforce, {"leads": False}),
    "salesforce, external id": (FakeSalesforce, {"external_id_field": "PBX_Id__c"}),
    "zoho": (FakeZoho, {}),
    "zoho, leads": (FakeZoho, {"leads": True}),
    "zoho, unique field": (lambda: FakeZoho(unique_field="PBX_Id"), {"unique_field": "PBX_Id"}),
}


@pytest.fixture(params=FAKES, ids=lambda made: made.kind)
def fake(request: pytest.FixtureRequest) -> FakeCrm:
    made: FakeCrm = request.param()
    return made


@pytest.fixture(params=STRICT)
def strict(request: pytest.FixtureRequest) -> tuple[FakeCrm, dict[str, Any]]:
    make, changes = STRICT[request.param]
    return make(), changes


async def deliver(crm: Crm, clock: Clock, *happenings: Happening) -> list[SendResult]:
    """Deliver as the loop does: again, later, until there is an end; give the last results."""
    last = []
    for happening in happenings:
        result = await crm.deliver(happening)
        for _ in range(3):
            if isinstance(result, Accepted | Rejected):
                break
            clock.forward(minutes=2)
            result = await crm.deliver(happening)
        last.append(result)
    return last


# Finding, making, writing down.


@pytest.mark.parametrize("written", number.spellings(number.parse(CALLER, "US")))  # type: ignore[arg-type]
async def test_a_known_caller_is_found_however_the_number_is_written(
    fake: FakeCrm, written: str
) -> None:
    fake.know("+12125550199", "Somebody else")
    ann = fake.know(written, "Ann Lee", "Gold")
    async with fake.connected() as crm:
        fake.clock.forward(minutes=2)
        status = await crm.status(CALLER)
        (result,) = await deliver(crm, fake.clock, missed_call())
    assert status is not None
    assert (status.remote_id, status.name, status.status) == (ann, "Ann Lee", "Gold")
    assert isinstance(result, Accepted)
    assert result.gateway_ref
    assert fake.of_whom() == [ann]
    assert len(fake.people) == 2


@pytest.mark.parametrize("phone", ["+442125550143", "2125550143 ext", "", "+12125550144"])
async def test_nobody_else_is_taken_for_the_caller(fake: FakeCrm, phone: str) -> None:
    """HubSpot's own fields have no country code, and a search finds more than was meant."""
    fake.know(phone)
    async with fake.connected() as crm:
        assert await crm.status(CALLER) is None
        assert await crm.deliver(missed_call()) == Accepted("")
    assert fake.entries == []


async def test_a_stranger_is_made_only_where_that_is_wanted(fake: FakeCrm) -> None:
    async with fake.connected() as crm:
        assert await crm.deliver(missed_call()) == Accepted("")
        assert await crm.deliver(reply()) == Accepted("")
    assert fake.writes() == []
    async with fake.connected(create=True) as crm:
        fake.clock.forward(minutes=2)
        assert await crm.deliver(text("accepted")) == Accepted("")  # nobody is made of our own text
        (result,) = await deliver(crm, fake.clock, missed_call(caller_name="LEE ANN"))
        assert isinstance(result, Accepted)
        assert (await crm.status(CALLER)) is not None
    (person,) = fake.people
    assert CALLER in json.dumps(person)
    assert "LEE ANN" in json.dumps(person)
    assert len(fake.entries) == 1


async def test_without_a_name_it_is_a_person_all_the_same(fake: FakeCrm) -> None:
    async with fake.connected(create=True) as crm:
        fake.clock.forward(minutes=2)
        (result,) = await deliver(crm, fake.clock, missed_call(caller_name=""))
    assert isinstance(result, Accepted)
    assert len(fake.people) == len(fake.entries) == 1


async def test_the_entry_says_what_happened(fake: FakeCrm) -> None:
    fake.know(CALLER)
    async with fake.connected() as crm:
        fake.clock.forward(minutes=2)
        await deliver(crm, fake.clock, missed_call(reason="queue_abandoned"))
    (entry,) = fake.texts()
    assert "Missed call on Sales" in entry
    assert "the caller gave up waiting in the queue" in entry
    assert "11:59 (America/New_York)" in entry  # it began 42 s before noon
    assert "Waited for 38 s in the queue sales" in entry


async def test_only_what_concerns_a_customer_is_told(fake: FakeCrm) -> None:
    fake.know(CALLER)
    async with fake.connected(create=True) as crm:
        wanted = {Happened.CALL_MISSED, Happened.MESSAGE_CHANGED, Happened.REPLY_RECEIVED}
        assert crm.kinds == wanted
        for happening in (
            *(sample(kind, f"k-{kind}", NOON) for kind in Happened if kind not in wanted),
            text("queued"),
            text("sending"),
            text("delivered", purpose="alert"),
            text("delivered", purpose="test"),
            text("delivered", number=""),
            missed_call(number=""),
            reply(ignored="a machine"),
        ):
            assert await crm.deliver(happening) == Accepted("")
    assert fake.requests == []


# Once, however often it is told.


async def test_the_same_happening_twice_is_one_entry(
    strict: tuple[FakeCrm, dict[str, Any]],
) -> None:
    fake, changes = strict
    happenings = (missed_call(), reply(), text("accepted"))
    for _ in range(3):  # also by a connector that remembers nothing
        async with fake.connected(create=True, **changes) as crm:
            for _ in range(2):
                for result in await deliver(crm, fake.clock, *happenings):
                    assert isinstance(result, Accepted)
    assert len(fake.people) == 1
    assert len(fake.entries) == 3
    assert len(set(fake.of_whom())) == 1


@pytest.mark.parametrize("how", [Behaviour.CUT, Behaviour.RESET, answer(500), answer(200, "OK")])
async def test_an_answer_that_was_lost_makes_no_second_entry(
    strict: tuple[FakeCrm, dict[str, Any]], how: Behaviour | bytes
) -> None:
    """The connection breaks after each write in turn: of the person, and of the entry."""
    fake, changes = strict
    lost = 0

    def lose(request: Request) -> Behaviour | bytes | None:
        nonlocal lost
        if not fake.is_write(request) or lost == 2:
            return None
        lost += 1
        return how

    fake.after = lose
    results: list[SendResult] = []
    for _ in range(6):  # each time by a connector that was only just started
        async with fake.connected(create=True, **changes) as crm:
            results.append(await crm.deliver(missed_call()))
            results += await deliver(crm, fake.clock, missed_call())
    assert isinstance(results[-1], Accepted)
    assert lost == 2
    assert any(isinstance(result, Uncertain | Deferred) for result in results)
    assert len(fake.people) == len(fake.entries) == 1


async def test_accepted_and_delivered_are_one_entry_and_what_failed_is_another(
    fake: FakeCrm,
) -> None:
    fake.know(CALLER)
    async with fake.connected() as crm:
        fake.clock.forward(minutes=2)
        sent = (text("accepted"), text("delivered"), text("accepted", key="again"))
        await deliver(crm, fake.clock, *sent)
        assert len(fake.entries) == 1
        await deliver(crm, fake.clock, text("undelivered", detail="a landline"), text("failed"))
    assert len(fake.entries) == 2
    assert "a landline" in fake.texts()[1]


async def test_the_loop_and_a_replay_leave_one_entry(
    strict: tuple[FakeCrm, dict[str, Any]], db: Database
) -> None:
    """Out of the database, by the loop that tells all destinations."""
    fake, changes = strict
    fake.know(CALLER)
    told = [missed_call(), text("accepted"), text("delivered"), reply()]
    for happening in told:
        await db.run(lambda tx, one=happening: events.record(tx, one, ["crm"], NOON))  # type: ignore[misc]
    async with fake.connected(**changes) as crm:
        for _ in range(2):
            fake.clock.forward(minutes=2)
            settled = asyncio.Queue[str]()
            outgoing = Outgoing(
                db, now=fake.clock, jitter=lambda: 0.0, checkpoint=settled.put_nowait
            )
            outgoing.attach({"crm": crm})
            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                running = tasks.create_task(outgoing.run())
                for _ in told:
                    while await settled.get() != "delivery_settled":
                        pass
                await outgoing.drain(timedelta(seconds=5))
                await running
            count = await db.read(lambda tx: events.counts(tx, NOON)["crm"])
            assert (count.delivered, count.failed) == (4, 0)
            now = fake.clock()
            again = await db.run(
                lambda tx, at=now: events.replay(tx, "crm", NOON, crm.kinds, now=at)  # type: ignore[misc]
            )
            assert again == 4
    assert len(fake.entries) == 3


# What is private, and what is hostile.


async def test_words_of_texts_stay_here_unless_they_are_wanted(fake: FakeCrm) -> None:
    fake.know(CALLER)
    for wanted in (False, True):
        fake.entries.clear()
        async with fake.connected(log_bodies=wanted) as crm:
            fake.clock.forward(minutes=2)
            await deliver(crm, fake.clock, text("delivered"), reply())
        assert len(fake.entries) == 2
        written = "".join(fake.texts())
        assert ("Sorry we missed your call" in written) is wanted
        assert ("Can you come on Tuesday" in written) is wanted


async def test_hostile_text_stays_text(fake: FakeCrm) -> None:
    hostile = {"caller_name": HOSTILE, "line_name": HOSTILE, "line": HOSTILE, "queue": HOSTILE}
    async with fake.connected(create=True, log_bodies=True) as crm:
        fake.clock.forward(minutes=2)
        happenings = (missed_call(HOSTILE, **hostile), reply(f"{HOSTILE}2", body=HOSTILE * 60))
        for result in await deliver(crm, fake.clock, *happenings, *happenings):
            assert isinstance(result, Accepted)
    assert len(fake.people) == 1
    assert len(fake.entries) == 2
    written = json.dumps([fake.people, fake.entries], ensure_ascii=False)
    assert "Zoë 😀" in written
    for evil in ("\x1b", "\\u001b", "\u202e"):
        assert evil not in written


async def test_what_the_crm_says_is_hostile_too(fake: FakeCrm) -> None:
    fake.know(CALLER, f"Ann {HOSTILE}\r\nforged " + "x" * 5000, HOSTILE + "y" * 5000)
    async with fake.connected() as crm:
        status = await crm.status(CALLER)
    assert status is not None
    for said in (status.name, status.status):
        assert len(said) <= 401
        assert said.isprintable()


async def test_secrets_are_seen_nowhere(fake: FakeCrm) -> None:
    """Though the CRM says them back, at a place where they would be cut in two."""

    def parrot(request: Request) -> bytes:
        words = "x" * 190 + f"{request.headers.get('authorization')} {request.body.decode()}"
        wrong = {"category": "X", "message": words, "code": "X", "errorCode": "X", "error": "X"}
        return told(400, wrong | {"error_description": words})

    with capture_logs() as logs:
        async with fake.connected() as crm:
            await crm.status(CALLER)
            shown = [repr(crm), repr(getattr(crm, "settings", None))]
            fake.instead = parrot
            shown.append(repr(await crm.deliver(missed_call())))
            with pytest.raises(DestinationProblem) as caught:
                await crm.check()
            shown.append(repr(caught.value))
        async with fake.connected() as crm:  # and where tokens are given
            shown.append(repr(await crm.deliver(missed_call())))
    for one in (*shown, repr(logs)):
        assert not any(secret[:8] in one for secret in (SECRET, TOKEN)), one


# Failures.


async def test_a_read_that_failed_changed_nothing(fake: FakeCrm) -> None:
    for misbehaviour in (Behaviour.CUT, Behaviour.RESET, Behaviour.HALF, answer(500), answer(502)):
        fake.instead = lambda _, how=misbehaviour: how  # type: ignore[misc]
        async with fake.connected() as crm:
            assert isinstance(await crm.deliver(missed_call()), Deferred)
            with pytest.raises(DestinationProblem):
                await crm.status(CALLER)


async def test_who_does_not_answer_is_not_waited_for(fake: FakeCrm) -> None:
    fake.know(CALLER)
    async with fake.connected(timeout=1) as crm:
        fake.clock.forward(minutes=2)
        fake.instead = lambda one: Behaviour.HANG if fake.is_write(one) else None
        assert await crm.deliver(missed_call()) == Uncertain("no answer within 1 s")
        fake.instead = lambda _: Behaviour.HANG
        fake.clock.forward(minutes=2)
        assert await crm.deliver(missed_call()) == Deferred("no answer within 1 s")


async def test_nobody_there(fake: FakeCrm) -> None:
    async with fake.connector("http://127.0.0.1:9") as crm:
        result = await crm.deliver(missed_call())
        assert isinstance(result, Deferred)
        assert "no connection" in result.reason
        with pytest.raises(DestinationProblem, match="no connection"):
            await crm.check()


async def test_an_endless_answer_is_cut(fake: FakeCrm) -> None:
    async with Told(Behaviour.FLOOD).running() as server, fake.connector(server.url) as crm:
        assert isinstance(await crm.deliver(missed_call()), Deferred)
    assert server.flooded < 5_000_000


@pytest.mark.parametrize(
    "nonsense",
    ["", "null", "[]", "{}", "[[[", '{"results": 7, "records": {}, "data": null}', "[" * 100_000],
)
async def test_nonsense_is_no_answer(fake: FakeCrm, nonsense: str) -> None:
    async with Told(answer(200, nonsense)).running() as server, fake.connector(server.url) as crm:
        result = await crm.deliver(missed_call())
    assert isinstance(result, Deferred)


async def test_it_is_used_within_its_context(fake: FakeCrm) -> None:
    crm = fake.connector("http://127.0.0.1:9")
    if fake.kind != "hubspot":  # a token would be fetched first
        assert repr(crm)
    with pytest.raises(RuntimeError, match="outside of its context"):
        await crm.deliver(missed_call())


async def test_check_reads_and_writes_nothing(fake: FakeCrm) -> None:
    fake.know(CALLER)
    async with fake.connected() as crm:
        said = await crm.check()
    assert "that we may write shows with the first" in said
    assert fake.requests
    assert fake.writes() == []


# Tokens that end, at those that have such.


@pytest.fixture(params=[FakeSalesforce, FakeZoho], ids=lambda made: made.kind)
def tokens(request: pytest.FixtureRequest) -> FakeSalesforce | FakeZoho:
    made: FakeSalesforce | FakeZoho = request.param()
    return made


async def test_one_token_serves_many_requests(tokens: FakeSalesforce | FakeZoho) -> None:
    tokens.know(CALLER)
    async with tokens.connected() as crm:
        await deliver(crm, tokens.clock, missed_call(), reply(), text("accepted"))
    assert tokens.tokens == 1


async def test_a_token_that_ended_is_replaced_once(tokens: FakeSalesforce | FakeZoho) -> None:
    tokens.know(CALLER)
    async with tokens.connected() as crm:
        await crm.status(CALLER)
        tokens.old = 1
        assert await crm.status(CALLER) is not None
        assert tokens.tokens == 2
        tokens.old = 99  # none is good enough
        result = await crm.deliver(missed_call())
    assert isinstance(result, Rejected)
    assert result.blame is Blame.GATEWAY
    assert "answered 401" in result.reason
    assert tokens.tokens == 3


async def test_a_refused_refresh_says_what_to_do_and_is_not_repeated_at_once(
    tokens: FakeSalesforce | FakeZoho,
) -> None:
    wrong = "1000.wrong" if tokens.kind == "zoho" else "wrong"
    async with tokens.connected(refresh_token=wrong) as crm:
        result = await crm.deliver(missed_call())
        assert isinstance(result, Rejected)
        assert result.blame is Blame.GATEWAY
        assert "gave no access token: invalid_" in result.reason
        assert await crm.deliver(missed_call()) == result
        assert len(tokens.requests) == 1
        tokens.clock.forward(minutes=3)
        await crm.deliver(missed_call())
    assert len(tokens.requests) == 2
