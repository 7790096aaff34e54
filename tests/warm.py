"""Services that are born by fork, out of a process that has imported everything and no more.

To import the service takes three seconds of a core, and a test that kills it a thousand times has
no such time. Each one born is a process of its own, with event loop, threads, database and sockets
of its own; only the imports are older than it.

Usage: python -m tests.warm DESCRIPTOR, which `born` does once for each run of pytest.
"""

import asyncio
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parent.parent
_LARGEST = 2**16


# -- the test's side ------------------------------------------------------------------------


class Born:
    """One service, with as much of `asyncio.subprocess.Process` as `tests.service` needs."""

    def __init__(
        self,
        pid: int,
        stderr: asyncio.StreamReader,
        fate: asyncio.StreamReader,
        pipes: Sequence[asyncio.BaseTransport],
    ) -> None:
        self.pid = pid
        self._pipes = pipes
        self.stderr: asyncio.StreamReader | None = stderr
        self.returncode: int | None = None
        self._ending = asyncio.get_running_loop().create_task(self._end(fate))

    async def _end(self, fate: asyncio.StreamReader) -> int:
        self.returncode = int(await fate.readline())
        return self.returncode

    async def wait(self) -> int:
        """Wait until it is gone and its parent has taken note; give its exit code.

        What it wrote is to be read to the end before that: its pipes are closed here, so that none
        is left to whichever test collects it.
        """
        code = await asyncio.shield(self._ending)
        for pipe in self._pipes:
            pipe.close()
        await asyncio.sleep(0)  # closing takes a turn of the loop
        return code

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        with suppress(ProcessLookupError):  # it is gone, and its parent about to say so
            self.send_signal(signal.SIGKILL)


async def born(*arguments: str) -> Born:
    """Have `tests.service_process` run with these arguments, and this process's environment."""
    stderr, stderr_end, stderr_pipe = await _pipe()
    fate, fate_end, fate_pipe = await _pipe()
    request = json.dumps({"arguments": arguments, "environment": dict(os.environ)}).encode()
    assert len(request) < _LARGEST
    socket.send_fds(_nursery()[0], [request], [stderr_end, fate_end])
    os.close(stderr_end)
    os.close(fate_end)
    return Born(int(await fate.readline()), stderr, fate, (stderr_pipe, fate_pipe))


async def _pipe() -> tuple[asyncio.StreamReader, int, asyncio.BaseTransport]:
    """Open a pipe; give what reads it, the descriptor of the other end, and its transport."""
    out, into = os.pipe()
    reader = asyncio.StreamReader(limit=2**20)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(out, "rb")
    )
    return reader, into, transport


@cache
def _nursery() -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """Start the process that all are born of; it ends when this process does."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "tests.warm", str(its.fileno())],
            cwd=ROOT,
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
        )
    return ours, process


# -- its own side ---------------------------------------------------------------------------


def main(descriptor: str) -> None:
    """Bear whoever is asked for, and tell each one's end, until nobody is there to ask."""
    _grow_warm()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    living: dict[int, tuple[int, int]] = {}  # by a descriptor of the process: its id, whom to tell
    with socket.socket(fileno=int(descriptor)) as asked, selectors.DefaultSelector() as news:
        news.register(asked, selectors.EVENT_READ)
        while True:
            for key, _ in news.select():
                if key.fd != asked.fileno():
                    news.unregister(key.fd)
                    _bury(key.fd, *living.pop(key.fd))
                    continue
                request, descriptors, _, _ = socket.recv_fds(asked, _LARGEST, 2)
                if not request:
                    for pid, _ in living.values():
                        os.kill(pid, signal.SIGKILL)
                    return
                stderr, fate = descriptors
                pid = os.fork()
                if pid == 0:
                    news.close()
                    asked.close()
                    for other, (_, told) in living.items():
                        os.close(other)
                        os.close(told)
                    os.close(fate)
                    _live(stderr, **json.loads(request))
                os.close(stderr)
                os.write(fate, b"%d\n" % pid)
                end = os.pidfd_open(pid)
                living[end] = (pid, fate)
                news.register(end, selectors.EVENT_READ)


def _grow_warm() -> None:
    """Import what a service imports, also what it does only when it has use for it."""
    from pbx_bridge import gateways  # noqa: PLC0415 - only this process needs it
    from pbx_bridge.core import holidays  # noqa: PLC0415
    from tests import service_process  # noqa: PLC0415

    for kind in ("twilio", "http"):
        gateways.load(kind)
    assert service_process.MODULES
    assert holidays.is_known("US")
    gc.freeze()


def _bury(end: int, pid: int, fate: int) -> None:
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):  # the test may have gone on
        os.write(fate, b"%d\n" % os.waitstatus_to_exitcode(status))
    os.close(fate)
    os.close(end)


def _live(stderr: int, arguments: list[str], environment: Mapping[str, str]) -> NoReturn:
    """Be the service, from its first line to its exit code."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(environment)
        os.dup2(stderr, 2)
        os.close(stderr)
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 1)
        from tests import service_process  # noqa: PLC0415 - as above

        code = service_process.main(*arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - as the interpreter does at its end
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
