"""Come to a connection: resolve a name, and lose little time with addresses that are dead.

asyncio alone tries one address after the other, and waits for each as long as the kernel does: of a
name with an address that is dead (an IPv6 that leads nowhere, a server that moved) it would never
come to the one that works. Here they race (RFC 8305). That the name could not be resolved is told
apart from a server that does not answer: different people mend it.
"""

import asyncio
import socket
from typing import Any

import aiohappyeyeballs

#: Before the next address is tried while the first has not answered (RFC 8305, 5).
NEXT_ADDRESS = 0.25


async def dial(
    host: str, port: int, *, resolve_within: float, connect_within: float
) -> socket.socket:
    """Connect by TCP; give the socket. Both limits are in seconds.

    Raises:
        socket.gaierror: no such name; EAI_AGAIN: no name server answers.
        TimeoutError: nobody answers at the addresses of that name.
        OSError: as the network has it, of the last address tried.

    """
    found = await _addresses(host, port, resolve_within)
    async with asyncio.timeout(connect_within):
        return await aiohappyeyeballs.start_connection(
            found, happy_eyeballs_delay=NEXT_ADDRESS, interleave=1
        )


async def _addresses(host: str, port: int, within: float) -> list[Any]:
    try:  # what is an address needs no name server, and none of the threads that wait for one
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        pass  # a name
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(within):
            return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise socket.gaierror(
            socket.EAI_AGAIN, f"no answer from the name server within {within:g} s"
        ) from None
    except UnicodeError:  # a label that is empty or too long
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
