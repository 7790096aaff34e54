"""A message that a caller left: how long it is looked for, what is said of it, and to whom.

Nobody but the office's own people is told what is in it. A transcript has the caller's words in it,
as a machine understood them: hostile text, like a reply.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pbx_bridge.core.text import clean


class RecordingState(StrEnum):
    """How far we are with a message."""

    AWAITED = "awaited"  #: left, and to be found on the PBX's disk
    KEPT = "kept"  #: found and copied
    TRANSCRIBED = "transcribed"
    MISSING = "missing"  #: not found, or of no use; `problem` says why
    OFF = "off"  #: not looked for: this PBX has no [pbx.voicemail]


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said; `language` as in ISO 639-1, empty if the transcriber did not tell."""

    text: str = field(repr=False)
    language: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no transcript, and trying again would change nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """There is no transcript now; it may be asked for again."""

    reason: str
    retry_after: timedelta | None = None


Transcription = Transcript | Refused | Later

#: How long to wait after each search that found nothing: the PBX is just writing it.
SEARCH_AGAIN = tuple(timedelta(seconds=s) for s in (0.5, 1, 2, 4, 8, 15))
#: How long to wait after each time that a transcriber could not be asked.
ASK_AGAIN = (
    *(timedelta(seconds=s) for s in (5, 15, 60)),
    *(timedelta(minutes=m) for m in (5, 15, 60)),
)
LONGEST_RETRY_AFTER = timedelta(hours=1)

#: Characters of a transcript that are kept: ten minutes of fast talk.
LONGEST_TRANSCRIPT = 10_000
#: Characters of it in an alert; an alert has a thousand in all.
LONGEST_QUOTE = 700
LONGEST_NAME = 60
LONGEST_REASON = 150

DEFAULT_CONTEXT = "default"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox, in its voicemail context."""

    name: str
    context: str = DEFAULT_CONTEXT


def mailboxes(written: str) -> tuple[Mailbox, ...]:
    """Read what an event or VoiceMail() says: `102`, `102@default`, `101&102@sales`."""
    parts = [part.partition("@") for part in written.split("&")]
    return tuple(
        Mailbox(name.strip(), context.strip() or DEFAULT_CONTEXT)
        for name, _, context in parts
        if name.strip()
    )


def search_again(attempts: int, now: datetime) -> datetime | None:
    """Tell when to look again after `attempts` searches in vain (1 is the first); None: never."""
    if attempts > len(SEARCH_AGAIN):
        return None
    return now + SEARCH_AGAIN[attempts - 1]


def ask_again(attempts: int, retry_after: timedelta | None, now: datetime) -> datetime | None:
    """Tell when to ask for a transcript again after `attempts` times in vain; None: never."""
    if attempts > len(ASK_AGAIN):
        return None
    wait = ASK_AGAIN[attempts - 1]
    if retry_after is not None:
        wait = max(wait, min(retry_after, LONGEST_RETRY_AFTER))
    return now + wait


def tidy(transcript: str) -> str:
    """Make a transcript fit to be kept: one line, of bounded length, nothing that steers."""
    return _one_line(transcript)[:LONGEST_TRANSCRIPT]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLeft:
    """What is known of a message when it is told. Name and transcript are the caller's own."""

    caller: str  #: E.164, or as the PBX gave it; empty if withheld
    name: str
    line: str  #: as the office calls it; empty if nobody knows
    seconds: float  #: 0 if nobody knows
    transcript: str = field(default="", repr=False)
    problem: str = ""  #: why there is no recording, or no transcript


def told(message: MessageLeft) -> str:
    """Put a message into one line: `Ann Baker (+1212…) left a message of 12 s on Sales: "…"`."""
    name, number = _short(message.name, LONGEST_NAME), _short(message.caller, LONGEST_NAME)
    who = f"{name} ({number})" if name and number else name or number or "A caller without number"
    text = f"{who} left a message"
    if message.seconds >= 1:
        text += f" of {_spelt(message.seconds)}"
    if line := _short(message.line, LONGEST_NAME):
        text += f" on {line}"
    if quote := _one_line(message.transcript):
        cut = quote if len(quote) <= LONGEST_QUOTE else f"{_short(quote, LONGEST_QUOTE - 1)}…"
        text += f": “{cut}”"
    if problem := _short(message.problem, LONGEST_REASON):
        text += f" ({problem})"
    return text


def _short(hostile: str, longest: int) -> str:
    return _one_line(hostile)[:longest].rstrip()


def _spelt(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"


def _one_line(hostile: str) -> str:
    return " ".join(clean(hostile.replace("\n", " ").replace("\t", " ")).split())
