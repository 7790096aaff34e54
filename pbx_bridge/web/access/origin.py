"""Where a request comes from: whose address it is, and whether one of our own pages sent it."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network


def networks(written: Iterable[str]) -> tuple[Network, ...]:
    """Read addresses and networks.

    Raises:
        ValueError: one is neither.

    """
    return tuple(ip_network(one, strict=False) for one in written)


def client_address(peer: str, forwarded: Iterable[str], proxies: tuple[Network, ...]) -> str:
    """Give whose request it is: the peer, or whom trusted proxies say they forward for.

    `forwarded` are the X-Forwarded-For headers. Each proxy adds whom it sees at the end, so what
    stands before the first that is not ours is anybody's claim.
    """
    address = peer
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    while hops and _among(address, proxies):
        hop = hops.pop()
        try:
            address = str(ip_address(hop))
        except ValueError:
            break
    return address


def counted_as(address: str) -> str:
    """Give what tries are counted by: of IPv6 the network, all of which is one subscriber's."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, 64), strict=False))
    return address


def own_origins(url: str) -> frozenset[str]:
    """Give how browsers name us in Origin; a loopback address goes by several names."""
    parts = urlsplit(url)
    names = {parts.hostname or ""}
    if names & {"127.0.0.1", "localhost", "::1"}:
        names |= {"127.0.0.1", "localhost", "::1"}
    usual = parts.port is None or parts.port == {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if usual else f":{parts.port}"
    return frozenset(
        f"{parts.scheme}://{f'[{name}]' if ':' in name else name}{port}" for name in names
    )


def from_own_page(headers: Mapping[str, str], origins: frozenset[str]) -> bool:
    """Tell whether a browser says that one of our pages sent this; what says nothing may have.

    What names neither its site nor its origin is no browser of these years; the token in the form
    is asked for all the same.
    """
    if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    origin = headers.get("Origin")
    return origin is None or origin.lower() in origins


def local_path(wanted: str) -> str:
    """Give a path of ours to go on to; the start page for whatever might lead elsewhere."""
    harmless = (
        wanted.startswith("/")
        and not wanted.startswith("//")
        and "\\" not in wanted
        and wanted.isprintable()
        and wanted.isascii()
    )
    return wanted if harmless else "/"


def _among(address: str, proxies: tuple[Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in proxies)
