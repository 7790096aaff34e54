"""A PBX to which recorded calls happen all the time, and which writes its records (CEL) of them."""

import asyncio
import csv
import io
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pbx_bridge.clock import utc_now
from pbx_bridge.demo import retelling
from pbx_bridge.demo.pbx import PlayedPbx
from pbx_bridge.demo.retelling import Teller
from pbx_bridge.recording import Moment

LINE = "+16465550101"
#: Recorded calls (pbx_bridge/demo/recordings), and whether a text follows.
SHAPES = {
    "no_answer": True,
    "busy": True,
    "caller_gives_up": True,
    "queue_abandoned": True,
    "voicemail_hangup": True,
    "answered": False,
    "ring_group_answered": False,
}
_APPLICATIONS = {"Queue", "VoiceMail", "Dial", "ConfBridge"}


class RecordedPbx(PlayedPbx):
    """Plays calls to whoever listens, and writes down each whether anybody listens or not."""

    def __init__(self, cel: Path) -> None:
        super().__init__(secret="s3cret", now=utc_now)
        self.secret = "s3cret"
        self.cel: Path | None = cel
        self.set_by = timedelta()  #: that the clock it writes its records by is off
        self._status: dict[str, str] = {}  # what Dial came to, by channel
        self._asked_to_end: set[str] = set()

    def hang_up_on_all(self) -> None:
        """Lose all connections, as at a restart of the manager."""
        for writer in list(self._open):
            writer.transport.abort()

    def _note(self, event: Any) -> None:
        self._write_down(event)
        super()._note(event)

    def _write_down(self, event: dict[str, str]) -> None:
        """Write the rows that Asterisk's CEL has of an event, as cel_custom.conf orders them."""
        channel_id = event.get("Uniqueid", "")
        match event.get("Event"):
            case "Newchannel":
                self._row("CHAN_START", event)
            case "Newstate" if event.get("ChannelState") == "6":
                self._row("ANSWER", event)
            case "Newexten" if event.get("Application") in _APPLICATIONS:
                self._row("APP_START", event)
            case "BridgeEnter":
                extra = {
                    "bridge_id": event["BridgeUniqueid"],
                    "bridge_technology": event.get("BridgeTechnology", ""),
                }
                self._row("BRIDGE_ENTER", event, extra)
            case "BridgeLeave":
                self._row("BRIDGE_EXIT", event, {"bridge_id": event["BridgeUniqueid"]})
            case "VarSet" if event.get("Variable") == "DIALSTATUS":
                self._status[channel_id] = event.get("Value", "")
            case "HangupRequest":
                self._asked_to_end.add(channel_id)
            case "Hangup":
                source = event["Channel"] if channel_id in self._asked_to_end else ""
                extra = {
                    "hangupcause": event.get("Cause", ""),
                    "hangupsource": source,
                    "dialstatus": self._status.pop(channel_id, ""),
                }
                self._row("HANGUP", event, extra)
                self._row("CHAN_END", event)
                self._asked_to_end.discard(channel_id)
            case _:
                pass

    def _row(self, kind: str, event: dict[str, str], extra: dict[str, str] | None = None) -> None:
        row = [""] * 20
        row[0], row[1] = kind, f"{(utc_now() + self.set_by).timestamp():.6f}"
        row[3], row[7], row[8] = event["CallerIDNum"], event.get("Exten", ""), event["Context"]
        row[9], row[10], row[11] = (
            event["Channel"],
            event.get("Application", ""),
            event.get("AppData", ""),
        )
        row[12], row[14], row[15] = "3", event["Uniqueid"], event["Linkedid"]
        row[19] = json.dumps(extra) if extra else ""
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(row)
        assert self.cel is not None
        with self.cel.open("a", encoding="utf-8") as file:
            file.write(text.getvalue())


@dataclass
class Callers:
    """People who call whatever the service does, each with a number of its own."""

    pbx: RecordedPbx
    chance: random.Random
    per_second: float
    missed: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    #: When a number's call was over, by the loop's clock.
    over: dict[str, float] = field(default_factory=dict)
    _calls: set[asyncio.Task[None]] = field(default_factory=set)
    _serial: int = 0

    def call(self) -> str:
        """Let one call happen, in its own time; give its number."""
        self._serial += 1
        number = f"+1{646 if self._serial % 2 else 212}{2000000 + self._serial}"
        shape = self.chance.choice(list(SHAPES))
        (self.missed if SHAPES[shape] else self.answered).append(number)
        tale = retelling.tale(shape)
        # Between a blink and three seconds.
        pace = self.chance.uniform(0.02, min(1.0, timedelta(seconds=3) / tale.length))
        moments = list(
            tale.retold(Teller(number=number, line=LINE, serial=self._serial), utc_now(), pace)
        )
        task = asyncio.get_running_loop().create_task(self._happens(number, moments))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return number

    async def _happens(self, number: str, moments: list[Moment]) -> None:
        await self.pbx.play(moments)
        self.over[number] = asyncio.get_running_loop().time()

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Have people call all the while, at a steady rate on the average."""
        going = asyncio.get_running_loop().create_task(self._go_on())
        try:
            yield
        finally:
            going.cancel()
            await asyncio.wait([going])
            if not going.cancelled():
                going.result()

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self.chance.expovariate(self.per_second))
            self.call()

    async def all_end(self) -> None:
        """Wait until every call has ended."""
        while self._calls:
            await asyncio.gather(*self._calls)
