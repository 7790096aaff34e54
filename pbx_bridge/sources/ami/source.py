"""Watch one Asterisk for ever: connect, resynchronise, listen, notice death, connect again."""

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from pbx_bridge.core import events as ev
from pbx_bridge.core.events import CallEvent, ChannelState
from pbx_bridge.core.liveness import PbxFacts, Pulse
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.ports import Clock, Emit, Pbx, PbxUnreachable, Source
from pbx_bridge.sources.ami import problems, snapshot
from pbx_bridge.sources.ami.frames import WANTED, Frame, Wanted, always
from pbx_bridge.sources.ami.link import EVENT_MASK, Link, LinkLost, Refused, Tap, act, items
from pbx_bridge.sources.ami.translate import is_withheld, translate

#: Back-off between connection attempts: doubled each time, with jitter. It stays short: whatever
#: happens while we do not look has to be found in the PBX's records, so look soon after its return.
FIRST_WAIT, LONGEST_WAIT = 1.0, 2.5
#: Where an attempt costs the PBX a line in its log, and time alone mends nothing: TLS that fails.
LONGEST_WAIT_DISAGREED = 60.0
#: After a refused login: fail2ban on the PBX must not lock us out for good.
FIRST_WAIT_REFUSED, LONGEST_WAIT_REFUSED = 30.0, 900.0

#: The same trouble is told again after this long.
_SAY_AGAIN = timedelta(minutes=1)

_DAMAGED = "the PBX sent what is no message; an event may have been lost"
#: Damage seldom comes alone; stock is taken once for all that comes within this time.
_DAMAGE_SETTLES = timedelta(seconds=1)

#: Presentation questions under way at once; in a flood of calls the rest goes unasked.
_MAX_ASKING = 50

#: To connect, log in and take stock takes no longer: each question has its own limit.
_CONNECTS_WITHIN = timedelta(seconds=60)

#: Classes of events that calls do not need, by the event that is in them. All of chan_dongle's
#: are in `call`.
_CLASS_OF = {"UserEvent": "user"}

Listener = Callable[[Mapping[str, str]], None]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiAccess:
    """How to reach an AMI."""

    name: str
    host: str
    port: int = 5038
    username: str
    secret: str = field(repr=False)
    md5: bool = True
    tls: ssl.SSLContext | None = None
    connect_timeout: timedelta = timedelta(seconds=10)
    answer_timeout: timedelta = timedelta(seconds=5)
    ping_interval: timedelta = timedelta(seconds=9)
    audit_interval: timedelta = timedelta(seconds=60)


class AmiSource(Source, Pbx):
    """One Asterisk as a source of call events, and as one that does what gateways ask for.

    `chance` gives numbers in [0, 1) for the jitter of reconnection. `tap` sees the raw stream.
    """

    def __init__(
        self,
        access: AmiAccess,
        inbound: Inbound,
        *,
        now: Clock,
        chance: Callable[[], float],
        tap: Tap | None = None,
    ) -> None:
        self._access = access
        self._is_inbound = inbound.matcher()
        self._now = now
        self._chance = chance
        self._tap = tap
        self._emit: Emit
        self._asking: set[asyncio.Task[None]] = set()
        self._may_ask = True
        self._held: list[CallEvent] | None = None
        self._link: Link | None = None
        self._births = 0
        self._connects = 0
        self._events = 0
        self._listeners: dict[bytes, list[Listener]] = {}
        self._wanted: dict[bytes, Wanted] = dict(WANTED)  # and what is listened for
        self._event_mask = EVENT_MASK
        self._booted = asyncio.Event()
        self._answered_at: datetime | None = None  #: when it was last known to be there
        self.problem = "not connected yet"  #: why the feed is down, empty while it is up
        self._say_again_at = 0.0
        self._pulse = Pulse(time.monotonic)
        self._log = log.bind(pbx=access.name)

    def facts(self) -> PbxFacts:
        """Give what the watchdog is to know."""
        return PbxFacts(
            self._access.name, self.problem, self._pulse.due, self._connects, self._events
        )

    async def run(self, emit: Emit) -> None:
        """Watch until cancelled."""
        self._emit = emit
        attempt = 0
        while True:
            problem = await self._once()
            if problem is None:  # had been up: start over with short waits
                attempt = 0
                problem = problems.Problem(self.problem)
            wait = _bound(problem, attempt) * (0.5 + self._chance() / 2)
            attempt = min(attempt + 1, 16)
            self._say_down(problem.text, wait, first=attempt == 1)
            self.problem = problem.text
            self._pulse.back_in(timedelta(seconds=wait))
            await asyncio.sleep(wait)

    def _say_down(self, text: str, wait: float, *, first: bool) -> None:
        """Log why there is no feed: each new reason, and the same one now and then."""
        now = asyncio.get_running_loop().time()
        if first or text != self.problem or now >= self._say_again_at:
            self._say_again_at = now + _SAY_AGAIN.total_seconds()
            self._log.warning("pbx_down", problem=text, retry_in_s=round(wait, 1))

    async def act(self, action: Mapping[str, str]) -> Mapping[str, str]:
        """Do one action over the connection there is now.

        Raises:
            PbxRefused, PbxUnreachable, PbxSilent: as `ports.Pbx` has it.
            ValueError: a header would be more than one line, or a line too long: nothing was sent.

        """
        return await act(self._open(), action, self._access.answer_timeout.total_seconds())

    async def items(self, action: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
        """Do one action that is answered by a list, over the connection there is now.

        Raises:
            PbxRefused, PbxUnreachable, PbxSilent, ValueError: as `act`.

        """
        return await items(self._open(), action, self._access.answer_timeout.total_seconds())

    def _open(self) -> Link:
        if self._link is None:
            raise PbxUnreachable(self.problem)
        return self._link

    def hear(self, event: str, listener: Listener) -> None:
        """Have `listener` called with every such event; of those about calls, with those read."""
        name = event.encode()
        self._listeners.setdefault(name, []).append(listener)
        self._wanted.setdefault(name, always)
        more = _CLASS_OF.get(event)
        if more is None or more in self._event_mask.split(","):
            return
        self._event_mask += f",{more}"
        if self._link is not None:
            self._hold(self._ask_for_events(self._link))

    async def _ask_for_events(self, link: Link) -> None:
        """Have the PBX tell more, on a connection that is open already."""
        question = {"Action": "Events", "EventMask": self._event_mask}
        with suppress(Refused, LinkLost, TimeoutError):  # the next login asks again
            await link.ask(question, timeout=self._access.answer_timeout.total_seconds())

    async def _once(self) -> problems.Problem | None:
        """Connect and watch until the connection ends; a Problem if it never came to watching."""
        access = self._access
        timeout = access.connect_timeout.total_seconds()
        link = Link(
            access.host,
            access.port,
            tls=access.tls,
            on_frames=self._frames,
            on_damage=self._damaged,
            tap=self._tap,
            wanted=self._wanted,
        )
        self._held, self._births = [], 0
        self._booted.clear()
        self._pulse.back_in(_CONNECTS_WITHIN)
        event_mask = self._event_mask
        watched = False
        try:
            await link.open(timeout)
            await link.login(
                access.username,
                access.secret,
                md5=access.md5,
                timeout=timeout,
                events=event_mask,
            )
            self._link = link
            if event_mask != self._event_mask:  # somebody came to listen meanwhile
                self._hold(self._ask_for_events(link))
            await self._resynchronise(link)
            watched = True
            self.problem = ""
            self._answered_at = self._now()
            self._log.info("pbx_up", host=access.host, port=access.port)
            await self._watch(link)
        except (OSError, LinkLost, Refused) as error:
            return problems.of_connecting(error, access.host, access.port, access.username)
        finally:
            self._link = None
            link.close()
            for task in self._asking:
                task.cancel()
            if watched:
                self._lost(link)
        return None

    def _lost(self, link: Link) -> None:
        self.problem = link.lost.result() if link.lost.done() else "the watch was stopped"
        self._emit(ev.FeedLost(self._now(), self.problem, self._answered_at))

    def _damaged(self) -> None:
        """Take stock anew: what could not be read was, perhaps, that somebody answered."""
        link = self._link
        if link is None or self._held is not None:
            return  # stock is being taken
        self._log.error("pbx_damaged", problem=_DAMAGED)
        self._emit(ev.FeedLost(self._now(), _DAMAGED))
        self._held = []
        self._hold(self._take_stock_anew(link))

    async def _take_stock_anew(self, link: Link) -> None:
        await asyncio.sleep(_DAMAGE_SETTLES.total_seconds())
        try:
            await self._resynchronise(link)
        except (LinkLost, TimeoutError):
            link.abort(_DAMAGED)

    async def _resynchronise(self, link: Link) -> None:
        """Take stock before any event counts; what comes meanwhile waits its turn."""
        timeout = self._access.answer_timeout.total_seconds()
        at = self._now()  # whatever is told from here on counts
        boot, channels = "", None
        try:
            boot = await snapshot.boot_of(link, timeout)
            channels = await snapshot.take(link, timeout)
        except Refused:
            self._log.warning(
                "pbx_permission",
                problem=problems.NO_REPORTING.format(username=self._access.username),
            )
        held, self._held = self._held or [], None
        self._connects += 1
        self._emit(ev.FeedRestored(at, boot, channels))
        for event in held:
            self._emit(event)
        for channel in channels or ():
            if channel.channel_id == channel.linkedid:  # its birth was before our time
                self._ask_about(channel.channel_id, channel.name)

    async def _watch(self, link: Link) -> None:
        """Listen until the connection is lost: the events come by themselves, to `_frames`."""
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._keep_alive(link))
            auditing = tasks.create_task(self._audit(link))
            try:
                await link.lost
            finally:
                keeping.cancel()
                auditing.cancel()

    async def _keep_alive(self, link: Link) -> None:
        """Notice a peer that is gone without a word: TCP alone takes a quarter of an hour."""
        interval = self._access.ping_interval.total_seconds()
        timeout = self._access.answer_timeout.total_seconds()
        while True:
            self._pulse.back_in(timedelta(seconds=interval + 2 * timeout))
            await asyncio.sleep(interval)
            try:
                await link.ask({"Action": "Ping"}, timeout=timeout)
                self._answered_at = self._now()
            except TimeoutError:
                if await self._is_silent(link, timeout):
                    link.abort(f"silent: no answer to a ping within {timeout:g} s")
                    return
            except Refused:
                continue  # a "no" is a sign of life, too
            except LinkLost:
                return

    @staticmethod
    async def _is_silent(link: Link, timeout: float) -> bool:  # noqa: ASYNC109 - an argument
        """Tell, once a ping is unanswered, whether nothing else comes either.

        Whatever came after the ping was sent may have been the last before the line fell silent, so
        it puts the judgement off by no more than the same time.
        """
        heard = link.last_heard
        await asyncio.sleep(max(0.0, heard + timeout - link.loop_time()))
        return link.last_heard == heard

    async def _audit(self, link: Link) -> None:
        """Compare with the PBX's own account now and then: an event may be lost or forbidden."""
        timeout = self._access.answer_timeout.total_seconds() * 2
        warned = seen_calls = False
        try:
            async with asyncio.timeout(timeout):
                await self._booted.wait()
        except TimeoutError:
            self._log.warning(
                "pbx_permission", problem=problems.NO_SYSTEM.format(username=self._access.username)
            )
        while True:
            await asyncio.sleep(self._access.audit_interval.total_seconds())
            try:
                channels = await snapshot.take(link, timeout)
            except TimeoutError:
                continue
            except (LinkLost, Refused):
                return
            self._put(ev.Audited(self._now(), channels))
            if channels and seen_calls and not self._births and not warned:
                warned = True
                self._log.warning(
                    "pbx_permission",
                    problem=problems.NO_CALLS.format(username=self._access.username),
                )
            seen_calls = bool(channels)

    # -- the hot path -----------------------------------------------------------------------

    def _frames(self, frames: list[Frame]) -> None:
        at = self._now()
        listeners = self._listeners
        for frame in frames:
            if listeners and frame.name in listeners:
                headers = frame.headers()
                for listener in listeners[frame.name]:
                    listener(headers)
            event = translate(frame, at)
            if event is None:
                if frame.name == b"FullyBooted":
                    self._booted.set()
                continue
            self._events += 1
            self._put(event)
            if isinstance(event, ev.ChannelCreated):
                self._births += 1
                self._born(event)

    def _put(self, event: CallEvent) -> None:
        if self._held is not None:
            self._held.append(event)
        else:
            self._emit(event)

    def _born(self, event: ev.ChannelCreated) -> None:
        if (
            event.state == ChannelState.RING
            and event.channel_id == event.linkedid
            and self._is_inbound(event.context)
        ):
            self._ask_about(event.channel_id, event.name)

    def _ask_about(self, channel_id: str, name: str) -> None:
        """Ask how the number of a call may be presented: no event says it reliably."""
        link = self._link
        if link is None or not self._may_ask or len(self._asking) >= _MAX_ASKING:
            return
        self._hold(self._ask(link, channel_id, name))

    def _hold(self, question: Coroutine[None, None, None]) -> None:
        # In a set until done: the event loop keeps only weak references.
        task = asyncio.get_running_loop().create_task(question)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, link: Link, channel_id: str, name: str) -> None:
        question = {
            "Action": "Getvar",
            "Channel": name,
            "Variable": "CALLERID(num-pres)",
        }
        try:
            answer = await link.ask(question, timeout=self._access.answer_timeout.total_seconds())
        except Refused as error:
            # "No such channel" is a call that was over before we asked.
            if "ermission" in str(error):
                self._may_ask = False
            return
        except (LinkLost, TimeoutError):
            return
        withheld = is_withheld(answer.get("Value", ""))
        if withheld:
            self._put(ev.PresentationKnown(self._now(), channel_id, withheld))


def _bound(problem: problems.Problem, attempt: int) -> float:
    """Give the longest wait after attempt number `attempt` in a row."""
    first, longest = FIRST_WAIT, LONGEST_WAIT
    if problem.refused:
        first, longest = FIRST_WAIT_REFUSED, LONGEST_WAIT_REFUSED
    elif problem.disagreed:
        longest = LONGEST_WAIT_DISAGREED
    bound: float = min(longest, first * 2**attempt)
    return bound
