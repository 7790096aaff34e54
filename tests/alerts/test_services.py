"""Services of apprise, over real HTTP and SMTP; their URLs are seen by nobody."""

import asyncio
import base64
import logging
import threading
import time
from dataclasses import replace

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge import logs
from pbx_bridge.alerts import services
from pbx_bridge.alerts.channels import TOLD
from pbx_bridge.alerts.services import Service, problem_of, without_secrets
from pbx_bridge.core.alerting import NOT_ATTACHED, Words
from pbx_bridge.core.attachment import Attachment
from pbx_bridge.secret import Secret
from tests.alerts.web import TOKEN, WebHook
from tests.gateways.mailserver import MailServer

SOUND = Attachment("voicemail-7.wav", "audio/wav", bytes(range(256)))
SAID = Words("Miller: a customer wrote", "Hello <b>*you*</b>,\n{office}", "short")
SPOKEN = replace(SAID, attachments=(SOUND,))


async def test_a_web_hook_is_told() -> None:
    with WebHook().running() as hook:
        assert await Service(Secret(hook.url), 1).tell(SAID, "key") == TOLD
    (message,) = hook.told
    assert message["title"] == SAID.title
    assert message["message"] == SAID.body


async def test_a_mailbox_is_told() -> None:
    server = MailServer()
    async with server.running():
        url = f"mailto://127.0.0.1:{server.port}/?from=bridge@example.com&to=boss@example.com"
        assert await Service(Secret(url), 1).tell(SAID, "key") == TOLD
    assert server.envelopes[0][1] == ["boss@example.com"]
    assert server.mails[0]["Subject"] == SAID.title


@pytest.mark.parametrize("status", [302, 401, 404, 500, 503])
async def test_a_service_that_refuses_says_why_and_nothing_secret(status: int) -> None:
    with WebHook(status=status).running() as hook:
        result = await Service(Secret(hook.url), 1).tell(SAID, "key")
    assert str(status) in result.problem
    assert TOKEN not in result.problem
    assert not result.perhaps
    assert hook.told == []


async def test_a_service_that_is_down_says_so() -> None:
    with WebHook().running() as hook:
        pass
    result = await Service(Secret(hook.url), 1).tell(SAID, "key")
    assert "onnection" in result.problem
    assert TOKEN not in result.problem


async def test_a_slow_service_blocks_nobody_and_is_not_told_twice_at_once() -> None:
    with WebHook(hangs=True).running() as slow, WebHook().running() as quick:
        hanging, other = Service(Secret(slow.url), 1), Service(Secret(quick.url), 2)
        telling = asyncio.ensure_future(hanging.tell(SAID, "a"))  # noqa: TID251 - awaited below
        await asyncio.sleep(0)
        assert await other.tell(SAID, "a") == TOLD  # the loop goes on
        assert quick.titles == [SAID.title]
        assert not telling.done()
        again = await hanging.tell(SAID, "b")
        assert "has not finished with an earlier message" in again.problem
        threads = [t for t in threading.enumerate() if t.name.startswith("alert-json")]
        assert threads
        assert all(thread.daemon for thread in threads)  # nobody waits for it at the end
        slow.released.set()
        assert await telling == TOLD
        for thread in threads:
            await asyncio.to_thread(thread.join, 5)
        assert await hanging.tell(SAID, "c") == TOLD


async def test_who_gives_up_waiting_leaves_the_service_to_finish() -> None:
    with WebHook(hangs=True).running() as slow:
        service = Service(Secret(slow.url), 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(service.tell(SAID, "a"), 0.2)
        (thread,) = [t for t in threading.enumerate() if t.name.startswith("alert-json")]
        slow.released.set()
        await asyncio.to_thread(thread.join, 5)
        assert slow.titles == [SAID.title]
        assert await service.tell(SAID, "b") == TOLD


async def test_twenty_services_that_hang_do_not_delay_another() -> None:
    """The library's own pool has as many threads as cores and four more."""
    with WebHook(hangs=True).running() as slow, WebHook().running() as quick:
        hanging = [Service(Secret(f"{slow.url}{n}"), n) for n in range(20)]
        stuck = asyncio.gather(*(service.tell(SAID, "a") for service in hanging))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert await Service(Secret(quick.url), 21).tell(SAID, "a") == TOLD
        assert time.monotonic() - began < 2
        slow.released.set()
        await stuck


async def test_no_log_at_any_level_has_a_url_in_it(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logs.configure("debug", "json")
        root.addHandler(caplog.handler)
        with WebHook().running() as hook, WebHook(status=403).running() as refusing:
            for url in (hook.url, refusing.url):
                service = Service(Secret(url), 1)
                shown = f"{service!r} {vars(service)} {service.name}"
                assert TOKEN not in shown
                await service.tell(SAID, "key")
        assert problem_of(f"json://{TOKEN}:x@") != ""
        assert problem_of(f"slak://{TOKEN}") != ""
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        structlog.reset_defaults()
    captured = capsys.readouterr()
    said = captured.out + captured.err + caplog.text
    assert TOKEN not in said
    assert SAID.body not in said


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("json://127.0.0.1/x", ""),
        ("mailto://user:secret@gmail.com", ""),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", ""),
        ("slak://secret", "no service is called slak://; did you mean slack://?"),
        ("zzzzzzz://secret", "no service is called zzzzzzz://; see docs/alerts.md"),
        ("slack://secret", "not complete for slack://; see https://github.com/caronc/apprise/wiki"),
        ("secret", "not a URL of a service; it begins like mailto:// or slack://"),
        ("", "not a URL of a service; it begins like mailto:// or slack://"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_it(url: str, problem: str) -> None:
    assert problem_of(url) == problem
    assert "secret" not in problem_of(url)


WORD = st.text(st.sampled_from("abcXYZ019_-%é"), min_size=3, max_size=12)


@given(st.lists(WORD, min_size=1, max_size=5), st.text(max_size=40))
def test_no_piece_of_a_url_is_in_what_is_said(pieces: list[str], around: str) -> None:
    url = "json://" + "/".join(pieces)
    said = without_secrets(f"{around} {url} failed {' '.join(pieces)} {around}", url)
    assert not any(piece in said for piece in pieces)
    assert "\n" not in said
    assert len(said) <= services.LONGEST_PROBLEM


def test_names_tell_the_service_and_which() -> None:
    assert Service(Secret("slack://a/b/c"), 2).name == "slack 2"
    assert Service(Secret("nonsense"), 3).name == "url 3"


async def test_a_url_that_apprise_no_longer_knows_is_a_problem_not_a_crash() -> None:
    result = await Service(Secret("nonsense"), 3).tell(SAID, "key")
    assert result.problem == "apprise cannot use its URL any more"
    Service(Secret("nonsense"), 3).remember([])


async def test_a_recording_goes_to_services_that_take_files() -> None:
    with WebHook().running() as hook:
        assert await Service(Secret(hook.url), 1).tell(SPOKEN, "key") == TOLD
    (message,) = hook.told
    (attached,) = message["attachments"]
    assert isinstance(attached, dict)
    assert (attached["filename"], attached["mimetype"]) == ("voicemail-7.wav", "audio/wav")
    assert base64.b64decode(attached["base64"]) == SOUND.content
    assert message["message"] == SAID.body
    server = MailServer()
    async with server.running():
        url = f"mailto://127.0.0.1:{server.port}/?from=bridge@example.com&to=boss@example.com"
        assert await Service(Secret(url), 1).tell(SPOKEN, "key") == TOLD
    (part,) = server.mails[0].iter_attachments()
    assert part.get_content() == SOUND.content


async def test_a_service_that_takes_no_files_is_told_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.attachment_support", False)
    with WebHook().running() as hook:
        assert await Service(Secret(hook.url), 1).tell(SPOKEN, "key") == TOLD
    (message,) = hook.told
    assert not message["attachments"]
    assert message["message"] == SAID.body + NOT_ATTACHED


async def test_a_service_that_refuses_a_file_is_told_without() -> None:
    with WebHook(largest=10).running() as hook:
        assert await Service(Secret(hook.url), 1).tell(SPOKEN, "key") != TOLD
    with WebHook(largest=300).running() as hook:
        assert await Service(Secret(hook.url), 1).tell(SPOKEN, "key") == TOLD
    (message,) = hook.told
    assert message["message"] == SAID.body + NOT_ATTACHED
