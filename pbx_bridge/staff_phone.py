"""How somebody on call is phoned by the PBX, and what it then says of that call.

Calls are placed into one context of the dialplan only (asterisk-conf/snippets/urgent-ladder.conf),
which asks for a key and writes it into Asterisk's own database: there it is still to be found after
a restart of ours or a lost connection. Events only make us look at once.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from pbx_bridge.core import spoken_summary
from pbx_bridge.core.events import OWN_CHANNELS
from pbx_bridge.core.ladder import LegOutcome, not_answered
from pbx_bridge.core.spoken_summary import Summary
from pbx_bridge.ports import Pbx, PbxRefused, PbxSilent, PbxUnreachable

CONTEXT = "pbxbridge-urgent"
#: Asterisk's database keeps what became of the last so many calls.
SLOTS = 100

_PRESSED = {
    "took": LegOutcome.TOOK,
    "passed": LegOutcome.PASSED,
    "no_key": LegOutcome.NO_KEY,
}
#: What may stand in a variable of the dialplan: commas and quotes part them, and more.
_SAFE = re.compile(r"[A-Za-z0-9 _./&+:-]*")


@dataclass(frozen=True, slots=True)
class CallName:
    """A call to somebody on call: its row id, and the name by which the PBX knows it."""

    row_id: int
    token: str

    @property
    def slot(self) -> str:
        """Name the place in Asterisk's database where its outcome stands."""
        return str(self.row_id % SLOTS)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the PBX says of a call. Without an outcome it is under way."""

    answered: bool = False
    outcome: LegOutcome | None = None


NOTHING = Heard()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Whom to phone, and what to tell."""

    channel: str  #: as the PBX dials it: `PJSIP/101`
    summary: Summary
    ring: timedelta
    listen: timedelta
    caller_id: str = ""  #: a number to show
    file: str = ""  #: a spoken summary, as the PBX finds it, without its extension


class StaffPhone:
    """One PBX by which those on call are phoned.

    `control` may place calls, `watched` may be asked. `news` is called when there may be something
    to hear.
    """

    def __init__(self, control: Pbx, watched: Pbx, news: Callable[[], None]) -> None:
        self._control = control
        self._watched = watched
        self._news = news
        self._responses: dict[str, Mapping[str, str]] = {}  # to our calls, by their names
        control.hear("OriginateResponse", self._responded)
        control.hear("UserEvent", self._pressed)

    async def place(self, call: CallName, request: Request) -> None:
        """Have somebody phoned; returns as soon as the PBX has begun to.

        Raises:
            PbxRefused, PbxUnreachable, PbxSilent: as `ports.Pbx` has it.

        """
        await self._control.act(originate(call, request))

    async def hear(self, call: CallName) -> Heard:
        """Tell what the PBX says of a call, if it says anything."""
        pressed = await self._in_its_database(call)
        if pressed is not None:
            return pressed
        response = self._responses.get(call.token)
        if response is None:
            return NOTHING
        if response.get("Response") == "Success":
            return Heard(answered=True)
        return Heard(outcome=not_answered(response.get("Reason", "")))

    async def _in_its_database(self, call: CallName) -> Heard | None:
        question = {"Action": "DBGet", "Family": CONTEXT, "Key": call.slot}
        try:
            answer = await self._watched.act(question)
        except (PbxRefused, PbxSilent, PbxUnreachable):
            return None
        token, _, state = answer.get("Val", "").partition(" ")
        if token != call.token:
            return None
        return Heard(answered=True, outcome=_PRESSED.get(state))

    def _responded(self, headers: Mapping[str, str]) -> None:
        self._responses[headers.get("ActionID", "")] = headers
        while len(self._responses) > SLOTS:  # of calls that are over
            self._responses.pop(next(iter(self._responses)))
        self._news()

    def _pressed(self, headers: Mapping[str, str]) -> None:
        if headers.get("UserEvent") == "PbxBridgeUrgent":
            self._news()


def originate(call: CallName, request: Request) -> dict[str, str]:
    """Make the action that phones somebody. Of the caller there is nothing but digits in it.

    Raises:
        ValueError: a value that the dialplan would misunderstand; it is a bug.

    """
    variables = {
        "PBXB_LEG": call.token,
        "PBXB_SLOT": call.slot,
        "PBXB_SAY": "&".join(spoken_summary.recordings(request.summary)),
        "PBXB_FILE": request.file,
        "PBXB_LISTEN": str(round(request.listen.total_seconds())),
    }
    for name, value in variables.items():
        if not _SAFE.fullmatch(value):
            raise ValueError(f"{name} may not be {value!r}")
    action = {
        "Action": "Originate",
        "ActionID": call.token,
        "Async": "true",
        "Channel": request.channel,
        "ChannelId": f"{OWN_CHANNELS}{call.token}",
        "Context": CONTEXT,
        "Exten": "s",
        "Priority": "1",
        "Timeout": str(round(request.ring.total_seconds() * 1000)),
        "Variable": ",".join(f"{name}={value}" for name, value in variables.items()),
    }
    if request.caller_id:
        action["CallerID"] = f"Urgent <{request.caller_id}>"
    return action
