"""The service: everything is made here, wired together, run in one TaskGroup and stopped in order.

Who fails unexpectedly ends the TaskGroup, and with it the process: systemd starts it again, and
nothing that was decided is lost by that.
"""

import asyncio
import random
import signal
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from pbx_bridge import logs
from pbx_bridge.clock import utc_now
from pbx_bridge.config import Config, ConfigError, load
from pbx_bridge.core.call import Call
from pbx_bridge.core.tracker import CallTracker
from pbx_bridge.followup import FollowUp
from pbx_bridge.ports import Emit, Gateway, Source
from pbx_bridge.sender import Sender
from pbx_bridge.sources import records
from pbx_bridge.sources.ami.source import AmiSource
from pbx_bridge.store import retention
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem

#: SIGTERM has ten seconds in all; the rest is for the inbox and the database.
DRAIN = timedelta(seconds=8)
PRUNE_EVERY = timedelta(hours=6)

log = structlog.get_logger()


async def run(
    path: Path,
    *,
    checkpoint: Callable[[str], None] = lambda _name: None,
) -> int:
    """Run the service until SIGTERM or SIGINT; give the exit code.

    `checkpoint` is told the points at which a crash would matter, for tests.

    Raises:
        ConfigError: the configuration is wrong; nothing was started.

    """
    config = load(path)
    logs.configure(config.logging.level, config.logging.format)
    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    try:
        async with AsyncExitStack() as stack:
            db = await stack.enter_async_context(Database.open(config.database.path))
            service = Service(path, config, db, stack, checkpoint)
            await service.run(stop, reload)
    except StoreProblem as problem:
        log.critical("database_unusable", problem=str(problem))
        return 1
    log.info("stopped")
    return 0


class Service:
    """What runs between start and stop."""

    def __init__(
        self,
        path: Path,
        config: Config,
        db: Database,
        stack: AsyncExitStack,
        checkpoint: Callable[[str], None],
    ) -> None:
        self._path = path
        self._config = config
        self._db = db
        self._stack = stack
        self._gateways: dict[str, Gateway] = {}
        self._followup = FollowUp(
            db,
            {pbx.name: CallTracker(pbx.inbound()) for pbx in config.pbx},
            config.rules(),
            now=utc_now,
            new_key=lambda: uuid.uuid4().hex,
            wake=self._wake,
            recover=self._recover,
            checkpoint=checkpoint,
        )
        self._sender = Sender(
            db,
            self._gateways,
            now=utc_now,
            jitter=random.random,
            recheck=self._followup.recheck,
            checkpoint=checkpoint,
        )

    async def run(self, stop: asyncio.Event, reload: asyncio.Event) -> None:
        """Watch and send until `stop`; read the configuration again at each `reload`."""
        await self._open_gateways(self._config)
        log.info(
            "started",
            config=str(self._path),
            pbxs=[pbx.name for pbx in self._config.pbx],
            gateway=self._config.texting.gateway,
            mode="live" if self._config.texting.enabled else "shadow: nothing is sent",
        )
        async with asyncio.TaskGroup() as tasks:
            watching = [
                tasks.create_task(source.run(emit), name=f"pbx-{name}")
                for name, source, emit in self._sources()
            ]
            helping = [
                tasks.create_task(self._followup.watch(), name="followup"),
                tasks.create_task(self._followup.heartbeat(), name="heartbeat"),
                tasks.create_task(self._followup.recover_gaps(), name="recovery"),
                tasks.create_task(self._prune(), name="retention"),
                tasks.create_task(self._reload(reload), name="reload"),
            ]
            tasks.create_task(self._sender.run(), name="sender")
            await stop.wait()
            log.info("stopping")
            for task in watching:
                task.cancel()
            await asyncio.wait(watching)
            for task in helping:
                task.cancel()
            await asyncio.wait(helping)
            await self._followup.drain()
            if not await self._sender.drain(DRAIN):
                log.warning("stopped_while_sending")

    def _sources(self) -> list[tuple[str, Source, Emit]]:
        return [
            (
                pbx.name,
                AmiSource(pbx.access(), pbx.inbound(), now=utc_now, chance=random.random),
                self._followup.emit_for(pbx.name),
            )
            for pbx in self._config.pbx
        ]

    def _wake(self) -> None:
        self._sender.wake()

    async def _open_gateways(self, config: Config) -> None:
        """Open what is configured. The old ones stay open until the end: a text may be in them."""
        for name, configured in config.gateways.items():
            self._gateways[name] = await self._stack.enter_async_context(configured.build())

    async def _reload(self, reload: asyncio.Event) -> None:
        while True:
            await reload.wait()
            reload.clear()
            try:
                config = load(self._path)
            except ConfigError as error:
                log.error("config_kept_old", problem=str(error))  # noqa: TRY400 - no traceback helps
                continue
            fixed = [
                section
                for section in ("pbx", "database")
                if getattr(config, section) != getattr(self._config, section)
            ]
            await self._open_gateways(config)
            logs.configure(config.logging.level, config.logging.format)
            self._followup.rules = config.rules()
            self._config = config
            log.info(
                "config_reloaded",
                mode="live" if config.texting.enabled else "shadow: nothing is sent",
                needs_restart=fixed,
            )

    async def _prune(self) -> None:
        """Forget what is older than the configuration says."""
        while True:
            keep = retention.Retention(**self._config.retention.in_days())
            removed = 0
            while batch := await self._db.run(partial(retention.prune, now=utc_now(), keep=keep)):
                removed += batch
            if removed:
                log.info("pruned", rows=removed)
            await asyncio.sleep(PRUNE_EVERY.total_seconds())

    async def _recover(self, pbx_name: str, since: datetime) -> list[Call]:
        pbx = next(pbx for pbx in self._config.pbx if pbx.name == pbx_name)
        return await records.read(
            pbx.record_files(self._config.office.timezone), pbx.inbound(), since
        )
