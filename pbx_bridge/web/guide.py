"""What the first-run guide stands on: facts of the configuration, the database and the PBX.

No step is ticked by hand, and none stays ticked when what it was about is no longer so.
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection as Transaction

from pbx_bridge import check, enclosed, installation, proofs
from pbx_bridge.check import Finding
from pbx_bridge.config import Config, Pbx
from pbx_bridge.core.delivery import Channel, Purpose
from pbx_bridge.core.liveness import State
from pbx_bridge.core.manager_account import account
from pbx_bridge.core.proving import Known, Passed, progress
from pbx_bridge.core.saying import say
from pbx_bridge.core.text import fill
from pbx_bridge.ports import GatewayProblem
from pbx_bridge.sources.ami.borrowed import borrowed
from pbx_bridge.store import calls, messages, outbox
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.web.frame import Inside

#: A PBX or gateway that does not answer so long is told of, instead of keeping the page waiting.
PATIENCE = timedelta(seconds=20)
#: In the place of the account's secret: it is not shown.
HIDDEN = "(the secret of [[pbx]] in the configuration)"
#: Test texts that may be asked for in an hour: each costs money.
MOST_TESTS = 10
TEST_TEXT = "Test from {office}: missed-call texts work."
_EXPIRES = timedelta(minutes=5)
_HOUR = timedelta(hours=1)
_SHOWN = 3
_IPV6 = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How the watch of one PBX stands, and what its manager.conf needs."""

    name: str
    where: str
    works: bool
    problem: str
    block: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A gateway, and whether texts are sent by it."""

    name: str
    kind: str
    used: bool  #: texts go through it
    sends: bool  #: and not only to a screen


async def watches(inside: Inside) -> list[Watch]:
    """Tell how each PBX is watched."""
    standing = {finding.what: finding for finding in inside.verdict().findings}
    found = []
    for pbx in inside.config().pbx:
        finding = standing.get(f"pbx {pbx.name}")
        works = finding is not None and finding.state is State.OK
        found.append(
            Watch(
                name=pbx.name,
                where=f"{pbx.host}:{pbx.port}",
                works=works,
                problem="" if works or finding is None else finding.text,
                block=await asyncio.to_thread(_block, pbx),
            )
        )
    return found


def _block(pbx: Pbx) -> str:
    """Give the account for manager.conf, with the address by which we come, without its secret."""
    address = installation.address_towards(pbx.host, pbx.port)
    permits = [] if address is None else [_network(address)]
    return account(enclosed.account(), pbx.username, HIDDEN, permits)


def _network(address: str) -> str:
    """Write an address as manager.conf does."""
    network = ipaddress.ip_network(address, strict=False)
    mask = network.prefixlen if network.version == _IPV6 else network.netmask
    return f"{network.network_address}/{mask}"


async def tested_pbx(config: Config, name: str) -> list[Finding]:
    """Log in to a PBX as the service does, and see what it may do there.

    Raises:
        KeyError: there is none of this name.

    """
    pbx = {one.name: one for one in config.pbx}[name]

    async def look() -> AsyncIterator[Finding]:
        async for finding in check.login(pbx):
            yield finding
        async for finding in check.acts(config, pbx):
            yield finding

    return await _patiently(f"pbx {name}", look())


async def tested_gateway(config: Config, name: str) -> list[Finding]:
    """Ask a gateway whether it would take texts; nothing is sent.

    Raises:
        KeyError: there is none of this name.

    """
    configured = config.gateways[name]

    async def look() -> AsyncIterator[Finding]:
        async with borrowed(pbx.access() for pbx in config.pbx) as pbxs:
            yield await check.answers(name, configured, config.surroundings(name, pbxs))

    return await _patiently(f"gateway {name}", look())


async def _patiently(what: str, findings: AsyncIterator[Finding]) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            found += [finding async for finding in findings]
    except TimeoutError:
        seconds = f"{PATIENCE.total_seconds():.0f}"
        found.append(
            Finding(
                good=False, what=what, text=say("no answer within {seconds} s", seconds=seconds)
            )
        )
    except GatewayProblem as problem:
        found.append(Finding(good=False, what=what, text=str(problem)))
    return found


def ways(config: Config) -> list[Way]:
    """Give the gateways for texts."""
    used = {
        *config.texting.gateways,
        *(name for line in config.lines for name in line.gateways),
        *filter(None, [config.texting.last_resort]),
    }
    return [
        Way(
            name=name,
            kind=configured.kind,
            used=name in used,
            sends=configured.kind != "console",
        )
        for name, configured in config.gateways.items()
        if configured.channel is Channel.SMS
    ]


def faulty_texts(config: Config) -> Sequence[str]:
    """Name the texts that must not go out as they are."""
    around = proofs.circumstances(config)
    return [
        f"{proof.what} ({proof.language})"
        for proof in proofs.in_force(config)
        if not proof.linted(around).passes
    ]


def test_call(tx: Transaction, number: str, since: datetime) -> tuple[int | None, list[Passed]]:
    """Tell how far a call from a number has come that began since then; and its row."""
    newest = next(iter(calls.of_numbers(tx, [number], limit=1)), None)
    if newest is None or newest.call.began < since:
        return None, list(progress(Known()))
    text = next(reversed(messages.of_call(tx, newest.row_id)), None)
    decision = newest.decision
    known = Known(
        call=newest.call,
        outcome="" if decision is None else decision.outcome,
        why="" if decision is None else decision.detail,
        decided_at=None if decision is None else decision.at,
        text=None if text is None else text.state,
        is_shadow=text is not None and text.shadow,
        due_at=None if text is None else text.due_at,
        updated_at=None if text is None else text.updated_at,
        detail="" if text is None else text.detail,
    )
    return newest.row_id, list(progress(known))


def test_texts(tx: Transaction, now: datetime) -> list[MessageRecord]:
    """Give the last test texts of a day, the newest first."""
    since = now - timedelta(days=1)
    return messages.of_purpose(tx, Purpose.TEST, since=since, limit=_SHOWN)


def queue_test(tx: Transaction, config: Config, to: str, key: str, now: datetime) -> bool:
    """Queue a test text, also in shadow mode; False if that were too many."""
    if messages.has_key(tx, key):
        return True  # the same form, sent twice
    recent = messages.of_purpose(tx, Purpose.TEST, since=now - _HOUR, limit=MOST_TESTS)
    if len(recent) >= MOST_TESTS:
        return False
    route = config.texting.gateways
    outbox.insert(
        tx,
        call_row=None,
        step="test",
        key=key,
        to=to,
        body=test_body(config),
        gateway=route[0],
        line="",
        created_at=now,
        due_at=now,
        expires_at=now + _EXPIRES,
        shadow=False,
        purpose=Purpose.TEST,
    )
    return True


def test_body(config: Config) -> str:
    return fill(TEST_TEXT, {"office": config.office.name})
