"""One request to a CRM: what its failure means, and what is kept out of what it says."""

from datetime import timedelta

import pytest
from yarl import URL

from pbx_bridge.core.delivery import Blame, Deferred, Rejected, Uncertain
from pbx_bridge.destinations._http import Answer, Api, NotDone, Vendor, exchange, refusal
from pbx_bridge.destinations._oauth import Fixed
from pbx_bridge.gateways import _web
from pbx_bridge.secret import HIDDEN, Secret
from tests.gateways.fakes import Behaviour, Told, answer

VENDOR = Vendor(
    name="Books",
    told=lambda document: (document["code"], document["words"]) if document else ("", ""),
    unauthorised="log in again",
    forbidden="ask for rights",
    busy=frozenset({"LATER"}),
    forbidden_codes=frozenset({"NO_SCOPE"}),
)


#: Status and code; what follows for what reads, and for what writes.
MEANINGS: list[tuple[int, str, type, type]] = [
    (300, "", Rejected, Rejected),
    (302, "", Rejected, Rejected),
    (400, "", Rejected, Rejected),
    (400, "LATER", Deferred, Deferred),
    (401, "", Rejected, Rejected),
    (403, "", Rejected, Rejected),
    (404, "", Rejected, Rejected),
    (408, "", Deferred, Uncertain),
    (409, "", Rejected, Rejected),
    (422, "", Rejected, Rejected),
    (429, "", Deferred, Deferred),
    (500, "", Deferred, Uncertain),
    (500, "LATER", Deferred, Deferred),
    (503, "", Deferred, Deferred),
    (504, "", Deferred, Uncertain),
    (599, "", Deferred, Uncertain),
]


@pytest.mark.parametrize(("status", "code", "reads", "writes"), MEANINGS)
def test_what_a_status_means(status: int, code: str, reads: type, writes: type) -> None:
    told = Answer(status, {"code": code, "words": "no"}, timedelta(seconds=3))
    assert type(refusal(told, VENDOR, writes=False)) is reads
    assert type(refusal(told, VENDOR, writes=True)) is writes


@pytest.mark.parametrize(
    ("status", "code", "what_to_do"),
    [(401, "", "log in again"), (403, "", "ask for rights"), (401, "NO_SCOPE", "ask for rights")],
)
def test_what_the_office_has_to_mend_says_how(status: int, code: str, what_to_do: str) -> None:
    failure = refusal(Answer(status, {"code": code, "words": ""}), VENDOR, writes=True)
    assert isinstance(failure, Rejected)
    assert failure.blame is Blame.GATEWAY
    assert failure.reason.endswith(f"; {what_to_do}")


def test_words_of_a_crm_are_short_and_harmless() -> None:
    hostile = {"code": "C\x1b" * 100, "words": "w\r\n\x1b[2J\u202e" * 1000}
    failure = refusal(Answer(400, hostile), VENDOR, writes=False)
    assert isinstance(failure, Rejected)
    assert len(failure.code) <= 32
    assert len(failure.reason) < 300
    assert "\x1b" not in failure.reason


@pytest.mark.parametrize(
    ("how", "reads", "writes"),
    [
        (Behaviour.CUT, Deferred, Uncertain),
        (Behaviour.RESET, Deferred, Uncertain),
        (Behaviour.HALF, Deferred, Uncertain),
        (Behaviour.HANG, Deferred, Uncertain),
    ],
)
async def test_a_connection_that_breaks(how: Behaviour, reads: type, writes: type) -> None:
    async with Told(how).running() as server, _web.session() as http:
        for writing, kind in ((False, reads), (True, writes)):
            with pytest.raises(NotDone) as caught:
                await exchange(
                    http,
                    "POST",
                    URL(server.url),
                    headers={},
                    data=b"",
                    timeout=0.5,
                    writes=writing,
                    hidden=(),
                )
            assert type(caught.value.result) is kind


async def test_a_secret_that_comes_back_is_hidden_before_anything_is_cut() -> None:
    said = answer(400, '{"code": "X", "words": "' + "x" * 190 + 'my-secret-token"}')
    async with Told(said).running() as server:
        api = Api(VENDOR, Fixed(server.url, Secret("my-secret-token")), 5)
        api.open()
        with pytest.raises(NotDone) as caught:
            await api.ask("GET", "/x")
        await api.close()
    assert "my-" not in str(caught.value)
    assert HIDDEN[:8] in str(caught.value)


async def test_a_query_and_a_path_are_sent_as_they_are() -> None:
    async with Told(answer(200, "[1]")).running() as server:
        api = Api(VENDOR, Fixed(server.url, Secret("t")), 5)
        api.open()
        told = await api.ask("GET", "/a%2Fb", query={"q": "x = '+1 (2)' & y"})
        await api.close()
        await api.close()
    assert told.document == [1]
    (request,) = server.requests
    assert request.path.startswith("/a%2Fb?q=")
    assert request.query() == {"q": "x = '+1 (2)' & y"}


async def test_a_token_that_does_not_end_is_not_tried_twice() -> None:
    async with Told(answer(401)).running() as server:
        api = Api(VENDOR, Fixed(server.url, Secret("t")), 5)
        api.open()
        with pytest.raises(NotDone):
            await api.ask("GET", "/x")
        await api.close()
    assert len(server.requests) == 1
