"""Each role may also do what those before it may."""

import pytest

from pbx_bridge.core.roles import Role

VIEWER, AGENT, ADMIN = Role


@pytest.mark.parametrize(
    ("role", "may"),
    [(VIEWER, {VIEWER}), (AGENT, {VIEWER, AGENT}), (ADMIN, {VIEWER, AGENT, ADMIN})],
)
def test_a_role_has_what_those_before_it_have(role: Role, may: set[Role]) -> None:
    assert {needed for needed in Role if role.may(needed)} == may
