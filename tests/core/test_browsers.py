"""Browsers by the two words that people know them by."""

import pytest

from pbx_bridge.core.browsers import browser_name

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 "


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {CHROME}Safari/537.36", ("Chrome", "Linux")),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64) {CHROME}Safari/537.36 Edg/130",
            ("Edge", "Windows"),
        ),
        (f"Mozilla/5.0 (Linux; Android 14) {CHROME}Mobile Safari/537.36", ("Chrome", "Android")),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 14.1; rv:132.0) Firefox/132.0",
            ("Firefox", "Mac"),
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            ("Safari", "iPhone"),
        ),
        ("curl/8.0", ("", "")),
        ("", ("", "")),
    ],
)
def test_each_is_known_by_its_own_name(agent: str, name: tuple[str, str]) -> None:
    assert browser_name(agent) == name
