"""The service: everything is made here, wired together, run in one TaskGroup and stopped in order.

Who fails unexpectedly ends the TaskGroup, and with it the process: systemd starts it again, and
nothing that was decided is lost by that.
"""

import asyncio
import os
import random
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from pbx_bridge import logs
from pbx_bridge.alerts.alerter import Alerter, Targets
from pbx_bridge.announcer import Announcer
from pbx_bridge.bookings import Bookings
from pbx_bridge.calendar_feed import NO_CLOSURES, Closures
from pbx_bridge.calendars import Calendars
from pbx_bridge.clock import utc_now
from pbx_bridge.config import Config, ConfigError, Pbx, load
from pbx_bridge.contacts.sync import ContactSync
from pbx_bridge.conversation import Conversation
from pbx_bridge.core.alerting import AlertKind, Pace
from pbx_bridge.core.booking import Office
from pbx_bridge.core.call import Call
from pbx_bridge.core.delivery import AskSchedule
from pbx_bridge.core.happening import NOBODY_LISTENS
from pbx_bridge.core.office import Rules
from pbx_bridge.core.tracker import CallTracker
from pbx_bridge.crm import Lookup
from pbx_bridge.endings import Endings
from pbx_bridge.followup import FollowUp
from pbx_bridge.hooks import HookServer, TakeBooking
from pbx_bridge.intake import Intake
from pbx_bridge.outgoing import Outgoing
from pbx_bridge.ports import Announce, Destination, DestinationProblem, Gateway, GatewayProblem
from pbx_bridge.reminder import Reminder
from pbx_bridge.sender import Sender
from pbx_bridge.sequencer import Sequencer
from pbx_bridge.sources import records
from pbx_bridge.sources.ami.source import AmiSource
from pbx_bridge.store import calls, retention
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem, StoreUnavailable
from pbx_bridge.todo import ToDo
from pbx_bridge.voicemail.collector import Collector

#: SIGTERM has ten seconds in all. So long the requests in hand may take, then the inbox;
DRAIN_SENDING = timedelta(seconds=5)
DRAIN_JUDGING = timedelta(seconds=3)
#: and whoever then still hangs, on a locked database or a dead disk, is left behind.
LAST_EXIT = timedelta(seconds=9.5)
PRUNE_EVERY = timedelta(hours=6)
#: A trunk that brought no call for so long is no longer known as one by experience.
TRUNKS_SINCE = timedelta(days=30)
#: Changed settings of these sections count from the next start.
FIXED_SECTIONS = ("pbx", "database", "hooks", "announce", "contacts", "bookings")

log = structlog.get_logger()


async def run(
    path: Path,
    *,
    asking: AskSchedule | None = None,
    checkpoint: Callable[[str], None] = lambda _name: None,
) -> int:
    """Run the service until SIGTERM or SIGINT; give the exit code.

    `asking` is when to ask gateways about messages of unknown fate. `checkpoint` is told the points
    at which a crash would matter, for tests.

    Raises:
        ConfigError: the configuration is wrong; nothing was started.

    """
    config = load(path)
    logs.configure(config.logging.level, config.logging.format)
    with _signals() as (stop, reload):
        try:
            async with AsyncExitStack() as stack:
                db = await stack.enter_async_context(Database.open(config.database.path))
                trackers = {pbx.name: await _tracker(db, pbx) for pbx in config.pbx}
                service = Service(path, config, db, trackers, stack, asking, checkpoint)
                await service.run(stop, reload)
        except Exception as error:  # noqa: BLE001 - the end of the program: nothing is swallowed
            _tell_end(error)
            return 1
    log.info("stopped")
    return 0


@contextmanager
def _signals() -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """Turn signals into events: to stop, and to read the configuration again."""
    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    exits: list[asyncio.TimerHandle] = []

    def stopping() -> None:
        stop.set()
        if not exits:
            exits.append(loop.call_later(LAST_EXIT.total_seconds(), _exit))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    try:
        yield stop, reload
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
        for timer in exits:
            timer.cancel()


def _exit() -> None:
    """Leave at once: like a crash, for which everything is prepared, only announced."""
    log.critical("stopped_by_force", problem="something did not end in time, perhaps the disk")
    os._exit(1)


def _tell_end(error: Exception) -> None:
    """Log why the service ends: one line for what can be mended outside, a traceback for a bug."""
    causes = _leaves(error)
    kinds = {
        StoreProblem: "database_unusable",
        GatewayProblem: "gateway_unusable",
        DestinationProblem: "destination_unusable",
    }
    if not all(isinstance(cause, tuple(kinds)) for cause in causes):
        log.critical("bug", exc_info=error)
        return
    for cause in causes:
        kind = next(name for of, name in kinds.items() if isinstance(cause, of))
        log.critical(kind, problem=str(cause))


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


class Service:
    """What runs between start and stop."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything from outside is passed in
        self,
        path: Path,
        config: Config,
        db: Database,
        trackers: Mapping[str, CallTracker],
        stack: AsyncExitStack,
        asking: AskSchedule | None,
        checkpoint: Callable[[str], None],
    ) -> None:
        self._path = path
        self._started_with = config
        self._config = config
        self._db = db
        self._stack = stack
        self._pbxs = {
            pbx.name: AmiSource(pbx.access(), pbx.inbound(), now=utc_now, chance=random.random)
            for pbx in config.pbx
        }
        self._gateways: dict[str, Gateway] = {}
        self._gateways_changed = asyncio.Event()
        self._destinations: dict[str, Destination] = {}

        self._announcer = _announcer(config)
        self._collector = Collector(db, config.collecting(), now=utc_now, raised=self._wake_alerter)
        self._alerter = Alerter(
            db,
            _targets(config, self._gateways),
            now=utc_now,
            recordings=self._collector.attachments,
        )
        self._contacts = ContactSync(
            db,
            [source.source(config.office.country) for source in config.contacts.sources],
            now=utc_now,
        )
        self._outgoing = Outgoing(
            db,
            now=utc_now,
            jitter=random.random,
            checkpoint=checkpoint,
            raised=self._alerter.wake,
        )
        announce: Announce = self._announcer.announce if self._announcer else lambda _: None

        def new_key() -> str:
            return uuid.uuid4().hex

        self._followup = FollowUp(
            db,
            trackers,
            config.rules(),
            now=utc_now,
            new_key=new_key,
            wake=self._wake,
            recover=self._recover,
            raised=self._raised,
            planned=self._plan,
            told=self._outgoing.wake,
            caller=self._caller,
            announce=announce,
            checkpoint=checkpoint,
        )
        self._sequencer = Sequencer(db, self._followup.do_due, now=utc_now, done=self._stepped)
        self._sender = Sender(
            db,
            self._gateways,
            now=utc_now,
            jitter=random.random,
            recheck=self._followup.recheck,
            asking=asking,
            terms=config.terms(),
            checkpoint=checkpoint,
            announce=announce,
            raised=self._alerter.wake,
            happened=self._outgoing.wake,
        )
        self._conversation = Conversation(
            config.rules(), new_key, self._answers_itself, config.spending.currency
        )
        self._intake = Intake(
            db,
            self._conversation,
            now=utc_now,
            wake=self._wake,
            raised=self._alerter.wake,
            announce=announce,
            happened=self._outgoing.wake,
        )
        self._endings = Endings(new_key, NOBODY_LISTENS)
        self._reminder = Reminder(
            db,
            config.reminding(config.opening_hours().office.opens_on),
            now=utc_now,
            raised=self._alerter.wake,
            queued=self._wake,
            expired=self._endings.tell_closed,
        )
        self._crm = Lookup(db, now=utc_now)
        self._closures = NO_CLOSURES
        self._calendars = Calendars(
            db, config.feeds(), now=utc_now, chance=random.random, changed=self._closed
        )
        self._set_what_staff_are_told(config)

    async def run(self, stop: asyncio.Event, reload: asyncio.Event) -> None:
        """Watch and send until `stop`; read the configuration again at each `reload`."""
        self._gateways.update(await self._opened(self._config))
        self._tell_of_events_to(await self._opened_destinations(self._config))
        await self._receive_hooks()
        _work_out_hours(self._followup.rules)
        log.info(
            "started",
            config=str(self._path),
            pbxs=[pbx.name for pbx in self._config.pbx],
            gateways=self._config.texting.gateways,
            mode=_mode(self._config),
        )
        async with asyncio.TaskGroup() as tasks:
            watching = [
                tasks.create_task(pbx.run(self._followup.emit_for(name)), name=f"pbx-{name}")
                for name, pbx in self._pbxs.items()
            ]
            helping = [
                tasks.create_task(self._followup.heartbeat(), name="heartbeat"),
                tasks.create_task(self._followup.recover_gaps(), name="recovery"),
                tasks.create_task(self._sequencer.run(), name="sequencer"),
                tasks.create_task(self._prune(), name="retention"),
                tasks.create_task(self._contacts.run(), name="contacts"),
                tasks.create_task(self._calendars.run(), name="calendars"),
                tasks.create_task(self._reminder.run(), name="reminder"),
                tasks.create_task(self._crm.run(), name="crm"),
                tasks.create_task(self._collector.run(), name="collector"),
                tasks.create_task(self._reload(reload), name="reload"),
            ]
            # What is in hand may still need these.
            last = [
                tasks.create_task(
                    self._intake.listen(self._gateways, self._gateways_changed), name="intake"
                ),
                tasks.create_task(self._alerter.run(), name="alerter"),
            ]
            tasks.create_task(self._outgoing.run(), name="outgoing")
            if self._announcer is not None:
                last.append(tasks.create_task(self._announcer.run(), name="announcer"))
            judging = tasks.create_task(self._followup.watch(), name="followup")
            tasks.create_task(self._sender.run(), name="sender")
            await stop.wait()
            log.info("stopping")
            for task in helping:
                task.cancel()
            # First what is in hand: it may go out through a PBX.
            sent, _ = await asyncio.gather(
                self._sender.drain(DRAIN_SENDING), self._outgoing.drain(DRAIN_SENDING)
            )
            for task in watching:
                task.cancel()
            # The sources have told that they see no more; that is judged, then, with the rest.
            await asyncio.wait(watching)
            judged = await self._followup.drain(DRAIN_JUDGING)
            for task in (judging, *last):
                task.cancel()  # of no effect on one that is done
            if not judged:
                log.warning("stopped_while_judging")
            if not sent:
                log.warning("stopped_while_sending")

    async def _receive_hooks(self) -> None:
        hooks = self._config.hooks
        if hooks is None:
            return
        server = HookServer(
            hooks.settings(), self._gateways, self._intake.take, self._booking_tool()
        )
        try:
            await self._stack.enter_async_context(server.running())
        except OSError as error:
            raise GatewayProblem(
                f"webhooks cannot be received at {hooks.listen}:{hooks.port}: {error.strerror};"
                " change [hooks] listen or port"
            ) from error

    def _booking_tool(self) -> TakeBooking | None:
        """Give the way in for the tool by which callers book, if there is one."""
        config = self._config
        if config.bookings is None:
            return None
        office = Office(config.office.country, config.own_numbers())
        tool = config.bookings.tool()
        return Bookings(self._db, tool, office, now=utc_now, endings=self._endings).hook

    def _set_what_staff_are_told(self, config: Config) -> None:
        targets = _targets(config, self._gateways)
        self._alerter.targets = targets
        self._followup.tell_missed_calls(wanted=AlertKind.MISSED_CALL in targets.kinds)

    def _tell_of_events_to(self, destinations: dict[str, Destination]) -> None:
        """Tell what happens to these from now on; they are open."""
        self._destinations = destinations
        listeners = self._outgoing.attach(destinations)
        self._sender.listeners = self._conversation.listeners = listeners
        self._followup.listeners = self._endings.listeners = listeners
        self._contacts.listeners = listeners
        self._crm.attach(self._config.crms(destinations))

    def _answers_itself(self, gateway: str) -> bool:
        known = self._gateways.get(gateway)
        return known is not None and known.capabilities.handles_optout

    def _raised(self) -> None:
        """Hear that a call led to an alert, or to a message that was left."""
        self._alerter.wake()
        self._collector.wake()

    def _wake_alerter(self) -> None:
        self._alerter.wake()

    def _wake(self) -> None:
        self._sender.wake()

    def _closed(self, closures: Closures) -> None:
        """Take what calendars say about when nobody is there."""
        self._closures = closures
        self._set_rules(self._config)

    def _set_rules(self, config: Config) -> None:
        rules = config.rules(self._closures)
        _work_out_hours(rules)
        self._followup.rules = self._conversation.rules = rules
        self._reminder.settings = config.reminding(rules.hours.office.opens_on)
        self._reminder.wake()

    def _caller(self, number: str) -> None:
        self._crm.wanted(number)

    def _plan(self) -> None:
        self._sequencer.wake()

    def _stepped(self, todo: ToDo) -> None:
        """Go on with what the steps of follow-ups have left to do."""
        if todo.queued:
            self._sender.wake()
        if todo.raised:
            self._alerter.wake()
        if todo.told:
            self._outgoing.wake()

    async def _opened(self, config: Config) -> dict[str, Gateway]:
        """Open what is configured, but for what is open already.

        An old one stays open until the end, and in use if there is none of its name any more: a
        text may wait for it.
        """
        return {
            name: await self._stack.enter_async_context(
                configured.build(config.surroundings(name, self._pbxs))
            )
            for name, configured in config.gateways.items()
            if name not in self._gateways or configured != self._config.gateways.get(name)
        }

    async def _opened_destinations(self, config: Config) -> dict[str, Destination]:
        """Open what is told what happens, but for what is open already with the same settings."""
        opened: dict[str, Destination] = {}
        for name, destination in config.destinations().items():
            known = self._destinations.get(name)
            if (
                known is not None
                and known.fingerprint
                and known.fingerprint == destination.fingerprint
            ):
                opened[name] = known
            else:
                opened[name] = await self._stack.enter_async_context(destination)
        return opened

    async def _reload(self, reload: asyncio.Event) -> None:
        while True:
            await reload.wait()
            reload.clear()
            try:
                config = load(self._path)
                gateways = await self._opened(config)
                destinations = await self._opened_destinations(config)
            except (ConfigError, GatewayProblem, DestinationProblem) as error:
                log.error("config_kept_old", problem=str(error))  # noqa: TRY400 - no traceback helps
                continue
            self._gateways.update(gateways)
            logs.configure(config.logging.level, config.logging.format)
            self._set_rules(config)
            self._calendars.replace(config.feeds())
            self._conversation.currency = config.spending.currency
            self._sender.terms = config.terms()
            self._set_what_staff_are_told(config)
            self._collector.settings = replace(
                config.collecting(), spools=self._collector.settings.spools
            )
            self._collector.wake()
            self._config = config
            self._tell_of_events_to(destinations)
            self._gateways_changed.set()
            log.info(
                "config_reloaded",
                mode=_mode(config),
                needs_restart=[
                    section
                    for section in FIXED_SECTIONS
                    if getattr(config, section) != getattr(self._started_with, section)
                ],
            )
            self._sender.wake()
            self._sequencer.wake()

    async def _prune(self) -> None:
        """Forget what is older than the configuration says."""
        while True:
            keep = retention.Retention(**self._config.retention.in_days())
            removed = 0
            try:
                while batch := await self._db.run(
                    partial(retention.prune, now=utc_now(), keep=keep)
                ):
                    removed += batch
            except StoreUnavailable as problem:
                log.error("prune_waits_for_database", problem=str(problem))  # noqa: TRY400
            if removed:
                log.info("pruned", rows=removed)
            await asyncio.sleep(PRUNE_EVERY.total_seconds())

    async def _recover(self, pbx_name: str, since: datetime) -> list[Call]:
        config = self._started_with  # a PBX may be gone from the new one
        pbx = next(pbx for pbx in config.pbx if pbx.name == pbx_name)
        return await records.read(pbx.record_files(config.office.timezone), pbx.inbound(), since)


def _targets(config: Config, gateways: Mapping[str, Gateway]) -> Targets:
    """Give whom to tell of what; without [alerts] nobody of anything."""
    office, zone = config.office.name, config.office.timezone
    if config.alerts is not None:
        return config.alerts.targets(office, zone, gateways)
    return Targets(
        office=office, zone=zone, everyday=(), on_call=(), kinds=frozenset(), pace=Pace()
    )


def _work_out_hours(rules: Rules) -> None:
    """Have this year's hours worked out now: the first call would wait a fifth of a second."""
    for schedule in (rules.hours.office, *rules.hours.lines.values()):
        schedule.is_open(utc_now())


def _announcer(config: Config) -> Announcer | None:
    settings = config.announce
    if settings is None:
        return None
    return Announcer(settings, prefix=settings.prefix, bodies=settings.bodies, chance=random.random)


async def _tracker(db: Database, pbx: Pbx) -> CallTracker:
    """Make a tracker that knows the trunks of the last weeks."""
    since = utc_now() - TRUNKS_SINCE
    return CallTracker(pbx.inbound(), await db.read(lambda tx: calls.trunks(tx, pbx.name, since)))


def _mode(config: Config) -> str:
    return "live" if config.texting.enabled else "shadow: nothing is sent"
