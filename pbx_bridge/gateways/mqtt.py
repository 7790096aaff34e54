"""A modem behind an MQTT broker: any program that sends and receives texts by topics.

That the broker took a publication means nothing: it is no acceptance, and may be lost with the
broker. A text counts as taken when the modem's program says so on its topic for results; says it
so too late, the answer becomes a receipt. Nothing is ever published to stay (retained), or the
modem would send it again after each of its restarts; what comes in retained is old, and ignored.

The service's connection is kept by `listen`, with a session in which the broker keeps replies for
us while we are away. Where nobody listens, as on the command line, a text has a connection to
itself, so that the service is not pushed off its own.
"""

import asyncio
import random
import re
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal, Self
from weakref import WeakValueDictionary

import structlog
from pydantic import Field, model_validator

from pbx_bridge import broker, ports
from pbx_bridge.broker import BrokerProblem, Connection, ConnectionLost, Incoming, Subscription
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Blame,
    Capabilities,
    Deferred,
    LookupResult,
    Message,
    Receipt,
    Rejected,
    SendResult,
    State,
    Uncertain,
)
from pbx_bridge.core.reply import Reply
from pbx_bridge.core.saying import say
from pbx_bridge.gateways import _mapping
from pbx_bridge.gateways._mapping import Fate, Outcome
from pbx_bridge.gateways._number import E164
from pbx_bridge.ports import GatewayProblem, News, Tell

#: How long the broker keeps replies for us while we are away.
SESSION = timedelta(days=7)
#: A text waits so long for the one before it to the same number.
TURN_SECONDS = 1.0
#: To connect for a single text; with the longest `ack_seconds` within the sender's 10 s.
CONNECT_SECONDS = 1.5
#: How long `check` waits for the modem's presence, which the broker has at hand.
PRESENCE_SECONDS = 2.0
#: A refusal of our login counts once it has lasted: Home Assistant's broker refuses everybody
#: while Home Assistant starts.
REFUSED_SECONDS = 60.0
#: How long, and for how many texts, a late result is still understood.
LATE_SECONDS = 3600.0
MOST_LATE = 1000
#: Replies remembered, to know one that the broker hands over twice.
MOST_TOLD = 1000
#: Time between two complaints about what comes in.
QUIET_SECONDS = 60.0

log = structlog.get_logger()


class Settings(broker.Settings):
    """`[gateways.NAME]` with `type = "mqtt"`."""

    type: Literal["mqtt"] = "mqtt"
    preset: str | None = Field(
        default=None, description="a modem's program that is known", examples=["sms2mqtt"]
    )
    prefix: str = Field(
        default="", max_length=500, description="what {prefix} in topics is", examples=["sms2mqtt"]
    )
    send: _mapping.Send = Field(description="a table with topic and payload, or a preset")
    result: _mapping.Result | None = None
    received: _mapping.Received | None = None
    presence: _mapping.Presence | None = None
    retained: Literal["ignore", "take"] = Field(
        default="ignore",
        description="what to do with replies that were published to stay",
        examples=["ignore"],
    )
    idempotent: bool = Field(
        default=False,
        strict=True,
        description="whether the modem's program sends one {key} only once",
        examples=[True],
    )
    ack_seconds: float = Field(
        default=8.0,
        gt=0,
        le=8.0,  # the sender waits no longer than 10 s altogether
        description="how long to wait for the modem's answer",
        examples=[8.0],
    )

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, written: Any) -> Any:
        return _mapping.with_preset(written)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.idempotent and "key" not in self.send.placeholders:
            raise ValueError("idempotent needs {key} in the payload; add it, or remove idempotent")
        topics = [self.topic(part) for part in (self.send, *self._heard)]
        if len(set(topics)) < len(topics):
            raise ValueError("two parts have one topic; give each its own")
        for topic in topics:
            if not topic or any(letter in topic for letter in "+#\0"):
                raise ValueError("prefix does not fit into a topic; such as sms2mqtt")
        return self

    @property
    def _heard(self) -> list[_mapping.Result | _mapping.Received | _mapping.Presence]:
        parts = (self.result, self.received, self.presence)
        return [part for part in parts if part is not None]

    def topic(self, part: Any) -> str:
        """Give the topic of a part; empty if there is none."""
        return "" if part is None else _mapping.at(part.topic, self.prefix)

    def subscriptions(self) -> list[Subscription]:
        """Give what is to be heard."""
        old = (self.presence, self.received if self.retained == "take" else None)
        return [Subscription(self.topic(part), retained=part in old) for part in self._heard]


@dataclass(eq=False, slots=True)
class _Attempt:
    """A text that was published and of which a result may come; live while somebody waits."""

    key: str
    answer: "asyncio.Future[SendResult]"
    until: float  #: by the loop's clock

    @property
    def live(self) -> bool:
        return not self.answer.done()

    def settle(self, result: SendResult) -> None:
        if self.live:
            self.answer.set_result(result)


class Gateway(ports.Gateway, ports.Listens):
    """Sends and receives by topics. `chance` gives numbers in [0, 1), for reconnecting."""

    def __init__(
        self,
        settings: Settings,
        around: ports.Surroundings = ports.ALONE,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        result = settings.result
        self.capabilities = Capabilities(
            idempotent=settings.idempotent,
            receipts=result is not None and result.receipts,
            inbound=settings.received is not None,
        )
        self._name = around.name or "gateway"
        plain = re.sub(r"[^A-Za-z0-9]", "-", self._name)
        self._identity = settings.client_id or f"pbx-bridge-{plain}"
        self._now = around.now
        self._chance = chance
        self._log = log.bind(gateway=self._name)
        self._by_id = result is not None and bool(result.id)
        self._in_turn = result is not None and not result.id
        self._listening = False
        self._connection: Connection | None = None
        self._problem: BrokerProblem | None = None
        self._refused_at: float | None = None  #: since when, by the loop's clock
        self._online: bool | None = None  #: the modem's program, as far as it says
        self._attempts: dict[str, list[_Attempt]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._told: dict[str, None] = {}
        self._complained_at: float | None = None
        self._unsaid = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    # -- the connection ---------------------------------------------------------------------

    async def listen(self, tell: Tell, cursor: ports.Cursor) -> None:  # noqa: ARG002 - the broker keeps our place
        """Keep the connection, and tell replies and late results, until cancelled."""
        self._listening = True
        try:
            await broker.stay_connected(
                self.settings,
                self._identity,
                partial(self._serve, tell),
                keep=SESSION,
                chance=self._chance,
                problem=self._note,
                about={"gateway": self._name},
            )
        finally:
            self._listening = False

    async def _serve(self, tell: Tell, connection: Connection) -> None:
        self._online = None
        if subscriptions := self.settings.subscriptions():
            await connection.subscribe(*subscriptions)
        self._problem = self._refused_at = None
        self._connection = connection
        try:
            await self._read(connection, tell)
        finally:
            self._connection = None

    async def _read(self, connection: Connection, tell: Tell) -> None:
        async for message in connection.messages():
            news = self._hear(message)
            if news:
                await tell(news)
                self._remember(news)
            connection.done(message)

    def _note(self, problem: BrokerProblem) -> None:
        self._problem = problem
        if not problem.refused:
            self._refused_at = None
        elif self._refused_at is None:
            self._refused_at = asyncio.get_running_loop().time()

    def _away(self) -> Deferred | Rejected:
        """Tell what it means for a text that there is no connection."""
        problem = self._problem
        if problem is None:
            return Deferred(say("not connected to the broker yet"))
        now = asyncio.get_running_loop().time()
        if self._refused_at is not None and now - self._refused_at >= REFUSED_SECONDS:
            return _refused(problem)
        return Deferred(say("not connected to the broker: {problem}", problem=problem))

    # -- sending ----------------------------------------------------------------------------

    async def send(self, message: Message) -> SendResult:
        """Publish the text, and wait for what the modem's program says."""
        if E164.fullmatch(message.to) is None:
            return Rejected(say("not a number in E.164"))
        if not self._listening:
            return await self._send_alone(message)
        if self._connection is None:
            return self._away()
        return await self._send_in_turn(self._connection, message)

    async def _send_alone(self, message: Message) -> SendResult:
        """Send on a connection for this text only."""
        wanted = [
            Subscription(self.settings.topic(part), retained=part is self.settings.presence)
            for part in (self.settings.result, self.settings.presence)
            if part is not None
        ]
        self._online = None
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    connection = await stack.enter_async_context(
                        broker.connected(self.settings, f"{self._identity}-{message.key}")
                    )
                    if wanted:
                        await connection.subscribe(*wanted)
            except BrokerProblem as problem:
                return _refused(problem) if problem.refused else Deferred(str(problem))
            except (ConnectionLost, TimeoutError):
                return Deferred(say("no connection to the broker: it does not answer in time"))
            reading = asyncio.get_running_loop().create_task(self._read(connection, _tell_nobody))
            stack.push_async_callback(_stopped, reading)
            return await self._send_in_turn(connection, message)

    async def _send_in_turn(self, connection: Connection, message: Message) -> SendResult:
        """Where results have no id, one text at a time to a number: they are known by their words.

        A result says which number and text it is about, and that may be two of ours.
        """
        if self._online is False:
            return Deferred(say("the modem is offline"))
        if not self._in_turn:
            return await self._publish(connection, message)
        turn = self._turns.setdefault(message.to, asyncio.Lock())
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await turn.acquire()
        except TimeoutError:
            return Deferred(say("another text to this number is on its way"), busy=True)
        try:
            return await self._publish(connection, message)
        finally:
            turn.release()

    async def _publish(self, connection: Connection, message: Message) -> SendResult:
        settings = self.settings
        loop = asyncio.get_running_loop()
        attempt = _Attempt(message.key, loop.create_future(), loop.time() + LATE_SECONDS)
        try:
            confirmed = connection.publish(
                settings.topic(settings.send),
                settings.send.encoded(message),
                life=message.expires_at - self._now(),
            )
        except BrokerProblem as problem:
            return Deferred(str(problem))
        if settings.result is not None:
            self._await_result(self._token(message), attempt)
        confirmed.add_done_callback(partial(self._confirmed, attempt))
        lost = partial(_lost, attempt)
        connection.lost.add_done_callback(lost)
        try:
            async with asyncio.timeout(settings.ack_seconds):
                return await attempt.answer
        except TimeoutError:
            what = "broker" if settings.result is None else "modem"
            return Uncertain(
                say(
                    "the {what} did not answer within {ack_seconds} s",
                    what=what,
                    ack_seconds=f"{settings.ack_seconds:g}",
                )
            )
        finally:
            connection.lost.remove_done_callback(lost)

    def _confirmed(self, attempt: _Attempt, confirmed: "asyncio.Future[int]") -> None:
        """Understand what the broker said of a publication."""
        if confirmed.cancelled() or confirmed.exception() is not None:
            return  # the connection was lost, and says so itself
        code = confirmed.result()
        topic = self.settings.topic(self.settings.send)
        if code == broker.NO_SUBSCRIBERS:
            attempt.settle(
                Deferred(say("the modem is offline: nobody listens to {topic}", topic=topic))
            )
        elif code == broker.NOT_AUTHORISED:
            reason = say(
                "the broker does not let us publish to {topic}; change its access list", topic=topic
            )
            attempt.settle(Rejected(reason, blame=Blame.GATEWAY))
        elif code >= broker.FAILURE:
            attempt.settle(
                Deferred(say("the broker did not take it: reason {code}", code=f"{code:#x}"))
            )
        elif self.settings.result is None:
            attempt.settle(Accepted(""))
            return
        else:
            return
        self._forget(attempt)

    # -- results ----------------------------------------------------------------------------

    def _token(self, message: Message) -> str:
        if self._by_id:
            return message.key
        return _mapping.token_of(message.to, self.settings.send.text_of(message))

    def _await_result(self, token: str, attempt: _Attempt) -> None:
        now = asyncio.get_running_loop().time()
        known = [(name, one) for name, several in self._attempts.items() for one in several]
        too_many = len(known) - MOST_LATE
        for index, (_, one) in enumerate(sorted(known, key=lambda pair: pair[1].until)):
            if not one.live and (one.until < now or index <= too_many):
                self._forget(one)
        self._attempts.setdefault(token, []).append(attempt)

    def _forget(self, attempt: _Attempt) -> None:
        for token, several in list(self._attempts.items()):
            if attempt in several:
                several.remove(attempt)
            if not several:
                del self._attempts[token]

    def _result(self, outcome: Outcome) -> list[News]:
        """Give the result to the one who waits for it; without one it becomes a receipt."""
        several = self._attempts.get(outcome.token, [])
        # Of two texts with the same words to one number, the one that is waited for.
        attempt = next((one for one in several if one.live), several[0] if several else None)
        waited_for = attempt is not None and attempt.live
        if attempt is not None:
            attempt.settle(_as_answer(outcome))
            if not self.capabilities.receipts:  # else more may come
                self._forget(attempt)
        key = attempt.key if attempt is not None else outcome.token if self._by_id else ""
        if not key:
            return []  # of somebody else's text, or the same again
        receipt = self._as_receipt(outcome, key, late=not waited_for)
        return [] if receipt is None else [receipt]

    def _as_receipt(self, outcome: Outcome, key: str, *, late: bool) -> Receipt | None:
        state = {
            Fate.ACCEPTED: State.ACCEPTED if late else None,
            Fate.REJECTED: State.UNDELIVERED if late else None,
            # Of one that is repeated anyhow a late "later" says nothing.
            Fate.LATER: State.UNDELIVERED if late and not self.settings.idempotent else None,
            Fate.DELIVERED: State.DELIVERED,
            Fate.UNDELIVERED: State.UNDELIVERED,
        }[outcome.fate]
        return None if state is None else Receipt(state=state, key=key, detail=outcome.words)

    # -- what comes in ----------------------------------------------------------------------

    def _hear(self, message: Incoming) -> list[News]:
        """Understand one message; nonsense is complained about, and nothing else."""
        settings = self.settings
        if settings.presence is not None and message.topic == settings.topic(settings.presence):
            self._presence(settings.presence, message.payload)
            return []
        if message.retained and not self._wanted_old(message):
            return []
        try:
            if settings.result is not None and message.topic == settings.topic(settings.result):
                outcome = settings.result.read(_mapping.document_in(message.payload))
                if outcome is None:
                    self._complain("it says nothing certain", message)
                return [] if outcome is None else self._result(outcome)
            if settings.received is not None and message.topic == settings.topic(settings.received):
                reply = settings.received.read(_mapping.document_in(message.payload))
                return [] if reply.gateway_ref in self._told else [reply]
        except ValueError:  # its text may show what it is about
            self._complain("it cannot be read", message)
            return []
        self._complain("a topic of an earlier configuration", message)
        return []

    def _wanted_old(self, message: Incoming) -> bool:
        settings = self.settings
        return settings.retained == "take" and message.topic == settings.topic(settings.received)

    def _presence(self, presence: _mapping.Presence, payload: bytes) -> None:
        said = payload.decode(errors="replace")
        known = {presence.online: True, presence.offline: False}
        online = known.get(said)
        if online is not None and online != self._online:
            self._log.info("modem_online" if online else "modem_offline")
        self._online = online

    def _remember(self, news: Sequence[News]) -> None:
        for one in news:
            if isinstance(one, Reply):
                self._told[one.gateway_ref] = None
        while len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]

    def _complain(self, why: str, message: Incoming) -> None:
        """Log, once a minute, that something was ignored; never what it was."""
        now = asyncio.get_running_loop().time()
        if self._complained_at is not None and now - self._complained_at < QUIET_SECONDS:
            self._unsaid += 1
            return
        self._log.warning(
            "mqtt_message_ignored",
            why=why,
            topic=message.topic[:200],
            bytes=len(message.payload),
            more_before=self._unsaid,
        )
        self._complained_at, self._unsaid = now, 0

    # -- the rest ---------------------------------------------------------------------------

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:  # noqa: ARG002
        """Know nothing: no such program can be asked. Late results come by themselves."""
        return Absent()

    async def check(self) -> str:
        """Connect under another name, and look whether the modem is there."""
        try:
            async with broker.connected(self.settings, f"{self._identity}-check") as connection:
                if subscriptions := self.settings.subscriptions():
                    await connection.subscribe(*subscriptions)
                online = await self._modem(connection)
        except BrokerProblem as problem:
            raise GatewayProblem(str(problem)) from None
        except ConnectionLost:
            raise GatewayProblem(f"{self.settings.where}: the connection broke at once") from None
        where = f"the broker at {self.settings.where} takes us"
        topic = self.settings.topic(self.settings.presence)
        if online is False:
            raise GatewayProblem(f"{where}, but the modem is offline, says {topic}")
        if online:
            return f"{where}; the modem is online"
        silent = f"{topic} says nothing of the modem" if topic else "the modem tells no presence"
        return f"{where}; {silent}"

    async def _modem(self, connection: Connection) -> bool | None:
        presence = self.settings.presence
        if presence is None:
            return None
        try:
            async with asyncio.timeout(PRESENCE_SECONDS):
                async for message in connection.messages():
                    if message.topic == self.settings.topic(presence):
                        self._presence(presence, message.payload)
                        return self._online
        except TimeoutError:
            pass
        return None


def _lost(attempt: _Attempt, _: object) -> None:
    attempt.settle(Uncertain(say("the connection was lost before the modem answered")))


def _refused(problem: BrokerProblem) -> Rejected:
    return Rejected(str(problem), blame=Blame.GATEWAY)


def _as_answer(outcome: Outcome) -> SendResult:
    words = outcome.words or "no reason given"
    match outcome.fate:
        case Fate.REJECTED:
            return Rejected(say("the modem refused: {words}", words=words))
        case Fate.LATER:
            return Deferred(say("the modem said later: {words}", words=words), busy=True)
        case Fate.ACCEPTED | Fate.DELIVERED | Fate.UNDELIVERED:
            return Accepted("")


async def _stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


async def _tell_nobody(_: Sequence[News]) -> None:
    """Drop news: the service hears them itself."""
