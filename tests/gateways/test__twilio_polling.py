"""Polling Twilio: each reply and each end is told once, whatever happens on the way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
import structlog

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import Blame, Deferred, Price, Receipt, State
from pbx_bridge.core.reply import Reply
from pbx_bridge.gateways import _twilio_api as api
from pbx_bridge.gateways import _web
from pbx_bridge.gateways._twilio_api import Unanswered
from pbx_bridge.gateways._twilio_polling import OPEN_FOR, Place, Poller, wait_after
from pbx_bridge.ports import News
from tests.gateways.fakes import (
    ACCOUNT,
    TOKEN,
    Answer,
    Behaviour,
    FakeTwilio,
    Kept,
    Request,
    Told,
    answer,
)

NUMBER = "+15550001111"
CUSTOMER = "+15551234567"
COST = {"price": "-0.00750", "price_unit": "USD"}
PRICE = Price(Decimal("0.00750"), "USD")
ASIDE = timedelta(minutes=1)


@dataclass
class Office:
    """A poller that makes one pass each time it is told to."""

    fake: FakeTwilio
    cursor: Kept
    heard: list[News] = field(default_factory=list)
    at: datetime | None = None  #: the time; None is the real one
    _waits: asyncio.Queue[float] = field(default_factory=asyncio.Queue)
    _go: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    async def tell(self, news: Sequence[News]) -> None:
        self.heard += news

    def now(self) -> datetime:
        return self.at or utc_now()

    async def sleep(self, seconds: float) -> None:
        self._waits.put_nowait(seconds)
        await self._go.get()

    async def first(self) -> float:
        """Wait for the pass under way, and give how long the poller wants to wait after it."""
        return await asyncio.wait_for(self._waits.get(), 5)

    async def again(self) -> float:
        """Have one pass made."""
        self._go.put_nowait(None)
        return await self.first()

    def bodies(self) -> list[str]:
        return [one.body for one in self.heard if isinstance(one, Reply)]

    def receipts(self) -> list[Receipt]:
        return [one for one in self.heard if isinstance(one, Receipt)]

    def sent(self, **changes: object) -> dict[str, object]:
        """Have a message go out."""
        mine = {"direction": "outbound-api", "status": "queued", "from": NUMBER, "to": CUSTOMER}
        return self.fake.receive(**mine | {"date_sent": None} | changes)


@asynccontextmanager
async def polling(
    fake: FakeTwilio,
    cursor: Kept | None = None,
    *,
    number: str | None = NUMBER,
    at: datetime | None = None,
    tell: Callable[[Sequence[News]], Awaitable[None]] | None = None,
    service: str | None = None,
) -> AsyncIterator[Office]:
    office = Office(fake, cursor or Kept(), at=at)
    async with Told(fake).running() as server, _web.session() as session:
        poller = Poller(
            opened=api.client(session, ACCOUNT, (ACCOUNT, TOKEN), server.url),
            number=number,
            service=service,
            every=10,
            now=office.now,
            name="sms",
            sleep=office.sleep,
        )
        task = asyncio.get_running_loop().create_task(
            poller.run(tell or office.tell, office.cursor)
        )
        try:
            yield office
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()  # a bug shows


@pytest.fixture
def fake() -> FakeTwilio:
    return FakeTwilio()


def ago(duration: timedelta) -> str:
    return format_datetime(utc_now() - duration)


async def test_a_reply_is_told_once_though_it_is_listed_again_and_again(fake: FakeTwilio) -> None:
    async with polling(fake) as office:
        assert await office.first() == 10
        came = fake.receive(body="Yes", num_media="0")
        for _ in range(5):
            assert await office.again() == 10
        came |= COST  # what an incoming message cost is no news
        await office.again()
    assert fake.lists == 14
    (reply,) = office.heard
    assert isinstance(reply, Reply)
    assert (reply.gateway_ref, reply.sender, reply.recipient) == (came["sid"], CUSTOMER, NUMBER)
    assert reply.body == "Yes"
    assert reply.sent_at is not None
    assert utc_now() - reply.sent_at < ASIDE


async def test_every_end_is_told_once_and_its_price_when_it_is_known(fake: FakeTwilio) -> None:
    async with polling(fake) as office:
        await office.first()
        gone = office.sent()
        lost = office.sent()
        sid = str(gone["sid"])
        for status in ("queued", "sending", "sent"):
            fake.progress(gone, status)
            await office.again()
        assert office.heard == []
        fake.progress(gone, "delivered")
        fake.progress(lost, "undelivered", error_code=30006, error_message="said")
        await office.again()
        await office.again()
        assert office.receipts() == [
            Receipt(state=State.DELIVERED, gateway_ref=sid),
            Receipt(
                state=State.UNDELIVERED,
                gateway_ref=str(lost["sid"]),
                code="30006",
                detail="a landline, or a carrier that cannot be reached",
                blame=Blame.NUMBER,
            ),
        ]
        gone |= COST
        await office.again()
        await office.again()
    assert office.receipts()[2:] == [Receipt(state=State.DELIVERED, gateway_ref=sid, price=PRICE)]


async def test_a_message_that_stays_on_its_way_tells_its_price(fake: FakeTwilio) -> None:
    async with polling(fake) as office:
        await office.first()
        gone = office.sent(status="sent", **COST)
        await office.again()
        await office.again()
    sid = str(gone["sid"])
    assert office.receipts() == [Receipt(state=State.ACCEPTED, gateway_ref=sid, price=PRICE)]


async def test_news_come_in_the_order_in_which_they_happened(fake: FakeTwilio) -> None:
    async with polling(fake) as office:
        await office.first()
        for second in range(120, 0, -1):
            fake.receive(body=str(second), date_created=ago(timedelta(seconds=second)))
        await office.again()
        await office.again()
    assert office.bodies() == [str(second) for second in range(120, 0, -1)]


async def test_replies_from_before_the_first_start_are_history(fake: FakeTwilio) -> None:
    fake.receive(body="last year", date_created=ago(timedelta(days=300)))
    fake.receive(body="just now")
    async with polling(fake) as office:
        await office.first()
    assert office.bodies() == ["just now"]


async def test_what_came_while_the_service_was_down_is_told(fake: FakeTwilio) -> None:
    cursor = Kept()
    async with polling(fake, cursor) as office:
        await office.first()
    down = Place.read(cursor.value, utc_now()).inbound - timedelta(days=3)
    cursor.value = Place(down, down).written()
    for hour in (80, 70, 60, 1):
        fake.receive(body=f"{hour} h ago", date_created=ago(timedelta(hours=hour)))
    async with polling(fake, cursor) as office:
        await office.first()
        await office.again()
    assert office.bodies() == ["70 h ago", "60 h ago", "1 h ago"]
    async with polling(fake, cursor) as office:
        await office.first()
    assert office.bodies() == ["1 h ago"]  # the newest again, by the overlap: it does no harm


async def test_with_a_messaging_service_one_question_serves_both(fake: FakeTwilio) -> None:
    async with polling(fake, number=None) as office:
        await office.first()
        fake.receive(body="to one of many numbers", to="+15550002222")
        gone = office.sent(status="delivered", **COST, **{"from": "+15550003333"})
        await office.again()
        await office.again()
    assert fake.lists == 3
    assert office.bodies() == ["to one of many numbers"]
    sid = str(gone["sid"])
    assert office.receipts() == [Receipt(state=State.DELIVERED, gateway_ref=sid, price=PRICE)]


async def test_under_webhooks_replies_to_other_services_of_the_account_are_none_of_ours(
    fake: FakeTwilio,
) -> None:
    async with polling(fake, number=None, service="MGours") as office:
        await office.first()
        for one in ("MGours", "MGtheirs", None):
            fake.receive(body=f"to {one}", messaging_service_sid=one)
        await office.again()
    assert office.bodies() == ["to MGours"]


async def test_a_text_to_ourselves_is_told_from_both_ends(fake: FakeTwilio) -> None:
    async with polling(fake) as office:
        await office.first()
        office.sent(status="delivered", to=NUMBER)
        fake.receive(body="to ourselves", **{"from": NUMBER})
        await office.again()
        await office.again()
    assert office.bodies() == ["to ourselves"]
    assert len(office.receipts()) == 1


@pytest.mark.parametrize("status", ["failed", "receiving", None])
async def test_only_what_has_come_whole_is_a_reply(fake: FakeTwilio, status: str | None) -> None:
    async with polling(fake) as office:
        await office.first()
        came = fake.receive(status=status, error_code=30039)
        await office.again()
        assert office.heard == []
        fake.progress(came, "received")
        await office.again()
        await office.again()
    assert office.bodies() == ["Please call me"]


async def test_an_entry_without_id_or_date_is_left_out(fake: FakeTwilio) -> None:
    async with polling(fake) as office:
        await office.first()
        fake.receive(sid=None)
        fake.receive(sid="")
        fake.receive(date_created=None)
        fake.receive(**{"from": None})
        office.sent(status="delivered", sid=None)
        fake.receive(body="whole")
        await office.again()
    assert len(office.heard) == 1
    assert office.bodies() == ["whole"]


async def test_a_date_to_come_hides_no_later_message(fake: FakeTwilio) -> None:
    cursor = Kept()
    async with polling(fake, cursor) as office:
        await office.first()
        fake.receive(body="from the future", date_created="Mon, 23 Nov 2099 12:00:00 +0000")
        await office.again()
        fake.receive(body="from now")
        await office.again()
    assert sorted(office.bodies()) == ["from now", "from the future"]
    assert Place.read(cursor.value, utc_now()).inbound <= utc_now()


async def test_a_clock_that_was_wrong_at_the_start_hides_no_later_message(
    fake: FakeTwilio,
) -> None:
    async with polling(fake, at=utc_now() + timedelta(days=365)) as office:
        await office.first()
        office.at = None
        await office.again()
        fake.receive(body="from now")
        gone = office.sent(status="delivered")
        await office.again()
    assert office.bodies() == ["from now"]
    assert [one.gateway_ref for one in office.receipts()] == [gone["sid"]]


async def test_what_has_no_end_is_looked_for_until_it_is_too_late(fake: FakeTwilio) -> None:
    start = utc_now()
    cursor = Kept()
    async with polling(fake, cursor) as office:
        await office.first()
        stuck = office.sent(status="sent")
        made = start.replace(microsecond=0)
        for hours in (1, 5, 11):
            office.at = start + timedelta(hours=hours)
            await office.again()
            assert abs(Place.read(cursor.value, start).outbound - made) < ASIDE
        fake.progress(stuck, "delivered")
        await office.again()
        assert [one.state for one in office.receipts()] == [State.DELIVERED]
        office.at = start + OPEN_FOR + timedelta(minutes=1)  # its price never comes
        await office.again()
        assert Place.read(cursor.value, start).outbound == office.at


async def test_the_cursor_is_not_written_for_nothing(fake: FakeTwilio) -> None:
    puts: list[str] = []

    class Counted(Kept):
        async def put(self, value: str) -> None:
            puts.append(value)
            await super().put(value)

    start = utc_now()
    async with polling(fake, Counted(), at=start) as office:
        await office.first()
        for passes in range(1, 13):
            office.at = start + timedelta(seconds=10 * passes)
            await office.again()
    assert len(puts) == 2  # at first, and after a minute


async def test_the_cursor_moves_only_after_the_news_are_written_down(fake: FakeTwilio) -> None:
    cursor = Kept(Place(utc_now() - timedelta(days=1), utc_now()).written())
    before = cursor.value
    fake.receive()

    tried = asyncio.Event()

    async def full(_: Sequence[News]) -> None:
        tried.set()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        async with polling(fake, cursor, tell=full):
            await asyncio.wait_for(tried.wait(), 5)
    assert cursor.value == before


@pytest.mark.parametrize(
    "text", ["", "x", "7", "{}", "[]", '["a", "b"]', "[1, 2]", '["2020-01-01T00:00:00+00:00"]']
)
def test_a_cursor_that_is_not_ours_begins_now(text: str) -> None:
    now = utc_now()
    assert Place.read(text, now) == Place(now, now)


def test_a_cursor_is_read_as_it_was_written() -> None:
    place = Place(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), utc_now())
    assert Place.read(place.written(), utc_now()) == place


TROUBLES: list[tuple[Answer, float]] = [
    (answer(500, "{}"), 20),
    (answer(503, "busy"), 20),
    (answer(429, '{"code": 20429}'), 20),
    (answer(429, "{}", Retry_After="95"), 95),
    (answer(503, "{}", Retry_After="9999999"), 3600),
    (answer(429, "{}", Retry_After="1"), 20),
    (answer(401, '{"code": 20003, "message": "Authenticate"}'), 300),
    (answer(403, ""), 300),
    (answer(404, '{"code": 20404}'), 20),
    (answer(200, "<html>Welcome to the hotel's network</html>"), 20),
    (answer(200, '{"messages": [{"sid": "SM1", "date_created": 7}]}'), 20),
    (answer(200, '{"messages": [17]}'), 20),
    (b"hello\r\n\r\n", 20),
    (b"", 20),
    (Behaviour.CUT, 20),
    (Behaviour.RESET, 20),
    (Behaviour.HALF, 20),
    (Behaviour.FLOOD, 20),
    (Behaviour.HANG, 20),
]


@pytest.mark.parametrize(("trouble", "wait"), TROUBLES, ids=[str(one)[:40] for one in TROUBLES])
async def test_trouble_is_outlived_and_nothing_is_lost(
    fake: FakeTwilio, trouble: Answer, wait: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with structlog.testing.capture_logs() as logged:
        async with polling(fake) as office:
            await office.first()
            if trouble is Behaviour.HANG:  # else a busy machine would be the trouble
                monkeypatch.setattr(api, "ANSWER_SECONDS", 0.2)
            fake.instead_of_list = lambda _: trouble
            fake.receive(body="meanwhile")
            assert await office.again() == wait
            assert await office.again() >= wait  # it grows
            monkeypatch.undo()
            fake.instead_of_list = lambda _: None
            assert await office.again() == 10
            await office.again()
    assert office.bodies() == ["meanwhile"]
    assert [(one["event"], one["gateway"]) for one in logged] == [
        ("gateway_unanswered", "sms"),  # once, not for each try
        ("gateway_answers_again", "sms"),
    ]
    for hidden in (TOKEN, CUSTOMER, NUMBER, "meanwhile"):
        assert hidden not in repr(logged)


async def test_a_list_that_breaks_in_the_middle_is_read_again_whole(fake: FakeTwilio) -> None:
    broken = True

    def second_page(request: Request) -> Answer | None:
        return Behaviour.HALF if broken and request.query().get("Page") == "1" else None

    async with polling(fake) as office:
        await office.first()
        for count in range(70):
            fake.receive(body=str(count))
        fake.instead_of_list = second_page
        assert await office.again() == 20
        assert office.heard == []
        broken = False
        await office.again()
        await office.again()
    assert sorted(office.bodies(), key=int) == [str(count) for count in range(70)]


async def test_one_trouble_after_another_is_each_told(fake: FakeTwilio) -> None:
    with structlog.testing.capture_logs() as logged:
        async with polling(fake) as office:
            await office.first()
            fake.instead_of_list = lambda _: answer(500, "{}")
            await office.again()
            await office.again()
            fake.instead_of_list = lambda _: answer(401, "{}")
            await office.again()
            await office.again()
    assert [one["problem"].partition(":")[0] for one in logged] == [
        "Twilio answered 500",
        "Twilio answered 401",
    ]


async def test_more_than_can_be_read_back_is_an_alarm(
    fake: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MOST", 3)
    with structlog.testing.capture_logs() as logged:
        async with polling(fake) as office:
            await office.first()
            for count in range(4):
                fake.receive(body=str(count))
            await office.again()
    assert [one["log_level"] for one in logged] == ["error"]


def refused(retry_after: float | None = None, blame: Blame = Blame.MESSAGE) -> Unanswered:
    wait = timedelta(seconds=retry_after) if retry_after is not None else None
    return Unanswered(Deferred("no", wait), blame)


@pytest.mark.parametrize(
    ("every", "failures", "problem", "wait"),
    [
        (10, 0, None, 10),
        (10, 1, refused(), 20),
        (10, 2, refused(), 40),
        (10, 5, refused(), 300),
        (10, 10**9, refused(), 300),
        (10, 1, refused(7), 20),
        (10, 1, refused(77), 77),
        (10, 9, refused(77), 300),
        (10, 1, refused(10**9), 3600),
        (10, 1, refused(None, Blame.GATEWAY), 300),
        (900, 1, refused(), 900),
        (900, 3, refused(None, Blame.GATEWAY), 900),
    ],
)
def test_the_wait_grows_within_bounds(
    every: float, failures: int, problem: Unanswered | None, wait: float
) -> None:
    assert wait_after(every, failures, problem) == wait
