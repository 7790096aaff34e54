r"""Cut the AMI byte stream into messages, and drop unread what nobody needs.

An AMI message is header lines ended by an empty line. A busy PBX sends hundreds of them a call,
nine of ten of no use to us, so a message is looked at by its event name (and for the two most
frequent, VarSet and Newexten, by one header) before anything is parsed, and of a wanted one only
those headers are decoded that somebody asks for.
"""

from collections.abc import Callable, Mapping

_END = b"\r\n\r\n"
_EVENT = b"Event: "
_RESPONSE = b"Response: "

#: Longer than any message that Asterisk builds; what exceeds it is damage.
MAX_FRAME = 65_536

#: Variables that say something about a call which no event says.
VARIABLES = frozenset(
    {
        b"FROM_DID",
        b"VMSTATUS",
        b"QUEUESTATUS",
        b"DIALSTATUS",
        b"AGISTATUS",
        b"STASISSTATUS",
        b"CALLINGNUMPRES_SV",
        b"CALLINGPRES_SV",
    }
)
#: Applications whose start says something about a call which no event says.
APPLICATIONS = frozenset(
    {
        b"VoiceMail",
        b"MinivmGreet",
        b"MinivmRecord",
        b"Queue",
        b"ReceiveFAX",
        b"DISA",
        b"AudioSocket",
        b"Stasis",
        b"AGI",
    }
)


class Frame:
    """One message, undecoded. `get` reads a header; the first of a name counts."""

    __slots__ = ("_raw", "name")

    def __init__(self, name: bytes, raw: bytes) -> None:
        self.name = name
        self._raw = raw

    def get(self, header: bytes) -> str:
        r"""Read a header given as `\r\nName: `; empty if the message has none such."""
        start = self._raw.find(header)
        if start < 0:
            return ""
        start += len(header)
        end = self._raw.find(b"\r\n", start)
        return decode(self._raw[start:] if end < 0 else self._raw[start:end])

    def headers(self) -> dict[str, str]:
        """Read all headers; of a name that comes twice, the first."""
        found: dict[str, str] = {}
        for line in self._raw.split(b"\r\n"):
            name, colon, text = line.partition(b": ")
            if colon:
                found.setdefault(decode(name), decode(text))
        return found

    def text(self) -> str:
        return decode(self._raw)


def decode(raw: bytes) -> str:
    """Decode as UTF-8, or else as what old trunks and phones send. Never fails.

    A whole header at a time, so no character is ever split, and no surrogate escapes: SQLite
    refuses them.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _variable(raw: bytes) -> bool:
    # From the end, where Asterisk puts it.
    at = raw.rfind(b"\r\nVariable: ")
    return at > 0 and raw[at + 12 : _line_end(raw, at + 12)].lstrip(b"_") in VARIABLES


def _application(raw: bytes) -> bool:
    at = raw.find(b"\r\nApplication: ")
    return at > 0 and raw[at + 15 : _line_end(raw, at + 15)] in APPLICATIONS


def _line_end(raw: bytes, start: int) -> int:
    end = raw.find(b"\r\n", start)
    return len(raw) if end < 0 else end


def _has_channel(raw: bytes) -> bool:
    return b"\r\nUniqueid: " in raw


def always(_raw: bytes) -> bool:
    """Want every event of a name."""
    return True


#: Events that are parts of answers to our own questions.
ANSWER_PARTS = frozenset(
    {
        *(
            b"CoreShowChannel",
            b"CoreShowChannelsComplete",
            b"BridgeListItem",
            b"BridgeListComplete",
        ),
        *(b"DBGetResponse", b"DBGetComplete", b"DBGetTreeResponse", b"DBGetTreeComplete"),
    }
)

Wanted = Callable[[bytes], bool]

#: Event names that are read at all, and by which test.
WANTED: dict[bytes, Wanted] = dict.fromkeys(
    (
        b"Newchannel", b"Newstate", b"NewCallerid", b"DialBegin", b"DialEnd", b"LocalBridge",
        b"BridgeEnter", b"BridgeLeave", b"QueueCallerJoin", b"QueueCallerLeave",
        b"QueueCallerAbandon", b"BlindTransfer", b"AttendedTransfer", b"ParkedCall", b"Pickup",
        b"Hold", b"Unhold",
        b"HangupRequest", b"SoftHangupRequest", b"Hangup", b"FullyBooted", b"Shutdown",
        *ANSWER_PARTS,
    ),
    always,
)  # fmt: skip
WANTED[b"VarSet"] = _variable
WANTED[b"Newexten"] = _application
WANTED[b"MessageWaiting"] = _has_channel


class FrameReader:
    """Bytes in, wanted messages out, however the stream is cut.

    `wanted` may grow while the reader is in use.
    """

    def __init__(self, wanted: Mapping[bytes, Wanted] = WANTED) -> None:
        self._wanted = wanted
        self._rest = b""
        self._skipping = False  #: the message that has begun is too long to be one
        self.banner = b""  #: what the server said first, without its line end
        self.damaged = 0  #: bytes thrown away because no message was in them

    def feed(self, data: bytes) -> list[Frame]:
        """Take what arrived; give the wanted messages that are complete."""
        stream = self._rest + data
        parts = stream.split(_END)
        rest = parts.pop()
        if self._skipping or len(stream) > MAX_FRAME:
            parts, rest = self._without_damage(parts, rest)
        frames: list[Frame] = []
        wanted_by_name = self._wanted.get
        for raw in parts:
            name = raw[7 : raw.find(b"\r\n", 7)]
            wanted = wanted_by_name(name)
            if wanted is None:
                if raw[:1] != b"E":  # the quickest way to see that it is no event
                    self._unusual(raw, frames)
            elif (wanted is always or wanted(raw)) and raw.startswith(_EVENT):
                frames.append(Frame(name, raw))
        self._rest = rest
        return frames

    def _without_damage(self, parts: list[bytes], rest: bytes) -> tuple[list[bytes], bytes]:
        """Leave out what is longer than a message can be, until the empty line that ends it.

        Nothing in it is a message, whatever its end looks like, and however it came in pieces.
        """
        kept: list[bytes] = []
        for part in parts:
            if self._skipping or len(part) > MAX_FRAME:
                self.damaged += len(part)
                self._skipping = False
            else:
                kept.append(part)
        if self._skipping or len(rest) >= MAX_FRAME + len(_END):
            # The last bytes may be the beginning of its end.
            end = max(0, len(rest) - len(_END) + 1)
            self.damaged += end
            self._skipping, rest = True, rest[end:]
        return kept, rest

    def _unusual(self, raw: bytes, frames: list[Frame]) -> None:
        """Take what is no plain event: the banner, an answer, or damage."""
        if not self.banner and raw.startswith(b"Asterisk Call Manager/"):
            self.banner, _, raw = raw.partition(b"\r\n")
        raw = raw.lstrip(b"\r\n")
        if raw.startswith(_RESPONSE):
            frames.append(Frame(b"", raw))
        elif raw.startswith(_EVENT):
            frames.extend(FrameReader(self._wanted).feed(raw + _END))
        elif raw:
            self.damaged += len(raw)
