"""An OpenID provider on this machine: real keys, real codes, and whatever a test has it say."""

import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "pbx-bridge", "canary: client secret/"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Identity:
    """The provider. `claims` go over those that are right; None takes one out."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    described: dict[str, Any] = field(default_factory=dict)  #: likewise, of its description
    key: rsa.RSAPrivateKey = KEY  #: signs
    kid: str | None = "k1"
    published: dict[str, rsa.RSAPrivateKey] = field(default_factory=lambda: {"k1": KEY})
    algorithm: str = "RS256"
    answer: tuple[int, str] | None = None  #: instead of a token
    error: str = ""  #: instead of a code
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/realm/.well-known/openid-configuration", self._describe)
        app.router.add_get("/realm/authorize", self._authorize)
        app.router.add_post("/realm/token", self._token)
        app.router.add_get("/realm/keys", self._keys)
        return app

    async def _describe(self, _request: web.Request) -> web.Response:
        self.asked.append("description")
        right = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return web.json_response(right | self.described)

    async def _authorize(self, request: web.Request) -> web.Response:
        """Log in whoever comes, at once."""
        query = dict(request.query)
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = f"code-{len(self._codes)}"
        self._codes[code] = query
        back = {"state": query["state"], "iss": self.issuer}
        back |= {"error": self.error} if self.error else {"code": code}
        raise web.HTTPFound(f"{query['redirect_uri']}?{urlencode(back)}")

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append("token")
        if self.answer is not None:
            return web.Response(status=self.answer[0], text=self.answer[1])
        sent = await request.post()
        both = base64.b64encode(b"pbx-bridge:canary%3A+client+secret%2F").decode()
        if "client_secret" in sent:
            assert (sent["client_id"], sent["client_secret"]) == (CLIENT, SECRET)
        else:
            assert request.headers["Authorization"] == f"Basic {both}"
        asked = self._codes.pop(str(sent["code"]), None)  # each code is good once
        digest = hashlib.sha256(str(sent["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or challenge != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        assert sent["redirect_uri"] == asked["redirect_uri"]
        return web.json_response(
            {"token_type": "Bearer", "id_token": self.id_token(asked["nonce"])}
        )

    async def _keys(self, _request: web.Request) -> web.Response:
        self.asked.append("keys")
        keys = [
            json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": kid}
            for kid, key in self.published.items()
        ]
        return web.json_response({"keys": keys})

    def id_token(self, nonce: str) -> str:
        right = {
            "iss": self.issuer, "sub": "u-1", "aud": CLIENT, "nonce": nonce,
            "iat": int(time.time()), "exp": int(time.time()) + 300,  # noqa: TID251 - as PyJWT reads
            "preferred_username": "Anna", "name": "Anna Berg", "groups": ["reception", "all"],
        }  # fmt: skip
        claims = {name: value for name, value in (right | self.claims).items() if value is not None}
        headers = {} if self.kid is None else {"kid": self.kid}
        signing: Any = self.key if self.algorithm.startswith("RS") else ""
        if self.algorithm.startswith("HS"):
            signing = "k" * 64
        return jwt.encode(claims, signing, algorithm=self.algorithm, headers=headers)


@asynccontextmanager
async def identity() -> AsyncIterator[Identity]:
    """Serve a provider."""
    made = Identity()
    server = TestServer(made.application())
    await server.start_server()
    made.issuer = str(server.make_url("/realm"))
    try:
        yield made
    finally:
        await server.close()
