"""Where a form claims that it comes from."""

from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from pbx_bridge.web.back import back

OURS = "https://pbx.example.com/bridge/tasks"


def check(data: bytes) -> None:
    """A browser stays at our address, whatever is claimed."""
    claimed = data.decode("utf-8", "surrogateescape")
    there = back(claimed, "/tasks")
    assert there.startswith("/")
    assert not any(ord(character) < 0x21 or character == "\\" for character in there)
    where = urlsplit(urljoin(OURS, there))
    assert (where.scheme, where.netloc) == ("https", "pbx.example.com")


def seeds() -> Iterator[bytes]:
    yield b"/tasks?state=open&page=2#t7"
    yield b"//evil.example/x"
    yield b"/\\evil.example"
    yield b"/%2f%2fevil.example/../x?next=//evil"
