"""Requests to operations: who may ask, what is refused and how, and what is cheap to ask again."""

from pathlib import Path

import pytest

from pbx_bridge.core.roles import Role
from pbx_bridge.store.problem import StoreUnavailable
from tests.web.api.filled import Api
from tests.web.api.filled import api as serve

PROBLEM = "application/problem+json"


async def test_without_a_token_nobody_is_told_anything(api: Api) -> None:
    answer = await api.ask("GET", "/calls", role=None)
    assert (answer.status, answer.content_type) == (401, PROBLEM)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    told = await answer.json(content_type=None)
    assert told["status"] == 401
    assert "token" in told["detail"]


@pytest.mark.parametrize("token", ["", "x", "pbxb_" + "a" * 43, "a" * 4000])
async def test_a_wrong_token_is_as_good_as_none(api: Api, token: str) -> None:
    answer = await api.ask(
        "GET", "/calls", role=None, headers={"Authorization": f"Bearer {token}".strip()}
    )
    assert answer.status == 401


async def test_a_token_that_was_revoked_is_none(api: Api) -> None:
    from pbx_bridge.store import tokens  # noqa: PLC0415 - only here

    known = await api.door.page.db.read(tokens.everyone)
    viewer = next(one for one in known if one.role is Role.VIEWER)
    await api.door.page.db.run(lambda tx: tokens.revoke(tx, viewer.row_id, api.now))
    assert (await api.ask("GET", "/calls", role=Role.VIEWER)).status == 401
    assert (await api.ask("GET", "/calls", role=Role.AGENT)).status == 200


async def test_the_role_of_the_token_counts(api: Api) -> None:
    opt_out = {"number": "+12125550142", "evidence": "by phone"}
    told = await api.json("POST", "/opt-outs", 403, role=Role.VIEWER, json=opt_out)
    assert "viewer" in told["detail"]
    assert "agent" in told["detail"]
    told = await api.json("GET", "/opt-outs/+12125550142", role=Role.VIEWER)
    assert told["items"] == []
    await api.json("POST", "/opt-outs", role=Role.AGENT, json=opt_out)


async def test_a_token_needs_no_proof_of_where_it_comes_from(api: Api) -> None:
    """No browser sends one by itself."""
    opt_out = {"number": "+12125550142", "evidence": "by phone"}
    answer = await api.ask(
        "POST", "/opt-outs", json=opt_out, headers={"Origin": "https://evil.example"}
    )
    assert answer.status == 200


async def test_a_session_writes_only_from_our_own_page(api: Api) -> None:
    await api.door.user("anna", Role.AGENT)
    browser = await api.door.browser()
    await browser.log_in()
    assert (await browser.get("/api/v1/calls")).status == 200
    answer = await browser.client.post(
        "/api/v1/opt-outs", json={"number": "+12125550142", "evidence": "x"}
    )
    assert answer.status == 403


async def test_a_token_is_no_way_to_the_page(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.tokens[Role.ADMIN]}"}
    answer = await api.client.get("/api", headers=headers, allow_redirects=False)
    assert answer.status == 403


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/calls?limit=0", 400, "query.limit: Input should be greater than or equal to 1"),
        ("GET", "/calls?limit=many", 400, "query.limit: a whole number is wanted"),
        ("GET", "/calls?limit=5&limit=6", 400, "query.limit is there several times"),
        ("GET", "/calls?since=yesterday", 400, "such as 2026-11-28T17:05:00Z"),
        ("GET", "/calls?disposition=lost", 400, "'answered', 'missed' or 'unobserved'"),
        ("GET", "/calls?colour=red", 400, "there is limit, cursor, since, caller"),
        ("GET", "/calls?cursor=%2e%2e", 422, "take `next` of the page before"),
        ("GET", "/calls?cursor=MTI", 422, "take `next` of the page before"),
        ("GET", "/opt-outs?cursor=LTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", 422, "take `next`"),
        ("GET", "/calls/0", 400, "path.id"),
        ("GET", "/calls/99999999", 404, "there is no call 99999999"),
        ("GET", "/calls/99999999999999999999", 400, "path.id"),
        ("GET", "/nothing", 404, ""),
        ("PUT", "/calls", 405, ""),
    ],
)
async def test_a_mistake_is_told_with_what_would_be_right(
    api: Api, method: str, path: str, status: int, says: str
) -> None:
    answer = await api.ask(method, path)
    told = await answer.json(content_type=None)
    assert (answer.status, answer.content_type) == (status, PROBLEM), told
    assert says in told["detail"]
    assert told["status"] == status


async def test_what_can_be_done_instead_is_told(api: Api) -> None:
    answer = await api.ask("PUT", "/tasks")
    assert set(answer.headers["Allow"].split(",")) == {"GET"}


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        ('{"number": "+12125550142"}', "application/json", 400, "body.evidence: Field required"),
        ('{"number": 5, "evidence": "x"}', "application/json", 400, "body.number"),
        ('{"number": "12", "evidence": "x"}', "application/json", 422, "'12' is no number of US"),
        ("{", "application/json", 400, "body: Invalid JSON"),
        ("[]", "application/json", 400, "body: "),
        ('{"number": "\\ud800", "evidence": "x"}', "application/json", 400, "body: Invalid JSON"),
        ("number=1", "application/x-www-form-urlencoded", 415, "as application/json"),
        ("", "application/json", 400, "body: "),
        ('{"number": "' + "1" * 300_000 + '"}', "application/json", 413, "at most 262144 bytes"),
    ],
)
async def test_a_body_is_read_strictly(
    api: Api, body: str, kind: str, status: int, says: str
) -> None:
    told = await api.json(
        "POST", "/opt-outs", status, data=body.encode(), headers={"Content-Type": kind}
    )
    assert says in told["detail"]


async def test_a_body_that_is_not_wanted_is_refused(api: Api) -> None:
    told = await api.json("POST", "/tasks/1/leave", 400, data=b"owner")
    assert "leave it out" in told["detail"]


async def test_every_mistake_is_told_at_once(api: Api) -> None:
    told = await api.json("GET", "/calls?limit=0&since=x&colour=red", 400)
    assert [one["where"] for one in told["errors"]] == [
        "query.limit",
        "query.since",
        "query.colour",
    ]
    assert "and 2 more" in told["detail"]


async def test_what_one_has_already_is_not_sent_again(api: Api) -> None:
    first = await api.ask("GET", "/calls")
    tag = first.headers["ETag"]
    again = await api.ask("GET", "/calls", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status, await again.read()) == (304, b"")
    assert again.headers["ETag"] == tag
    other = await api.ask("GET", "/tasks", headers={"If-None-Match": tag})
    assert other.status == 200
    assert first.headers["Cache-Control"] == "private, no-cache"


async def test_it_is_below_the_path_of_a_proxy_too(tmp_path: Path) -> None:
    section = 'public_url = "https://office.example/bridge"\n'
    async with serve(tmp_path, section=section, base="/bridge") as made:
        headers = {"Authorization": f"Bearer {made.tokens[Role.VIEWER]}"}
        for base in ("/bridge", ""):
            answer = await made.client.get(f"{base}/api/v1/calls", headers=headers)
            assert answer.status == 200
        told = await (await made.client.get("/api/v1/openapi.json", headers=headers)).json()
        assert told["servers"] == [{"url": "/bridge/api/v1"}]


async def test_who_did_what_is_written_down(api: Api) -> None:
    await api.json("POST", "/opt-outs", json={"number": "2125550142", "evidence": "by phone"})
    noted = (await api.door.audit())[0]
    assert (noted.who, noted.action, noted.subject) == (
        "token agent",
        "opt_out.add",
        "+12125550142",
    )
    assert noted.address == "127.0.0.1"


async def test_a_disk_that_is_full_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(api.door.page.db, "run", refuse)
    told = await api.json(
        "POST", "/opt-outs", 503, json={"number": "2125550142", "evidence": "by phone"}
    )
    assert told["detail"] == "the disk is full"
