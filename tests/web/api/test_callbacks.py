"""Calling back by the API; tests/e2e/ has it with a real PBX."""

from pbx_bridge.core.call_back import Refusal
from pbx_bridge.web.api.callbacks import _WORDS
from tests.web.api.filled import Api


async def test_without_a_pbx_that_may_it_is_refused(api: Api) -> None:
    wanted = {"number": "+12125551014", "extension": "101"}
    told = await api.json("POST", "/call-backs", 409, json=wanted, headers={"Idempotency-Key": "a"})
    assert told["detail"].startswith("not_configured: ")
    assert (await api.ask("GET", "/call-backs/1")).status == 404
    assert (await api.ask("POST", "/call-backs", json=wanted)).status == 400


def test_every_refusal_has_words() -> None:
    assert set(_WORDS) == set(Refusal)
