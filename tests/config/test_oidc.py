"""[web.oidc]: what is right in it, and what is said of what is wrong."""

import pytest

from pbx_bridge.core.roles import Role
from tests.config.test_loading import FIRST_LINE, OFFICE, PBX, read, report

ONE = '[web.oidc]\nissuer = "https://id.example.com"\nclient_id = "pbx-bridge"\nadmins = ["a"]\n'


def test_the_issuer_is_kept_letter_by_letter() -> None:
    for issuer in ("https://id.example.com", "https://id.example.com/", "http://127.0.0.1:9/realm"):
        web = read(OFFICE + PBX + ONE.replace("https://id.example.com", issuer)).web
        assert web is not None
        assert web.oidc is not None
        assert web.oidc.issuer == issuer
        assert web.oidc.groups()[Role.ADMIN] == {"a"}


MISTAKES = [
    (
        ONE.replace("https:", "http:"),
        'LINE+1: web.oidc.issuer = "http://id.example.com": not https',
    ),
    (ONE.replace("https://id", "id"), 'LINE+1: web.oidc.issuer = "id.example.com": not a web'),
    (ONE.replace(".com", ".com/?x=1"), "LINE+1: web.oidc.issuer"),
    (ONE.replace('admins = ["a"]', ""), "LINE: web.oidc: nobody could come in; name groups"),
    (ONE + 'scopes = ["profile"]', "LINE+4: web.oidc.scopes: openid is missing"),
    (ONE + 'client_secret = ""', "LINE+4: web.oidc.client_secret: the secret is empty"),
    (ONE + 'group = "x"', "LINE+4: web.oidc.group: unknown key"),
    ('[web]\nproxies = ["proxy"]', 'LINE+1: web.proxies[1] = "proxy": no IP address'),
    ('[web]\nlisten = "0.0.0.0"', "LINE: web: listen"),
    ('[web]\nsession_idle = "1m"', 'LINE+1: web.session_idle = "1m": out of range'),
]


@pytest.mark.parametrize(("added", "expected"), MISTAKES)
def test_a_mistake_is_told(added: str, expected: str) -> None:
    place, _, wanted = expected.partition(": ")
    line = FIRST_LINE + int(place.partition("+")[2] or 0)
    assert f"x.toml:{line}: {wanted}" in report(OFFICE + PBX + added)
