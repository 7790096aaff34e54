"""Secrets that mean nothing by themselves."""

from pbx_bridge.web.access import opaque


def test_each_is_another_and_fits_into_a_cookie_and_an_address() -> None:
    made = {opaque.new() for _ in range(100)}
    assert len(made) == 100
    for one in made:
        assert 43 <= len(one) <= opaque.LONGEST
        assert one.replace("-", "").replace("_", "").isalnum()
    assert opaque.new_token().startswith("pbxb_")


def test_stored_is_what_leads_back_to_nothing() -> None:
    assert opaque.digest("x") == opaque.digest("x") != opaque.digest("y")
    assert len(opaque.digest("\udc80")) == 64  # whatever a cookie may have in it
