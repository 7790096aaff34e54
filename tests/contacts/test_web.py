"""Requests that tell nobody a password whom it does not concern."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from yarl import URL

from pbx_bridge.contacts.web import SourceProblem, Web, session
from pbx_bridge.secret import Secret

Handler = Callable[[web.Request], web.Response]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[URL]:
    async def handle(request: web.Request) -> web.Response:
        return handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield URL(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    finally:
        await runner.cleanup()


def leading(to: str) -> Handler:
    return lambda _: web.Response(status=302, headers={"Location": to})


async def ask(url: URL, largest: int = 1000) -> bytes:
    async with session() as http:
        client = Web(url, http, "ann", Secret("s3cret"), largest=largest)
        return (await client.ask("GET", url)).body


async def test_redirects_on_the_same_host_are_followed_with_the_login() -> None:
    seen: list[tuple[str, str]] = []

    def handler(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers["Authorization"]))
        if request.path == "/":
            return web.Response(status=301, headers={"Location": "/there"})
        return web.Response(text="here")

    async with serving(handler) as url:
        assert await ask(url) == b"here"
    assert [path for path, _ in seen] == ["/", "/there"]
    assert {login for _, login in seen} == {"Basic YW5uOnMzY3JldA=="}


async def test_one_to_another_server_is_not_and_it_gets_no_password() -> None:
    asked: list[str] = []

    def other(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    async with serving(other) as elsewhere:
        for there in (str(elsewhere), "http://evil.example/", "//evil.example/", "file:///etc"):
            async with serving(leading(there)) as url:
                with pytest.raises(SourceProblem, match="another server"):
                    await ask(url)
    assert asked == []


@pytest.mark.parametrize(
    ("origin", "url", "ours"),
    [
        ("https://a.example/x", "https://a.example/y", True),
        ("https://a.example/", "https://a.example:444/", False),
        ("https://a.example/", "http://a.example/", False),
        ("http://a.example/", "https://a.example/", True),
        ("https://a.example/", "https://b.a.example/", False),
        ("https://a.example/", "https://user:pw@a.example/", True),
    ],
)
async def test_what_is_the_same_server(origin: str, url: str, ours: bool) -> None:  # noqa: FBT001
    async with session() as http:
        assert Web(URL(origin), http).is_ours(URL(url)) is ours


async def test_circles_end() -> None:
    async with serving(leading("/")) as url:
        with pytest.raises(SourceProblem, match="redirects in circles"):
            await ask(url)
    async with serving(leading("http://[")) as url:
        with pytest.raises(SourceProblem, match="redirects to what is no URL"):
            await ask(url)


async def test_no_more_is_read_than_is_of_use() -> None:
    async with serving(lambda _: web.Response(body=b"x" * 5000)) as url:
        assert len(await ask(url, largest=5000)) == 5000
        with pytest.raises(SourceProblem, match="sends more than"):
            await ask(url, largest=4999)


async def test_nobody_there_is_told_without_the_password() -> None:
    async with serving(lambda _: web.Response()) as url:
        pass
    with pytest.raises(SourceProblem, match="ClientConnectorError") as refused:
        await ask(url)
    assert "s3cret" not in str(refused.value)


async def test_who_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx_bridge.contacts.web.WHOLE_SECONDS", 0.0)
    async with serving(lambda _: web.Response()) as url:
        with pytest.raises(SourceProblem, match="does not answer in time"):
            await ask(url)
