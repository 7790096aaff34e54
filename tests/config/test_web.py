"""[web]: where browsers find the page."""

import pytest
from pydantic import ValidationError

from pbx_bridge.config.web import Web


@pytest.mark.parametrize(
    ("written", "url", "base", "secure"),
    [
        ({}, "http://127.0.0.1:8088", "", False),
        ({"listen": "::1", "port": 9}, "http://[::1]:9", "", False),
        ({"public_url": "https://x.example/"}, "https://x.example", "", True),
        ({"public_url": "https://x.example/a/b/"}, "https://x.example/a/b", "/a/b", True),
    ],
)
def test_how_browsers_reach_it(
    written: dict[str, object],
    url: str,
    base: str,
    secure: bool,  # noqa: FBT001 - a table
) -> None:
    web = Web.model_validate(written)
    assert (web.url, web.base, web.secure) == (url, base, secure)


@pytest.mark.parametrize("url", ["https://u:p@x.example", "https://x.example/?a=1", "ftp://x"])
def test_nothing_else_may_stand_in_it(url: str) -> None:
    with pytest.raises(ValidationError):
        Web.model_validate({"public_url": url})
