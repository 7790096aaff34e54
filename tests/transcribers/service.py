"""A service like OpenAI's on this machine, which reads requests by OpenAI's own description."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

KEY = "sk-nobody-may-see"

#: `CreateTranscriptionRequest` of github.com/openai/openai-openapi, openapi.yaml: each field, and
#: the values that it takes where they are listed. `additionalProperties` is false there.
FIELDS: dict[str, frozenset[str]] = {
    "file": frozenset(),
    "model": frozenset(),
    "language": frozenset(),
    "prompt": frozenset(),
    "response_format": frozenset({"json", "text", "srt", "verbose_json", "vtt"}),
    "temperature": frozenset(),
}
REQUIRED = {"file", "model"}
#: The formats of a file by that description, told by the ending of its name.
ENDINGS = {"flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm"}


@dataclass(frozen=True)
class Heard:
    """One request for a transcript."""

    path: str
    fields: dict[str, str]
    filename: str
    content_type: str
    content: bytes
    authorization: str


@dataclass
class Service:
    """Answers as planned, else with `text`; refuses what the description does not know."""

    text: str = "Please call me back."
    answers: list[web.Response] = field(default_factory=list)
    models: web.Response | None = None
    hangs: bool = False
    heard: list[Heard] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Service"]:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        app.router.add_get("/v1/models", self._models)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            self._released.set()
            await runner.cleanup()

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        heard = await _read(request)
        self.heard.append(heard)
        self.arrived.set()
        if self.hangs:
            await self._released.wait()
        if self.answers:
            return self.answers.pop(0)
        if problem := _against_the_description(heard):
            return refusal(400, problem)
        if heard.authorization not in {"", f"Bearer {KEY}"}:
            return refusal(401, "Incorrect API key provided: sk-x…")
        if heard.fields.get("response_format") == "verbose_json":
            whole = {"task": "transcribe", "language": "en", "duration": 3.5, "segments": []}
            return web.json_response(whole | {"text": self.text})
        return web.json_response({"text": self.text})

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if self.models is not None:
            return self.models
        if request.headers.get("Authorization", "") not in {"", f"Bearer {KEY}"}:
            return refusal(401, "Incorrect API key provided: sk-x…")
        ids = ("gpt-4o-transcribe", "whisper-1", "tts-1")
        return web.json_response({"object": "list", "data": [{"id": name} for name in ids]})


def refusal(status: int, message: str, **headers: str) -> web.Response:
    """An error as OpenAI's API tells it."""
    error = {"message": message, "type": "x", "param": None, "code": None}
    return web.json_response({"error": error}, status=status, headers=headers)


async def _read(request: web.Request) -> Heard:
    fields, file = {}, ("", "", b"")
    async for part in await request.multipart():
        assert not isinstance(part, (type(None), web.Request))
        content = bytes(await part.read(decode=False))  # type: ignore[union-attr]
        name = part.name or ""  # type: ignore[union-attr]
        assert name not in fields, f"{name} comes twice"
        fields[name] = "" if name == "file" else content.decode()
        if name == "file":
            kind = part.headers.get("Content-Type", "")
            file = (part.filename or "", kind, content)  # type: ignore[union-attr]
    return Heard(request.path, fields, *file, request.headers.get("Authorization", ""))


def _against_the_description(heard: Heard) -> str:
    for name, value in heard.fields.items():
        if name not in FIELDS:
            return f"Unrecognized request argument supplied: {name}"
        if FIELDS[name] and value not in FIELDS[name]:
            return f"{value!r} is not one of {sorted(FIELDS[name])}"
    if missing := REQUIRED - heard.fields.keys():
        return f"you must provide {sorted(missing)}"
    if heard.filename.rpartition(".")[2] not in ENDINGS:
        return "Unrecognized file format."
    return "" if heard.content else "the file is empty"
