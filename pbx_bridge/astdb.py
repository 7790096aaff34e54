"""Keeps what the dialplan reads of us in the AstDB of each PBX (asterisk-conf/snippets).

What an AstDB is to hold follows from the calls that stand in our database, and what it does hold is
written down there too: so a restart, a PBX that is away, and a call that was found out later all
come to the same. Judging a call never waits for any of it.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from pbx_bridge.core import astdb
from pbx_bridge.core.astdb import Keeping, Key, Seen
from pbx_bridge.core.office import Rules
from pbx_bridge.ports import Clock, Pbx, PbxRefused, PbxSilent, PbxUnreachable
from pbx_bridge.store import astdb as stored
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable

#: What has expired is looked for this often, and a PBX that was away is tried again.
LOOK_EVERY = timedelta(seconds=20)
#: In a flood of calls they are looked at together,
GATHER = timedelta(seconds=0.5)
#: and of all time no more than this share goes into looking.
SHARE = 0.1
#: Changes that are confirmed in one transaction.
AT_ONCE = 50

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kept:
    """One PBX whose AstDB is kept. With nothing to keep, what was put there is taken back."""

    pbx: Pbx
    keeping: Keeping


class AstDb:
    """The loop that keeps them, by the rules in force."""

    def __init__(self, db: Database, kept: Mapping[str, Kept], rules: Rules, *, now: Clock) -> None:
        self.rules = rules  #: replaced as a whole when the configuration is read again
        self._db = db
        self._kept = dict(kept)
        self._now = now
        self._woken = asyncio.Event()
        self._problems: dict[str, str] = {}

    def wake(self) -> None:
        """Look now: something happened."""
        self._woken.set()

    async def run(self) -> None:
        """Keep them, for ever; without any there is nothing to do."""
        if not self._kept:
            return
        begun, tick = False, asyncio.get_running_loop().time
        while True:
            self._woken.clear()
            began = tick()
            try:
                if not begun:
                    await self._db.run(partial(stored.put_all_again, pbxs=self._kept))
                    begun = True
                await self.look()
            except StoreUnavailable as problem:
                log.error("astdb_waits_for_database", problem=str(problem))  # noqa: TRY400
            await self._wait((tick() - began) / SHARE)

    async def look(self) -> None:
        """Work out what is to change, write it down, and have each PBX do it."""
        seen = await self._seen()
        for name, kept in self._kept.items():
            held = await self._db.read(partial(stored.held, pbx=name))
            changes = astdb.difference(held, await asyncio.to_thread(self._wanted, name, seen))
            if changes:
                now = self._now()
                await self._db.run(partial(stored.want, pbx=name, changes=changes, now=now))
            to_do = await self._db.read(partial(stored.to_do, pbx=name))
            await self._change(name, kept.pbx, to_do)

    async def _seen(self) -> Seen:
        keeping = [kept.keeping for kept in self._kept.values() if kept.keeping]
        if not keeping:
            return Seen()
        since = self._now() - max(one.keep for one in keeping)
        long_enough = self.rules.min_conversation
        return await self._db.read(partial(stored.seen, since=since, long_enough=long_enough))

    def _wanted(self, name: str, seen: Seen) -> dict[Key, str]:
        rules = self.rules
        return astdb.entries(
            name,
            self._kept[name].keeping,
            seen,
            self._now(),
            nobody=rules.own_numbers | rules.blocked_numbers,
            texts=not rules.shadow,
        )

    async def _change(self, name: str, pbx: Pbx, changes: Mapping[Key, str]) -> None:
        """Have a PBX change its AstDB as far as it does; the rest waits for the next look."""
        waiting = list(changes.items())
        while waiting:
            part, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
            done: dict[Key, str] = {}
            try:
                await self._act(pbx, part, done)
            except (PbxRefused, PbxSilent, PbxUnreachable) as problem:
                waiting = []
                self._tell(name, _in_words(problem))
            else:
                self._tell(name, "")
            if done:
                now = self._now()
                await self._db.run(partial(stored.done, pbx=name, changes=done, now=now))

    @staticmethod
    async def _act(pbx: Pbx, changes: Iterable[tuple[Key, str]], done: dict[Key, str]) -> None:
        for (family, key), value in changes:
            action = {"Family": family, "Key": key}
            if value:
                await pbx.act({"Action": "DBPut", **action, "Val": value})
            else:
                try:
                    await pbx.act({"Action": "DBDel", **action})
                except PbxRefused as refusal:
                    if "not found" not in str(refusal):  # it is gone already
                        raise
            done[family, key] = value

    def _tell(self, name: str, problem: str) -> None:
        """Log what is wrong once, and that it is mended."""
        before = self._problems.get(name, "")
        self._problems[name] = problem
        if problem and problem != before:
            log.error("astdb_not_written", pbx=name, problem=problem)
        elif before and not problem:
            log.info("astdb_written_again", pbx=name)

    async def _wait(self, at_least: float) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY.total_seconds()):
                await self._woken.wait()
        except TimeoutError:
            return
        await asyncio.sleep(max(GATHER.total_seconds(), min(at_least, LOOK_EVERY.total_seconds())))


def _in_words(problem: PbxRefused | PbxSilent | PbxUnreachable) -> str:
    if isinstance(problem, PbxRefused) and "ermission" in str(problem):
        return (
            "the account of [pbx.control] may not write AstDB: add `system` to its write= in"
            " manager.conf, then `manager reload`"
        )
    return str(problem)
