"""The rules as people read them, and what the simulator says to them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx_bridge.core.roles import Role
from tests.web.site import CONFIG, CSRF, Site, site

MORE = """
[texting]
cooldown = "4h"

[hours]
open = "Mon-Fri 9:00-17:00"
closed = ["2030-12-24 to 2031-01-03 Party", "2030-12-18 15:00-17:00"]

[[lines]]
number = "+12125550100"
name = "Sales <b>"
open = "Mon-Fri 8-20"

[[rules]]
name = "new <script>"
callers = ["new"]
lines = ["Sales <b>"]
then = "nothing"
because = "Ann & Bob"
"""


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, config=CONFIG + MORE) as made:
        yield made


async def test_rules_hours_and_texts_are_read_aloud(page: Site) -> None:
    client = await page.client(Role.VIEWER)
    answer = await client.get("/rules")
    text = await answer.text()
    assert answer.status == 200
    assert "New callers to Sales &lt;b&gt; get nothing, because Ann &amp; Bob." in text
    assert "new &lt;script&gt;" in text
    assert "everybody else" in text
    assert "Mo-Fr 09:00-17:00" in text
    assert "Hello, this is Miller &amp; Sons." in text
    assert "1 segment" in text
    assert "Shadow mode" in text
    assert "/rules/edit/" not in text  # who may not change it is not asked to
    assert text.count("<h1") == 1


async def test_who_may_change_them_is_shown_where(page: Site) -> None:
    text = await (await (await page.client(Role.ADMIN)).get("/rules")).text()
    for form in ("rules", "hours", "texts", "office", "sending", "reason/busy"):
        assert f'href="/rules/edit/{form}"' in text


async def test_a_file_that_says_something_else_by_now_is_told(page: Site) -> None:
    client = await page.client(Role.VIEWER)
    path = page.inside.config_path
    path.write_text(path.read_text().replace('"4h"', '"5h"'))
    assert "was changed since the service read it" in await (await client.get("/rules")).text()
    path.write_text(path.read_text().replace('"5h"', '"never"'))
    assert "changed, and has a mistake" in await (await client.get("/rules")).text()
    path.write_bytes(b"\xff")
    assert "cannot be read now" in await (await client.get("/rules")).text()
    path.unlink()
    assert (await client.get("/rules")).status == 200


async def tried(page: Site, fields: dict[str, str], *, part: bool = True) -> tuple[int, str]:
    client = await page.client(Role.VIEWER)
    headers = {"HX-Request": "true"} if part else {}
    answer = await client.post("/rules/try", data={"csrf": CSRF, **fields}, headers=headers)
    return answer.status, await answer.text()


async def test_a_rule_that_matches_and_those_that_do_not(page: Site) -> None:
    call = {"caller": "new", "line": "Sales <b>", "at": "Tuesday 10:00"}
    status, text = await tried(page, call)
    assert status == 200
    assert "<html" not in text
    assert text.count("matches") - text.count("does not match") >= 1
    assert "nothing is done" in text
    status, text = await tried(page, call | {"caller": "customer"})
    assert "they are customers (asked: they are new callers)" in text
    assert "Hello, this is Miller &amp; Sons." in text
    assert "1 segment" in text
    assert "the sequence default" in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"words": "customer, busy", "texted": "2h"}, "within the cooldown"),
        ({"words": "customer, busy", "opted_out": "yes"}, "STOP"),
        ({"reason": "rejected", "caller": "customer"}, "refused by the phone system"),
        ({"words": "anonymous, busy"}, "an anonymous caller"),
        ({"words": "customer, busy", "tags": "vip, Contract"}, "contract"),
        ({"wait": "2m", "caller": "known"}, "gave up waiting in the queue"),
        ({"number": "+12125550142"}, "a new caller"),
        ({"number": "(212) 555-0142", "caller": "customer", "words": "busy"}, "a customer"),
    ],
)
async def test_what_is_imagined_is_shown(page: Site, fields: dict[str, str], said: str) -> None:
    status, text = await tried(page, fields)
    assert status == 200
    assert said in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"words": "a blue caller <script>"}, "not understood"),
        ({"at": "when I like"}, "not a time"),
        ({"number": "12"}, "not a telephone number"),
        ({"caller": "king"}, "king"),
        ({"reason": "<b>"}, "&lt;b&gt;"),
        ({"line": "Nowhere"}, "no such line"),
        ({"wait": "long"}, "not a duration"),
        ({"caller": "new", "tags": "vip"}, "nobody you know"),
        ({"words": "x" * 2000}, "too long"),
        ({"number": "+12125550142", "texted": "1h"}, "leave out earlier texts"),
        ({"caller": "new", "words": "customer"}, "said twice"),
    ],
)
async def test_what_makes_no_sense_is_told(page: Site, fields: dict[str, str], said: str) -> None:
    status, text = await tried(page, fields)
    assert status == 422
    assert said in text
    assert "<script>" not in text


async def test_without_a_script_the_whole_page_comes_back(page: Site) -> None:
    status, text = await tried(page, {"words": "customer, busy", "tags": '"><i>'}, part=False)
    assert status == 200
    assert "<html" in text
    assert 'value="&#34;&gt;&lt;i&gt;"' in text
    assert 'value="customer, busy"' in text
