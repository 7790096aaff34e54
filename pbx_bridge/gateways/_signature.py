"""Who may say something by a webhook: one small pure check for each way of signing.

Every comparison takes the same time however much agrees, and is of the text as it was sent, so
that there is exactly one signature for a request. Sources: the documentation that the presets
name; RFC 8032 (Ed25519), RFC 7519 (JWT).
"""

import binascii
import hashlib
import hmac
import json
import re
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from pydantic import Field, model_validator

from pbx_bridge.gateways._values import Table
from pbx_bridge.ports import Forged, HookRequest

KEY_BYTES = 32  #: of an Ed25519 public key
SHORTEST_TOKEN = 16
#: As in Plivo's headers; with a subaccount, the second is signed by the main one.
PLIVO_SIGNATURES = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
PLIVO_NONCE = "x-plivo-signature-v3-nonce"
TOKEN = re.compile(r"[A-Za-z0-9_-]+")

#: What each kind must have beside `secret`, and what it may have.
KEYS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "hmac": (
        frozenset({"header"}),
        frozenset({"timestamp_header", "over", "encoding", "prefix", "tolerance"}),
    ),
    "ed25519": (frozenset({"header", "timestamp_header", "over"}), frozenset({"tolerance"})),
    "jwt": (frozenset(), frozenset({"tolerance"})),
    "plivo": (frozenset(), frozenset()),
    "header": (frozenset({"header"}), frozenset({"prefix"})),
    "basic": (frozenset({"username"}), frozenset()),
    "path": (frozenset(), frozenset()),
}
#: Those that sign the body, and nothing of the URL.
OF_BODY_ONLY = frozenset({"hmac", "ed25519", "jwt"})

HeaderName = Field(default=None, pattern=r"^[A-Za-z0-9-]+$")


class Signature(Table):
    """How a webhook proves where it comes from; `secret` names one of the gateway's `secrets`."""

    kind: Literal["hmac", "ed25519", "jwt", "plivo", "header", "basic", "path"]
    secret: str
    header: str | None = HeaderName
    timestamp_header: str | None = HeaderName  #: it has seconds since 1970
    over: str = "{body}"  #: what is signed, of {body} and {timestamp}
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""  #: before the signature in its header
    username: str | None = None
    tolerance: float = Field(default=300.0, ge=1, le=86400)  #: seconds that it may be old or early

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        needed, allowed = KEYS[self.kind]
        given = self.model_fields_set - {"kind", "secret"}
        if missing := sorted(needed - given):
            raise ValueError(f"a signature of kind {self.kind} needs {', '.join(missing)}")
        if beyond := sorted(given - needed - allowed):
            raise ValueError(f"a signature of kind {self.kind} has no {', '.join(beyond)}")
        if self.kind in {"hmac", "ed25519"}:
            self._consistent()
        return self

    def _consistent(self) -> None:
        if "{body}" not in self.over:
            raise ValueError("over must have {body}: else anybody could change it")
        if ("{timestamp}" in self.over) != (self.timestamp_header is not None):
            raise ValueError("{timestamp} in over goes together with timestamp_header")

    def require_usable(self, secret: str) -> None:
        """Refuse a secret that cannot be one of this kind.

        Raises:
            ValueError: saying what it has to be.

        """
        if self.kind == "ed25519":
            public_key(secret)
        if self.kind == "path" and (
            TOKEN.fullmatch(secret) is None or len(secret) < SHORTEST_TOKEN
        ):
            raise ValueError(
                f"secrets.{self.secret} stands in a URL; at least {SHORTEST_TOKEN} letters, "
                "digits, - and _, such as `openssl rand -hex 16` gives"
            )


def prove(signature: Signature, secret: str, request: HookRequest, now: datetime) -> str:
    """Prove that a request comes from who knows the secret; give the rest of its path.

    Raises:
        Forged: it does not, or not lately.

    """
    match signature.kind:
        case "path":
            token, _, rest = request.tail.partition("/")
            if not same(token, secret):
                raise Forged("the token in the path is not ours")
            return rest
        case "header":
            given = request.headers.get((signature.header or "").lower(), "")
            if not same(given, signature.prefix + secret):
                raise Forged(f"{signature.header} is not ours")
        case "basic":
            pair = f"{signature.username}:{secret}"
            given = request.headers.get("authorization", "")
            if not same(given, "Basic " + b64encode(pair.encode()).decode()):
                raise Forged("user and password are not ours")
        case "plivo":
            _prove_plivo(secret, request)
        case "jwt":
            _prove_jwt(secret, request, now, signature.tolerance)
        case "hmac" | "ed25519":
            _prove_body(signature, secret, request, now)
    return request.tail


def same(one: str, other: str) -> bool:
    """Compare in constant time; headers may have bytes that are no UTF-8."""
    return hmac.compare_digest(_octets(one), _octets(other))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# -- over the body ----------------------------------------------------------------------------


def _prove_body(signature: Signature, secret: str, request: HookRequest, now: datetime) -> None:
    given = request.headers.get((signature.header or "").lower(), "")
    if not given.startswith(signature.prefix) or not given:
        raise Forged("it is not signed")
    given = given.removeprefix(signature.prefix)
    timestamp = ""
    if signature.timestamp_header is not None:
        timestamp = request.headers.get(signature.timestamp_header.lower(), "")
        require_fresh(timestamp, now, signature.tolerance)
    message = signed(signature.over, request.body, timestamp)
    if signature.kind == "ed25519":
        agrees = ed25519_agrees(secret, given, message)
    else:
        agrees = same(given, hmac_sha256(secret, message, signature.encoding))
    if not agrees:
        raise Forged("the signature is not theirs")


def signed(over: str, body: bytes, timestamp: str) -> bytes:
    """Give the octets that were signed, such as those of `{timestamp}|{body}`."""
    parts = {"{body}": body, "{timestamp}": _octets(timestamp)}
    pieces = re.split(r"(\{body\}|\{timestamp\})", over)
    return b"".join(parts.get(piece, piece.encode()) for piece in pieces)


def hmac_sha256(secret: str, message: bytes, encoding: str) -> str:
    digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    return digest.hex() if encoding == "hex" else b64encode(digest).decode()


def public_key(encoded: str) -> VerifyKey:
    """Read an Ed25519 public key in base64.

    Raises:
        ValueError: it is none.

    """
    try:
        octets = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if len(octets) != KEY_BYTES:
        raise ValueError("not an Ed25519 public key; 32 octets in base64, 44 characters")
    return VerifyKey(octets)


def ed25519_agrees(key: str, signature: str, message: bytes) -> bool:
    """Tell whether a signature in base64 is that of a message, by a public key in base64."""
    try:
        octets = b64decode(_octets(signature), validate=True)
        if b64encode(octets) != _octets(signature):  # another writing of the same octets
            return False
        public_key(key).verify(message, octets)
    except (binascii.Error, BadSignatureError, ValueError):
        return False
    return True


def require_fresh(timestamp: str, now: datetime, tolerance: float) -> None:
    """Refuse a time in seconds since 1970 that is too far from now.

    Raises:
        Forged: it is, or it is no time.

    """
    if re.fullmatch(r"[0-9]{1,11}", timestamp, re.ASCII) is None:
        raise Forged("it does not say when it was signed")
    if abs(now.timestamp() - int(timestamp)) > tolerance:
        raise Forged("it was not signed lately: a replay, or a clock is wrong")


# -- JSON Web Token ---------------------------------------------------------------------------


def _prove_jwt(secret: str, request: HookRequest, now: datetime, tolerance: float) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        raise Forged("it has no token")
    claims = jwt_claims(token, secret)
    issued = claims.get("iat")
    require_fresh(str(issued) if type(issued) is int else "", now, tolerance)
    told = claims.get("payload_hash")
    if not isinstance(told, str) or not same(told, hashlib.sha256(request.body).hexdigest()):
        raise Forged("the token is of another body")


def jwt_claims(token: str, secret: str) -> Mapping[str, Any]:
    """Read a token signed with HS256, the only algorithm that is taken.

    PyJWT would warn of every secret shorter than 32 octets, as providers give them.

    Raises:
        Forged: it is not signed with the secret.

    """
    head, _, rest = token.partition(".")
    payload, _, signature = rest.partition(".")
    digest = hmac.new(secret.encode(), _octets(f"{head}.{payload}"), hashlib.sha256).digest()
    if not same(signature, urlsafe_b64encode(digest).decode().rstrip("=")):
        raise Forged("the token is not signed by them")
    kind, claims = _json_part(head), _json_part(payload)
    if kind.get("alg") != "HS256":
        raise Forged("the token names another algorithm")
    return claims


def _json_part(part: str) -> Mapping[str, Any]:
    try:
        found = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Forged("the token cannot be read")
    return found


# -- Plivo ------------------------------------------------------------------------------------


def _prove_plivo(secret: str, request: HookRequest) -> None:
    nonce = request.headers.get(PLIVO_NONCE, "")
    if not nonce:
        raise Forged("it is not signed")
    try:
        form = parse_qsl(request.body.decode(), keep_blank_values=True)
    except ValueError:
        raise Forged("the body is no form") from None
    text = _octets(plivo_text(request.method, request.url, form, nonce))
    # Plivo's own Python code encodes what is not ASCII twice, that for Node once.
    expected = [hmac_sha256(secret, octets, "base64") for octets in (text, _twice(text))]
    given = [
        one for header in PLIVO_SIGNATURES for one in request.headers.get(header, "").split(",")
    ]
    if not any([same(one, right) for one in given for right in expected]):  # noqa: C419 - all of them
        raise Forged("the signature is not theirs")


def _twice(text: bytes) -> bytes:
    return text.decode("latin-1").encode()


def plivo_text(method: str, url: str, form: Sequence[tuple[str, str]], nonce: str) -> str:
    """Write down what Plivo signs (version 3): URL, sorted query, sorted form, nonce."""
    parts = urlsplit(url)
    query = sorted(parse_qsl(parts.query, keep_blank_values=True))
    text = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if method == "GET":
        query = sorted([*query, *form])
        form = []
    if query or form:
        text += "?" + "&".join(f"{name}={value}" for name, value in query)
    if query and form:
        text += "."
    return text + "".join(f"{name}{value}" for name, value in sorted(form)) + f".{nonce}"
