"""Who sees which view."""

from pbx_bridge.core.roles import Role
from pbx_bridge.web.navigation import OWN, here, places


def test_settings_are_for_administrators() -> None:
    assert "/setup" not in {place.path for place in places(Role.AGENT)}
    assert "/setup" in {place.path for place in places(Role.ADMIN)}
    assert {place.path for place in places(Role.VIEWER, OWN)} == {"/me", "/api"}


def test_a_page_below_a_view_belongs_to_it() -> None:
    assert here("/calls/17") == "/calls"
    assert here("/callsign") == ""
