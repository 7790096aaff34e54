"""Any service that speaks OpenAI's audio API: OpenAI, Groq, speaches, LocalAI, whisper.cpp.

One multipart request to `BASE_URL/audio/transcriptions`. Only `text`, and `language` where it is
told, are taken from the answer.
"""

import asyncio
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from pbx_bridge.core.text import clean
from pbx_bridge.core.voicemail import Later, Refused, Transcript, Transcription
from pbx_bridge.gateways import _web
from pbx_bridge.secret import Secret
from pbx_bridge.transcribers import Transcriber, TranscriberProblem

#: As documented; the servers at home take as much.
LARGEST_FILE = 25 * 1024 * 1024
#: A transcript of an hour, with the times of its words.
LARGEST_ANSWER = 4 * 1024 * 1024
LONGEST_REASON = 200
#: Takes little time at every service: nothing is listened to.
CHECK_SECONDS = 10.0

_KINDS = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".gsm": "audio/gsm"}
_UNAUTHORISED, _FORBIDDEN, _NOT_FOUND, _TOO_LARGE = 401, 403, 404, 413
_BUSY = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to ask, and how."""

    base_url: str  #: without a slash at its end
    model: str
    api_key: Secret | None = None
    language: str = ""  #: ISO 639-1; empty: the service is to find out
    prompt: str = ""  #: words that may come up, such as names
    response_format: str = "json"
    seconds: float = 60.0


class OpenAi(Transcriber):
    """Asks one service."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def seconds(self) -> float:
        return self._settings.seconds

    async def transcribe(self, sound: Path) -> Transcription:
        try:
            content = await asyncio.to_thread(_content, sound)
        except OSError as error:
            return Refused(f"the recording cannot be read: {error.strerror}")
        if content is None:
            return Refused(f"the recording is larger than {LARGEST_FILE // 1024**2} MB")
        try:
            async with asyncio.timeout(self._settings.seconds), _web.session() as http:
                answer = await _web.request(
                    http,
                    "POST",
                    f"{self._settings.base_url}/audio/transcriptions",
                    headers=self._headers(),
                    data=self._form(sound, content),
                    largest=LARGEST_ANSWER,
                )
        except TimeoutError:
            return Later(f"the transcriber took more than {self._settings.seconds:g} s")
        except aiohttp.ClientError as error:
            return Later(f"the transcriber: {_web.failure(error).reason}")
        return _read(answer)

    async def check(self) -> str:
        """Ask for the list of models, which OpenAI's API has and some servers have not."""
        try:
            async with asyncio.timeout(CHECK_SECONDS), _web.session() as http:
                answer = await _web.request(
                    http,
                    "GET",
                    f"{self._settings.base_url}/models",
                    headers=self._headers(),
                    largest=LARGEST_ANSWER,
                )
        except TimeoutError:
            raise TranscriberProblem(f"no answer within {CHECK_SECONDS:g} s") from None
        except aiohttp.ClientError as error:
            raise TranscriberProblem(_web.failure(error).reason) from None
        if answer.status in {_UNAUTHORISED, _FORBIDDEN}:
            raise TranscriberProblem(f"it refuses the api_key: {_reason(answer)}")
        if answer.status == _NOT_FOUND:
            return "answers, and has no list of models; `pbx-bridge voicemails try` proves the rest"
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            raise TranscriberProblem(f"it answered {_reason(answer)}")
        known = _models(answer)
        if known and self._settings.model not in known:
            close = ", ".join(name for name in known if "whisper" in name or "transcri" in name)
            raise TranscriberProblem(
                f"no model {self._settings.model!r} there"
                + (f"; such as {clean(close)[:LONGEST_REASON]}" if close else "")
            )
        return f"answers, and takes the model {self._settings.model}"

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if self._settings.api_key is not None:
            headers["Authorization"] = f"Bearer {self._settings.api_key.reveal()}"
        return headers

    def _form(self, sound: Path, content: bytes) -> aiohttp.FormData:
        # Servers tell the format by the ending; Asterisk writes .WAV for another content of a WAV.
        ending = sound.suffix.lower()
        form = aiohttp.FormData()
        form.add_field(
            "file",
            io.BytesIO(content),
            filename=f"message{ending}",
            content_type=_KINDS.get(ending, "application/octet-stream"),
        )
        form.add_field("model", self._settings.model)
        form.add_field("response_format", self._settings.response_format)
        if self._settings.language:
            form.add_field("language", self._settings.language)
        if self._settings.prompt:
            form.add_field("prompt", self._settings.prompt)
        return form


def _content(sound: Path) -> bytes | None:
    with sound.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    return content if len(content) <= LARGEST_FILE else None


def _read(answer: _web.Reply) -> Transcription:
    """Take what was said out of an answer, or tell what its refusal means."""
    if answer.status in _BUSY or answer.status >= 500:  # noqa: PLR2004 - HTTP
        return Later(f"the transcriber answered {_reason(answer)}", answer.retry_after)
    if answer.status != 200:  # noqa: PLR2004 - HTTP
        return Refused(f"the transcriber answered {_reason(answer)}")
    document = _json(answer)
    text = document.get("text")
    if not isinstance(text, str):
        return Refused("the transcriber's answer has no text in it")
    language = document.get("language")
    return Transcript(text, language if isinstance(language, str) and len(language) == 2 else "")  # noqa: PLR2004 - ISO 639-1


def _reason(answer: _web.Reply) -> str:
    """Give a refusal's status, and what the service says of it: a stranger's text."""
    error = _json(answer).get("error")
    said = error.get("message") if isinstance(error, Mapping) else error
    words = " ".join(clean(said).split())[:LONGEST_REASON] if isinstance(said, str) else ""
    return f"{answer.status}{': ' if words else ''}{words}"


def _models(answer: _web.Reply) -> list[str]:
    listed = _json(answer).get("data")
    if not isinstance(listed, list):
        return []
    return [m["id"] for m in listed if isinstance(m, dict) and isinstance(m.get("id"), str)]


def _json(answer: _web.Reply) -> Mapping[str, Any]:
    try:
        document = json.loads(answer.text or "")
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
