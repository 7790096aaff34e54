"""A capture of a live AMI, by the service's own eyes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from pbx_bridge import recording
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.record import Capture
from pbx_bridge.recording import RecordingProblem, times_path
from pbx_bridge.sources.ami.source import AmiAccess
from tests.service import until
from tests.sources.ami.fake import HANGUP, NEWCHANNEL, FakeAmi, serving


def access(ami: FakeAmi, secret: str = "s3cret") -> AmiAccess:
    return AmiAccess(
        name="office", host="127.0.0.1", port=ami.port, username="bridge", secret=secret
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monday.ami"


@asynccontextmanager
async def capturing(ami: FakeAmi, path: Path, *, mask: bool = False) -> AsyncIterator[Capture]:
    capture = Capture(access(ami), Inbound(), path, mask=mask)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(capture.run(seconds=None))
        await asyncio.wait_for(ami.resynchronised.wait(), 5)
        yield capture
        running.cancel()


async def test_what_the_pbx_says_is_written_as_it_comes(path: Path) -> None:
    async with serving(FakeAmi()) as ami, capturing(ami, path) as capture:
        assert capture.bytes > 0
        ami.say(NEWCHANNEL + HANGUP)
        await until(lambda: capture.events >= 3)  # the snapshot counts too
        assert (NEWCHANNEL + HANGUP).encode() in path.read_bytes()
        assert capture.bytes == path.stat().st_size
        assert capture.problem == ""
    assert [m.kind for m in recording.read(path)][-1] == "close"


async def test_the_secret_is_in_neither_file(path: Path) -> None:
    async with serving(FakeAmi()) as ami, capturing(ami, path):
        pass
    assert "Username: bridge" in times_path(path).read_text()
    assert "s3cret" not in times_path(path).read_text() + path.read_text()


async def test_numbers_can_be_masked(path: Path) -> None:
    async with serving(FakeAmi()) as ami, capturing(ami, path, mask=True) as capture:
        ami.say(NEWCHANNEL + HANGUP)
        await until(lambda: capture.events >= 3)
    written = path.read_bytes()
    assert b"Uniqueid: 1764000000.1\r\n" in written
    assert b"CallerIDNum: +1212555" in written
    # By chance one secret in ten thousand gives a number back to itself, but not both.
    assert b"+12125550142" not in written or b"+12125550100" not in written


async def test_a_lost_connection_is_recorded_and_taken_up_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx_bridge.sources.ami.source.FIRST_WAIT", 0.001)
    async with serving(FakeAmi()) as ami, capturing(ami, path):
        ami.resynchronised.clear()
        ami.hang_up()
        await asyncio.wait_for(ami.resynchronised.wait(), 5)
    kinds = [moment.kind for moment in recording.read(path) if moment.kind in {"connect", "close"}]
    assert kinds == ["connect", "close", "connect", "close"]


async def test_it_ends_by_itself_after_the_time_given(path: Path) -> None:
    async with serving(FakeAmi()) as ami:
        await Capture(access(ami), Inbound(), path, mask=False).run(seconds=0.05)
    assert path.exists()


async def test_why_nothing_comes_is_told(path: Path) -> None:
    async with serving(FakeAmi()) as ami:
        capture = Capture(access(ami, "wrong"), Inbound(), path, mask=False)
        assert capture.problem == "not connected yet"
        with suppress(TimeoutError):
            async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
                running = tasks.create_task(capture.run(seconds=None))
                await until(lambda: "refuses" in capture.problem)
                running.cancel()
    assert "check username and secret" in capture.problem


async def test_files_that_exist_are_not_overwritten(path: Path) -> None:
    path.write_text("precious")
    async with serving(FakeAmi()) as ami:
        with pytest.raises(RecordingProblem, match="File exists"):
            await Capture(access(ami), Inbound(), path, mask=False).run(seconds=1)
        assert ami.connections == 0
    assert path.read_text() == "precious"
