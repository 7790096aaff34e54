"""What systemd is told over NOTIFY_SOCKET, as sd_notify(3) has it; nothing where there is none.

Our own, because what there is on PyPI is of 2017 (sdnotify), needs libsystemd and a compiler
(cysystemd, systemd-python), or cannot tell of a reload (systemd-watchdog).
"""

import os
import socket
from collections.abc import Mapping
from datetime import timedelta

#: The event loop stands still while systemd's queue is full, and not for longer.
PATIENCE_S = 1.0


class Notifier:
    """The way to systemd. `environment` is that of the process.

    Whatever is told may be lost: a service must not fail because nobody listens.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        #: Within what time systemd wants to hear of us; None if it does not watch us.
        self.watchdog = _watchdog(environment)

    def ready(self) -> None:
        """Say that the service has started, or has read its configuration again."""
        self._tell("READY=1")

    def reloading(self, monotonic_us: int) -> None:
        """Say that the configuration is being read again; `ready` ends that."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={monotonic_us}")

    def stopping(self) -> None:
        """Say that the service is on its way out."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Say that all is well, for the watchdog."""
        self._tell("WATCHDOG=1")

    def status(self, line: str) -> None:
        """Say in one line, for people, how things are."""
        self._tell("STATUS=" + " ".join(line.split()))

    def needs_longer(self, time: timedelta) -> None:
        """Say that starting or stopping takes at least so much longer, from now on."""
        self._tell(f"EXTEND_TIMEOUT_USEC={round(time.total_seconds() * 1_000_000)}")

    def _tell(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
                way.settimeout(PATIENCE_S)
                way.sendto("\n".join(lines).encode(errors="replace"), self._address)
        except OSError:
            return


def _address(written: str) -> str | None:
    """Give the address of the socket: a path, or `@name` for an abstract one."""
    if written.startswith("/"):
        return written
    return "\0" + written[1:] if written.startswith("@") else None


def _watchdog(environment: Mapping[str, str]) -> timedelta | None:
    usec, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return timedelta(microseconds=int(usec))
