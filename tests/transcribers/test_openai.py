"""A real request over real HTTP, by OpenAI's description, and whatever a service answers."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pbx_bridge.core.voicemail import Later, Refused, Transcript
from pbx_bridge.secret import Secret
from pbx_bridge.transcribers import TranscriberProblem
from pbx_bridge.transcribers import openai as module
from pbx_bridge.transcribers.openai import OpenAi, Settings
from tests.gateways.fakes import Behaviour, Told
from tests.transcribers.service import KEY, Service, refusal
from tests.voicemail.messages import HERE, REAL, SOUND

MESSAGE = REAL / "msg0000.wav"
NO_TEXT = Refused("the transcriber's answer has no text in it")


def asking(service: Service, **changes: Any) -> OpenAi:
    values: dict[str, Any] = {"base_url": service.url, "model": "whisper-1", "api_key": Secret(KEY)}
    return OpenAi(Settings(**(values | changes)))


async def test_a_message_is_put_into_writing() -> None:
    async with Service().running() as service:
        assert await asking(service).transcribe(MESSAGE) == Transcript("Please call me back.")
    (heard,) = service.heard
    assert heard.path == "/v1/audio/transcriptions"
    assert heard.content == SOUND
    assert (heard.filename, heard.content_type) == ("message.wav", "audio/wav")
    assert heard.fields == {"file": "", "model": "whisper-1", "response_format": "json"}
    assert heard.authorization == f"Bearer {KEY}"


async def test_all_that_can_be_told_is_told() -> None:
    async with Service().running() as service:
        transcriber = asking(
            service, language="en", prompt="Müller & Söhne", response_format="verbose_json"
        )
        assert await transcriber.transcribe(MESSAGE) == Transcript("Please call me back.", "en")
    assert service.heard[0].fields["language"] == "en"
    assert service.heard[0].fields["prompt"] == "Müller & Söhne"


async def test_a_server_of_ones_own_wants_no_key() -> None:
    async with Service().running() as service:
        result = await asking(service, api_key=None).transcribe(MESSAGE)
    assert isinstance(result, Transcript)
    assert service.heard[0].authorization == ""


async def test_wav49_goes_by_an_ending_that_services_know() -> None:
    async with Service().running() as service:
        result = await asking(service).transcribe(HERE / "wav49" / "msg0000.WAV")
    assert isinstance(result, Transcript)
    assert service.heard[0].filename == "message.wav"


async def test_a_format_that_the_service_does_not_know_is_its_refusal() -> None:
    async with Service().running() as service:
        result = await asking(service).transcribe(HERE / "wav49" / "msg0000.gsm")
    assert result == Refused("the transcriber answered 400: Unrecognized file format.")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal(401, "Incorrect API key"), "401: Incorrect API key"),
        (refusal(404, "no model"), "404: no model"),
        (refusal(413, "too large"), "413: too large"),
        (refusal(400, "\x1b[31ma\nb" + "x" * 999), f"400: [31ma b{'x' * 193}"),
        (web.Response(status=403, text="<html>"), "403"),
        (web.json_response({"error": "plain"}, status=422), "422: plain"),
        (web.Response(status=302, headers={"Location": "/"}), "302"),
    ],
)
async def test_what_is_refused_is_not_asked_again(answer: web.Response, said: str) -> None:
    async with Service(answers=[answer]).running() as service:
        result = await asking(service).transcribe(MESSAGE)
    assert result == Refused(f"the transcriber answered {said}")


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (refusal(429, "quota"), Later("the transcriber answered 429: quota")),
        (web.Response(status=502), Later("the transcriber answered 502")),
        (web.json_response({"text": ""}), Transcript("")),
        (web.json_response({"text": "a", "language": "english"}), Transcript("a")),
        (web.json_response({"text": 7}), NO_TEXT),
        (web.json_response([]), NO_TEXT),
        (web.Response(text="Hello"), NO_TEXT),
        (web.Response(text="[" * 9999), NO_TEXT),
        (web.Response(body=b"\xff"), NO_TEXT),
    ],
)
async def test_what_a_service_answers(answer: web.Response, result: object) -> None:
    async with Service(answers=[answer]).running() as service:
        assert await asking(service).transcribe(MESSAGE) == result


async def test_how_long_it_wants_to_be_left_alone() -> None:
    busy = refusal(429, "slow down", **{"Retry-After": "20"})
    async with Service(answers=[busy]).running() as service:
        result = await asking(service).transcribe(MESSAGE)
    assert isinstance(result, Later)
    assert result.retry_after is not None
    assert result.retry_after.total_seconds() == 20


async def test_one_that_says_nothing_is_asked_later() -> None:
    async with Service(hangs=True).running() as service:
        result = await asking(service, seconds=0.2).transcribe(MESSAGE)
    assert result == Later("the transcriber took more than 0.2 s")


async def test_one_that_is_down_is_asked_later_and_its_address_not_shown() -> None:
    async with Service().running() as service:
        pass
    result = await asking(service).transcribe(MESSAGE)
    assert isinstance(result, Later)
    assert "no connection" in result.reason
    assert "/v1" not in result.reason


@pytest.mark.parametrize("behaviour", [Behaviour.CUT, Behaviour.RESET, Behaviour.HALF])
async def test_a_connection_that_breaks_is_tried_later(behaviour: Behaviour) -> None:
    async with Told(lambda _: behaviour).running() as server:
        transcriber = OpenAi(Settings(base_url=server.url, model="whisper-1"))
        assert isinstance(await transcriber.transcribe(MESSAGE), Later)


async def test_an_answer_without_end_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ANSWER", 10_000)
    async with Told(lambda _: Behaviour.FLOOD).running() as server:
        transcriber = OpenAi(Settings(base_url=server.url, model="whisper-1"))
        assert isinstance(await transcriber.transcribe(MESSAGE), Refused)


async def test_what_is_too_large_stays_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST_FILE", 1024**2)
    (tmp_path / "a.wav").write_bytes(bytes(1024**2 + 1))
    (tmp_path / "b.wav").write_bytes(bytes(1024**2))
    async with Service().running() as service:
        result = await asking(service).transcribe(tmp_path / "a.wav")
        assert result == Refused("the recording is larger than 1 MB")
        assert isinstance(await asking(service).transcribe(tmp_path / "b.wav"), Transcript)
        gone = await asking(service).transcribe(tmp_path / "c.wav")
    assert gone == Refused("the recording cannot be read: No such file or directory")


async def test_a_message_of_ten_megabytes_goes_through(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(bytes(10 * 1024**2))
    async with Service().running() as service:
        assert isinstance(await asking(service).transcribe(tmp_path / "a.wav"), Transcript)
    assert len(service.heard[0].content) == 10 * 1024**2


# -- check --------------------------------------------------------------------------------


async def test_check_costs_nothing_and_proves_key_and_model() -> None:
    async with Service().running() as service:
        assert await asking(service).check() == "answers, and takes the model whisper-1"
        with pytest.raises(TranscriberProblem, match="refuses the api_key: 401: Incorrect"):
            await asking(service, api_key=Secret("wrong")).check()
        with pytest.raises(TranscriberProblem) as problem:
            await asking(service, model="whisper-2").check()
    assert str(problem.value) == (
        "no model 'whisper-2' there; such as gpt-4o-transcribe, whisper-1"
    )
    assert service.heard == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(status=404), "has no list of models"),
        (web.json_response({"data": "?"}), "answers, and takes the model"),
        (web.json_response({"data": [{"id": 7}, 8]}), "answers, and takes the model"),
        (web.Response(status=500), "it answered 500"),
    ],
)
async def test_what_check_says_of_servers(answer: web.Response, said: str) -> None:
    async with Service(models=answer).running() as service:
        try:
            found = await asking(service).check()
        except TranscriberProblem as problem:
            found = str(problem)
    assert said in found


async def test_check_of_one_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Service().running() as service:
        pass
    with pytest.raises(TranscriberProblem, match="no connection"):
        await asking(service).check()
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.2)
    async with Told(lambda _: Behaviour.HANG).running() as server:
        with pytest.raises(TranscriberProblem, match=r"no answer within 0\.2 s"):
            await OpenAi(Settings(base_url=server.url, model="m")).check()


def test_the_key_is_shown_nowhere() -> None:
    settings = Settings(base_url="http://h/v1", model="m", api_key=Secret(KEY))
    assert KEY not in repr(settings) + repr(OpenAi(settings))
    assert OpenAi(settings).seconds == 60
