"""Webhooks of the HTTP gateways: the first byte is the preset, the next how it is written."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from pbx_bridge.gateways.http import Gateway
from pbx_bridge.ports import Forged, HookRequest
from tests.gateways import documented, signing
from tests.gateways.documented import NAMES, called, told
from tests.security.fuzz import _news

HOOKED = tuple(name for name in NAMES if told(name).get("hooks"))
_KINDS = ("application/json", "application/x-www-form-urlencoded", "", "text/plain; charset=x")


@cache
def _gateway(name: str) -> Gateway:
    return documented.gateway(name, told(name)["office"])


def _signer(name: str) -> str:
    hooks = _gateway(name).settings.hooks
    assert hooks is not None
    return str(hooks.signature.kind)


def check(data: bytes) -> None:
    """Unsigned it is Forged, whatever it says; signed it is news, or ValueError."""
    if len(data) < 4:
        return
    name = HOOKED[data[0] % len(HOOKED)]
    tail = ("", "status", "reply", "dlr", "in/bound")[data[2] % 5]
    query = tuple(
        (pair.partition("=")[0], pair.partition("=")[2])
        for pair in bytes(data[3 : 3 + data[2] // 5]).decode(errors="replace").split("&")
        if pair
    )
    body = data[3 + data[2] // 5 :]
    asked = signing.request(
        body, tail=tail, query=query, content_type=_KINDS[data[1] % len(_KINDS)]
    )
    _refused(name, asked)
    try:
        signed = signing.SIGNERS[_signer(name)](asked)
    except ValueError:  # a form that the signer does not take
        return
    try:
        answer = _gateway(name).hook(signed)
    except Forged:
        # The same words in another writing: Plivo's signer keeps one value of a name.
        assert _signer(name) == "plivo"
        return
    except ValueError:
        return
    _news.are_news(answer.news)


def _refused(name: str, asked: HookRequest) -> None:
    try:
        _gateway(name).hook(asked)
    except Forged:
        return
    raise AssertionError(f"{name} took what nobody signed")


def seeds() -> Iterator[bytes]:
    for n, name in enumerate(HOOKED):
        for entry in told(name, text="Yes, please")["hooks"]:
            asked = called(entry)
            kind = _KINDS.index(asked.headers["content-type"])
            query = "&".join("=".join(pair) for pair in asked.query).encode()[:50]
            yield bytes([n, kind, len(query) * 5]) + query + asked.body
    yield b"\0\0\0" + json.dumps({"data": [{"payload": {"to": [{"status": "\ud800"}]}}]}).encode()
    yield replace(called(told(HOOKED[0])["hooks"][0]), body=b"[" * 3000).body
