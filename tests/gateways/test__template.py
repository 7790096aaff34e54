"""Templates: each value stays where it belongs."""

import pytest

from pbx_bridge.gateways._template import (
    ESCAPES,
    address,
    as_it_is,
    fill,
    filled,
    pairs,
    require_url,
    strings,
)


def test_a_value_is_never_searched_for_placeholders() -> None:
    values = {"a": "{b}", "b": "{a}"}
    assert fill("{a} {b} {c} {A}", values, as_it_is) == "{b} {a} {c} {A}"


def test_only_params_choose_the_host() -> None:
    params = {"host": "192.168.1.2:8080"}
    values = params | {"to": "evil.example/"}
    assert address("http://{host}/{to}?{host}", params, values) == (
        "http://192.168.1.2:8080/evil.example%2F?192.168.1.2%3A8080"
    )
    assert address("http://{to}/", params, values) == "http://{to}/"
    assert address("no url", params, values) == "no url"


@pytest.mark.parametrize(
    "host", ["pbx", "sms.example.com", "192.168.1.2", "a:1", "[fe80::1]", "[::1]:8080", "a_b"]
)
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    require_url("url", "http://{host}/x", frozenset({"host"}), {"host": host})


@pytest.mark.parametrize(
    "host", ["", "a b", "a/b", "a?b", "a#b", "a@b", "a:b", "a:99999", "[::1", "ä", "a\\b", "a%41"]
)
def test_nothing_else_is(host: str) -> None:
    with pytest.raises(ValueError, match=r"url|Port|IPv6|netloc"):
        require_url("url", "http://{host}/x", frozenset({"host"}), {"host": host})


def test_a_field_without_its_value_is_left_out_wherever_it_is() -> None:
    template = {"a": "{hook_url}/x", "b": [{"c": "{gsm_text}", "d": "1"}], "e": "{other}"}
    assert filled(template, {"hook_url": "", "other": ""}) == {"b": [{"d": "1"}], "e": ""}
    full = {"hook_url": "u", "gsm_text": "t", "other": "o"}
    assert filled(template, full) == {"a": "u/x", "b": [{"c": "t", "d": "1"}], "e": "o"}
    assert pairs({"a": "{ucs2_hex}", "b": "x"}, {}) == {"b": "x"}


def test_all_texts_of_a_template_are_looked_at() -> None:
    assert strings({"a": ["x", {"b": "y"}], "c": 1, "d": None}) == ["x", "y"]


def test_every_content_type_has_its_escape() -> None:
    for kind, escape in ESCAPES.items():
        assert escape("plain") == "plain", kind
