"""What people do on the page, in a browser, and what then is so in the database and outside.

A test says by the mark `writes` by which routes it changes something; the fixture `visit` looks
that the browser did. So no route that is there can be forgotten.
"""

import importlib
import pkgutil
from collections import Counter

import pytest
from playwright.async_api import Locator, Page, expect

import tests.browser
from pbx_bridge.core.roles import Role
from pbx_bridge.core.task import Task
from pbx_bridge.demo.carrier import Fate
from pbx_bridge.store import call_backs, consents, messages, notes, tasks
from tests.service import until

from .conftest import Visit
from .house import House
from .writes import WRITES, done, used

#: A carrier's code: taken for spam. The number itself may be texted again.
SPAM = "30007"


def test_every_write_is_done_by_some_test() -> None:
    promised: Counter[str] = Counter()
    for module in pkgutil.iter_modules(tests.browser.__path__):
        if module.name.startswith("test_"):
            for it in vars(importlib.import_module(f"tests.browser.{module.name}")).values():
                for mark in getattr(it, "pytestmark", []):
                    promised.update(mark.args if mark.name == "writes" else ())
    assert set(promised) == set(WRITES)


def test_what_was_refused_or_only_asked_for_is_not_done() -> None:
    claim, role = r"POST /missed/{task:\d{1,18}}/claim", "POST /people/{user:[0-9]{1,15}}/role"
    assert used("POST", "/missed/17/claim") == claim
    assert used("GET", "/missed/17/claim") == used("POST", "/missed/x/claim") == ""
    written = [("POST", "/missed/1/claim", 303), ("POST", "/people/1/role", 409)]
    assert done(written) == {claim}
    assert role in WRITES


async def task_of(house: House, number: str) -> Task | None:
    found = await house.read(lambda tx: tasks.recent(tx, limit=200))
    return next((task for task in found if task.recipient == number), None)


async def missed(house: House, number: str, name: str = "") -> Task:
    """Let somebody be missed; give the task that comes of it."""
    await house.call(number, name)
    found: list[Task] = []

    async def there() -> bool:
        task = await task_of(house, number)
        found[:] = [task] if task is not None and task.is_open else []
        return bool(found)

    await until(there)
    return found[0]


async def row(page: Page, task: Task) -> Locator:
    """Go to the missed calls; give the caller's row, which is there."""
    await page.goto("/missed")
    it = page.locator(f"#row-{task.task_id}")
    await expect(it).to_be_visible()
    return it


def _task(what: str) -> str:
    return rf"POST /missed/{{task:\d{{1,18}}}}/{what}"


def _conversation(what: str) -> str:
    return f"POST /conversation/{{number:[^/]{{1,64}}}}/{what}"


# -- missed calls ---------------------------------------------------------------------------


@pytest.mark.writes(*map(_task, ["claim", "leave", "note", "snooze", "close", "reopen"]))
async def test_a_task_is_claimed_left_noted_put_off_closed_and_opened_again(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    number = house.newcomer()
    task = await missed(house, number, "WILLA FOX")
    page = await visit(Role.AGENT, java_script_enabled=scripts)
    it = await row(page, task)
    owner = it.locator(".owner")

    await page.locator(f"#task-claim-{task.task_id}").click()
    await expect(owner).to_contain_text("ben")
    await page.locator(f"#task-claim-{task.task_id}").click()
    await expect(page.locator(".notice")).to_contain_text("nobody's now")
    await expect(owner).to_have_count(0)

    await page.locator(f"#task-note-{task.task_id}").click()
    await page.locator(f"#note-text-{task.task_id}").fill("rings again at <b>five</b>")
    await it.get_by_role("button", name="Add the note").click()
    await expect(it).to_contain_text("rings again at <b>five</b>")

    await page.locator(f"#task-snooze-{task.task_id}").click()
    await it.locator("button.choice").first.click()
    await expect(it).to_contain_text("put off")

    await page.locator(f"#task-close-{task.task_id}").click()
    await page.locator(f"#close-note-{task.task_id}").fill("spoke with her")
    await it.get_by_role("button", name="Close it").click()
    await expect(it).to_have_count(0)
    closed = await task_of(house, number)
    assert closed is not None
    assert not closed.is_open
    assert closed.closed_by == "ben"

    await page.get_by_role("button", name="Undo").click()
    await expect(it).to_contain_text("spoke with her")
    known = await task_of(house, number)
    assert known is not None
    assert known.is_open
    assert "rings again at <b>five</b>" in known.notes
    did = ["claim", "leave", "note", "snooze", "close", "reopen"]
    assert await house.audited(number) == [f"ben task.{what}" for what in did]


async def test_a_call_that_is_missed_while_one_looks_appears_by_itself(
    visit: Visit, house: House
) -> None:
    page = await visit(Role.VIEWER)
    await page.goto("/missed")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    task = await missed(house, house.newcomer(), "NEW ONE")
    await expect(page.locator(f"#row-{task.task_id}")).to_be_visible(timeout=60_000)


async def test_news_do_not_close_a_menu_that_was_opened_while_they_came(
    visit: Visit, house: House
) -> None:
    task = await missed(house, house.newcomer(), "OPEN MENU")
    page = await visit(Role.AGENT)
    it = await row(page, task)
    asked = page.expect_request(lambda request: request.headers.get("hx-request") == "true")

    async def answers_late(route: object) -> None:
        """Hold the news back until the menu is open."""
        await page.locator(f"#task-note-{task.task_id}").click()
        await page.locator(f"#note-text-{task.task_id}").fill("half a wo")
        await route.continue_()  # type: ignore[attr-defined]

    await page.route("**/missed", answers_late, times=1)
    async with asked, page.expect_response("**/missed"):
        other = await missed(house, house.newcomer(), "NEWS")
    await expect(page.locator(f"#note-text-{task.task_id}")).to_have_value("half a wo")
    assert await page.locator(f"#row-{other.task_id}").count() == 0
    await page.locator(f"#note-text-{task.task_id}").fill("half a word")
    await it.get_by_role("button", name="Add the note").click()
    await expect(it).to_contain_text("half a word")
    await expect(page.locator(f"#row-{other.task_id}")).to_be_visible()


@pytest.mark.writes("POST /call-back")
async def test_a_call_back_without_the_right_to_it_says_so_and_rings_nobody(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    """That it rings is tried with an Asterisk (tests/e2e/test_call_back.py)."""
    number = house.newcomer()
    task = await missed(house, number, "RING ME")
    page = await visit(Role.AGENT, java_script_enabled=scripts)
    it = await row(page, task)
    await it.get_by_role("button", name="Call back").click()
    if scripts:
        await expect(it.locator(".call-back")).to_contain_text("Not permitted")
    else:
        await expect(page.get_by_role("heading", level=1)).to_have_text("Call back")

        async def told() -> bool:
            await page.reload()
            return "Not permitted" in await page.locator(".call-back").inner_text()

        await until(told)
    last = await house.read(lambda tx: call_backs.latest_of_numbers(tx, {number}))
    assert last[number].user == "ben"
    assert last[number].progress.outcome == "not_permitted"
    assert await house.audited(number) == ["ben call_back.place"]


# -- conversations --------------------------------------------------------------------------


@pytest.mark.writes(*map(_conversation, ["preview", "send", "note"]))
async def test_a_text_that_is_written_by_hand_goes_out_and_a_note_stays(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    number = house.newcomer()
    await missed(house, number, "IRIS POE")
    await house.texted(number)
    page = await visit(Role.AGENT, java_script_enabled=scripts)
    await page.goto(f"/conversation/{number}")
    await page.locator("#body").fill("We can come on Tuesday at 9 <b>sharp</b>.")
    composer = page.locator("#composer")
    if not scripts:
        await composer.get_by_role("button", name="Preview").click()
    await expect(page.locator("#preview")).to_contain_text("1 segment")
    await composer.get_by_role("button", name="Send").click()
    await expect(page.locator("#thread")).to_contain_text("Tuesday at 9 <b>sharp</b>.")
    await page.locator("#note").fill("prefers <i>mornings</i>")
    await page.get_by_role("button", name="Add the note").last.click()
    await expect(page.locator("#thread")).to_contain_text("prefers <i>mornings</i>")

    async def taken() -> bool:
        ours = [text["text"] for text in house.office.carrier.taken if text["to"] == number]
        return any("Tuesday at 9" in text for text in ours)

    await until(taken)
    kept = await house.read(lambda tx: notes.of_numbers(tx, [number], limit=9))
    assert [(one.who, one.text) for one in kept] == [("ben", "prefers <i>mornings</i>")]
    assert await house.audited(number) == ["ben message.write", "ben note.add"]


@pytest.mark.writes(_conversation(r"again/{message:\d{1,18}}"))
async def test_a_text_that_did_not_arrive_is_sent_again(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    number = house.newcomer()
    house.fates[number] = Fate(undelivered=SPAM, seconds=0.05)
    await missed(house, number)
    page = await visit(Role.AGENT, java_script_enabled=scripts)
    again = page.get_by_role("button", name="Send again")

    async def offered() -> bool:
        await page.goto(f"/conversation/{number}")
        return await again.count() == 1

    await until(offered)
    del house.fates[number]
    await again.click()
    await expect(page.locator("#thread")).to_contain_text("again, of message")

    async def both() -> bool:
        found = await house.read(lambda tx: messages.of_numbers(tx, [number], limit=9))
        return [one.state for one in found] == ["delivered", "undelivered"]

    await until(both)
    await expect(again).to_have_count(0)


@pytest.mark.writes(*map(_conversation, ["opt-out", "opt-in"]))
async def test_that_no_texts_are_wanted_is_written_down_and_taken_back(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    number = house.newcomer()
    await missed(house, number)
    page = await visit(Role.AGENT, java_script_enabled=scripts)
    await page.goto(f"/conversation/{number}")
    texts = page.locator("#texts")
    await texts.get_by_text("They want no more texts").click()
    await page.locator("#evidence").fill("<b>said so</b> on the telephone")
    await page.get_by_role("button", name="Text this number no more").click()
    await expect(page.locator("#write")).to_contain_text("No text can go to this number")
    await expect(texts).to_contain_text("<b>said so</b> on the telephone (ben)")
    assert await house.read(lambda tx: consents.opted_out(tx, number)) is not None

    await texts.get_by_text("They want texts again").click()
    again = page.get_by_role("button", name="Text this number again")
    await again.click()  # without a reason: the browser asks for one
    assert await house.read(lambda tx: consents.opted_out(tx, number)) is not None
    await page.locator("#evidence").fill("wrote us a letter")
    await again.click()
    await expect(page.locator("#composer")).to_be_visible()
    said = await house.read(lambda tx: consents.history(tx, number))
    assert [(one.kind, one.detail) for one in said] == [
        ("opt_out", "<b>said so</b> on the telephone (ben)"),
        ("opt_in", "wrote us a letter (ben)"),
    ]
    assert await house.audited(number) == ["ben opt_out.add", "ben opt_in.add"]


async def test_a_stop_is_seen_and_nothing_can_be_written(visit: Visit, house: House) -> None:
    number = house.newcomer()
    await missed(house, number)
    await house.texted(number)
    await house.office.carrier.writes(number, "STOP")
    page = await visit(Role.AGENT)

    async def refused() -> bool:
        await page.goto(f"/conversation/{number}")
        return await page.locator("#composer").count() == 0

    await until(refused)
    await expect(page.locator("#write")).to_contain_text("No text can go to this number")


# -- the service itself ---------------------------------------------------------------------


async def test_the_strip_tells_that_the_service_is_gone_and_goes_when_it_is_back(
    house: House,
) -> None:
    watched, page = await house.visit(Role.VIEWER)
    await page.goto("/missed")
    strip = page.locator("#connection")
    await expect(strip).to_be_hidden()
    with watched.expecting(r"Failed to load resource|net::ERR|EventSource|\[object Event\]"):
        await house.stop()
        await expect(strip).to_be_visible(timeout=60_000)
        await expect(strip).to_contain_text("Reconnecting")
        await house.start()
        await expect(strip).to_be_hidden(timeout=120_000)
    await watched.close()
