"""A conversation on the page: what is shown, and what each role can send and write."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from sqlalchemy import Connection

from pbx_bridge.clock import utc_now
from pbx_bridge.core.contact import NOBODY
from pbx_bridge.core.delivery import Purpose, State, Step
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.roles import Role
from pbx_bridge.store import audit, consents, contacts, notes, outbox, replies
from pbx_bridge.store import messages as stored
from pbx_bridge.store.audit import Wanted
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.problem import StoreUnavailable
from tests.store import schemas
from tests.store.examples import queue_message
from tests.store.test_inbox import missed
from tests.web.site import CONFIG, CSRF, Site, site

ANN, PATH = "+12125550142", "/conversation/+12125550142"
HOSTILE = "<script>alert(1)</script>\u202egnp.exe\x1b[2J"
SENDING = (
    CONFIG
    + """
[texting]
enabled = true
gateways = ["console"]

[texting.quiet_hours]
enabled = false

[gateways.console]
type = "console"
price = 0.0079
"""
)


async def send(
    page: Site, role: Role | None = Role.AGENT, to: str = PATH, what: str = "send", **fields: str
) -> ClientResponse:
    client = await page.client(role)
    return await client.post(f"{to}/{what}", data=fields, allow_redirects=False)


async def shown(
    page: Site, path: str = PATH, role: Role = Role.AGENT, *, part: bool = False
) -> str:
    headers = {"HX-Request": "true"} if part else {}
    answer = await (await page.client(role)).get(path, headers=headers)
    assert answer.status == 200
    return await answer.text()


async def texts(page: Site) -> list[MessageRecord]:
    return await page.db.read(lambda tx: stored.recent(tx, limit=50))


async def actions(page: Site) -> list[tuple[str, str, str]]:
    found = await page.db.read(lambda tx: audit.page(tx, Wanted(), limit=50))
    return [(one.who, one.action, one.subject) for one in found]


async def stop(page: Site, number: str = ANN) -> None:
    given = ConsentRecord(
        address=number, at=utc_now(), kind=ConsentKind.OPT_OUT, source=ConsentSource.REPLY,
        detail=HOSTILE, reply_row=None,
    )  # fmt: skip
    await page.db.run(lambda tx: consents.record(tx, given))


async def wrote(page: Site, body: str, n: int = 1) -> None:
    await page.db.run(
        lambda tx: replies.insert(
            tx, "console", Reply(gateway_ref=f"r{n}", sender=ANN, body=body), now=utc_now(),
            sender_e164=ANN, meaning=Meaning.REPLY, detail="", message_id=None, call_row=None,
        )
    )  # fmt: skip


async def failed(page: Site, state: State = State.FAILED) -> int:
    """Let a text to Ann end badly; give its id."""

    def work(tx: Connection) -> int:
        now = utc_now()
        message = queue_message(
            tx, key="bad", to=ANN, created_at=now, due_at=now, body="Sorry", gateway="console",
            expires_at=now + timedelta(hours=1),
        )  # fmt: skip
        assert message is not None
        (row,) = outbox.claim_due(tx, now, 1, lambda *_: None)
        outbox._change(tx, row, Step(state, None, HOSTILE, "30005"), now)
        return message

    return await page.db.run(work)


# -- what is shown --------------------------------------------------------------------------


async def test_everything_of_somebody_is_in_one_thread(tmp_path: Path) -> None:
    schemas.load(tmp_path / "pbx-bridge.db", schemas.revisions()[-1])
    async with site(tmp_path) as page:
        html = await shown(page, "/conversation/+12125550143")
        for words in ("Zoë O&#39;Hara", "Missed call", "Sorry that we missed you, Zoë.",
                      "delivered", "0.0079 USD", "STOP please", "No more texts are wanted",
                      "Follow-up ended", "asked for Zoë&#39;s dog", "wants no texts"):  # fmt: skip
            assert words in html, words
        other = await shown(page, "/conversation/+12125550166")
        for words in ("/voicemail/1", "Please call me back", "Called from here, nobody answered",
                      "Still to come by itself", "second_text"):  # fmt: skip
            assert words in other, words
        assert "/voicemail/1" not in await shown(page, "/conversation/+12125550166", Role.VIEWER)


async def test_nobody_and_nothing_is_known_of_a_number(page: Site) -> None:
    html = await shown(page)
    assert "Nothing yet" in html
    assert "No contact has this number" in html
    assert html.count("<h1>") == 1


async def test_a_number_is_found_however_it_is_written(page: Site) -> None:
    client = await page.client(Role.AGENT)
    answer = await client.get("/conversation/(212) 555-0142?before=x", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, f"{PATH}?before=x")
    for nonsense in ("101", "%00", "..", "<b>", "'", "%F0%9F%98%80", "x" * 64):
        assert (await client.get(f"/conversation/{nonsense}")).status in {200, 404}
    assert (await client.get("/conversation/" + "x" * 65)).status == 404


async def test_all_numbers_of_a_contact_are_in_it(page: Site) -> None:
    known = replace(NOBODY, name=HOSTILE, numbers={ANN: "mobile", "+12125550143": HOSTILE})
    await page.db.run(lambda tx: contacts.create(tx, known, by="x", now=utc_now()))
    await wrote(page, "from the mobile")
    html = await shown(page, "/conversation/+12125550143")
    assert "from the mobile" in html
    assert 'href="/conversation/%2B12125550142"' in html
    assert "<script>alert" not in html


async def test_hostile_words_are_inert(page: Site) -> None:
    await wrote(page, HOSTILE + "x" * 10_000)
    await failed(page)
    await stop(page)
    await send(page, what="note", note=HOSTILE)
    html = await shown(page)
    assert "<script>alert" not in html
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;gnp.exe[2J") >= 4
    for attribute in ("onclick=", "onload=", "style=", "javascript:"):
        assert attribute not in html


async def test_a_conversation_of_ten_thousand_entries_is_read_page_by_page(page: Site) -> None:
    def fill(tx: Connection) -> None:
        began = utc_now() - timedelta(days=300)
        for n in range(5000):
            at = began + timedelta(minutes=n)
            queue_message(tx, key=f"m{n}", to=ANN, created_at=at, body=f"text {n}.")
            replies.insert(
                tx, "console", Reply(gateway_ref=f"r{n}", sender=ANN, body=f"reply {n}."), now=at,
                sender_e164=ANN, meaning=Meaning.REPLY, detail="", message_id=None, call_row=None,
            )  # fmt: skip

    await page.db.run(fill)
    html = await shown(page)
    assert len(html) < 120_000
    assert html.count('class="entry') == 50
    assert html.index("reply 4998.") < html.index("reply 4999.")  # the newest at the bottom
    older = re.search(r'href="([^"]*before=[^"]*)"', html)
    assert older is not None
    second = await shown(page, older[1].replace("&amp;", "&"))
    assert "reply 4974." in second
    assert "reply 4975." not in second
    assert "To the newest" in second
    assert "data-calm" not in second  # the past does not change


async def test_our_script_gets_the_thread_alone(page: Site) -> None:
    await wrote(page, "hello")
    part = await shown(page, part=True)
    assert part.lstrip().startswith('<div id="thread"')
    assert "<html" not in part
    assert "<textarea" not in part


# -- sending --------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.AGENT, Role.ADMIN])
async def test_a_text_is_sent(tmp_path: Path, role: Role) -> None:
    async with site(tmp_path, config=SENDING) as page:
        answer = await send(page, role, body="It\u2019s Ann\r\nhere", key="k-1")
        (text,) = await texts(page)
        assert answer.headers["Location"] == f"{PATH}?sent={text.message_id}#body"
        assert (text.to, text.body, text.author) == (ANN, "It's Ann\nhere", role)
        assert (text.purpose, text.state, text.shadow) == (Purpose.WRITTEN, State.QUEUED, False)
        assert page.asked.queued == 1
        assert await actions(page) == [(role, "message.write", ANN)]
        html = await shown(page, f"{PATH}?sent=1")
        assert "It&#39;s Ann\nhere" in html
        assert "data-sent" in html
        # The same form again, as after a slow answer, is the same text.
        await send(page, role, body="It\u2019s Ann\r\nhere", key="k-1")
        assert len(await texts(page)) == 1


async def test_in_shadow_mode_it_says_so(page: Site) -> None:
    answer = await send(page, body="hello", key="k-1")
    assert "Shadow%20mode" in answer.headers["Set-Cookie"]
    (text,) = await texts(page)
    assert text.shadow
    assert "Shadow mode: it is written down, and not sent." in await shown(page)


@pytest.mark.parametrize("what", ["send", "preview", "note", "again/1", "opt-out", "opt-in"])
async def test_a_viewer_and_a_stranger_write_nothing(page: Site, what: str) -> None:
    await failed(page)
    before = await texts(page)
    fields = {"body": "x", "note": "x", "key": "k"}
    assert (await send(page, Role.VIEWER, what=what, **fields)).status == 403
    assert (await send(page, None, what=what, **fields, csrf=CSRF)).status == 401
    client = await page.client(Role.AGENT)
    forged = await client.post(f"{PATH}/{what}", data=fields, headers={"X-CSRF-Token": "guess"})
    assert forged.status == 403
    assert await texts(page) == before
    assert await actions(page) == []
    html = await shown(page, role=Role.VIEWER)
    assert "<textarea" not in html
    assert "Send again" not in html


async def test_who_said_stop_cannot_be_written_to_and_nothing_is_lost(page: Site) -> None:
    await stop(page)
    html = await shown(page)
    assert "No text can go to this number: wants no more texts (STOP)." in html
    assert 'name="body"' not in html
    answer = await send(page, body="my long draft", key="k")
    assert answer.status == 422
    html = await answer.text()
    assert "my long draft" in html
    assert 'role="alert"' in html
    assert await texts(page) == []
    assert await actions(page) == []


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("+18005550142", "this kind of number takes no texts (a toll-free number)"),
        ("+447400123456", "texts do not go to that country"),
        ("101", "this is no telephone number"),
    ],
)
async def test_numbers_that_take_no_text_are_told(page: Site, to: str, said: str) -> None:
    assert said in await shown(page, f"/conversation/{to}")
    answer = await send(page, to=f"/conversation/{to}", body="x", key="k")
    assert answer.status == 422
    assert await texts(page) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [("", "There is nothing to send."), ("\u202e \n", "There is nothing to send."),
     ("x" * 1601, "Too long: at most 1600 characters.")],
)  # fmt: skip
async def test_what_is_wrong_with_the_words_is_said_beside_them(
    page: Site, body: str, said: str
) -> None:
    answer = await send(page, body=body, key="k")
    html = await answer.text()
    assert (answer.status, said in html) == (422, True)
    assert 'aria-invalid="true"' in html
    assert body.strip("\u202e \n") in html
    assert await texts(page) == []


async def test_a_draft_outlives_a_full_disk(page: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_work: Any) -> Any:
        raise StoreUnavailable("the disk is full: free some space")

    monkeypatch.setattr(page.db, "run", refuse)
    answer = await send(page, body="my long draft", key="k")
    html = await answer.text()
    assert answer.status == 503
    assert "my long draft</textarea>" in html
    assert "the disk is full" in html


async def test_quiet_hours_are_told_and_kept(tmp_path: Path) -> None:
    closed = SENDING.replace(
        "enabled = false",
        'enabled = true\nfrom = "00:01"\nto = "00:00"\nimmediate = false',
    )
    async with site(tmp_path, config=closed) as page:
        answer = await send(page, body="hello", key="k")
        assert answer.status == 303
        (text,) = await texts(page)
        assert text.due_at > utc_now()
        assert "It%20goes%20out%20at" in answer.headers["Set-Cookie"]
        assert "It goes out" in await (await send(page, what="preview", body="more")).text()


# -- preview and the office's own texts -----------------------------------------------------


async def test_length_and_price_as_the_server_counts_them(tmp_path: Path) -> None:
    async with site(tmp_path, config=SENDING) as page:
        client = await page.client(Role.AGENT)
        for body, said in (("hello", "1 segment</strong> (GSM-7), about 0.0079 USD"),
                           ("x" * 161, "2 segments</strong> (GSM-7), about 0.0158 USD"),
                           ("\u0436" * 71, "2 segments</strong> (UCS-2), about 0.0158 USD"),
                           ("", "Length and price are shown here")):  # fmt: skip
            part = await client.post(
                f"{PATH}/preview", data={"body": body}, headers={"HX-Request": "true"}
            )
            html = await part.text()
            assert said in html, html
            assert html.lstrip().startswith('<div id="preview"')
            # Without a script the whole page says so, and keeps the draft.
            whole = await (await client.post(f"{PATH}/preview", data={"body": body})).text()
            assert "<html" in whole
            assert f"{body}</textarea>" in whole
        assert await texts(page) == []
        assert await actions(page) == []


async def test_a_text_of_the_office_is_inserted_after_what_is_written(page: Site) -> None:
    await page.db.run(lambda tx: missed(tx, 1, ANN))
    html = await shown(page)
    assert '<option value="rang_no_answer">' in html
    answer = await send(
        page, what="preview", body="Hello Ann,", template="rang_no_answer", insert="yes"
    )
    html = await answer.text()
    assert "Hello Ann,\nHello, this is Miller &amp; Sons." in html
    same = await send(page, what="preview", body="Hello", template="no such", insert="yes")
    assert "Hello</textarea>" in await same.text()


# -- again ----------------------------------------------------------------------------------


async def test_sending_again_makes_a_text_of_its_own_that_is_seen(tmp_path: Path) -> None:
    async with site(tmp_path, config=SENDING) as page:
        message = await failed(page)
        assert f"/again/{message}" in await shown(page)
        answer = await send(page, what=f"again/{message}")
        assert answer.status == 303
        new, old = await texts(page)
        assert (old.state, new.state) == (State.FAILED, State.QUEUED)
        assert (new.body, new.to, new.author) == (old.body, ANN, "agent")
        assert page.asked.queued == 1
        html = await shown(page)
        assert f"again, of message {message}" in html
        assert f"/again/{message}" not in html  # it is not offered twice
        twice = await send(page, what=f"again/{message}")
        assert "was%20already" in twice.headers["Set-Cookie"]
        assert len(await texts(page)) == 2
        assert await actions(page) == [("agent", "message.again", ANN)]


@pytest.mark.parametrize("state", [State.UNCERTAIN, State.ACCEPTED])
async def test_what_may_have_arrived_is_not_offered_again(page: Site, state: State) -> None:
    message = await failed(page, state)
    assert f"/again/{message}" not in await shown(page)
    answer = await send(page, what=f"again/{message}")
    assert answer.status == 303
    assert len(await texts(page)) == 1


async def test_again_asks_anew(page: Site) -> None:
    message = await failed(page)
    await stop(page)
    answer = await send(page, what=f"again/{message}")
    assert "no%20more%20texts" in answer.headers["Set-Cookie"]
    assert len(await texts(page)) == 1


# -- notes ----------------------------------------------------------------------------------


async def test_a_note_is_written_with_its_contact_and_shown(page: Site) -> None:
    known = replace(NOBODY, name="Ann", numbers={ANN: ""})
    contact = await page.db.run(lambda tx: contacts.create(tx, known, by="x", now=utc_now()))
    answer = await send(page, what="note", note="likes tea\r\nand cake")
    assert answer.headers["Location"] == f"{PATH}#body"
    (note,) = await page.db.read(lambda tx: notes.of_numbers(tx, [ANN], limit=9))
    assert (note.text, note.who, note.contact) == (
        "likes tea\nand cake", "agent", contact.row_id
    )  # fmt: skip
    assert "likes tea\nand cake" in await shown(page, role=Role.VIEWER)
    assert await actions(page) == [("agent", "note.add", ANN)]


@pytest.mark.parametrize("words", ["", " \n", "x" * (notes.LONGEST + 1)])
async def test_a_note_that_cannot_be_kept_is_not_lost(page: Site, words: str) -> None:
    answer = await send(page, what="note", note=words)
    html = await answer.text()
    assert answer.status == 422
    assert "at most 4000 characters" in html
    assert f"{words.strip()}</textarea>" in html
    assert await page.db.read(lambda tx: notes.of_numbers(tx, [ANN], limit=9)) == []


# -- whether texts are wanted ---------------------------------------------------------------


async def said(page: Site) -> list[tuple[str, str, str]]:
    found = await page.db.read(lambda tx: consents.history(tx, ANN))
    return [(one.kind.value, one.source.value, one.detail) for one in found]


async def test_an_agent_writes_down_that_no_more_texts_are_wanted(tmp_path: Path) -> None:
    async with site(tmp_path, config=SENDING) as page:
        await page.db.run(
            lambda tx: queue_message(
                tx, key="waits", to=ANN, created_at=utc_now(), due_at=utc_now(), body="Sorry",
                gateway="console", expires_at=utc_now() + timedelta(hours=1),
            )
        )  # fmt: skip
        assert "They want no more texts" in await shown(page)
        answer = await send(page, what="opt-out", evidence=f" by telephone {HOSTILE} ")
        assert answer.status == 303
        assert answer.headers["Location"] == f"{PATH}#texts"
        (kind, source, detail), *more = await said(page)
        assert (kind, source, more) == ("opt_out", "office", [])
        assert detail.startswith("by telephone <script>")
        assert detail.endswith(" (agent)")
        assert "\u202e" not in detail
        assert [one.state for one in await texts(page)] == [State.CANCELLED]
        assert await actions(page) == [("agent", "opt_out.add", ANN)]
        assert page.asked.told == 1
        html = await shown(page)
        assert "No text can go to this number" in html
        assert "They want texts again" in html
        assert "<script>alert" not in html


async def test_they_want_texts_again_with_evidence_only(tmp_path: Path) -> None:
    async with site(tmp_path, config=SENDING) as page:
        await stop(page)
        answer = await send(page, what="opt-in", evidence=" \n ")
        assert answer.status == 422
        assert "Say who asked for it" in await answer.text()
        assert [kind for kind, *_ in await said(page)] == ["opt_out"]
        assert (await send(page, what="opt-in", evidence="x" * 1001)).status == 422
        assert (await send(page, what="opt-in", evidence="she wrote a letter")).status == 303
        assert (await said(page))[1:] == [("opt_in", "office", "she wrote a letter (agent)")]
        assert 'name="body"' in await shown(page)
        assert await actions(page) == [("agent", "opt_in.add", ANN)]


async def test_what_is_so_already_is_not_written_down_again(page: Site) -> None:
    await stop(page)
    before = await said(page)
    assert (await send(page, what="opt-out", evidence="again")).status == 303
    assert await said(page) == before
    assert await actions(page) == []


async def test_what_is_no_number_has_no_such_wish(page: Site) -> None:
    answer = await send(page, to="/conversation/101", what="opt-out", evidence="x")
    assert answer.status == 404
    assert "They want no more texts" not in await shown(page, "/conversation/101")
