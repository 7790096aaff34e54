"""The whole service in a process of its own, for tests that kill it.

Usage: python -m tests.service_process CONFIG [OPTIONS]

OPTIONS is a JSON object: `die_at` and `nth` name the passing of a checkpoint at which the process
kills itself, `fail_at` a checkpoint that raises as a bug would, `cancel_at` one that a stray
cancellation hits, `hang_at` one that never returns. `seconds` shortens waits, by the name of the
module's constant: {"app.LAST_EXIT": 1}. Asking a gateway about messages of unknown fate is short in
any case.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from pbx_bridge import app, followup, ledger, outgoing, sender, service, threads, watchdog
from pbx_bridge.core import liveness
from pbx_bridge.core.delivery import AskSchedule
from pbx_bridge.sources.ami import source

MODULES = {
    "app": app,
    "followup": followup,
    "ledger": ledger,
    "liveness": liveness,
    "outgoing": outgoing,
    "sender": sender,
    "service": service,
    "source": source,
    "watchdog": watchdog,
}
ASKING = AskSchedule(
    settle=timedelta(seconds=0.3),
    again=(timedelta(seconds=0.2), timedelta(seconds=0.2)),
    unreachable=timedelta(seconds=0.2),
)


def _shorten(seconds: dict[str, float]) -> None:
    for name, value in seconds.items():
        module, constant = name.split(".")
        now = getattr(MODULES[module], constant)
        setattr(
            MODULES[module],
            constant,
            timedelta(seconds=value) if isinstance(now, timedelta) else value,
        )


def _checkpoint(options: dict[str, Any]) -> Callable[[str], None]:
    passed: Counter[str] = Counter()

    def checkpoint(name: str) -> None:
        passed[name] += 1
        if name == options.get("die_at") and passed[name] == options.get("nth", 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if name == options.get("fail_at"):
            raise ZeroDivisionError("a bug, as far as anybody can tell")
        if name == options.get("cancel_at"):
            raise asyncio.CancelledError
        if name == options.get("hang_at"):
            time.sleep(3600)

    return checkpoint


def main(config: str, options: str = "{}") -> int:
    told: dict[str, Any] = json.loads(options)
    _shorten(told.get("seconds", {}))
    return threads.run(app.run(Path(config), asking=ASKING, checkpoint=_checkpoint(told)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
