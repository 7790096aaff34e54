"""The file is written whole or not at all, never over a change of somebody else."""

import asyncio
import errno
import fcntl
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pbx_bridge.config.keeping import KEPT, NotKept, keep, look

AT = datetime(2026, 11, 28, 19, 0, 1, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pbx-bridge.toml"
    path.write_text("old ü\n")
    path.chmod(0o640)
    return path


def names(path: Path) -> set[str]:
    return {one.name for one in path.parent.iterdir()}


def test_it_is_written_with_its_mode_and_a_copy_beside_it(file: Path) -> None:
    copy = keep(file, "new ü\n", seen=look(file).mark, at=AT)
    assert file.read_text() == "new ü\n"
    assert copy.read_text() == "old ü\n"
    assert copy.name == "pbx-bridge.toml.20261128T190001.bak"
    assert file.stat().st_mode & 0o777 == copy.stat().st_mode & 0o777 == 0o640
    assert names(file) == {file.name, copy.name}
    assert look(file).text == "new ü\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_it_keeps_its_owner(file: Path) -> None:
    os.chown(file, 1234, 4321)
    copy = keep(file, "new", seen=look(file).mark, at=AT)
    assert {(one.stat().st_uid, one.stat().st_gid) for one in (file, copy)} == {(1234, 4321)}


def test_it_keeps_its_access_list(file: Path) -> None:
    """Without it the mask of the list would count as the rights of the group."""
    entries = ((1, 6, -1), (2, 4, 1234), (4, 0, -1), (16, 4, -1), (32, 0, -1))
    access = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, rights, whose & 0xFFFFFFFF) for tag, rights, whose in entries
    )
    try:
        os.setxattr(file, "system.posix_acl_access", access)
    except OSError:
        pytest.skip("no access lists on this file system")
    copy = keep(file, "new", seen=look(file).mark, at=AT)
    for one in (file, copy):
        assert os.getxattr(one, "system.posix_acl_access") == access


def test_a_change_of_somebody_else_is_not_overwritten(file: Path) -> None:
    seen = look(file).mark
    file.write_text("theirs\n")
    with pytest.raises(NotKept, match="changed meanwhile"):
        keep(file, "new", seen=seen, at=AT)
    assert file.read_text() == "theirs\n"
    assert names(file) == {file.name}


def test_of_many_at_once_one_is_written(file: Path) -> None:
    seen = look(file).mark

    def write(number: int) -> str | None:
        try:
            keep(file, f"new {number}", seen=seen, at=AT)
        except NotKept:
            return None
        return f"new {number}"

    with ThreadPoolExecutor(8) as threads:
        written = [text for text in threads.map(write, range(40)) if text]
    assert written == [file.read_text()]
    assert len(names(file)) == 2


def test_while_another_program_saves_nothing_is_written(file: Path) -> None:
    handle = os.open(file.parent, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(NotKept, match="try again"):
            keep(file, "new", seen=look(file).mark, at=AT)
    finally:
        os.close(handle)
    assert file.read_text() == "old ü\n"


def test_a_link_is_followed_and_stays(file: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    link = tmp_path / "etc" / "linked.toml"
    link.symlink_to("../pbx-bridge.toml")
    copy = keep(link, "new", seen=look(link).mark, at=AT)
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert copy.parent == tmp_path


@pytest.mark.parametrize("call", ["fsync", "replace", "utime"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EPERM, errno.EIO])
def test_a_full_disk_leaves_the_file_and_no_litter(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path if call == "replace" else os, call, fails)
    with pytest.raises(NotKept, match=os.strerror(code)):
        keep(file, "new", seen=look(file).mark, at=AT)
    monkeypatch.undo()
    assert file.read_text() == "old ü\n"
    assert names(file) == {file.name}


@pytest.fixture
def full() -> Path:
    """Give a file at a place where nothing can be made."""
    return Path("/proc/self/comm")


def test_where_nothing_may_be_written_it_says_so(full: Path) -> None:
    with pytest.raises(NotKept, match=r"may not write .* docs/editing\.md"):
        keep(full, "new", seen=look(full).mark, at=AT)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotKept, match="No such file"):
        look(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes("ü".encode("latin-1"))
    with pytest.raises(NotKept, match="not UTF-8"):
        look(tmp_path / "latin.toml")


def test_the_oldest_copies_go(file: Path) -> None:
    other = file.with_name("pbx-bridge.toml.mine.bak")
    other.write_text("mine")
    for number in range(KEPT + 3):
        keep(file, str(number), seen=look(file).mark, at=AT + timedelta(seconds=number // 2))
    copies = names(file) - {file.name, other.name}
    assert len(copies) == KEPT
    assert {(file.parent / name).read_text() for name in copies} == {
        str(number) for number in range(2, KEPT + 2)
    }


async def test_readers_never_find_half_of_it(file: Path) -> None:
    texts = {character * 200_000 for character in "abc"}
    file.write_text("a" * 200_000)

    def write() -> None:
        for text in sorted(texts) * 5:
            keep(file, text, seen=look(file).mark, at=AT)

    writing = asyncio.get_running_loop().run_in_executor(None, write)
    while not writing.done():
        assert (await asyncio.to_thread(look, file)).text in texts
    await writing
