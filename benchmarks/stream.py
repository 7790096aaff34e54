"""A busy stream made of recorded calls: many at a time, each with identities of its own."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

RECORDINGS = Path(__file__).parents[1] / "tests" / "recordings"

_END = b"\r\n\r\n"
#: A Uniqueid (`1764000000.12`), a channel's serial number, a bridge's name.
_IDENTITY = re.compile(rb"\b\d{10}\.\d+\b|-[0-9a-f]{8}\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b")


def recorded_calls(folder: Path = RECORDINGS) -> list[list[bytes]]:
    """Give the messages of each recording, without greeting and answers."""
    calls = []
    for path in sorted(folder.glob("**/*.ami")):
        messages = [m for m in path.read_bytes().split(_END) if m.startswith(b"Event: ")]
        calls.append([m for m in messages if not m.startswith(b"Event: FullyBooted")])
    if not calls:
        raise SystemExit(f"no recordings under {folder}")
    return calls


def renamed(messages: list[bytes], serial: int) -> list[bytes]:
    """Give the call identities that no other call has, of the same length and kind."""
    names: dict[bytes, bytes] = {}

    def rename(match: re.Match[bytes]) -> bytes:
        old = match[0]
        if old not in names:
            n = len(names)
            if b"." in old:
                names[old] = b"%010d.%d" % (1_000_000_000 + serial, n)
            elif len(old) == 9:
                names[old] = b"-%08x" % (((serial * 64) + n) & 0xFFFFFFFF)
            else:
                names[old] = b"%08x" % (serial & 0xFFFFFFFF) + b"-%03d" % n + old[12:]
        return names[old]

    text = _IDENTITY.sub(rename, _END.join(messages))
    return text.split(_END)


def busy(calls: list[list[bytes]], count: int, at_once: int, seed: int = 1) -> Iterator[bytes]:
    """Interleave `count` calls, `at_once` of them live at any time; give message by message."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable stream, not a secret
    live: list[Iterator[bytes]] = []
    started = 0
    while live or started < count:
        while len(live) < at_once and started < count:
            live.append(iter(renamed(calls[started % len(calls)], started)))
            started += 1
        n = chance.randrange(len(live))
        message = next(live[n], None)
        if message is None:
            live.pop(n)
        else:
            yield message + _END
