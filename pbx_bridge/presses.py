"""Takes the keys by which callers agree to texts or refuse them, and writes them down as consent.

The PBX's dialplan tells of them (asterisk-conf/snippets/consent.conf). A key counts only for the
number of a call that we see ourselves, while it lasts. It is weaker than a text: a caller ID can be
forged. So it is recorded as what it is, and never lifts a STOP that came another way.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from pbx_bridge.core import press
from pbx_bridge.core.alerting import AlertKind
from pbx_bridge.core.number import Number, parse
from pbx_bridge.core.office import Rules
from pbx_bridge.core.press import Press
from pbx_bridge.core.skip import SkipReason
from pbx_bridge.endings import Endings
from pbx_bridge.ports import Clock
from pbx_bridge.store import calls, consents
from pbx_bridge.store.alerts import raise_alert
from pbx_bridge.store.calls import CallRecord
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable

#: What is kept while the database is away; more is dropped loudly.
MAX_WAITING = 1_000
#: A call is written down within moments of its beginning; so long a key waits for its call.
CALL_KNOWN_WITHIN = timedelta(seconds=30)
#: Until the next look for a call that is not known yet, and until the next try to write.
LOOK_AGAIN = timedelta(seconds=0.5)
STORE_PAUSE = timedelta(seconds=5)
#: What is told of a call that was over before is a forgery, or a dialplan gone wrong.
OVER_SINCE = timedelta(minutes=1)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Told:
    """A key that was told, and when and by which PBX."""

    pbx: str
    press: Press
    at: datetime


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of it."""

    ignored: str = ""  #: why it counts for nothing; empty if it counts
    raised: bool = False  #: an alert waits for the staff
    ended: bool = False  #: other programs may be told of what was ended


class Presses:
    """The way in for keys. `raised` and `ended` are called after a commit that led to such."""

    def __init__(  # noqa: PLR0913 - wired once, by name
        self,
        db: Database,
        rules: Rules,
        endings: Endings,
        *,
        now: Clock,
        raised: Callable[[], None] = lambda: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.rules = rules  #: replaced as a whole when the configuration is read again
        self._db = db
        self._endings = endings
        self._now = now
        self._raised = raised
        self._ended = ended
        self._waiting: deque[Told] = deque()
        self._arrived = asyncio.Event()

    def listener(self, pbx: str) -> Callable[[Mapping[str, str]], None]:
        """Give what is to hear the UserEvents of a PBX; it neither blocks nor raises."""

        def hear(headers: Mapping[str, str]) -> None:
            try:
                told = press.read(headers)
            except ValueError as problem:
                log.warning("press_unreadable", pbx=pbx, problem=str(problem))
                return
            if told is None:
                return
            if len(self._waiting) >= MAX_WAITING:
                log.error("press_dropped", pbx=pbx, problem=f"{MAX_WAITING} wait to be written")
                return
            self._waiting.append(Told(pbx, told, self._now()))
            self._arrived.set()

        return hear

    async def run(self) -> None:
        """Write down what was told, for ever."""
        while True:
            self._arrived.clear()
            try:
                later = await self._work()
            except StoreUnavailable as problem:
                log.error("presses_wait_for_database", problem=str(problem))  # noqa: TRY400
                await asyncio.sleep(STORE_PAUSE.total_seconds())
                continue
            if later:
                await asyncio.sleep(LOOK_AGAIN.total_seconds())
            else:
                await self._arrived.wait()

    async def _work(self) -> bool:
        """Write down all that can be; tell whether some must wait for its call."""
        later: list[Told] = []
        while self._waiting:
            one = self._waiting[0]
            noted = await self._db.run(partial(self.take, told=one, now=self._now()))
            self._waiting.popleft()
            if noted is None:
                later.append(one)
                continue
            self._log(one, noted)
            if noted.raised:
                self._raised()
            if noted.ended:
                self._ended()
        self._waiting.extendleft(reversed(later))
        return bool(later)

    def take(self, tx: Connection, told: Told, now: datetime) -> Noted | None:
        """Write a key down with all that follows; None if its call is not known yet."""
        record = calls.latest(tx, told.pbx, told.press.call_id)
        if record is None:
            waits = now - told.at < CALL_KNOWN_WITHIN
            return None if waits else Noted("no call from outside has this Uniqueid")
        number = self._whose(record, told)
        if isinstance(number, str):
            return Noted(number)
        kind = ConsentKind.OPT_IN if told.press.agrees else ConsentKind.OPT_OUT
        said = consents.of_call(tx, record.row_id)
        if said and said[-1].kind is kind:
            return Noted("the caller said so in this call before")
        given = ConsentRecord(
            address=number.e164,
            at=told.at,
            kind=kind,
            source=ConsentSource.PRESS_1,
            detail=_evidence(record, told),
            reply_row=None,
            call_row=record.row_id,
        )
        holds = consents.opted_out(tx, number.e164)
        if kind is ConsentKind.OPT_OUT:
            return self._refuses(tx, given, now, known=holds is not None)
        return _agrees(tx, given, holds)

    def _refuses(
        self, tx: Connection, given: ConsentRecord, now: datetime, *, known: bool
    ) -> Noted:
        """Do what a STOP does."""
        if not known:
            consents.record(tx, given)
            text = f"{given.address} wants no more texts: {given.detail}"
            raise_alert(tx, now=now, kind=AlertKind.OPT_OUT, subject=given.address, text=text)
        ended = self._endings.end(
            tx, given.address, now, SkipReason.OPTED_OUT, "the caller opted out by a key"
        )
        ignored = "was on the list of opt-outs already" if known else ""
        return Noted(ignored, raised=not known, ended=bool(ended))

    def _whose(self, record: CallRecord, told: Told) -> Number | str:
        """Give the number that a key is about, or say why it is nobody's."""
        call, country = record.call, self.rules.country
        if call.ended is not None and told.at - call.ended > OVER_SINCE:
            return "that call was over long before"
        if call.caller.withheld:
            return "the caller withheld the number"
        number = parse(call.caller.number, country)
        if number is None:
            return "the caller has no valid number"
        if number.e164 in self.rules.own_numbers:
            return "the office's own number"
        seen = parse(told.press.number, country)
        if seen is None or seen.e164 != number.e164:
            return f"the dialplan names another number than the call has ({number.e164})"
        return number

    @staticmethod
    def _log(told: Told, noted: Noted) -> None:
        facts = {
            "pbx": told.pbx,
            "uniqueid": told.press.call_id,
            "key": told.press.key,
            "texts": "yes" if told.press.agrees else "no",
        }
        if noted.ignored:
            log.warning("press_ignored", problem=noted.ignored, **facts)
        else:
            log.info("consent_pressed", **facts)


def _agrees(tx: Connection, given: ConsentRecord, holds: ConsentRecord | None) -> Noted:
    if holds is not None and holds.source is not ConsentSource.PRESS_1:
        return Noted(
            f"{given.address} opted out ({holds.source}), which a key cannot lift: a caller ID may"
            " be forged; START does, or `pbx-bridge optouts remove`"
        )
    consents.record(tx, given)
    return Noted()


def _evidence(record: CallRecord, told: Told) -> str:
    pressed = told.press
    agreed = "agreed to texts" if pressed.agrees else "wants no texts"
    return (
        f"pressed {pressed.key} ({agreed}), asked by {pressed.wording!r}, in call {record.row_id}"
        f" to {record.call.line or 'no line'} on PBX {told.pbx} (Uniqueid {pressed.call_id});"
        " by the caller ID alone"
    )
