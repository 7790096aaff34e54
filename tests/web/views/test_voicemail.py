"""Voicemail is played from our own shelf, by its id, to who may work here."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from pbx_bridge.core.roles import Role
from pbx_bridge.voicemail.shelf import FOLDER
from tests.store.test_threads import called
from tests.web.site import Site

SOUND = bytes(range(256)) * 8
AT = "2026-11-23T12:00:00.000000Z"


async def kept(page: Site, name: str = "1.wav", *, there: bool = True) -> Path:
    """Keep a message of id 1, in our folder if it is there."""
    folder = page.db.path.parent / FOLDER
    folder.mkdir(exist_ok=True)
    if there:
        (folder / name).write_bytes(SOUND)

    def fill(tx: Connection) -> None:
        row = called(tx, 1)
        tx.execute(
            text("INSERT INTO recording VALUES (1, :call, '102', '', :at, :path, 4, 'kept', '', '',"
                 " 0, NULL, NULL, '', :at)"),
            {"call": row, "at": AT, "path": name},
        )  # fmt: skip

    await page.db.run(fill)
    return folder / name


async def test_a_message_is_played_whole_and_in_parts(page: Site) -> None:
    await kept(page)
    client = await page.client(Role.AGENT)
    whole = await client.get("/voicemail/1")
    assert (whole.status, await whole.read()) == (200, SOUND)
    assert whole.headers["Content-Type"] == "audio/wav"
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Cache-Control"] == "private, no-store"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert 'filename="voicemail-1.wav"' in whole.headers["Content-Disposition"]
    part = await client.get("/voicemail/1", headers={"Range": "bytes=100-199"})
    assert (part.status, await part.read()) == (206, SOUND[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(SOUND)}"
    beyond = await client.get("/voicemail/1", headers={"Range": "bytes=99999-"})
    assert beyond.status == 416


async def test_only_who_may_work_here_hears_it(page: Site) -> None:
    await kept(page)
    assert (await (await page.client(Role.VIEWER)).get("/voicemail/1")).status == 403
    answer = await (await page.client(None)).get("/voicemail/1", allow_redirects=False)
    assert answer.status == 303
    assert (await (await page.client(Role.ADMIN)).get("/voicemail/1")).status == 200


@pytest.mark.parametrize(
    "name", ["../pbx-bridge.db", "/etc/passwd", "1.exe", "1", "sub/1.wav", ".wav/../../x.wav", ""]
)
async def test_a_name_that_is_not_ours_is_never_sent(page: Site, name: str) -> None:
    await kept(page, name, there=False)
    answer = await (await page.client(Role.AGENT)).get("/voicemail/1")
    assert answer.status == 404
    assert "not there any more" in await answer.text()


async def test_nor_is_what_a_link_leads_to(page: Site) -> None:
    place = await kept(page)
    place.unlink()
    place.symlink_to(page.db.path)
    assert (await (await page.client(Role.AGENT)).get("/voicemail/1")).status == 404


async def test_what_is_gone_or_was_never_there(page: Site) -> None:
    place = await kept(page)
    place.unlink()
    client = await page.client(Role.AGENT)
    for path in ("/voicemail/1", "/voicemail/2", "/voicemail/x", "/voicemail/..%2f1.wav"):
        assert (await client.get(path)).status == 404
