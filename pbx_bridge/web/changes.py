"""What changes is told to every browser: topics by name, never contents.

`publish` may be called from anything in the loop, at any rate: a topic is told at most once in
`GAP`, and what a browser has not taken yet is a set of topics, which cannot grow. So no browser,
however slow, costs more than that, and nobody waits for one.

Each telling has a number. Who comes back says the last one seen, and is told what was missed.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum

import structlog

from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem

#: A topic is told at most so often: four times a second is as good as at once.
GAP = timedelta(milliseconds=250)
#: An office has a few; more is somebody's mistake, and costs memory and sockets.
MOST_BROWSERS = 200
#: How often is looked whether another process has changed the database, and how the service stands.
LOOK_EVERY = timedelta(seconds=1)

log = structlog.get_logger()


class Topic(StrEnum):
    """What a part of a page can hang on."""

    CALLS = "calls"  #: live calls, and the calls and decisions written down
    TASKS = "tasks"
    MESSAGES = "messages"  #: texts and mails out, and what became of them
    REPLIES = "replies"  #: what customers wrote or said, and their opt-outs
    CALLBACKS = "callbacks"
    GATEWAYS = "gateways"
    HEALTH = "health"


#: What hangs on each table. One that is not here concerns every topic: better once too often.
TOPICS_OF: dict[str, tuple[Topic, ...]] = {
    "call": (Topic.CALLS,),
    "step": (Topic.CALLS,),
    "decision": (Topic.CALLS,),
    "outbound_call": (Topic.CALLS,),
    "gap": (Topic.CALLS, Topic.HEALTH),
    "follow_up": (Topic.TASKS,),
    "planned_step": (Topic.TASKS,),
    "task": (Topic.TASKS,),
    "booking": (Topic.TASKS,),
    "ladder": (Topic.TASKS,),
    "ladder_leg": (Topic.TASKS,),
    "call_back": (Topic.CALLBACKS,),
    "message": (Topic.MESSAGES,),
    "note": (Topic.MESSAGES,),
    "attempt": (Topic.MESSAGES, Topic.GATEWAYS),
    "receipt": (Topic.MESSAGES, Topic.GATEWAYS),
    "reply": (Topic.REPLIES,),
    "recording": (Topic.REPLIES,),
    "consent": (Topic.REPLIES,),
    "standing": (Topic.GATEWAYS,),
    "guard": (Topic.GATEWAYS, Topic.HEALTH),
    "alert": (Topic.HEALTH,),
    "pbx": (),  # written every few seconds; the live view asks the tracker
    "correspondent": (),
    "event": (),
    "event_delivery": (),
    "destination": (),
    "astdb": (),
    # names on rows of all kinds
    "contact": (Topic.CALLS, Topic.TASKS, Topic.MESSAGES),
    "contact_number": (Topic.CALLS, Topic.TASKS, Topic.MESSAGES),
    "contact_origin": (),
    "contact_source": (),
    "crm_contact": (),
    "calendar_feed": (),
    # who comes and goes here is no news for the others, and written with every request
    "audit": (),
    "web_user": (),
    "web_session": (),
    "web_invite": (),
    "web_token": (),
    "clock": (),
}


class TooManyBrowsers(Exception):  # noqa: N818 - names the fact
    """As many listen as may."""


class Subscription:
    """What one browser has yet to hear."""

    def __init__(self, whose: str) -> None:
        self.whose = whose
        self._news: dict[Topic, int] = {}
        self._woken = asyncio.Event()
        self.ended = asyncio.Event()  #: nothing more is told: the browser is to go

    async def news(self, patience: timedelta) -> dict[Topic, int]:
        """Wait for topics that changed, each with the number of its telling; none in time: {}."""
        try:
            async with asyncio.timeout(patience.total_seconds()):
                await self._woken.wait()
        except TimeoutError:
            return {}
        news, self._news = self._news, {}
        if not self.ended.is_set():
            self._woken.clear()
        return news

    def tell(self, topic: Topic, number: int) -> None:
        self._news[topic] = number
        self._woken.set()

    def end(self) -> None:
        self.ended.set()
        self._woken.set()


class Changes:
    """Who listens, and what there is to tell them.

    `run` is a name that no other run of the service has: numbers begin anew with each.
    """

    def __init__(self, run: str, *, gap: timedelta = GAP, most: int = MOST_BROWSERS) -> None:
        self._run = run
        self._gap = gap.total_seconds()
        self._most = most
        self._number = 0
        self._numbers: dict[Topic, int] = {}  # of the last telling of each
        self._told_at: dict[Topic, float] = {}
        self._due: set[Topic] = set()
        self._certain: set[Topic] = set()  # among those, the ones that need no look
        self._looks: dict[Topic, Callable[[], object]] = {}
        self._seen: dict[Topic, object] = {}
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    @property
    def listening(self) -> int:
        """Count the browsers."""
        return len(self._subscriptions)

    @property
    def latest(self) -> str:
        """The last telling, as `subscribe` understands it: what is shown by now is no news."""
        return self.name(self._number)

    def name(self, number: int) -> str:
        """Name a telling for browsers."""
        return f"{self._run}-{number}"

    def watch(self, topic: Topic, look: Callable[[], object]) -> None:
        """Let `look` say whether a hint at the topic is worth telling: if it gives another value.

        It is called at most once in `GAP`, and only while somebody listens.
        """
        self._looks[topic] = look

    def hint(self, topic: Topic) -> None:
        """Say that a topic may have changed."""
        if topic not in self._due and not self._closed:
            self._due.add(topic)
            loop = asyncio.get_running_loop()
            told_at = self._told_at.get(topic, 0.0)
            loop.call_later(max(0.0, told_at + self._gap - loop.time()), self._tell, topic)

    def publish(self, *topics: Topic) -> None:
        """Say that topics have changed; neither blocks nor raises."""
        for topic in topics:
            self._certain.add(topic)
            self.hint(topic)

    def wrote(self, tables: frozenset[str]) -> None:
        """Say which tables have changed."""
        for table in tables:
            self.publish(*TOPICS_OF.get(table, tuple(Topic)))

    @contextmanager
    def subscribe(self, since: str = "", whose: str = "") -> Iterator[Subscription]:
        """Listen until left. `since` names the last telling known; what came after it is told.

        Raises:
            TooManyBrowsers: also when the service stops.

        """
        if self._closed or len(self._subscriptions) >= self._most:
            raise TooManyBrowsers
        subscription = Subscription(whose)
        for topic in self._missed(since):
            subscription.tell(topic, self._numbers.get(topic, 0))
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def end(self, whose: str) -> None:
        """Have somebody's browsers go: a session ended, or may less than before."""
        for subscription in self._subscriptions:
            if subscription.whose == whose:
                subscription.end()

    def close(self) -> None:
        """Have all browsers go, and let nobody in: the service stops."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.end()

    async def look_around(self, db: Database) -> None:
        """Notice for ever what nobody tells: what other processes write, and how we stand."""
        while True:
            await asyncio.sleep(LOOK_EVERY.total_seconds())
            self.hint(Topic.HEALTH)
            try:
                if await db.changed_elsewhere():
                    self.publish(*Topic)
            except StoreProblem as problem:
                log.warning("changes_not_looked_for", problem=str(problem))

    def _missed(self, since: str) -> list[Topic]:
        run, _, number = since.rpartition("-")
        if run != self._run or not (number.isascii() and number.isdigit()):
            return list(Topic)
        return [topic for topic, told in self._numbers.items() if told > int(number)]

    def _tell(self, topic: Topic) -> None:
        self._due.discard(topic)
        certain = topic in self._certain
        self._certain.discard(topic)
        if not self._news_in(topic) and not certain:
            return
        self._told_at[topic] = asyncio.get_running_loop().time()
        self._number += 1
        self._numbers[topic] = self._number
        for subscription in self._subscriptions:
            subscription.tell(topic, self._number)

    def _news_in(self, topic: Topic) -> bool:
        """Look whether a hint was right."""
        look = self._looks.get(topic)
        if look is None or not self._subscriptions:
            self._seen.pop(topic, None)
            return True
        before, now = self._seen.get(topic), look()
        self._seen[topic] = now
        return before != now
