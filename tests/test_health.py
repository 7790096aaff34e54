"""How another process learns how the service stands; what it says when that is dead or hangs."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest

from pbx_bridge import health
from pbx_bridge.config.sections import DatabaseSettings
from pbx_bridge.core.liveness import Finding, State, Verdict
from pbx_bridge.health import Hangs, NotFound, Unanswered, answering, ask, database_of, socket_of

WELL = Verdict((Finding("service", State.OK, "live"), Finding("pbx a", State.WAITS, "no route")))


async def _asked(path: Path) -> Verdict:
    return await asyncio.to_thread(ask, path)


def test_the_socket_is_beside_the_database() -> None:
    assert socket_of(Path("/var/lib/pbx-bridge/a.db")) == Path("/var/lib/pbx-bridge/a.db.sock")


@pytest.mark.parametrize("deep", [False, True])
async def test_whoever_asks_is_told(tmp_path: Path, deep: bool) -> None:  # noqa: FBT001
    folder = tmp_path / ("d" * 100 if deep else "d")  # longer than an address may be
    folder.mkdir()
    path = folder / "a.sock"
    async with answering(path, lambda: WELL):
        assert await _asked(path) == WELL
        assert await _asked(path) == WELL
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_it_is_judged_when_asked(tmp_path: Path) -> None:
    verdicts = [WELL, Verdict((Finding("loop", State.HUNG, "late"),))]
    async with answering(tmp_path / "s", lambda: verdicts.pop(0)):
        assert (await _asked(tmp_path / "s")).works
        assert not (await _asked(tmp_path / "s")).works


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(Unanswered, match="it does not run") as told:
        ask(tmp_path / "s")
    assert not told.value.hangs


async def test_what_a_killed_service_leaves_is_no_sign_of_life(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
        killed.listen()
    with pytest.raises(Unanswered, match="it does not run"):
        ask(path)
    async with answering(path, lambda: WELL):  # and does not keep the next from starting
        assert await _asked(path) == WELL


def test_who_does_not_answer_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE_S", 0.05)
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "s"))
        hung.listen(0)
        for _ in range(3):  # also when nobody takes the calls out of the queue any more
            with pytest.raises(Hangs, match=r"no answer within 0\.05 s"):
                ask(tmp_path / "s")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"[[1]]", b'[["a","b","c"]]'])
async def test_another_program_is_not_believed(tmp_path: Path, said: bytes) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    server = await asyncio.start_unix_server(answer, tmp_path / "s")
    async with server:
        with pytest.raises(Unanswered, match="is not the service"):
            await _asked(tmp_path / "s")


async def test_a_second_service_leaves_the_first_its_place(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with answering(path, lambda: WELL):
        with pytest.raises(FileExistsError, match="another service answers there"):
            async with answering(path, Verdict):
                pass
        assert await _asked(path) == WELL


async def test_a_socket_that_is_anothers_by_now_is_left(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with answering(path, lambda: WELL):
        path.unlink()
        path.touch()
    assert path.exists()


# -- where that is --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[database]\npath = "/srv/a.db"', "/srv/a.db"),
        ('[database]\npath = "a.db"', "FOLDER/a.db"),
        ("[database]", "/var/lib/pbx-bridge/pbx-bridge.db"),
        # Secrets that cannot be had here, and mistakes, do not matter.
        (
            'x = 1\n[[pbx]]\nsecret = { credential = "ami" }',
            "/var/lib/pbx-bridge/pbx-bridge.db",
        ),
    ],
)
def test_the_configuration_says_where(tmp_path: Path, text: str, expected: str) -> None:
    config = tmp_path / "c.toml"
    config.write_text(text)
    assert str(database_of(config)) == expected.replace("FOLDER", str(tmp_path))


def test_by_default_it_is_where_the_service_puts_it() -> None:
    assert DatabaseSettings().path == health.DATABASE


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file"),
        (b"secret = hunter2", "is not TOML"),
        (b"\xff", "is not TOML"),
        (b"[database]\npath = 7", "is not a text"),
        (b"database = 7", "is not a text"),
    ],
)
def test_a_configuration_that_does_not_say(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    config = tmp_path / "c.toml"
    if content is not None:
        config.write_bytes(content)
    with pytest.raises(NotFound, match=problem) as told:
        database_of(config)
    assert "hunter2" not in str(told.value)
