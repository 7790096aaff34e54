"""An office whose callers never stop, a gateway with moods, and the accounts of both ends."""

import json
import os
import random
import secrets
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pbx_bridge.core.delivery import State
from pbx_bridge.core.routing import CircuitRules
from tests.gateways.fakes import Answer, Behaviour, FakeTwilio, Request, Told, answer
from tests.reliability.recorded_pbx import Callers, RecordedPbx
from tests.service import Office, Pbx, Plain, Service, until

#: Nothing waits as long unless it fails: the machine may have other work.
PATIENCE = 300.0
#: What is minutes in an office, in the same order.
SHORT = {"followup.HEARTBEAT": 0.2, "ledger.WATERMARK_MARGIN": 3}
_OPEN = {State.QUEUED, State.SENDING}

#: So many seconds may pass without anything said to be settled: a circuit is open, and then one who
#: tries was killed while he did.
QUIET = (CircuitRules().pause * 2 + CircuitRules().trial).total_seconds()


def seed_of(*, nightly: bool) -> int:
    """Give the seed: PBX_BRIDGE_SEED, or one in CI and another each night."""
    given = os.environ.get("PBX_BRIDGE_SEED")
    if given is not None:
        return int(given)
    return secrets.randbelow(2**31) if nightly else 1


def how_often(variable: str, *, nightly: bool, in_ci: int) -> int:
    """Give how often something is done: as the variable says, or a thousand times each night."""
    return int(os.environ.get(variable, 1000 if nightly else in_ci))


class Moods:
    """A gateway that now and then breaks off, before it has taken a text or after."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._seen: set[str] = set()

    def before(self, request: Request) -> Answer | None:
        """Refuse a text for now, or break off, without having taken it; once for each."""
        to = request.form()["To"]
        if to in self._seen or self._chance.random() > 0.06:
            return None
        self._seen.add(to)
        return self._chance.choice(
            (answer(429, '{"code": 20429}', Retry_After="0"), Behaviour.CUT, answer(503, "busy"))
        )

    def after(self, _request: Request) -> Answer | None:
        """Break off although the text is taken."""
        if self._chance.random() > 0.06:
            return None
        return self._chance.choice((Behaviour.CUT, Behaviour.HALF, answer(500), Behaviour.RESET))

    def late(self) -> float:
        return self._chance.uniform(0, 0.06)


@dataclass(frozen=True)
class Text:
    """One text, as the database has it."""

    state: State
    asked_again: bool  #: the gateway will be asked what became of it
    detail: str


@dataclass
class Storm:
    """The office, those who call it, and what is counted."""

    office: Office
    pbx: RecordedPbx
    callers: Callers
    chance: random.Random
    kills: int = 0
    unknown_at_start: int = 0
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def database(self) -> Path:
        return self.office.folder / "bridge.db"

    async def start(self, **options: Any) -> Service:
        options["seconds"] = SHORT | options.get("seconds", {})
        return await self.office.start(**options)

    async def killed_soon(self) -> None:
        """Start the service and kill it at some instant: while it starts, or under load."""
        service = await self.start()
        when = self.chance.random()
        if when < 0.15:
            await service.ends_within(self.chance.uniform(0, 0.6))
        elif when < 0.4:
            await service.told("pbx_up")
            await service.ends_within(self.chance.uniform(0, 0.3))
        else:
            # However slow the machine is: some have gone out by then.
            await service.told("message_accepted", times=self.chance.randint(1, 3))
            await service.ends_within(self.chance.uniform(0, 0.1))
        service.signal(signal.SIGKILL)
        assert await service.ended(PATIENCE) == -signal.SIGKILL, service.raw
        self.kills += 1
        self.note(service)

    def note(self, service: Service) -> None:
        """Count what one run of the service has logged."""
        for entry in service.log:
            self.notes[entry["event"]] += 1
            if entry["event"] == "messages_of_unknown_fate_at_start":
                self.unknown_at_start += entry["count"]
            if entry["event"] == "bug":
                pytest.fail(json.dumps(entry))
        self.office.services.remove(service)

    async def settle(self) -> None:
        """Let a last run of the service bring everything to its end."""
        service = await self.start()
        await service.told("pbx_up")
        await self.callers.all_end()

        # However much has piled up: as long as it goes on, it is waited for.
        before: dict[str, Text] = {}
        while (texts := self.texts()) != before:
            before = texts
            with suppress(TimeoutError):
                await until(self._all_settled, QUIET)
                break
        assert await service.stops() == 0
        self.note(service)

    def _all_settled(self) -> bool:
        texts = self.texts()
        return set(texts) >= set(self.callers.missed) and not any(
            text.state in _OPEN or text.asked_again for text in texts.values()
        )

    def texts(self) -> dict[str, "Text"]:
        """Give what the database says of each number's text; there is one at most."""
        with closing(self._look()) as db:
            rows = db.execute(
                "SELECT recipient, state, ask_at IS NOT NULL, detail FROM message"
            ).fetchall()
        assert len({row[0] for row in rows}) == len(rows)
        return {to: Text(State(state), bool(asked), detail) for to, state, asked, detail in rows}

    def lost(self) -> dict[str, list[object]]:
        """Give the callers who were missed and have no text, with what is known of their calls."""
        texts = self.texts()
        return self._known([number for number in self.callers.missed if number not in texts])

    def in_vain(self, sent: Iterable[str]) -> dict[str, list[object]]:
        """Give who of these was texted although answered, as `lost` does."""
        return self._known(sorted(set(sent) - set(self.callers.missed)))

    def not_sent(self, sent: Iterable[str]) -> dict[str, "Text"]:
        """Give who has a text that never came to the gateway, and what became of it."""
        return {to: text for to, text in self.texts().items() if to not in set(sent)}

    def _known(self, numbers: Iterable[str]) -> dict[str, list[object]]:
        """Give what the database has of some callers' calls, and then what the PBX wrote down."""
        assert self.pbx.cel is not None
        written = self.pbx.cel.read_text(encoding="utf-8").splitlines()
        with closing(self._look()) as db:
            return {
                number: db.execute(
                    "SELECT call.boot, call_id, disposition, reason, began, answered_at, ended,"
                    " rung, source, decision.at, rule, detail FROM call"
                    " LEFT JOIN decision ON decision.call = call.id WHERE caller_e164 = ?",
                    (number,),
                ).fetchall()
                + [line for line in written if number in line]
                for number in numbers
            }

    def _look(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=PATIENCE)

    def integrity(self) -> list[str]:
        with closing(sqlite3.connect(self.database)) as db:
            found = [row[0] for row in db.execute("PRAGMA integrity_check")]
            return found + [str(row) for row in db.execute("PRAGMA foreign_key_check")]


@asynccontextmanager
async def storm(
    folder: Path, seed: int, *, per_second: float = 6, asks: bool = True
) -> AsyncIterator[Storm]:
    """Open the office and let it be called; `asks` is whether the gateway can be asked."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    moods = Moods(random.Random(seed + 1))  # noqa: S311 - as above
    reply = FakeTwilio(before=moods.before, after=moods.after) if asks else Plain()
    pbx = RecordedPbx(folder / "cel.csv")
    callers = Callers(pbx, random.Random(seed + 2), per_second)  # noqa: S311 - as above
    async with Told(reply, late=moods.late).running() as server, pbx.running():
        office = Office(folder, Pbx(), server)
        made = Storm(office, pbx, callers, chance)
        office.configure(
            pbx=Office.pbx_table("office", pbx),
            gateway=office.twilio() if asks else office.plain(),
            texting='min_ring = "0s"',
        )
        try:
            first = await made.start()  # from here on it knows the PBX
            await first.told("pbx_up")
            assert await first.stops() == 0
            made.note(first)
            yield made
        finally:
            for service in list(office.services):
                await service.close()
