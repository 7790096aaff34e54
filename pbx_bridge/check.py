"""Try all that the service needs, without sending anything: one line each."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pbx_bridge import ports, proofs
from pbx_bridge.calendar_feed import CalendarProblem, Feed, expand, fetch
from pbx_bridge.clock import utc_now
from pbx_bridge.config import Config, Pbx, Problem
from pbx_bridge.config.sections import ConfiguredGateway
from pbx_bridge.config.voicemail import TranscriberSettings
from pbx_bridge.core.saying import say
from pbx_bridge.core.variables import in_words
from pbx_bridge.ports import (
    DestinationProblem,
    GatewayProblem,
    PbxRefused,
    PbxSilent,
    PbxUnreachable,
)
from pbx_bridge.sources.ami import problems, snapshot
from pbx_bridge.sources.ami.borrowed import borrowed
from pbx_bridge.sources.ami.frames import Frame
from pbx_bridge.sources.ami.link import Link, LinkLost, Refused
from pbx_bridge.sources.ami.on_demand import OnDemandPbx
from pbx_bridge.sources.ami.source import AmiAccess
from pbx_bridge.speech import Speech, SpeechProblem
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.transcribers import TranscriberProblem
from pbx_bridge.voicemail.spool import mailboxes_in

#: Clocks that differ by more make waits and cool-downs puzzling to read.
CLOCK_TOLERANCE = timedelta(seconds=5)
#: This code was written after that, so a clock before it is wrong.
NOT_BEFORE = datetime(2026, 11, 1, tzinfo=UTC)
#: What the account of [pbx.control] may be for, by the action that does it.
_ACTS = {"Originate": "place calls (originate)", "DBPut": "write its database (system)"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `good` is None for what is not wrong, but worth knowing."""

    good: bool | None
    what: str
    text: str


def _right(what: str, text: str) -> Finding:
    return Finding(good=True, what=what, text=text)


def _wrong(what: str, text: str) -> Finding:
    return Finding(good=False, what=what, text=text)


async def check(config: Config, doubtful: Sequence[Problem] = ()) -> AsyncIterator[Finding]:
    """Look at all that a configuration that loaded is about; `doubtful` was found in its rules."""
    mode = "texts are sent" if config.texting.enabled else "shadow mode: nothing is sent"
    yield _right("configuration", mode)
    for finding in (*_rules(config, doubtful), _texts(config)):
        yield finding
    yield await _database(config)
    yield _clock()
    for pbx in config.pbx:
        async for finding in login(pbx):
            yield finding
        async for finding in acts(config, pbx):
            yield finding
        if pbx.voicemail is not None:
            yield await asyncio.to_thread(_voicemail, pbx.name, pbx.voicemail.spool)
    async with borrowed(pbx.access() for pbx in config.pbx) as pbxs:
        for name, configured in config.gateways.items():
            yield await answers(name, configured, config.surroundings(name, pbxs))

    for name, destination in config.destinations().items():
        yield await _destination(name, destination)
    if config.transcriber is not None:
        yield await _transcriber(config.transcriber)
    yield _hooks(config)
    yield _alerts(config)
    yield _hours(config)
    for feed in config.feeds():
        yield await _calendar(feed)


def _rules(config: Config, doubtful: Sequence[Problem]) -> Iterator[Finding]:
    own = len(config.rule_tables)
    said = f"{own} of your own, then the built-in ones" if own else "the built-in ones"
    if not doubtful:
        yield _right("rules", f"{said}; `pbx-bridge rules` reads them aloud")
    for problem in doubtful:
        yield Finding(None, "rules", str(problem))


def _texts(config: Config) -> Finding:
    around = proofs.circumstances(config)
    every = list(proofs.in_force(config))
    bad = [proof for proof in every if not proof.linted(around).passes]
    if not bad:
        return _right("texts", f"{len(every)}, as `pbx-bridge templates` shows them")
    named = ", ".join(f"{proof.what} ({proof.language})" for proof in bad)
    return _wrong("texts", f"must not go out so: {named}; see `pbx-bridge templates`")


def _hooks(config: Config) -> Finding:
    hooks = config.hooks
    if hooks is None:
        return Finding(None, "webhooks", "none are received: there is no [hooks]")
    place = f"at {hooks.listen}:{hooks.port}, for the world {hooks.url_of('NAME')}"
    return Finding(None, "webhooks", f"received {place}; only a real one proves the way in")


def _alerts(config: Config) -> Finding:
    if config.alerts is None:
        return Finding(None, "alerts", "nobody is told of anything: there is no [alerts]")
    return Finding(None, "alerts", "`pbx-bridge alerts --test` tries every channel")


def _voicemail(pbx: str, spool: Path) -> Finding:
    what = f"voicemail of {pbx}"
    try:
        count = mailboxes_in(spool)
    except OSError as error:
        return _wrong(
            what,
            f"{error.filename}: {error.strerror}; docs/voicemail.md says how this user may read it",
        )
    return _right(what, f"{spool} can be read: {count} mailbox{'' if count == 1 else 'es'} in it")


async def _transcriber(settings: TranscriberSettings) -> Finding:
    where = "a model on this machine" if settings.type == "local" else str(settings.base_url.host)
    try:
        return _right("transcriber", f"{where} {await settings.build().check()}")
    except TranscriberProblem as problem:
        return _wrong("transcriber", f"{where}: {problem}")


def _hours(config: Config) -> Finding:
    office, now = config.opening_hours().office, utc_now()
    if not office.hours:
        return Finding(None, "hours", "somebody is always there: [hours] does not say when")
    opens = office.next_open(now)
    if opens is None:
        return _wrong("hours", f"nobody is ever there within a year: {office.hours}")
    there = in_words(opens, now, config.office.timezone, "en")
    return _right("hours", f"{office.hours}; somebody is there {there or 'now'}")


async def _calendar(feed: Feed) -> Finding:
    what = f"calendar {feed.name}"
    try:
        closures = await expand(feed, (await fetch(feed, None)).body, utc_now())
    except CalendarProblem as problem:
        return _wrong(what, str(problem))
    return _right(what, f"closes {len(closures)} times within a year")


async def _database(config: Config) -> Finding:
    path = config.database.path
    if not path.exists():
        # Not created here: whoever runs the check is often not who runs the service.
        folder = next(parent for parent in path.parents if parent.exists())
        if os.access(folder, os.W_OK):
            return _right("database", f"{path} will be created at the first start")
        return _wrong("database", f"{path} does not exist, and {folder} is not writable")
    if not os.access(path, os.W_OK):
        return _wrong("database", f"{path} is not writable for this user")
    try:
        async with Database.read_only(path) as db:
            await db.read(lambda _tx: None)
    except StoreProblem as problem:
        return _wrong("database", str(problem))
    return _right("database", str(path))


def _clock() -> Finding:
    now = utc_now()
    if now < NOT_BEFORE:
        return _wrong("clock", f"says {now:%Y-%m-%d %H:%M} UTC: set it, and keep it by NTP")
    return _right("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")


async def login(pbx: Pbx) -> AsyncIterator[Finding]:
    """Log in to a PBX and see what the account may do there."""
    access = pbx.access()
    what = f"pbx {pbx.name}"
    booted: list[Frame] = []
    timeout = access.answer_timeout.total_seconds()
    link = Link(access.host, access.port, tls=access.tls, on_frames=booted.extend)
    try:
        await link.open(access.connect_timeout.total_seconds())
        await link.login(access.username, access.secret, md5=access.md5, timeout=timeout)
        asked_at = time.monotonic()
        pong = await link.ask({"Action": "Ping"}, timeout=timeout)
        round_trip = timedelta(seconds=time.monotonic() - asked_at)
        banner = link.protocol.banner
        yield _right(
            what,
            say(
                "login at {host}:{port} ({banner})",
                host=access.host,
                port=access.port,
                banner=banner,
            ),
        )
        yield await _reporting(link, what, access.username, timeout)
        if not any(frame.name == b"FullyBooted" for frame in booted):
            yield _wrong(what, problems.NO_SYSTEM.format(username=access.username))
        yield _skew(what, pong.get("Timestamp", ""), round_trip)
        yield Finding(
            None,
            what,
            say(
                "which events the account may read shows only in a call: ring the office and "
                "see `pbx-bridge probe`"
            ),
        )
    except (OSError, LinkLost, Refused) as error:
        problem = problems.of_connecting(error, access.host, access.port, access.username)
        yield _wrong(what, problem.text)
    finally:
        link.close()


async def acts(config: Config, pbx: Pbx) -> AsyncIterator[Finding]:
    """See what this PBX can be had do."""
    access, phoning = pbx.control_access(), config.phoning()
    if access is None:
        return
    phones = phoning is not None and phoning.pbx == pbx.name
    places = phones or pbx.call_back is not None
    yield await _control(access, writes=bool(pbx.dialplan.keeping()), phones=places)
    if phoning is not None and phones and phoning.speech is not None:
        yield await _speaks(phoning.speech)


async def _speaks(speech: Speech) -> Finding:
    try:
        return _right("speech", await speech.check())
    except SpeechProblem as problem:
        return _wrong("speech", str(problem))


async def _control(access: AmiAccess, *, writes: bool, phones: bool) -> Finding:
    """See what the account of [pbx.control] may do, doing nothing."""
    what = f"control of {access.name}"
    pbx = OnDemandPbx(access)
    try:
        allowed = await pbx.act({"Action": "ListCommands"})
    except (PbxRefused, PbxSilent, PbxUnreachable) as problem:
        return _wrong(what, str(problem))
    finally:
        pbx.close()
    if phones and "Originate" not in allowed:
        return _wrong(what, problems.NO_ORIGINATE.format(username=access.username))
    may = [text for action, text in _ACTS.items() if action in allowed]
    if not may:
        return _wrong(what, problems.NO_CONTROL.format(username=access.username))
    if writes and "DBPut" not in allowed:
        return _wrong(what, problems.NO_ASTDB.format(username=access.username))
    return _right(what, f"{access.username!r} may {' and '.join(may)}")


async def _reporting(link: Link, what: str, username: str, timeout: float) -> Finding:  # noqa: ASYNC109
    try:
        channels = await snapshot.take(link, timeout)
    except Refused:
        return _wrong(what, problems.NO_REPORTING.format(username=username))
    return _right(what, say("live channels can be asked for: {count} now", count=len(channels)))


def _skew(what: str, timestamp: str, round_trip: timedelta) -> Finding:
    with suppress(ValueError, OverflowError, OSError):
        skew = utc_now() - round_trip / 2 - datetime.fromtimestamp(float(timestamp), UTC)
        if abs(skew) > CLOCK_TOLERANCE:
            return _wrong(
                what,
                say(
                    "its clock is {what} s off ours: use NTP on both",
                    what=f"{-skew.total_seconds():+.0f}",
                ),
            )
        return _right(
            what, say("its clock agrees with ours ({what} s)", what=f"{-skew.total_seconds():+.3f}")
        )
    return Finding(None, what, say("does not tell its time"))


async def answers(name: str, configured: ConfiguredGateway, around: ports.Surroundings) -> Finding:
    """Ask a gateway whether it would take texts; none is sent."""
    what = f"gateway {name}"
    try:
        async with configured.build(around) as gateway:
            return _right(what, await gateway.check())
    except GatewayProblem as problem:
        return _wrong(what, str(problem))


async def _destination(name: str, configured: ports.Destination) -> Finding:
    what = f"destination {name}"
    try:
        async with configured as destination:
            return _right(what, await destination.check())
    except DestinationProblem as problem:
        return _wrong(what, str(problem))
