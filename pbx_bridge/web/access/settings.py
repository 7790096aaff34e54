"""What [web] says of access, as the guard needs it."""

from argon2 import PasswordHasher

from pbx_bridge.config.oidc import Oidc
from pbx_bridge.config.web import Web
from pbx_bridge.ports import Clock
from pbx_bridge.store.db import Database
from pbx_bridge.web.access.guard import AccessSettings, Guard
from pbx_bridge.web.access.logins import Logins
from pbx_bridge.web.access.oidc import OidcSettings, Provider
from pbx_bridge.web.access.origin import networks, own_origins
from pbx_bridge.web.access.passwords import Passwords


def access_settings(web: Web) -> AccessSettings:
    """Read the settings from the configuration."""
    return AccessSettings(
        url=web.url,
        base=web.base,
        secure=web.secure,
        origins=own_origins(web.url),
        proxies=networks(web.proxies),
        idle=web.session_idle,
        lifetime=web.session_lifetime,
    )


def oidc_settings(oidc: Oidc, url: str) -> OidcSettings:
    """Read the settings of the OpenID provider; `url` is where browsers find the page."""
    return OidcSettings(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        client_secret=oidc.client_secret,
        label=oidc.label,
        scopes=oidc.scopes,
        name_claim=oidc.name_claim,
        role_claim=oidc.role_claim,
        groups=oidc.groups(),
        redirect_uri=f"{url}/login/oidc/callback",
    )


def guard_for(web: Web, db: Database, now: Clock, hasher: PasswordHasher | None = None) -> Guard:
    """Make the guard of the page; it ends with the application that it joins."""
    provider = None if web.oidc is None else Provider(oidc_settings(web.oidc, web.url))
    return Guard(db, access_settings(web), now, Logins(db, Passwords(hasher)), provider)
