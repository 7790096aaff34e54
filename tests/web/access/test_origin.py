"""Where requests come from, as far as can be known."""

import pytest

from pbx_bridge.web.access.origin import (
    client_address,
    counted_as,
    from_own_page,
    local_path,
    networks,
    own_origins,
)

PROXIES = networks(["127.0.0.1", "::1", "10.0.0.0/24"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", [], "192.0.2.7"),
        ("192.0.2.7", ["203.0.113.9"], "192.0.2.7"),  # no proxy of ours
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # the first is a claim
        ("127.0.0.1", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["1.1.1.1, 203.0.113.9, 10.0.0.5"], "203.0.113.9"),
        ("127.0.0.1", ["10.0.0.5"], "10.0.0.5"),  # somebody at the proxy itself
        ("::1", ["2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", ["nonsense"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9\x1b[2J"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("", ["203.0.113.9"], ""),
    ],
)
def test_only_our_own_proxies_are_believed(peer: str, forwarded: list[str], address: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="proxy"):
        networks(["proxy"])


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("", ""),
    ],
)
def test_one_subscriber_has_many_addresses_of_ipv6(address: str, counted: str) -> None:
    assert counted_as(address) == counted


def test_how_browsers_name_us() -> None:
    assert own_origins("https://x.example/bridge") == {"https://x.example"}
    assert own_origins("https://x.example:443") == {"https://x.example"}
    assert own_origins("https://x.example:8443") == {"https://x.example:8443"}
    assert own_origins("http://127.0.0.1:8088") == {
        "http://127.0.0.1:8088", "http://localhost:8088", "http://[::1]:8088",
    }  # fmt: skip


def test_a_browser_says_which_page_sends() -> None:
    ours = frozenset({"https://x.example"})
    assert from_own_page({}, ours)
    assert from_own_page({"Origin": "https://X.example", "Sec-Fetch-Site": "same-origin"}, ours)
    assert not from_own_page({"Origin": "https://x.example.evil"}, ours)
    assert not from_own_page({"Origin": "https://x.example", "Sec-Fetch-Site": "same-site"}, ours)


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/missed?x=1", "/missed?x=1"),
        ("", "/"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\r\nX: y", "/"),
        ("javascript:alert(1)", "/"),
        ("/\u2215evil", "/"),
    ],
)
def test_one_goes_on_only_to_a_path_of_ours(wanted: str, path: str) -> None:
    assert local_path(wanted) == path
