"""What a modem's program says on its topics, as the configuration describes it.

Everything that is read here was published by somebody else, and is believed in nothing.
"""

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from xml.sax.saxutils import escape

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from pbx_bridge.core.delivery import Message
from pbx_bridge.core.reply import Reply
from pbx_bridge.core.text import storable
from pbx_bridge.gateways._number import quoted
from pbx_bridge.gateways._template import PLACEHOLDER, filled, require_known, strings
from pbx_bridge.gateways._values import MISSING, Pattern, at_path

_FOLDER = Path(__file__).parent / "mqtt_presets"
PRESETS = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
#: Tables of a preset, of which single keys may be replaced.
PARTS = ("send", "result", "received", "presence")

OF_MESSAGE = frozenset({"to", "to_digits", "text", "text_xml", "key", "expires"})
LONGEST_NUMBER = 100
LONGEST_ID = 100
#: Beyond any text, which has 255 parts of 153 characters at most.
LONGEST_TEXT = 40_000


def with_preset(written: Any) -> Any:
    """Put what is written over the preset that it names; `result = false` takes a part away."""
    if not isinstance(written, dict) or (name := written.get("preset")) is None:
        return written
    if name not in PRESETS:
        text = f"no such preset; known are {', '.join(PRESETS)}"
        raise PydanticCustomError("misplaced", "{message}", {"message": text, "path": ("preset",)})
    preset = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    merged = preset | written
    for part in PARTS:
        own = written.get(part)
        if own is False:
            merged[part] = None
        elif isinstance(own, dict):
            merged[part] = preset.get(part, {}) | own
    return merged


def _topic(topic: str) -> str:
    known = frozenset({"prefix"})
    require_known("the topic", topic, known)
    if not topic or any(letter in topic for letter in "+#\0"):
        raise ValueError("not one topic; such as sms/send, without + and #")
    return topic


def _paths(written: Any) -> Any:
    return (written,) if isinstance(written, str) else written


Topic = Annotated[str, Field(max_length=1000), AfterValidator(_topic)]
Paths = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_paths)]
"""Where in the JSON: `messages.0.id`; of several, the first that is there."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Send(_Part):
    """What to publish for a text."""

    topic: Topic
    payload: dict[str, Any]

    @model_validator(mode="after")
    def _known_placeholders(self) -> Self:
        for template in strings(self.payload):
            require_known("payload", template, OF_MESSAGE)
        named = self.placeholders
        if not (named & {"to", "to_digits"} and named & {"text", "text_xml"}):
            raise ValueError("payload needs {to} or {to_digits}, and {text}")
        return self

    @property
    def placeholders(self) -> frozenset[str]:
        """The names of those that the payload has."""
        found = {name for text in strings(self.payload) for name in PLACEHOLDER.findall(text)}
        return frozenset(found)

    def encoded(self, message: Message) -> bytes:
        """Give the payload for a text."""
        document = filled(self.payload, _values(message))
        return json.dumps(document, ensure_ascii=False).encode(errors="replace")

    def text_of(self, message: Message) -> str:
        """Give the text as it stands in the payload, and so in the result."""
        return _values(message)["text_xml" if "text_xml" in self.placeholders else "text"]


def _values(message: Message) -> dict[str, str]:
    return {
        "to": message.to,
        "to_digits": message.to.removeprefix("+"),
        "text": message.body,
        "text_xml": escape(message.body),
        "key": message.key,
        "expires": message.expires_at.isoformat(timespec="seconds"),
    }


class Fate(StrEnum):
    """What a result says of a text."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    LATER = "later"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result that was understood. `token` is which text it is about."""

    token: str
    fate: Fate
    words: str = field(repr=False)


class Result(_Part):
    """How to read what the modem's program says about a text that it was asked to send."""

    topic: Topic
    id: Paths = ()
    number: Paths = ()
    text: Paths = ()
    status: Paths = Field(min_length=1)
    accepted: Pattern
    rejected: Pattern | None = None
    later: Pattern | None = None  #: certainly not sent, and may be tried again
    delivered: Pattern | None = None
    undelivered: Pattern | None = None
    error: Paths = ()  #: where the reason stands

    @model_validator(mode="after")
    def _names_a_text(self) -> Self:
        if not self.id and not (self.number and self.text):
            raise ValueError("a result needs an id, or number and text, to know which text it is")
        return self

    @property
    def receipts(self) -> bool:
        """Whether it tells of delivery."""
        return self.delivered is not None or self.undelivered is not None

    def read(self, document: Any) -> Outcome | None:
        """Understand a result. None: it says nothing that is certain.

        Raises:
            ValueError: it is not of this form.

        """
        status = _word(document, self.status, LONGEST_TEXT)
        if status is None:
            raise ValueError("a result without a status")
        fate = self._fate(status)
        if fate is None:
            return None
        if self.id:
            token = _word(document, self.id, LONGEST_ID)
        else:
            number = _word(document, self.number, LONGEST_NUMBER)
            text = _word(document, self.text, LONGEST_TEXT)
            token = None if number is None or text is None else token_of(number, text)
        if not token:
            raise ValueError("a result that does not say of which text")
        good = fate in {Fate.ACCEPTED, Fate.DELIVERED}
        words = None if good else _word(document, self.error, LONGEST_TEXT)
        return Outcome(token, fate, quoted(words or ""))

    def _fate(self, status: str) -> Fate | None:
        for fate in Fate:
            pattern: str | None = getattr(self, fate)
            if pattern is not None and re.search(pattern, status):
                return fate
        return None


class Received(_Part):
    """How to read a text that came in."""

    topic: Topic
    id: Paths = ()
    number: Paths = Field(min_length=1)
    text: Paths = Field(min_length=1)
    time: Paths = ()

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Self:
        if not (self.id or self.time):
            raise ValueError(
                "received needs id or time: without, two like texts and one that comes twice"
                " are the same"
            )
        return self

    def read(self, document: Any) -> Reply:
        """Understand a text.

        Raises:
            ValueError: it is not of this form.

        """
        number = _word(document, self.number, LONGEST_NUMBER)
        text = _word(document, self.text, LONGEST_TEXT)
        time = _word(document, self.time, LONGEST_ID)
        ref = _word(document, self.id, LONGEST_ID)
        if not number or text is None or not (ref or time):
            raise ValueError("a received text without number, text, or what tells it apart")
        return Reply(
            gateway_ref=ref or _digest(time or "", number, text),
            sender=number,
            body=text,
            sent_at=_moment(time or ""),
        )


class Presence(_Part):
    """How the modem's program says whether it is there; published to stay (retained)."""

    topic: Topic
    online: str
    offline: str


def token_of(number: str, text: str) -> str:
    """Name a text by its number and words, without showing them."""
    return _digest(re.sub(r"\D", "", number), text)


def document_in(payload: bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: it is none.

    """
    try:
        return json.loads(payload)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def at(topic: str, prefix: str) -> str:
    """Put the prefix into a topic."""
    return topic.replace("{prefix}", prefix)


def _word(document: Any, paths: Paths, longest: int) -> str | None:
    """Give the text or whole number at the first path that leads somewhere, if it is one."""
    for path in paths:
        found = at_path(document, path)
        if found is MISSING:
            continue
        if isinstance(found, bool) or not isinstance(found, str | int):
            return None
        word = storable(str(found))
        return word if len(word) <= longest else None
    return None


def _moment(time: str) -> datetime | None:
    """Read a time of ISO 8601 with its zone; without one nobody knows when it was."""
    try:
        moment = datetime.fromisoformat(time)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):  # no time, or one beyond the calendar
        return None


def _digest(*parts: str) -> str:
    joined = "\0".join(parts).encode(errors="replace")
    return hashlib.sha256(joined).hexdigest()[:32]
