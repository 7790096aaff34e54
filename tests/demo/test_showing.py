"""`pbx-bridge demo --page`: a link, the page behind it, calls that go on, and an end."""

import asyncio
import re
import signal
import sys

import aiohttp

from pbx_bridge.demo.office import free_port
from tests.service import PATIENCE, ROOT


async def test_the_link_leads_in_calls_are_seen_and_ctrl_c_ends_it() -> None:
    command = ("-m", "pbx_bridge", "demo", "--page", "--days", "0", "--port", str(free_port()))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command, "--speed", "100"), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(2 * PATIENCE):
            said = ""
            while not (link := re.search(r"http://\S+", said)):
                line = await process.stdout.readline()
                assert line, said
                said += line.decode()
            async with aiohttp.ClientSession() as http, http.get(link[0]) as answer:
                assert answer.status == 200
                assert "Set a new password for" in await answer.text()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            await process.communicate()
    assert process.returncode == 0
