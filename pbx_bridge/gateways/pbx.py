"""Texts through the PBX itself, over the AMI connection that watches the calls.

Two ways. `message` is Asterisk's own MessageSend: a SIP MESSAGE over a trunk whose carrier turns
it into an SMS (`pjsip:…`), or a modem of chan_quectel (`mobile:…`). Asterisk answers when it has
handed the text over, not when anybody took it. `dongle` is chan_dongle's DongleSendSMS, which gives
our key back in its delivery reports (read in wdoekes/asterisk-chan-dongle around 2bd3fc2).

What comes in is raised by a few lines of dialplan as a UserEvent, and kept in the AstDB for when we
are away (`_pbx_inbox`). chan_dongle tells by itself, once.
"""

import asyncio
import re
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Literal, Self
from uuid import uuid4

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pbx_bridge import ports
from pbx_bridge.core.delivery import (
    Absent,
    Accepted,
    Blame,
    Capabilities,
    Deferred,
    LookupResult,
    Message,
    Receipt,
    Rejected,
    SendResult,
    State,
    Uncertain,
)
from pbx_bridge.core.reply import Reply
from pbx_bridge.core.saying import say
from pbx_bridge.gateways import _pbx_inbox as inbox
from pbx_bridge.gateways._number import E164, quoted
from pbx_bridge.gateways._pbx_inbox import Numbered
from pbx_bridge.ports import (
    Cursor,
    GatewayProblem,
    News,
    Pbx,
    PbxRefused,
    PbxSilent,
    PbxUnreachable,
    Tell,
)

#: The longest line that Asterisk takes in an action, in octets, less the name of the header.
ROOM = 1_021
BODY_ROOM = (ROOM - len("Base64Body: ")) // 4 * 3  #: 756 octets of UTF-8
TEXT_ROOM = ROOM - len("Message: ")  #: 1012 octets of UTF-8, escapes included

#: What is kept while nobody takes it; more means that the database is away, and is dropped loudly.
MAX_WAITING = 1_000
#: A PBX that did not say what it kept is asked again then, or when it is connected anew.
LOOK_AGAIN_SECONDS = 60.0
LONGEST_VALIDITY = 10_080  #: minutes; a week

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_KNOWN = ("to", "to_digits")
#: What `ast_unescape_c` of Asterisk's main/utils.c, which chan_dongle reads a text with, undoes.
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})

log = structlog.get_logger()

Read = Callable[[Mapping[str, str]], Numbered | News | None]
"""Make news of an event's headers, if they are any."""


def _template(value: str) -> str:
    for name in _PLACEHOLDER.findall(value):
        if name not in _KNOWN:
            raise ValueError(f"unknown placeholder {{{name}}}; known are {{to}} and {{to_digits}}")
    if not value.isprintable():
        raise ValueError("a line break or control character; a single line")
    return value


Template = Annotated[str, Field(max_length=255), AfterValidator(_template)]


class Settings(BaseModel):
    """`[gateways.NAME]` with `type = "pbx"`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True
    )

    type: Literal["pbx"] = "pbx"
    pbx: str = Field(
        default="", description="the name of a [[pbx]]; by default the first", examples=["office"]
    )
    method: Literal["message", "dongle"] = Field(
        description="message (SIP MESSAGE, chan_quectel) or dongle (chan_dongle)",
        examples=["message"],
    )
    destination: Template = Field(
        default="",
        description="where Asterisk sends it",
        examples=["pjsip:trunk/sip:{to}@sip.carrier.example"],
    )
    to: Template = Field(
        default="", description="the To of the message", examples=["sip:{to}@sip.carrier.example"]
    )
    sender: Template = Field(
        default="",
        alias="from",
        description="the From of the message",
        examples=["sip:+12125550100@pbx.example.com"],
    )
    device: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_.-]*$",
        description="a modem's name in dongle.conf",
        examples=["dongle0"],
    )
    report: bool = Field(
        default=True, strict=True, description="ask for delivery reports", examples=[True]
    )
    replies: bool | None = Field(
        default=None,
        strict=True,
        description="hear what customers write; by default only with a dongle",
        examples=[True],
    )

    @model_validator(mode="after")
    def _fits_its_method(self) -> Self:
        if self.method == "message":
            if ":" not in self.destination:
                raise ValueError(
                    'method = "message" needs destination;'
                    ' such as "pjsip:trunk/sip:{to}@sip.carrier.example" or "mobile:quectel0"'
                )
            if self.device:
                raise ValueError('device is for method = "dongle"; leave it out')
        else:
            if not self.device:
                raise ValueError('method = "dongle" needs device; such as "dongle0"')
            if self.destination or self.to or self.sender:
                raise ValueError(
                    'destination, to and from are for method = "message"; leave them out'
                )
        return self

    @property
    def hears_replies(self) -> bool:
        return self.method == "dongle" if self.replies is None else self.replies


class Gateway(ports.Gateway):
    """Sends through one PBX."""

    def __init__(self, settings: Settings, around: ports.Surroundings = ports.ALONE) -> None:
        self.settings = settings
        self._around = around
        self._way = _Dongle(settings) if settings.method == "dongle" else _MessageSend(settings)
        self.capabilities = self._way.capabilities
        self._pbx: Pbx | None = None
        self._waiting: deque[Numbered | News] = deque()
        self._arrived = asyncio.Event()
        self._keeping = False
        self._to_look = False  #: for what the PBX kept
        self._log = log.bind(gateway=around.name)

    async def __aenter__(self) -> Self:
        pbxs = self._around.pbxs
        name = self.settings.pbx or next(iter(pbxs), "")
        if name not in pbxs:
            known = ", ".join(pbxs) or "none"
            raise GatewayProblem(f"there is no PBX named {name!r}; known are {known}")
        self._pbx = pbxs[name]
        self._keeping = True  # until somebody listens, what comes waits
        for event, read in self._way.events.items():
            self._pbx.hear(event, self._listener(read))
        if self._way.keeps_texts:
            self._pbx.hear("FullyBooted", self._connected)  # told at each login
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._pbx = None
        self._keeping = False

    async def send(self, message: Message) -> SendResult:
        """Have the PBX send it; what it answers means that it was handed over."""
        if E164.fullmatch(message.to) is None:
            return Rejected(say("not a number in E.164"))
        left = int((message.expires_at - self._around.now()).total_seconds() // 60)
        action = self._way.action(message, max(1, min(left, LONGEST_VALIDITY)))
        if isinstance(action, Rejected):
            return action
        try:
            await self._open().act(action)
        except PbxUnreachable as problem:
            return Deferred(say("the PBX is not connected: {problem}", problem=problem))
        except PbxSilent as problem:
            return Uncertain(
                say("the PBX was told, and did not answer: {problem}", problem=problem)
            )
        except PbxRefused as refusal:
            return self._way.refused(str(refusal))
        return Accepted("")  # neither way has an id that lasts

    async def lookup(self, message: Message, taken: Collection[str]) -> LookupResult:  # noqa: ARG002
        """Know nothing: a PBX keeps no list of what it sent."""
        return Absent()

    async def check(self) -> str:
        """See that the PBX is connected and lets this account send: it lists what it allows."""
        try:
            allowed = await self._open().act({"Action": "ListCommands"})
        except PbxRefused as refusal:
            raise GatewayProblem(f"the PBX does not say what it allows: {refusal}") from None
        except (PbxUnreachable, PbxSilent) as problem:
            raise GatewayProblem(f"the PBX cannot be asked: {problem}") from None
        if self._way.name not in allowed:
            raise GatewayProblem(self._way.forbidden)
        return f"the PBX lets this account use {self._way.name}"

    async def listen(self, tell: Tell, cursor: Cursor) -> None:
        """Hand on what the PBX told or kept, until cancelled.

        What was not written down is told again.
        """
        self._keeping, self._to_look = True, self._way.keeps_texts
        reached = await cursor.get() if self._way.keeps_texts else ""
        try:
            while True:
                if self._to_look:
                    reached = await self._look(reached, cursor)
                while self._waiting:
                    news = tuple(self._waiting)
                    await tell([one.reply if isinstance(one, Numbered) else one for one in news])
                    for _ in news:
                        self._waiting.popleft()
                    numbers = [one.number for one in news if isinstance(one, Numbered)]
                    if any(numbers):
                        reached = str(numbers[-1])
                        await cursor.put(reached)
                self._arrived.clear()
                if not self._to_look:
                    await self._arrived.wait()
        except asyncio.CancelledError:  # nobody will come for it
            self._keeping = False
            self._waiting.clear()
            raise

    async def _look(self, reached: str, cursor: Cursor) -> str:
        """Take what the PBX kept since; at the first time only see how far it is."""
        self._to_look = False
        try:
            found = await self._open().items({"Action": "DBGetTree", "Family": inbox.FAMILY})
        except PbxUnreachable:  # when it is back, it tells
            return reached
        except (PbxRefused, PbxSilent) as problem:
            self._log.warning("texts_not_looked_for", problem=str(problem))
            if isinstance(problem, PbxSilent):
                asyncio.get_running_loop().call_later(LOOK_AGAIN_SECONDS, self._connected, {})
            return reached
        kept = inbox.kept(found)
        if not reached.isdecimal():
            reached = str(kept[-1].number if kept else 0)
            await cursor.put(reached)
            return reached
        told = {one.reply.gateway_ref for one in self._waiting if isinstance(one, Numbered)}
        missed = [
            one for one in inbox.since(kept, int(reached)) if one.reply.gateway_ref not in told
        ]
        self._waiting.extendleft(reversed(missed))
        return reached

    def _connected(self, _headers: Mapping[str, str]) -> None:
        self._to_look = True
        self._arrived.set()

    def _listener(self, read: Read) -> Callable[[Mapping[str, str]], None]:
        def keep(headers: Mapping[str, str]) -> None:
            news = read(headers) if self._keeping else None
            if news is None:
                return
            if len(self._waiting) >= MAX_WAITING:
                self._log.error("news_dropped", problem=f"{MAX_WAITING} wait to be written down")
                return
            self._waiting.append(news)
            self._arrived.set()

        return keep

    def _open(self) -> Pbx:
        if self._pbx is None:
            raise RuntimeError("the gateway is used outside of its context")
        return self._pbx


class _MessageSend:
    """AMI's MessageSend."""

    name = "MessageSend"
    forbidden = (
        "the account may not send messages: add `message` to its write= in manager.conf"
        " (write = reporting,message), then `manager reload`"
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.keeps_texts = settings.hears_replies
        self.events: Mapping[str, Read] = {"UserEvent": raised} if settings.hears_replies else {}
        self.capabilities = Capabilities(inbound=settings.hears_replies, max_length=BODY_ROOM)

    def action(self, message: Message, _minutes: int) -> Mapping[str, str] | Rejected:
        body = message.body.encode()
        if len(body) > BODY_ROOM:
            return Rejected(
                say(
                    "longer than the {body_room} octets that AMI takes in one message",
                    body_room=BODY_ROOM,
                )
            )
        if b"\0" in body:
            return Rejected(say("a NUL in the text, at which Asterisk would end it"))
        settings = self._settings
        headers = {
            "Destination": fill(settings.destination, message.to),
            # Before 16.22, 18.8 and 19 there is no Destination, and To is it.
            "To": fill(settings.to, message.to),
            "From": fill(settings.sender, message.to),
            "Base64Body": b64encode(body).decode(),
        }
        return {"Action": self.name} | {name: text for name, text in headers.items() if text}

    def refused(self, words: str) -> SendResult:
        match words:
            case "Permission denied":
                return Rejected(self.forbidden, blame=Blame.GATEWAY)
            case "Message failed to send.":
                # No such endpoint, or none of its contacts is registered: a phone may come back.
                return Deferred(
                    say(
                        "Asterisk could not hand it over: no such endpoint in destination, or it"
                        " is not reachable now (its log says which)"
                    )
                )
            case "Message technology not found.":
                return Rejected(
                    say(
                        "Asterisk cannot send to such a destination: its module is not loaded "
                        "(res_pjsip_messaging for pjsip:, chan_quectel for mobile:)"
                    ),
                    blame=Blame.GATEWAY,
                )
            case _:
                return Rejected(say("Asterisk refused it: {words}", words=quoted(words)))


class _Dongle:
    """chan_dongle's DongleSendSMS."""

    name = "DongleSendSMS"
    keeps_texts = False  # what comes is told by the driver, not by the dialplan
    forbidden = (
        "the account may not use chan_dongle, or it is not loaded: add `call` to its write= in"
        " manager.conf (write = reporting,call), then `manager reload`;"
        " and see `module show like chan_dongle`"
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.events: dict[str, Read] = {}
        if settings.report:
            self.events["DongleReport"] = reported
        if settings.hears_replies:
            self.events["DongleNewSMSBase64"] = self._received
        self.capabilities = Capabilities(
            receipts=settings.report, inbound=settings.hears_replies, max_length=TEXT_ROOM
        )

    def action(self, message: Message, minutes: int) -> Mapping[str, str] | Rejected:
        text = message.body.translate(_ESCAPES)
        if len(text.encode()) > TEXT_ROOM:
            return Rejected(
                say(
                    "longer than the {text_room} octets that AMI takes in one message",
                    text_room=TEXT_ROOM,
                )
            )
        if "\0" in text:
            return Rejected(say("a NUL in the text, at which Asterisk would end it"))
        return {
            "Action": self.name,
            "Device": self._settings.device,
            "Number": message.to,
            "Message": text,
            "Validity": str(minutes),
            "Report": "yes" if self._settings.report else "no",
            "Payload": message.key,
        }

    def refused(self, words: str) -> SendResult:
        said = quoted(words)
        if words == "Permission denied":
            return Rejected(self.forbidden, blame=Blame.GATEWAY)
        if words.startswith("Invalid/unknown command"):
            return Rejected(say("chan_dongle is not loaded"), blame=Blame.GATEWAY)
        if "Invalid destination number" in words:
            return Rejected(
                say("chan_dongle refused the number: {said}", said=said), blame=Blame.NUMBER
            )
        if "evice" in words:  # not found, disconnected, not initialized, not registered
            return Deferred(say("the modem cannot send now: {said}", said=said))
        return Rejected(say("chan_dongle refused it: {said}", said=said))

    def _received(self, headers: Mapping[str, str]) -> Reply | None:
        sender, body = headers.get("From", ""), inbox.decoded(headers.get("Message", ""))
        if headers.get("Device") != self._settings.device or not sender or body is None:
            return None
        # The event has no id, and no time; AMI tells it once.
        return Reply(gateway_ref=uuid4().hex, sender=sender, body=body)


def reported(headers: Mapping[str, str]) -> Receipt | None:
    """Read a DongleReport.

    Type 0 tells whether the modem sent it, 1 is the network's report on all parts, 2 that none came
    within the validity: that says nothing, for some networks never report.
    """
    key, success = headers.get("Payload", ""), headers.get("Success") == "1"
    if not key:
        return None
    match headers.get("Type"):
        case "0" if success:
            return Receipt(key=key, state=State.ACCEPTED, detail=say("sent by the modem"))
        case "0":
            return Receipt(
                key=key, state=State.UNDELIVERED, detail=say("the modem could not send it")
            )
        case "1":
            # TP-Status of each part (3GPP TS 23.040, 9.2.3.15), in decimal: `000,070,`
            codes = headers.get("Report", "").strip(",")[:100]
            if success:
                return Receipt(key=key, state=State.DELIVERED, code=codes)
            return Receipt(
                key=key,
                state=State.UNDELIVERED,
                code=codes,
                detail=say("the network could not deliver it (TP-Status of each part)"),
            )
        case _:
            return None


def raised(headers: Mapping[str, str]) -> Numbered | None:
    """Read the UserEvent of the snippets in asterisk-conf/snippets."""
    if headers.get("UserEvent") != inbox.EVENT:
        return None
    if (told := inbox.raised(headers)) is None:
        log.warning(
            "message_unreadable",
            problem=f"a {inbox.EVENT} without Id, From or Body: see the dialplan snippet in "
            "docs/gateways/pbx.md",
        )
    return told


def fill(template: str, to: str) -> str:
    """Put the number in place of `{to}`, or without its plus of `{to_digits}`."""
    values = {"to": to, "to_digits": to.removeprefix("+")}
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)
