"""What can become of a database's files while no service runs."""

import os
import random
from collections.abc import Callable
from pathlib import Path


def _flipped(file: Path, chance: random.Random, most: int = 20) -> None:
    """Change some bytes, anywhere."""
    content = bytearray(file.read_bytes())
    for _ in range(chance.randint(1, most)):
        content[chance.randrange(len(content))] ^= chance.randint(1, 255)
    file.write_bytes(content)


def flipped_bytes(database: Path, chance: random.Random) -> None:
    _flipped(database, chance)


def one_bit(database: Path, chance: random.Random) -> None:
    content = bytearray(database.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    database.write_bytes(content)


def zeroed_page(database: Path, chance: random.Random) -> None:
    content = bytearray(database.read_bytes())
    at = chance.randrange(len(content) // 4096) * 4096
    content[at : at + 4096] = bytes(4096)
    database.write_bytes(content)


def random_page(database: Path, chance: random.Random) -> None:
    content = bytearray(database.read_bytes())
    at = chance.randrange(len(content) // 4096) * 4096
    content[at : at + 4096] = chance.randbytes(4096)
    database.write_bytes(content)


def cut(database: Path, chance: random.Random) -> None:
    os.truncate(database, chance.randrange(1, database.stat().st_size))


def cut_in_half(database: Path, _chance: random.Random) -> None:
    os.truncate(database, database.stat().st_size // 2)


def emptied(database: Path, _chance: random.Random) -> None:
    os.truncate(database, 0)


def something_else(database: Path, chance: random.Random) -> None:
    database.write_bytes(b"From: somebody\r\n\r\nno database at all\r\n" * chance.randint(1, 500))


def log_flipped(database: Path, chance: random.Random) -> None:
    _flipped(_log(database), chance)


def log_cut(database: Path, chance: random.Random) -> None:
    os.truncate(_log(database), chance.randrange(1, _log(database).stat().st_size))


def log_emptied(database: Path, _chance: random.Random) -> None:
    os.truncate(_log(database), 0)


def log_deleted(database: Path, _chance: random.Random) -> None:
    _log(database).unlink()


def logs_deleted(database: Path, _chance: random.Random) -> None:
    _log(database).unlink()
    database.with_name(f"{database.name}-shm").unlink(missing_ok=True)


def _log(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")


#: Those of which the log tells by its file alone, and how often each is tried.
DAMAGES: list[Callable[[Path, random.Random], None]] = [
    flipped_bytes, one_bit, zeroed_page, random_page, cut, cut_in_half, emptied, something_else,
    log_flipped, log_cut, log_emptied, log_deleted, logs_deleted,
]  # fmt: skip
