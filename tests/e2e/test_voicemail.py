"""A message in the voicemail of a real Asterisk becomes a mail with the recording and its words.

Truth is what lies on the PBX's disk: the very same bytes have to reach the transcriber, and staff.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from pbx_bridge.store import recordings
from pbx_bridge.store.db import Database
from pbx_bridge.store.recordings import RecordingRecord
from tests.gateways.mailserver import MailServer
from tests.transcribers.service import KEY, Service

from .office import AFTER_HOURS, GROUP_MAILBOX, WITH_VOICEMAIL, Call, Office
from .service import RunningService

STAFF = """\
[alerts]
mail = [{{ gateway = "mail", to = ["boss@example.com"] }}]
kinds = ["voicemail"]
max_per_10_minutes = 100

[gateways.mail]
type = "smtp"
host = "127.0.0.1"
port = {mail}
security = "none"
sender = "office@example.com"

[[lines]]
number = "+16465550102"
name = "Sales"

[transcriber]
type = "openai"
model = "whisper-1"
base_url = "{url}"
api_key = "{key}"
wait = "20s"
"""
WORDS = "This is Ann Baker. The boiler is dripping again; please call me back."


@contextlib.asynccontextmanager
async def staff(office: Office) -> AsyncIterator[tuple[RunningService, MailServer, Service]]:
    """The service, with people to tell and somebody who listens."""
    mail, listener = MailServer(), Service(text=WORDS)
    async with mail.running(), listener.running():
        more = STAFF.format(mail=mail.port, url=listener.url, key=KEY)
        running = RunningService(office.asterisk, voicemail=True, more=more)
        await running.start()
        try:
            yield running, mail, listener
        finally:
            await running.close()


async def test_a_message_reaches_staff_with_its_recording_and_its_words(office: Office) -> None:
    async with staff(office) as (service, mail, listener):
        await office.phone("102")
        call = await office.place(WITH_VOICEMAIL, keys=[(500, "#")], talk=4000, speaks=True)
        await call.ended()
        await arrived(service, mail)
        sound = on_disk(office, call)
        assert len(sound) > 20_000
        (heard,) = listener.heard
        assert heard.content == sound
        (letter,) = mail.mails
        (attached,) = letter.iter_attachments()
        assert attached.get_content() == sound
        assert attached.get_content_type() == "audio/wav"
        plain = letter.get_body(("plain",))
        assert plain is not None
        text = plain.get_content()
        assert f"{call.number} left a message of " in text
        assert " on Sales: " in text
        assert WORDS in text
        (record,) = await messages(service)
        assert (record.mailbox, record.state) == ("102@default", "transcribed")
        assert record.channel.startswith("PJSIP/trunk-")
        copy = service.folder / "recordings" / record.path
        assert copy.read_bytes() == sound
        assert copy.stat().st_mode & 0o777 == 0o600
        assert WORDS not in json.dumps(service.log), "what callers say is not logged"


async def test_two_callers_in_one_mailbox_at_once(office: Office) -> None:
    """Each is told with what that caller said, whatever the number of the message."""
    async with staff(office) as (service, mail, listener):
        first = await office.place(AFTER_HOURS, keys=[(500, "#")], talk=3500, speaks=True)
        await asyncio.sleep(1)
        second = await office.place(AFTER_HOURS, keys=[(500, "#")], talk=4500, speaks=True)
        await first.ended()
        await second.ended()
        await arrived(service, mail, 2)
        by_caller = {record.caller: record for record in await messages(service)}
        for call in (first, second):
            record = by_caller[call.number]
            copy = (service.folder / "recordings" / record.path).read_bytes()
            assert copy == on_disk(office, call)
        assert len(listener.heard) == 2


async def test_a_message_in_a_members_mailbox_is_found_too(office: Office) -> None:
    async with staff(office) as (service, mail, _):
        await office.phone_refuses("102", "486 Busy Here")
        await office.phone("103")
        call = await office.place(GROUP_MAILBOX, keys=[(1000, "#")], talk=4000, speaks=True)
        await call.ended()
        await arrived(service, mail)
        (record,) = await messages(service)
        assert record.channel.startswith("Local/")
        assert (service.folder / "recordings" / record.path).read_bytes() == on_disk(office, call)


async def test_the_commands_tell_of_it(office: Office, tmp_path: Path) -> None:
    async with staff(office) as (service, mail, _):
        call = await office.place(AFTER_HOURS, keys=[(500, "#")], talk=3500, speaks=True)
        await call.ended()
        await arrived(service, mail)
        (record,) = await messages(service)
        said = await command(service, "voicemails")
        assert call.number in said
        assert "kept, in writing" in said
        assert "The boiler is dripping" in await command(service, "explain", str(record.call_row))
        saved = tmp_path / "message.wav"
        await command(service, "voicemails", "save", str(record.recording_id), str(saved))
        assert saved.read_bytes() == on_disk(office, call)
        assert WORDS in await command(service, "voicemails", "try", str(saved))
        checked = await command(service, "check")
        assert "ok     voicemail of office: " in checked
        assert "ok     transcriber: 127.0.0.1 answers" in checked


# -- what it takes ------------------------------------------------------------------------


async def arrived(service: RunningService, mail: MailServer, count: int = 1) -> None:
    try:
        async with asyncio.timeout(30):
            while len(mail.mails) < count:  # noqa: ASYNC110 - a server of the tests
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{len(mail.mails)} mails\n{service.report()}") from None


async def messages(service: RunningService) -> list[RecordingRecord]:
    async with Database.read_only(service.database) as db:
        return await db.read(lambda tx: recordings.recent(tx, limit=9))


def on_disk(office: Office, call: Call) -> bytes:
    """Give the message of that caller as it lies in the spool."""
    spool = office.asterisk.folder / "spool" / "voicemail"
    told = [file for file in spool.rglob("msg*.txt") if f"callerid={call.number}" in _text(file)]
    (file,) = told
    return file.with_suffix(".wav").read_bytes()


def _text(file: Path) -> str:
    return file.read_text("utf-8", "replace").replace('"', "").replace("<", "")


async def command(service: RunningService, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pbx_bridge", *arguments[:1], "-c", str(service.config)),
        *arguments[1:],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()
