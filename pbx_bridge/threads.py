"""The threads that the service's loop lends out: for names, files, and what takes long.

Python's own default has six of them on two cores. A silent name server holds each thread that
asks it for half a minute, so a few names (the PBX, a gateway, a broker, a CRM) would have mails,
records and the page wait for it too. And such a thread would keep the process from ending.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

#: More than twice the names in a configuration that can be silent at a time. They are made as they
#: are needed, and packaging/systemd/ allows 64 tasks.
MOST = 32
#: Seconds at the end. Who is not ready then, when all is closed, waits for something outside.
PATIENCE = 1.0

log = structlog.get_logger()


def run(work: Coroutine[Any, Any, int]) -> int:
    """Run the service to its end; give its exit code.

    If a thread waits for the outside even then, the process ends here, with that code.
    """
    threads = ThreadPoolExecutor(MOST, thread_name_prefix="lent")
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(threads)
        code = runner.run(work)
        ending = threading.Thread(
            target=threads.shutdown, kwargs={"cancel_futures": True}, daemon=True
        )
        ending.start()
        ending.join(PATIENCE)
        if ending.is_alive():
            log.warning("left_behind", problem="a thread waits, perhaps for a name server")
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return code
