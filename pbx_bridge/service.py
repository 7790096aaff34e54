"""The service: all parts wired together, run in one TaskGroup and stopped in order.

Who fails unexpectedly ends the TaskGroup, and with it the process: systemd starts it again, and
nothing that was decided is lost by that.
"""

import asyncio
import errno
import random
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from pbx_bridge import logs
from pbx_bridge.alerts.alerter import Alerter
from pbx_bridge.astdb import AstDb, Kept
from pbx_bridge.backups import Backups
from pbx_bridge.bookings import Bookings
from pbx_bridge.calendar_feed import NO_CLOSURES, Closures
from pbx_bridge.calendars import Calendars
from pbx_bridge.call_back import CallBacks
from pbx_bridge.config import Config, ConfigError, load
from pbx_bridge.contacts.sync import ContactSync
from pbx_bridge.conversation import Conversation
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.booking import Office
from pbx_bridge.core.call import Call
from pbx_bridge.core.delivery import AskSchedule
from pbx_bridge.core.happening import NOBODY_LISTENS
from pbx_bridge.core.tracker import CallTracker
from pbx_bridge.crm import Lookup
from pbx_bridge.endings import Endings
from pbx_bridge.followup import FollowUp
from pbx_bridge.hooks import HookServer, TakeBooking
from pbx_bridge.intake import Intake
from pbx_bridge.ladder import Ladders
from pbx_bridge.metrics import Metrics
from pbx_bridge.outgoing import Outgoing
from pbx_bridge.parts import announcer, backup_schedule, controls, targets, work_out_hours
from pbx_bridge.ports import (
    Announce,
    Destination,
    DestinationProblem,
    Emit,
    Gateway,
    GatewayProblem,
)
from pbx_bridge.presses import Presses
from pbx_bridge.reminder import Reminder
from pbx_bridge.sender import Sender
from pbx_bridge.sequencer import Sequencer
from pbx_bridge.sources import records
from pbx_bridge.sources.ami.source import AmiSource
from pbx_bridge.store import retention
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.timekeeping import Timekeeper
from pbx_bridge.todo import ToDo
from pbx_bridge.voicemail.collector import Collector
from pbx_bridge.watchdog import Watchdog, Watched
from pbx_bridge.web.changes import Changes, Topic

if TYPE_CHECKING:
    from pbx_bridge.web.frame import Inside

#: SIGTERM has ten seconds in all (`app.LAST_EXIT`). So long the requests in hand may take,
DRAIN_SENDING = timedelta(seconds=5)
#: then the inbox.
DRAIN_JUDGING = timedelta(seconds=3)
PRUNE_EVERY = timedelta(hours=6)
#: Changed settings of these sections count from the next start.
FIXED_SECTIONS = ("pbx", "database", "hooks", "web", "announce", "contacts", "bookings")

log = structlog.get_logger()


class CannotListen(Exception):  # noqa: N818 - it is a problem report, not a program error
    """An address of ours is taken, or none of this machine's; the text says what to change."""


class Service:
    """What runs between start and stop."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything from outside is passed in
        self,
        path: Path,
        config: Config,
        db: Database,
        trackers: Mapping[str, CallTracker],
        stack: AsyncExitStack,
        watchdog: Watchdog,
        clock: Timekeeper,
        asking: AskSchedule | None,
        checkpoint: Callable[[str], None],
    ) -> None:
        self._path = path
        self._started_with = config
        self._config = config
        self._db = db
        self._stack = stack
        self._watchdog = watchdog
        self._clock = clock
        self._pbxs = {
            pbx.name: AmiSource(pbx.access(), pbx.inbound(), now=clock.now, chance=random.random)
            for pbx in config.pbx
        }
        self._controls = controls(config, stack)
        self._metrics = Metrics()
        self._gateways: dict[str, Gateway] = {}
        self._gateways_changed = asyncio.Event()
        self._reading = asyncio.Lock()
        self._destinations: dict[str, Destination] = {}

        self._announcer = announcer(config)
        self._collector = Collector(
            db, config.collecting(), now=clock.now, raised=self._wake_alerter
        )
        self._alerter = Alerter(
            db,
            targets(config, self._gateways),
            now=clock.now,
            recordings=self._collector.attachments,
        )
        self._contacts = ContactSync(
            db,
            [source.source(config.office.country) for source in config.contacts.sources],
            now=clock.now,
        )
        self._outgoing = Outgoing(
            db,
            now=clock.now,
            jitter=random.random,
            checkpoint=checkpoint,
            raised=self._alerter.wake,
        )
        self._changes = Changes(_new_key())
        self._changes.watch(Topic.HEALTH, self._standing)
        db.hear(self._changes.wrote)
        announce: Announce = self._announcer.announce if self._announcer else lambda _: None

        self._followup = FollowUp(
            db,
            trackers,
            config.rules(),
            now=clock.now,
            new_key=_new_key,
            wake=self._wake,
            recover=self._recover,
            raised=self._raised,
            planned=self._plan,
            told=self._outgoing.wake,
            caller=self._caller,
            recorded=self._wake_astdb,
            seen=partial(self._changes.hint, Topic.CALLS),
            announce=announce,
            checkpoint=checkpoint,
        )
        self._changes.watch(Topic.CALLS, self._followup.board)
        self._sequencer = Sequencer(db, self._followup.do_due, now=clock.now, done=self._stepped)
        self._sender = Sender(
            db,
            self._gateways,
            now=clock.now,
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
            config.rules(), _new_key, self._answers_itself, config.spending.currency
        )
        self._intake = Intake(
            db,
            self._conversation,
            now=clock.now,
            wake=self._wake,
            raised=self._wake_alerter,
            announce=announce,
            happened=self._outgoing.wake,
        )
        self._endings = Endings(_new_key, NOBODY_LISTENS)
        self._ladders = Ladders(
            db,
            config.phoning(),
            config.rules(),
            controls=self._controls,
            watched=self._pbxs,
            now=clock.now,
            new_key=_new_key,
            queued=self._wake,
            raised=self._alerter.wake,
            checkpoint=checkpoint,
        )
        self._call_backs = CallBacks(
            db,
            config.calling_back(),
            config.rules(),
            controls=self._controls,
            now=clock.now,
            new_key=_new_key,
            checkpoint=checkpoint,
        )
        self._reminder = Reminder(
            db,
            config.reminding(config.opening_hours().office.opens_on),
            now=clock.now,
            raised=self._alerter.wake,
            queued=self._wake,
            expired=self._endings.tell_closed,
        )
        self._presses = Presses(
            db,
            config.rules(),
            self._endings,
            now=clock.now,
            raised=self._wake_alerter,
            ended=self._outgoing.wake,
        )
        for pbx in config.pbx:
            if pbx.dialplan.consent:
                self._pbxs[pbx.name].hear("UserEvent", self._presses.listener(pbx.name))
        self._astdb = AstDb(
            db,
            {
                pbx.name: Kept(self._controls[pbx.name], pbx.dialplan.keeping())
                for pbx in config.pbx
                if pbx.name in self._controls
            },
            config.rules(),
            now=clock.now,
        )
        self._crm = Lookup(db, now=clock.now)
        self._backups = Backups(
            db, backup_schedule(config), now=clock.now, raised=self._alerter.wake
        )
        self._closures = NO_CLOSURES
        self._calendars = Calendars(
            db, config.feeds(), now=clock.now, chance=random.random, changed=self._closed
        )
        self._set_what_staff_are_told(config)

    async def run(self, stop: asyncio.Event, reload: asyncio.Event) -> None:
        """Watch and send until `stop`; read the configuration again at each `reload`."""
        await self._metrics.begin(self._db)
        self._gateways.update(await self._opened(self._config))
        self._tell_of_events_to(await self._opened_destinations(self._config))
        await self._call_backs.resume()
        await self._open_ways_in()
        work_out_hours(self._followup.rules, self._clock.now())
        log.info(
            "started",
            config=str(self._path),
            pbxs=[pbx.name for pbx in self._config.pbx],
            gateways=self._config.texting.gateways,
            mode=_mode(self._config),
        )
        async with asyncio.TaskGroup() as tasks:
            watching = [
                tasks.create_task(pbx.run(self._told_by(name)), name=f"pbx-{name}")
                for name, pbx in self._pbxs.items()
            ]
            helping = [
                tasks.create_task(self._keep_time(), name="clock"),
                tasks.create_task(self._followup.heartbeat(), name="heartbeat"),
                tasks.create_task(self._followup.recover_gaps(), name="recovery"),
                tasks.create_task(self._sequencer.run(), name="sequencer"),
                tasks.create_task(self._prune(), name="retention"),
                tasks.create_task(self._contacts.run(), name="contacts"),
                tasks.create_task(self._calendars.run(), name="calendars"),
                tasks.create_task(self._reminder.run(), name="reminder"),
                tasks.create_task(self._ladders.run(), name="ladder"),
                tasks.create_task(self._call_backs.run(), name="call-backs"),
                tasks.create_task(self._crm.run(), name="crm"),
                tasks.create_task(self._astdb.run(), name="astdb"),
                tasks.create_task(self._collector.run(), name="collector"),
                tasks.create_task(self._backups.run(), name="backups"),
                tasks.create_task(self._changes.look_around(self._db), name="changes"),
                tasks.create_task(self._reload(reload), name="reload"),
            ]
            # What is in hand may still need these.
            last = [
                tasks.create_task(
                    self._intake.listen(self._gateways, self._gateways_changed), name="intake"
                ),
                tasks.create_task(self._alerter.run(), name="alerter"),
            ]
            last.append(tasks.create_task(self._presses.run(), name="presses"))
            telling = tasks.create_task(self._outgoing.run(), name="outgoing")
            if self._announcer is not None:
                last.append(tasks.create_task(self._announcer.run(), name="announcer"))
            judging = tasks.create_task(self._followup.watch(), name="followup")
            sending = tasks.create_task(self._sender.run(), name="sender")
            self._watchdog.started(self._watched([*watching, telling, judging, sending]))
            await stop.wait()
            log.info("stopping")
            self._watchdog.stopping()
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

    def _standing(self) -> object:
        """Tell how the service stands, without what changes all the time: ages, counts."""
        return [(one.what, one.state) for one in self._watchdog.verdict().findings]

    def _told_by(self, pbx: str) -> Emit:
        """Give what a PBX's events are told to."""
        return self._call_backs.emit_for(pbx, self._followup.emit_for(pbx))

    def _watched(self, tasks: Sequence["asyncio.Task[None]"]) -> Watched:
        """Tell the watchdog where to look."""
        return Watched(
            database=self._db,
            pbxs=[pbx.facts for pbx in self._pbxs.values()],
            sender=self._sender.facts,
            unjudged=lambda: self._followup.unjudged,
            mode=lambda: _mode(self._config),
            tasks=tasks,
        )

    async def _open_ways_in(self) -> None:
        """Serve the page, and where gateways call; on one port if both are to have the same."""
        page, hooks = self._config.web, self._config.hooks
        receiving = self._hook_server()
        together = (
            page is not None
            and hooks is not None
            and (page.listen, page.port) == (hooks.listen, hooks.port)
        )
        if page is not None:
            # Templates, languages, views: who has no page starts sooner without them.
            from pbx_bridge.web.access.console import greet  # noqa: PLC0415
            from pbx_bridge.web.opening import page_server  # noqa: PLC0415

            server = page_server(page, self._inside(), receiving if together else None)
            await self._listen(server.running(), f"[web]: {page.listen}:{page.port}")
            await greet(self._db, page.url, self._clock.now(), sys.stdout)
        if hooks is not None and receiving is not None and not together:
            await self._listen(receiving.running(), f"[hooks]: {hooks.listen}:{hooks.port}")

    async def _listen(self, server: AbstractAsyncContextManager[object], where: str) -> None:
        try:
            await self._stack.enter_async_context(server)
        except OSError as error:
            raise CannotListen(
                f"{where} cannot be listened on: {error.strerror}; {_way_out(error)}"
            ) from error

    def _hook_server(self) -> HookServer | None:
        hooks = self._config.hooks
        if hooks is None:
            return None
        return HookServer(hooks.settings(), self._gateways, self._intake.take, self._booking_tool())

    def _inside(self) -> "Inside":
        """Give what the page sees of us, and may ask."""
        from pbx_bridge.web.frame import Inside  # noqa: PLC0415 - as above

        return Inside(
            db=self._db,
            config=lambda: self._config,
            config_path=self._path,
            rules=lambda: self._followup.rules,
            now=self._clock.now,
            new_key=_new_key,
            verdict=self._watchdog.verdict,
            facts=self._watchdog.facts,
            metrics=self._metrics,
            endings=self._endings,
            board=self._followup.board,
            changes=self._changes,
            call_backs=self._call_backs,
            reload=self.read_again,
            queued=self._wake,
            told=self._outgoing.wake,
        )

    def _booking_tool(self) -> TakeBooking | None:
        """Give the way in for the tool by which callers book, if there is one."""
        config = self._config
        if config.bookings is None:
            return None
        office = Office(config.office.country, config.own_numbers())
        tool = config.bookings.tool()
        return Bookings(self._db, tool, office, now=self._clock.now, endings=self._endings).hook

    def _set_what_staff_are_told(self, config: Config) -> None:
        told = targets(config, self._gateways)
        self._alerter.targets = told
        self._ladders.settings, self._conversation.urgency = config.phoning(), config.urgency()
        self._followup.phone_because_of(config.urgency())
        self._ladders.wake()
        self._followup.tell_missed_calls(wanted=AlertKind.MISSED_CALL in told.kinds)

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
        self._wake_alerter()
        self._collector.wake()

    def _wake_alerter(self) -> None:
        self._alerter.wake()
        self._ladders.wake()

    def _wake_astdb(self) -> None:
        self._astdb.wake()

    def _wake(self) -> None:
        self._sender.wake()

    def _closed(self, closures: Closures) -> None:
        """Take what calendars say about when nobody is there."""
        self._closures = closures
        self._set_rules(self._config)

    def _set_rules(self, config: Config) -> None:
        rules = config.rules(self._closures)
        work_out_hours(rules, self._clock.now())
        self._followup.rules = self._conversation.rules = self._ladders.rules = rules
        self._presses.rules = self._astdb.rules = rules
        self._call_backs.rules = rules
        self._astdb.wake()
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
                configured.build(config.surroundings(name, self._pbxs, now=self._clock.now))
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
            await self.read_again()

    async def read_again(self) -> str:
        """Read the configuration again, and go by it if there is no mistake in it.

        Gives what is wrong with it otherwise, in words; empty if it is in force.
        """
        async with self._reading:  # a signal and the page may ask for it at once
            with self._watchdog.reloading():
                return await self._read_again()

    async def _read_again(self) -> str:
        try:
            config = load(self._path)
            gateways = await self._opened(config)
            destinations = await self._opened_destinations(config)
        except (ConfigError, GatewayProblem, DestinationProblem) as error:
            log.error("config_kept_old", problem=str(error))  # noqa: TRY400 - no traceback helps
            return str(error)
        self._gateways.update(gateways)
        logs.configure(config.logging.level, config.logging.format)
        self._set_rules(config)
        self._calendars.replace(config.feeds())
        self._backups.schedule = backup_schedule(config)
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
        return ""

    async def _keep_time(self) -> None:
        """Have all that waits follow when the clock is set."""
        await self._clock.watch(
            self._db,
            set_by=[
                self._followup.clock_set,
                self._sender.clock_set,
                self._call_backs.clock_set,
                self._alerter.clock_set,
                self._crm.clock_set,
                self._calendars.clock_set,
                self._backups.clock_set,
                self._watchdog.clock_set,
            ],
            wake=self._look_again,
        )

    def _look_again(self) -> None:
        """Have everybody look at what is due."""
        for one in (self._sender, self._sequencer, self._outgoing, self._reminder, self._collector):
            one.wake()
        self._wake_alerter()
        self._wake_astdb()
        work_out_hours(self._followup.rules, self._clock.now())

    async def _prune(self) -> None:
        """Forget what is older than the configuration says."""
        while True:
            keep = retention.Retention(**self._config.retention.in_days())
            removed = 0
            try:
                while batch := await self._db.run(
                    partial(retention.prune, now=self._clock.now(), keep=keep)
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
        files = pbx.record_files(config.office.timezone)
        found = await records.read(files, pbx.inbound(), since)
        return [self._clock.dated(call) for call in found]


def _way_out(error: OSError) -> str:
    if error.errno in {errno.EPERM, errno.EACCES}:
        return "change its port, or let systemd allow it: listening.conf in docs/systemd.md"
    return "change its listen or port"


def _new_key() -> str:
    return uuid.uuid4().hex


def _mode(config: Config) -> str:
    return "live" if config.texting.enabled else "shadow: nothing is sent"
