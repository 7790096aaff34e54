"""Logging in at an OpenID provider: authorization code flow with PKCE, state and nonce.

After OpenID Connect Core 1.0 and RFC 9700. All that comes from the browser is somebody's claim;
what counts is the ID token, signed by a key that the provider publishes.
"""

import asyncio
import base64
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Literal
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
import jwt

from pbx_bridge.core.accounts import login_name
from pbx_bridge.core.roles import Role
from pbx_bridge.core.text import clean
from pbx_bridge.secret import Secret
from pbx_bridge.web.access import opaque

#: Within this somebody has to have logged in at the provider.
PATIENCE = timedelta(minutes=10)
#: Logins under way that are remembered; the oldest is forgotten first.
MOST_PENDING = 1000
#: What the provider says of itself is asked for again after so long;
FRESH = timedelta(hours=1)
#: its keys no more often than this, whatever tokens name.
KEYS_EVERY = timedelta(seconds=30)
ANSWER = aiohttp.ClientTimeout(total=10)
LARGEST_ANSWER = 262_144
#: Signatures by keys that only the provider has.
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
LEEWAY = timedelta(minutes=1)

#: Why a login failed; what is said of each stands in `views/provider.py`.
Why = Literal[
    "unreachable", "not_as_described", "refused", "too_late", "not_proven", "no_role", "no_name"
]


class OidcProblem(Exception):  # noqa: N818 - it may be nobody's error
    """A login failed: `why` for the person, the text for the log."""

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(detail)
        self.why: Why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """The provider, and how its claims become roles."""

    issuer: str
    client_id: str
    client_secret: Secret | None
    label: str
    scopes: tuple[str, ...]
    name_claim: str
    role_claim: str
    groups: Mapping[Role, frozenset[str]]
    redirect_uri: str  #: where the provider sends browsers back to


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who logged in at the provider, as it proves."""

    subject: str  #: the issuer and whom it means: never another's
    name: str
    display_name: str
    role: Role
    wanted: str  #: where the browser was to go on to


@dataclass(frozen=True, slots=True)
class _Pending:
    nonce: str
    verifier: str
    browser: str  #: the hash of what the browser's cookie holds
    wanted: str
    at: datetime


@dataclass
class _Known:
    """What the provider publishes, as it was last read."""

    described: Mapping[str, Any] = field(default_factory=dict)
    described_at: datetime | None = None
    keys: tuple[Mapping[str, Any], ...] = ()
    keys_at: datetime | None = None


class Provider:
    """One OpenID provider."""

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._known = _Known()

    async def begin(self, wanted: str, now: datetime) -> tuple[str, str]:
        """Give where the browser is to go, and a secret that its cookie is to keep meanwhile.

        Raises:
            OidcProblem: the provider does not say how.

        """
        described = await self._described(now)
        state, nonce, verifier, browser = (opaque.new() for _ in range(4))
        self._pending[state] = _Pending(nonce, verifier, opaque.digest(browser), wanted, now)
        while len(self._pending) > MOST_PENDING:
            self._pending.popitem(last=False)
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.settings.client_id,
                "redirect_uri": self.settings.redirect_uri,
                "scope": " ".join(self.settings.scopes),
                "state": state,
                "nonce": nonce,
                "code_challenge": _challenge(verifier),
                "code_challenge_method": "S256",
            }
        )
        address = self._endpoint(described, "authorization_endpoint")
        return f"{address}{'&' if urlsplit(address).query else '?'}{query}", browser

    async def finish(self, answer: Mapping[str, str], browser: str, now: datetime) -> Person:
        """Give who came back from the provider with this answer.

        Raises:
            OidcProblem: nobody, or nobody who is let in.

        """
        pending = self._pending.pop(answer.get("state", ""), None)
        if pending is None or now - pending.at > PATIENCE:
            raise OidcProblem("too_late", "the state is none of ours, used, or too old")
        if not compare_digest(pending.browser, opaque.digest(browser)):
            raise OidcProblem("too_late", "another browser began this login")
        if answer.get("iss", self.settings.issuer) != self.settings.issuer:
            raise OidcProblem("not_proven", "the answer is of another issuer")
        if "error" in answer:
            raise OidcProblem("refused", f"the provider said: {clean(answer['error'])[:100]}")
        described = await self._described(now)
        token = await self._exchange(described, answer.get("code", ""), pending.verifier)
        return self._person(await self._proven(described, token, pending.nonce, now), pending)

    # -------------------------------------------------------------------------------------

    def _person(self, claims: Mapping[str, Any], pending: _Pending) -> Person:
        groups = _within(claims, self.settings.role_claim)
        named = {groups} if isinstance(groups, str) else _strings(groups)
        roles = [role for role, wanted in self.settings.groups.items() if wanted & named]
        if not roles:
            raise OidcProblem(
                "no_role", f"no group in the claim {self.settings.role_claim} is in [web.oidc]"
            )
        written = claims.get(self.settings.name_claim)
        name = login_name(written) if isinstance(written, str) else None
        if name is None:
            raise OidcProblem("no_name", f"the claim {self.settings.name_claim} has no usable name")
        called = claims.get("name")
        return Person(
            subject=f"{self.settings.issuer} {claims['sub']}",
            name=name,
            display_name=clean(called)[:100] if isinstance(called, str) else "",
            role=max(roles, key=list(Role).index),
            wanted=pending.wanted,
        )

    async def _exchange(self, described: Mapping[str, Any], code: str, verifier: str) -> str:
        """Give the ID token for a code."""
        settings = self.settings
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": settings.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        methods = described.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if settings.client_secret is None:
            fields["client_id"] = settings.client_id
        elif "client_secret_basic" in methods:
            both = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret.reveal())}"
            headers["Authorization"] = f"Basic {base64.b64encode(both.encode()).decode()}"
        else:
            fields |= {
                "client_id": settings.client_id,
                "client_secret": settings.client_secret.reveal(),
            }
        address = self._endpoint(described, "token_endpoint")
        answer = await _asked("POST", address, headers=headers, data=fields)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcProblem("not_as_described", "the answer to the code has no id_token")
        return token

    async def _proven(
        self, described: Mapping[str, Any], token: str, nonce: str, now: datetime
    ) -> Mapping[str, Any]:
        """Give the claims of an ID token that the provider signed, for us, in this login."""
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if algorithm not in ALGORITHMS:
                raise OidcProblem("not_proven", "the ID token is not signed by a key of its own")
            key = await self._key(described, header.get("kid"), algorithm, now)
            claims: dict[str, Any] = jwt.decode(
                token,
                key=key,
                algorithms=[algorithm],
                audience=self.settings.client_id,
                issuer=self.settings.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWTError as error:
            raise OidcProblem("not_proven", f"the ID token: {error}") from error
        if not compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise OidcProblem("not_proven", "the ID token is of another login")
        parties = claims["aud"]
        several = isinstance(parties, list) and len(parties) > 1
        if several and claims.get("azp") != self.settings.client_id:
            raise OidcProblem("not_proven", "the ID token was issued to somebody else")
        return claims

    async def _key(
        self, described: Mapping[str, Any], kid: object, algorithm: str, now: datetime
    ) -> jwt.PyJWK:
        """Give the key that signed; the provider is asked again if it may have a new one."""
        known = self._known
        found = _fitting(known.keys, kid)
        if found is None and (known.keys_at is None or now - known.keys_at >= KEYS_EVERY):
            answer = await _asked("GET", self._endpoint(described, "jwks_uri"))
            keys = answer.get("keys")
            known.keys = tuple(key for key in keys or () if isinstance(key, dict))
            known.keys_at = now
            found = _fitting(known.keys, kid)
        if found is None:
            raise OidcProblem("not_proven", "the provider does not publish the key that signed")
        return jwt.PyJWK(dict(found), algorithm)

    async def _described(self, now: datetime) -> Mapping[str, Any]:
        """Give what the provider says of itself."""
        known = self._known
        if known.described_at is None or now - known.described_at >= FRESH:
            issuer = self.settings.issuer
            answer = await _asked("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if answer.get("issuer") != issuer:
                raise OidcProblem(
                    "not_as_described",
                    f"it calls itself {clean(str(answer.get('issuer')))[:200]}, not {issuer}: "
                    "write [web.oidc] issuer as it does",
                )
            known.described, known.described_at = answer, now
        return known.described

    def _endpoint(self, described: Mapping[str, Any], name: str) -> str:
        address = described.get(name)
        secure = self.settings.issuer.startswith("https:")
        if not isinstance(address, str) or not address.startswith(
            "https://" if secure else ("https://", "http://")
        ):
            raise OidcProblem("not_as_described", f"it has no usable {name}")
        return address


async def _asked(method: str, address: str, **request: Any) -> Mapping[str, Any]:
    """Ask the provider for a JSON object."""
    where = urlsplit(address).hostname
    try:
        async with (
            aiohttp.ClientSession(timeout=ANSWER) as session,
            session.request(method, address, allow_redirects=False, **request) as response,
        ):
            body = await response.content.read(LARGEST_ANSWER)
            while len(body) < LARGEST_ANSWER and (more := await response.content.read(65_536)):
                body += more
    except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
        raise OidcProblem(
            "unreachable", f"{where} does not answer: {type(error).__name__}"
        ) from error
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if response.status != 200 or not isinstance(answer, dict):  # noqa: PLR2004
        told = answer.get("error") if isinstance(answer, dict) else None
        said = f" ({clean(told)[:100]})" if isinstance(told, str) else ""
        raise OidcProblem(
            "not_as_described", f"{where} answers {response.status}{said} where JSON was asked for"
        )
    return answer


def _fitting(keys: tuple[Mapping[str, Any], ...], kid: object) -> Mapping[str, Any] | None:
    """Find the key that is named; without a name only if there is no choice."""
    signing = [key for key in keys if key.get("use", "sig") == "sig"]
    if kid is None:
        return signing[0] if len(signing) == 1 else None
    return next((key for key in signing if key.get("kid") == kid), None)


def _within(claims: Mapping[str, Any], path: str) -> Any:
    """Give a claim, or what is inside of it: `realm_access.roles`."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _strings(values: object) -> set[str]:
    return (
        {value for value in values if isinstance(value, str)} if isinstance(values, list) else set()
    )


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
