"""A form goes back to a page of ours, and nowhere else."""

import pytest

from pbx_bridge.web.back import back


@pytest.mark.parametrize(
    "ours",
    ["/", "/missed", "/missed?which=mine&page=2", "/conversation/+12125550142",
     "/conversation/+12125550142?before=2026-11-23T12:00:00~call~1#body", "/?undo=3"],
)  # fmt: skip
def test_ours(ours: str) -> None:
    assert back(ours, "/missed") == ours


@pytest.mark.parametrize(
    "foreign",
    ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a//evil.example", "missed",
     "/missed\r\nSet-Cookie: a=b", "/missed?a b", "javascript:alert(1)", "/" + "a" * 500,
     "/" + "a" * 100 + "!"],  # the last once was tried in 2 ** 100 ways
)  # fmt: skip
def test_foreign(foreign: str) -> None:
    assert back(foreign, "/missed") == "/missed"
