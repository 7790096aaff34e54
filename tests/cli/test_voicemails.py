"""`voicemails`: listed, saved, tried; and what `explain` and `check` say of them."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge.core.call import Caller, Reason, Step, StepKind
from pbx_bridge.core.voicemail import Transcript
from pbx_bridge.store import calls, recordings
from pbx_bridge.voicemail.shelf import Shelf
from tests.store.examples import BOOT, CALLER, MISSED, NOON, PBX
from tests.transcribers.service import KEY, Service
from tests.voicemail.messages import REAL, SOUND, copy_of

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]
HOSTILE = "[bold]call me[/]\x1b[2J\n2026 forged\u202e"


@pytest.fixture
def _filled(write: Write, folder: Path) -> None:
    def fill(tx: Connection) -> None:
        for number in (1, 2, 3):
            at = NOON + timedelta(minutes=number)
            call = replace(
                MISSED, call_id=f"{number}", reason=Reason.VOICEMAIL_MESSAGE, mailbox="102@default",
                caller=Caller("5551234567", HOSTILE, withheld=number == 2),
                steps=(Step(at, StepKind.MESSAGE_LEFT, "102@default", "PJSIP/x"),),
            )  # fmt: skip
            row = calls.finish(tx, PBX, BOOT, call, CALLER)
            assert row is not None
            recordings.expect(tx, row, call, at)
        recordings.kept(tx, 1, NOON, path="1.wav", seconds=12.4, tell_at=NOON, transcribe=True)
        recordings.transcribed(tx, 1, NOON, Transcript(HOSTILE, "en"))
        recordings.told(tx, 1, NOON)
        recordings.not_found(tx, 2, NOON, attempts=7, problem="not there", again_at=None)

    write(fill)
    Shelf(folder / "bridge.db").keep(1, "wav", SOUND)


@pytest.mark.usefixtures("_filled")
def test_messages_are_listed_the_newest_first(command: Run) -> None:
    said = command("voicemails").stdout
    lines = [line for line in said.splitlines() if line[:1].isdigit()]
    assert [line.split()[0] for line in lines] == ["3", "2", "1"]
    words = " ".join(said.split())
    for state in ("looked for", "no recording (not there)", "kept, in writing", "withheld"):
        assert state in words
    assert "no [pbx.voicemail] in the configuration" in said
    assert not any(character in said for character in "\x1b\u202e")


@pytest.mark.usefixtures("_filled")
def test_messages_for_programs(command: Run) -> None:
    printed = command("voicemails", "--json", "--limit", "9").stdout
    assert printed.isascii()
    found = {one["id"]: one for one in map(json.loads, printed.splitlines())}
    assert (found[1]["seconds"], found[1]["state"], found[1]["told"]) == (12.4, "transcribed", True)
    assert found[1]["file"] == "1.wav"
    assert (found[2]["caller"], found[2]["name"], found[2]["told"]) == ("", "", False)
    assert (found[3]["state"], found[3]["told"]) == ("awaited", False)


def test_no_messages_yet(command: Run, write: Write) -> None:
    write(lambda _tx: None)
    assert command("voicemails").stdout == "no messages\n"


@pytest.mark.usefixtures("_filled")
def test_a_recording_is_saved_and_nothing_overwritten(command: Run, folder: Path) -> None:
    result = command("voicemails", "save", "1", "ann.wav")
    assert result.stdout == f"ann.wav: {len(SOUND)} bytes\n"
    assert (folder / "ann.wav").read_bytes() == SOUND
    again = command("voicemails", "save", "1", "ann.wav")
    assert (again.exit_code, again.stderr) == (1, "ann.wav: File exists\n")
    for number in ("2", "99"):
        none = command("voicemails", "save", number, "none.wav")
        assert none.exit_code == 1
        assert f"no recording {number}" in none.stderr
    assert not (folder / "none.wav").exists()


@pytest.mark.usefixtures("_filled")
def test_explain_tells_of_the_message(command: Run) -> None:
    said = command("explain", "1").stdout
    assert "message left of 12 s: kept, in writing" in said
    assert "[bold]call me[/][2J 2026 forged" in said
    assert "message left: no recording (not there)" in command("explain", "2").stdout
    found = json.loads(command("explain", "1", "--json").stdout)
    assert found["recording"]["file"] == "1.wav"


# -- the transcriber ----------------------------------------------------------------------


@pytest.fixture
def service() -> Iterator[Service]:
    """A service like OpenAI's in a thread, while the command runs in this one."""
    running, stop, found = threading.Event(), asyncio.Event(), Service()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with found.running():
            running.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    running.wait(10)
    yield found
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def _configure(folder: Path, text: str) -> None:
    config = folder / "pbx-bridge.toml"
    config.write_text(config.read_text() + text)


def _transcriber(service: Service, key: str = KEY) -> str:
    return (
        f'[transcriber]\ntype = "openai"\nmodel = "whisper-1"\nbase_url = "{service.url}"\n'
        f'api_key = "{key}"\nresponse_format = "verbose_json"\n'
    )


def test_a_file_is_put_into_writing(command: Run, folder: Path, service: Service) -> None:
    _configure(folder, _transcriber(service))
    result = command("voicemails", "try", str(REAL / "msg0000.wav"))
    first, second = result.stdout.splitlines()
    assert first.startswith("took 0.")
    assert first.endswith("s, language en")
    assert second == "Please call me back."
    service.text = " "
    silent = command("voicemails", "-c", "pbx-bridge.toml", "try", str(REAL / "msg0000.wav"))
    assert silent.stdout.splitlines()[1] == "(nothing was said)"


def test_what_is_wrong_with_the_transcriber_is_said(
    command: Run, folder: Path, service: Service
) -> None:
    result = command("voicemails", "try", str(REAL / "msg0000.wav"))
    assert result.exit_code == 2
    assert "there is no [transcriber]" in result.stderr
    _configure(folder, _transcriber(service, "wrong"))
    result = command("voicemails", "try", str(REAL / "msg0000.wav"))
    assert result.exit_code == 1
    assert result.stderr.startswith("no transcript: the transcriber answered 401: Incorrect")


def test_check_proves_folder_and_transcriber(command: Run, folder: Path, service: Service) -> None:
    text = (folder / "pbx-bridge.toml").read_text()
    spool = copy_of("22", folder)
    place = f'[pbx.voicemail]\nspool = "{spool}"\n'
    (folder / "pbx-bridge.toml").write_text(text + place + _transcriber(service))
    said = command("check").stdout
    assert f"ok     voicemail of office: {spool} can be read: 2 mailboxes in it" in said
    assert "ok     transcriber: 127.0.0.1 answers, and takes the model whisper-1" in said
    place = '[pbx.voicemail]\nspool = "nowhere"\n'
    (folder / "pbx-bridge.toml").write_text(text + place + _transcriber(service, "wrong"))
    said = command("check").stdout
    assert "WRONG  voicemail of office: " in said
    assert "nowhere: No such file or directory; docs/voicemail.md says how" in said
    assert "WRONG  transcriber: 127.0.0.1: it refuses the api_key: 401" in said
    assert KEY not in said
