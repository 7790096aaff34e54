"""What administrators do on the page, and everybody with their own profile, in a browser."""

import csv
import io
import zipfile
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page, expect

from pbx_bridge.clock import utc_now
from pbx_bridge.config import load
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.delivery import State
from pbx_bridge.core.redelivery import DeliveryState, DestinationStanding, Fate
from pbx_bridge.core.roles import Role
from pbx_bridge.core.routing import Circuit, Standing
from pbx_bridge.demo.carrier import Fate as CarrierFate
from pbx_bridge.store import accounts, contacts, events, messages, sessions, standings, tokens
from pbx_bridge.store.accounts import User
from tests.service import until
from tests.store.examples import queue_message

from .conftest import Visit
from .house import PASSWORD, House, come_in, log_in
from .test_writes import SPAM, missed, row

_MESSAGE = r"POST /deliveries/messages/{message:\d{1,18}}"
_CONTACT = r"POST /contacts/{contact:\d{1,18}}"
_USER = "POST /people/{user:[0-9]{1,15}}"


async def user(house: House, name: str) -> User:
    found = await house.read(lambda tx: accounts.by_name(tx, name))
    assert found is not None
    return found


# -- people ---------------------------------------------------------------------------------


@pytest.mark.writes(
    "POST /people/invite", "POST /welcome", f"{_USER}/role", f"{_USER}/reset", f"{_USER}/disable",
    f"{_USER}/enable", "POST /people/invites/{invite:[0-9]{1,15}}/withdraw", "POST /login",
    "POST /logout",
)  # fmt: skip
async def test_a_colleague_is_invited_promoted_locked_out_and_let_in_again(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    name = "edith" if scripts else "edgar"
    page = await visit(Role.ADMIN, java_script_enabled=scripts)
    # Refusals, and streams that end with the session.
    other = await visit(None, java_script_enabled=scripts, expects=r"status of 4|\[object Event\]")

    await come_in(other, await _invited(page, name))
    await expect(other.locator("header.top")).to_contain_text(name)
    await _me(other, "Log out")
    await other.wait_for_url("**/login")
    await log_in(other, name)

    await page.goto("/people")
    await page.get_by_label(f"Role of {name}", exact=True).select_option("admin")
    await page.get_by_role("button", name=f"Change the role of {name}").click()
    await expect(page.locator(".notice")).to_contain_text("has another role now")
    await other.goto("/people")  # the session has ended with the role
    await other.wait_for_url(lambda url: "/login?next=" in url)
    await log_in(other, name)
    await other.goto("/people")
    await expect(other.get_by_role("heading", level=1)).to_have_text("People")

    await page.get_by_role("button", name=f"New password for {name}").click()
    link = await page.get_by_label("The link").input_value()
    await come_in(other, link, "another password of theirs")
    again = await other.goto(link)
    assert again is not None
    assert again.status >= 400, "a link is good for one time"

    await page.goto("/people")
    await page.get_by_role("button", name=f"Disable {name}").click()
    await expect(page.locator(".notice")).to_contain_text("cannot log in")
    await other.goto("/login")
    await other.get_by_label("Name", exact=True).fill(name)
    await other.get_by_label("Password", exact=True).fill("another password of theirs")
    await other.get_by_role("button", name="Log in").click()
    await expect(other.get_by_role("alert")).to_be_visible()
    await page.get_by_role("button", name=f"Enable {name}").click()
    await log_in(other, name, "another password of theirs")

    link = await _invited(page, f"{name}-s-friend")
    await page.goto("/people")
    await page.get_by_role("button", name=f"Withdraw the link for {name}-s-friend").click()
    await expect(page.locator(".notice")).to_contain_text("does not hold any more")
    gone = await other.goto(link)
    assert gone is not None
    assert gone.status >= 400

    assert (await user(house, name)).role is Role.ADMIN
    did = [one for one in await house.audited(name) if one.startswith("ann ")]
    assert did == [f"ann user.{what}" for what in ("invite", "role", "reset", "disable", "enable")]


async def _invited(page: Page, name: str) -> str:
    await page.goto("/people")
    await page.get_by_label("Name to log in with").fill(name)
    await page.get_by_role("button", name="Make a link").click()
    return await page.get_by_label("The link").input_value()


async def _me(page: Page, what: str) -> None:
    """Choose something of the menu behind one's own name."""
    await page.locator("details.me > summary").click()
    await page.locator("details.me").get_by_role("button", name=what).click()


@pytest.mark.writes(
    "POST /me", "POST /me/password", "POST /me/sessions/others/end",
    "POST /me/sessions/{session:[0-9]{1,15}}/end",
)  # fmt: skip
async def test_everybody_sets_up_their_own_profile(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    name = "vera" if scripts else "viktor"
    await house.hire(name, Role.VIEWER)
    page = await visit(name, java_script_enabled=scripts)
    await page.goto("/me")
    await page.get_by_label("Your name, as colleagues know it").fill("V. <b>Night</b>")
    await page.get_by_label("Your extension").fill("117")
    await page.get_by_label("Time zone").fill("Europe/Berlin")
    await page.get_by_label("Language").select_option("de")
    await page.get_by_label("Single keys are shortcuts").uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Mein Profil")
    await expect(page.locator("footer.foot")).to_contain_text("Europe/Berlin")
    known = await user(house, name)
    assert (known.extension, known.language, known.shortcuts) == ("117", "de", False)
    assert known.display_name == "V. <b>Night</b>"
    if scripts:
        await page.keyboard.press("?")
        await expect(page.locator("#keys")).to_be_hidden()
    await page.locator("#f-language").select_option("")
    await page.locator("main form[action$='/me'] button").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("My profile")

    for _ in range(2):
        await house.logged_in(name)
    await page.reload()
    ends = page.get_by_role("button", name="Log out Chrom")
    await expect(ends).to_have_count(2)
    await ends.first.click()
    await expect(ends).to_have_count(1)
    await page.get_by_role("button", name="Log out all others").click()
    await expect(ends).to_have_count(0)
    assert len(await house.read(lambda tx: sessions.of(tx, known.row_id, utc_now()))) == 1

    await page.get_by_label("Your password until now").fill(PASSWORD)
    await page.get_by_label("The new password").fill("a longer word than before")
    await page.get_by_label("The password again").fill("a longer word than before")
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.locator(".notice")).to_contain_text("The password is changed")
    await log_in(await visit(None), name, "a longer word than before")
    assert (await house.audited(name))[-2:] == [f"{name} session.end", f"{name} password.change"]


# -- contacts -------------------------------------------------------------------------------


@pytest.mark.writes(
    "POST /contacts/new", f"{_CONTACT}/edit", f"{_CONTACT}/merge", f"{_CONTACT}/remove"
)
async def test_contacts_are_written_down_changed_merged_and_forgotten(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    first, second = house.newcomer(), house.newcomer()
    page = await visit(Role.AGENT, java_script_enabled=scripts)
    heading = page.get_by_role("heading", level=1)
    await _new_contact(page, "Ada <i>Byron</i>", first)
    await expect(heading).to_have_text("Ada <i>Byron</i>")
    await page.get_by_role("link", name="Edit").click()
    await page.get_by_label("Company").fill("Engines & Sons")
    await page.get_by_label("Tags").fill("supplier, vip")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("main")).to_contain_text("Engines & Sons")

    await _new_contact(page, f"A. King {second[-4:]}", second)
    await expect(heading).to_have_text(f"A. King {second[-4:]}")
    holder = await house.read(lambda tx: contacts.of_number(tx, first))
    assert holder is not None
    await page.goto(f"/contacts/{holder.row_id}/merge")
    await page.get_by_label("Who is the same person?").fill(f"King {second[-4:]}")
    await page.get_by_role("button", name="Search").click()
    await page.locator(".rows").get_by_role("link").click()
    await expect(page.get_by_role("heading", name="What would become")).to_be_visible()
    await page.get_by_role("button", name="Merge the two").click()
    await expect(page.locator(".notice")).to_contain_text("one contact now")
    both = await house.read(lambda tx: contacts.of_number(tx, second))
    assert both is not None
    assert both.row_id == holder.row_id
    assert both.contact.name == "Ada <i>Byron</i>"
    assert both.contact.tags == {"supplier", "vip"}
    assert set(both.contact.numbers) == {first, second}

    await page.get_by_text("Forget this contact").click()
    await page.get_by_role("button", name="Forget").click()
    await expect(page.locator(".notice")).to_contain_text("The contact is forgotten")
    assert await house.read(lambda tx: contacts.of_number(tx, first)) is None
    did = await house.audited(f"contact {holder.row_id}")
    # A row that is free is used again, so others may stand before.
    assert did[-4:] == [f"ben contact.{what}" for what in ("create", "edit", "merge", "remove")]


async def _new_contact(page: Page, name: str, number: str) -> None:
    await page.goto("/contacts/new")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Number 1").fill(number)
    await page.get_by_role("button", name="Save").click()


@pytest.mark.writes(
    "POST /contacts/import/preview", "POST /contacts/import", "POST /contacts/export"
)
async def test_contacts_come_from_a_file_that_was_looked_at_and_go_into_one(
    visit: Visit, house: House, tmp_path: Path, *, scripts: bool
) -> None:
    known, new = house.newcomer(), house.newcomer()
    await house.write(
        lambda tx: contacts.create(
            tx, Contact(name="Known Before", numbers={known: ""}), by="ann", now=utc_now()
        )
    )
    file = tmp_path / "book.csv"
    file.write_text(
        f"name,number,company\n=1+1 New,{new},Wood <b>Ltd</b>\nKnown Before,{known},Iron Inc\n",
        encoding="utf-8",
    )
    page = await visit(Role.ADMIN, java_script_enabled=scripts)
    await page.goto("/contacts/import")
    await page.get_by_label("File", exact=True).set_input_files(file)
    await page.get_by_role("button", name="Show what would change").click()
    await expect(page.locator("#new")).to_have_text("1")
    await expect(page.locator("#changed")).to_have_text("1")
    await expect(page.locator("main")).to_contain_text("Wood <b>Ltd</b>")
    assert await house.read(lambda tx: contacts.of_number(tx, new)) is None
    await page.get_by_role("button", name="Take this in").click()
    await expect(page.locator(".notice")).to_contain_text("1 new, 1 changed")
    made = await house.read(lambda tx: contacts.of_number(tx, new))
    changed = await house.read(lambda tx: contacts.of_number(tx, known))
    assert made is not None
    assert changed is not None
    assert (made.contact.company, changed.contact.company) == ("Wood <b>Ltd</b>", "Iron Inc")

    await page.goto("/contacts/import")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="CSV").click()
    text = Path(await (await downloading.value).path()).read_text(encoding="utf-8-sig")
    lines = [" ".join(line) for line in csv.reader(io.StringIO(text))]
    assert any("Known Before" in line and "Iron Inc" in line for line in lines)
    assert not any(cell.startswith("=") for line in csv.reader(io.StringIO(text)) for cell in line)


@pytest.mark.writes("POST /contacts/privacy/export", "POST /contacts/privacy/erase")
async def test_all_about_a_number_is_handed_out_and_erased(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    number = house.newcomer()
    await missed(house, number, "FORGET ME")
    await house.texted(number)
    page = await visit(Role.ADMIN, java_script_enabled=scripts, expects="status of 422")
    await page.goto("/contacts/privacy")
    await page.get_by_label("Number").fill(number)
    await page.get_by_role("button", name="Look").click()
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download all").click()
    with zipfile.ZipFile(await (await downloading.value).path()) as archive:
        assert any(number.encode() in archive.read(name) for name in archive.namelist())

    await page.get_by_label("Type the number once more").fill(house.newcomer())
    await page.get_by_role("button", name="Erase all").click()
    await expect(page.locator("main")).to_contain_text("Type the number once more to erase")
    assert await house.read(lambda tx: messages.of_numbers(tx, [number], limit=1)) != []
    await page.get_by_label("Type the number once more").fill(number)
    await page.get_by_role("button", name="Erase all").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Erased")
    assert await house.read(lambda tx: messages.of_numbers(tx, [number], limit=1)) == []
    await page.goto(f"/contacts/privacy?number={number.replace('+', '%2B')}")
    await expect(page.locator("main")).to_contain_text("Nothing is kept about this number")
    assert await house.audited(number) == []


# -- programs -------------------------------------------------------------------------------


@pytest.mark.writes("POST /tokens", "POST /tokens/{token:[0-9]{1,15}}/revoke")
async def test_a_token_is_shown_once_opens_the_api_and_is_revoked(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    name = "wallboard" if scripts else "crm"
    page = await visit(Role.ADMIN, java_script_enabled=scripts)
    await page.goto("/tokens")
    await page.get_by_label("What it is for").fill(name)
    await page.get_by_label("Role").select_option("viewer")
    await page.get_by_role("button", name="Make the token").click()
    token = await page.get_by_label("The token").input_value()

    async def asked() -> int:
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            return (await http.get(f"{house.base}/api/v1/calls?limit=1")).status

    assert await asked() == 200
    await page.get_by_role("link", name="Back to the tokens").click()
    assert token not in await page.content()
    made = {one.name: one for one in await house.read(tokens.everyone)}
    assert made[name].role is Role.VIEWER
    await page.get_by_role("button", name=f"Revoke the token of {name}").click()
    await expect(page.locator(".notice")).to_contain_text("is revoked")
    assert await asked() == 401
    assert await house.audited(name) == ["ann token.make", "ann token.revoke"]


@pytest.mark.writes(
    "POST /deliveries/webhooks/failed", r"POST /deliveries/webhooks/{delivery:\d{1,18}}/again"
)
async def test_another_program_is_told_again(visit: Visit, house: House, *, scripts: bool) -> None:
    number = house.newcomer()
    task = await missed(house, number)
    page = await visit(Role.ADMIN, java_script_enabled=scripts)
    it = await row(page, task)
    await page.locator(f"#task-close-{task.task_id}").click()
    await it.get_by_role("button", name="Close it").click()

    def heard() -> int:
        return sum(number in str(one) for one in house.told)

    await until(lambda: heard() == 1)
    await page.goto("/deliveries/webhooks")
    await page.get_by_role("button", name="Tell task.closed to books again").first.click()
    await until(lambda: heard() == 2)

    found = await house.read(lambda tx: events.recent(tx, limit=1))
    given_up = Fate(
        state=DeliveryState.FAILED, due_at=utc_now(), standing=DestinationStanding(), detail="x"
    )

    async def delivered() -> bool:
        now = await house.read(lambda tx: events.recent(tx, limit=1))
        return now[0].state is DeliveryState.DELIVERED

    await until(delivered)
    await house.write(lambda tx: events.settle(tx, found[0].delivery_id, given_up, utc_now()))
    await page.goto("/deliveries/webhooks")
    await page.get_by_role("button", name="Tell again what was given up").click()
    await expect(page.locator(".notice")).to_contain_text("1 event is told to books again.")
    await until(lambda: heard() == 3)
    assert "ann delivery.replay" in await house.audited("books")


# -- deliveries -----------------------------------------------------------------------------


@pytest.mark.writes(f"{_MESSAGE}/cancel", f"{_MESSAGE}/again")
async def test_a_text_that_waits_is_cancelled_and_one_that_failed_sent_again(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    number, now = house.newcomer(), utc_now()
    waits = await house.write(
        lambda tx: queue_message(
            tx, key=f"waits-{number}", to=number, gateway="carrier", created_at=now,
            due_at=now + timedelta(hours=1), expires_at=now + timedelta(hours=2),
        )
    )  # fmt: skip
    page = await visit(Role.AGENT, java_script_enabled=scripts)
    await page.goto(f"/deliveries/messages/{waits}")
    await page.get_by_role("button", name="Cancel it").click()
    await expect(page.locator(".notice")).to_contain_text("it will not be sent")
    assert await _states(house, number) == [State.CANCELLED]

    other = house.newcomer()
    house.fates[other] = CarrierFate(undelivered=SPAM, seconds=0.05)
    await missed(house, other)

    async def failed() -> bool:
        return await _states(house, other) == [State.UNDELIVERED]

    await until(failed)
    del house.fates[other]
    failing = await house.read(lambda tx: messages.of_numbers(tx, [other], limit=1))
    await page.goto(f"/deliveries/messages/{failing[0].message_id}")
    await page.get_by_role("button", name="Send it again").click()
    await expect(page.locator(".notice")).to_contain_text("This is the new attempt")

    async def arrived() -> bool:
        return await _states(house, other) == [State.DELIVERED, State.UNDELIVERED]

    await until(arrived)
    assert await house.audited(number) == ["ben message.cancel"]
    assert await house.audited(other) == ["ben message.again"]


async def _states(house: House, number: str) -> list[State]:
    found = await house.read(lambda tx: messages.of_numbers(tx, [number], limit=9))
    return [one.state for one in found]


@pytest.mark.writes("POST /deliveries/gateways/use")
async def test_a_gateway_that_was_mended_is_used_again(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    later = utc_now() + timedelta(hours=1)
    broken = Standing(circuit=Circuit.OPEN, failures=5, until=later, reason="<b>no paper</b>")
    await house.write(lambda tx: standings.save(tx, "printer", broken, utc_now()))
    page = await visit(Role.ADMIN, java_script_enabled=scripts)
    await page.goto("/deliveries")
    printer = page.get_by_role("article", name="printer")
    await expect(printer).to_contain_text("<b>no paper</b>")
    await printer.get_by_role("button", name="use it again now").click()
    await expect(page.locator(".notice")).to_contain_text("printer is used again")
    assert (await house.read(standings.everyone))["printer"].circuit is Circuit.CLOSED
    assert (await house.audited("printer"))[-1] == "ann gateway.use"


# -- rules and setup ------------------------------------------------------------------------


@pytest.mark.writes("POST /rules/try")
async def test_a_viewer_tries_what_would_happen(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    page = await visit(Role.VIEWER, java_script_enabled=scripts)
    await page.goto("/rules")
    await page.get_by_label("In your words").fill("a new caller, busy")
    await page.get_by_role("button", name="Try it").click()
    await expect(page.locator("#trial .matches")).to_be_visible()
    await expect(page.get_by_label("In your words")).to_have_value("a new caller, busy")
    assert house.base in page.url


@pytest.mark.writes(
    "POST /setup/pbx", "POST /setup/gateway", "POST /setup/call", "POST /setup/text"
)
async def test_setup_tests_the_pbx_and_a_gateway_and_watches_a_call_to_its_text(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    number = house.newcomer()
    page = await visit(Role.ADMIN, java_script_enabled=scripts)
    await page.goto("/setup")
    for what in ("office", "carrier"):
        await page.get_by_role("button", name=f"Test it now {what}").click()
        await expect(page.locator(".findings").first).to_be_visible()
    await page.get_by_label("Your number").fill(number)
    await page.get_by_role("button", name="Send the test text").click()
    await expect(page.locator(".notice")).to_contain_text("The test text is on its way")
    await house.texted(number)

    caller = house.newcomer()
    await page.get_by_label("The number you call from").fill(caller)
    await page.get_by_role("button", name="Look out for my call").click()
    stages = page.get_by_role("list", name="Stages of the test call")
    seen = stages.locator(".badge.good")
    await expect(stages.locator(".badge.wait")).to_be_visible()
    await expect(seen).to_have_count(0)
    await missed(house, caller)
    await house.texted(caller)
    if scripts:
        await expect(seen).to_have_count(5)
    else:

        async def all_seen() -> bool:
            await page.reload()
            return await seen.count() == 5

        await until(all_seen)
    assert await house.audited(number) == ["ann setup.test_text"]


@pytest.mark.writes("POST /rules/edit/{form:[a-z]+}", "POST /rules/edit/reason/{reason:[a-z_]+}")
async def test_the_configuration_is_changed_section_by_section(
    visit: Visit, house: House, *, scripts: bool
) -> None:
    """A change is shown, then written beside a copy of what was there, then in force."""
    page = await visit(Role.ADMIN, java_script_enabled=scripts, expects="status of 422")
    before, year = house.office.config.read_text(encoding="utf-8"), 2031 + scripts

    await _edited(page, "office", "#f-name", "Miller <i>& Sons</i>")
    assert load(house.office.config).office.name == "Miller <i>& Sons</i>"
    await expect(page.locator(".brand")).to_have_text("Miller <i>& Sons</i>")
    await _edited(page, "office", "#f-name", "Miller & Sons")  # as the other tests know it
    await _edited(page, "hours", "#f-closed", f"{year}-12-24 Long ahead")
    assert f"{year}-12-24" in house.office.config.read_text(encoding="utf-8")
    await _edited(page, "texts", "#f-cooldown", f"{3 + scripts}h")
    assert load(house.office.config).texting.cooldown == timedelta(hours=3 + scripts)
    await _edited(page, "reason/busy", "#f-delay", f"{4 + scripts}s")
    await page.goto("/rules/edit/rules")
    passage = await page.locator("#f-passage").input_value()
    never = f'[[rules]]\nname = "<b>{year}</b>"\ntags = ["nobody"]\nthen = "nothing"\n\n'
    await _edited(page, "rules", "#f-passage", never + passage)
    await expect(page.locator(".rules")).to_contain_text(f"<b>{year}</b>")
    for answer in ("no", "yes"):
        await page.goto("/rules/edit/sending")
        await page.locator(f"input[name=enabled][value={answer}]").check()
        await _looked_at_and_saved(page)
        shadow = page.get_by_text("Shadow mode: nothing is sent")
        await expect(shadow).to_have_count(1 if answer == "no" else 0)

    await page.goto("/rules/edit/texts")
    await page.locator("#f-cooldown").fill("a while")
    await page.get_by_role("button", name="Show what would change").click()
    await expect(page.get_by_role("alert")).to_contain_text("Nothing was saved")
    copies = house.office.folder.glob("pbx-bridge.toml.*.bak")
    assert before in [copy.read_text(encoding="utf-8") for copy in copies]
    for subject, times in {"office": 2, "hours": 1, "texts": 1, "rules": 1, "sending": 2}.items():
        assert (await house.audited(subject))[-times:] == ["ann config.edit"] * times
    assert (await house.audited("reason/busy"))[-1] == "ann config.edit"


async def _edited(page: Page, form: str, field: str, value: str) -> None:
    await page.goto(f"/rules/edit/{form}")
    await page.locator(field).fill(value)
    await _looked_at_and_saved(page)


async def _looked_at_and_saved(page: Page) -> None:
    await page.get_by_role("button", name="Show what would change").click()
    await expect(page.locator(".diff")).to_be_visible()
    await page.get_by_role("button", name="Save and use it now").click()
    await expect(page.locator(".notice").first).to_contain_text("Saved and in force.")
