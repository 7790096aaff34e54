"""Calls customers back in one click: has the PBX ring the colleague first, and then the customer.

A call is written down before the PBX is told, and the PBX is told once: neither a form that is sent
twice, nor an answer that does not come, nor a restart places a second one. How far it is follows
from the events that the watching account sees anyway (`core.call_back`).
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from pbx_bridge.core import events as ev
from pbx_bridge.core.call_back import (
    CallBackOutcome,
    Following,
    Refusal,
    forbidden,
    tag,
)
from pbx_bridge.core.events import CallEvent
from pbx_bridge.core.number import Number, dialled_from, parse
from pbx_bridge.core.office import Rules
from pbx_bridge.ports import Clock, Emit, Pbx, PbxRefused, PbxSilent, PbxUnreachable
from pbx_bridge.store import call_backs, contacts, tasks
from pbx_bridge.store.call_backs import CallBackRecord
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable

#: The wall clock may be set while we sleep, so never sleep for longer than this.
LONGEST_SLEEP = timedelta(seconds=30)
STORE_PAUSE = timedelta(seconds=2)
#: Characters of a customer's name on the display of a phone.
LONGEST_NAME = 30

_EXTENSION = re.compile(r"[0-9]{1,10}")
_KEY = re.compile(r"[A-Za-z0-9-]{4,64}")
_LINE = re.compile(r"\+?[0-9]{3,20}")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the PBX is had call back."""

    pbx: str  #: the name of the one that does
    dial: Callable[[str], str]  #: a colleague's extension as the PBX dials it: `PJSIP/101`
    context: str = "from-internal"  #: in which a desk phone dials
    outside: str = ""  #: what one dials first to get an outside line
    ring: timedelta = timedelta(seconds=25)  #: the colleague's phone
    mark: str = "Call back"  #: before the customer's name on the colleague's phone
    show_line: bool = False  #: to the customer, the number that was missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A colleague wants to call a customer. All of it is a browser's claim but user, extension."""

    key: str  #: of the form: the same twice is one call
    number: str
    task_id: int | None = None
    user: str
    extension: str  #: of the user's own profile


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody is rung. `about` is a word or two about it, `other` the call that is in the way."""

    why: Refusal
    about: str = ""
    other: CallBackRecord | None = None


class CallBacks:
    """Has customers called back.

    `controls` are PBXs that may be acted on, by name; `settings` None: nothing is called.
    `rules` may be replaced while it runs.
    """

    def __init__(  # noqa: PLR0913 - wired once, by name
        self,
        db: Database,
        settings: Settings | None,
        rules: Rules,
        *,
        controls: Mapping[str, Pbx],
        now: Clock,
        new_key: Callable[[], str],
        checkpoint: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self.settings = settings
        self.rules = rules
        self._db = db
        self._control = None if settings is None else controls.get(settings.pbx)
        self._now = now
        self._new_key = new_key
        self._checkpoint = checkpoint
        self._following: dict[int, Following] = {}  # what is under way, by row
        self._to_place: list[CallBackRecord] = []
        self._placing: set[int] = set()
        self._unsaved: set[int] = set()
        self._woken = asyncio.Event()
        if self._control is not None:
            self._control.hear("OriginateResponse", self._responded)

    @property
    def ready(self) -> bool:
        """Whether customers can be called back at all."""
        return self.settings is not None and self._control is not None

    # -- asked for --------------------------------------------------------------------------

    async def call(
        self,
        wish: Wish,
        also: Callable[[Connection, CallBackRecord], None] = lambda _tx, _made: None,
    ) -> CallBackRecord | Refused:
        """Write down that a colleague wants to call; the loop then tells the PBX.

        The same key gives the call that it began. `also` is done in the same transaction when a
        call is new.
        """
        settings, now, rules = self.settings, self._now(), self.rules
        if settings is None or self._control is None:
            return Refused(Refusal.NOT_CONFIGURED)
        if not _EXTENSION.fullmatch(wish.extension):
            return Refused(Refusal.NO_EXTENSION)
        number = parse(wish.number, rules.country)
        if number is None or not _KEY.fullmatch(wish.key):
            return Refused(Refusal.NO_NUMBER)
        pbx, made = settings.pbx, list[CallBackRecord]()

        def write(tx: Connection) -> CallBackRecord | Refused:
            known = call_backs.of_key(tx, wish.key)
            if known is not None:
                same = (known.number, known.user) == (number.e164, wish.user)
                return known if same else Refused(Refusal.KEY_REUSED)
            refused = _against(tx, wish, number, rules)
            if refused is not None:
                return refused
            record = self._insert(tx, wish, number, pbx, now)
            also(tx, record)
            made.append(record)
            return record

        answer = await self._db.run(write)
        for record in made:
            log.info("call_back_wanted", call_back=record.row_id, user=record.user)
            self._follow(record, number)
            self._to_place.append(record)
            self._placing.add(record.row_id)
            self._woken.set()
        return answer

    def _insert(
        self, tx: Connection, wish: Wish, number: Number, pbx: str, now: datetime
    ) -> CallBackRecord:
        known = contacts.of_number(tx, number.e164)
        task = None if wish.task_id is None else tasks.get(tx, wish.task_id)
        if task is not None and task.recipient != number.e164:
            task = None
        line, caller_name = call_backs.line_called(tx, number.e164)
        return call_backs.insert(
            tx,
            key=wish.key,
            token=self._new_key(),
            pbx=pbx,
            task_id=None if task is None else task.task_id,
            number=number.e164,
            name=(known.contact.name if known is not None else "") or caller_name,
            line=(task.line if task is not None else "") or line,
            user=wish.user,
            extension=wish.extension,
            now=now,
        )

    # -- what the PBX tells -----------------------------------------------------------------

    def emit_for(self, pbx: str, further: Emit) -> Emit:
        """Give a function by which a source tells events: it looks at them, and tells `further`."""
        if self.settings is None or pbx != self.settings.pbx:
            return further

        def emit(event: CallEvent) -> None:
            further(event)
            if not self._following:
                return
            if isinstance(event, ev.FeedRestored):
                self._restored(event)
                return
            for row, following in self._following.items():
                if isinstance(event, ev.Audited):
                    further_on = following.audited(event.channels, event.at)
                else:
                    further_on = following.take(event)
                if further_on:
                    self._got_further(row)

        return emit

    def _restored(self, event: ev.FeedRestored) -> None:
        """Compare with what lives on the PBX now; what is being placed may not be there yet."""
        if event.channels is None:
            return
        for row, following in self._following.items():
            if row not in self._placing and following.adopt(event.channels, event.at):
                self._got_further(row)

    def _responded(self, headers: Mapping[str, str]) -> None:
        for row, following in self._following.items():
            if following.name == headers.get("ActionID", ""):
                answered = headers.get("Response") == "Success"
                reason = headers.get("Reason", "")
                if following.responded(answered=answered, reason=reason, at=self._now()):
                    self._got_further(row)
                self._woken.set()  # it may be due sooner now

    def _got_further(self, row: int) -> None:
        self._unsaved.add(row)
        self._woken.set()

    # -- the loop ---------------------------------------------------------------------------

    async def resume(self) -> None:
        """Follow what an earlier run left under way; before the PBX is watched.

        It is not placed again: what is on the PBX then goes on, and the rest is lost.
        """
        for record in await self._db.read(call_backs.under_way):
            self._follow(record, parse(record.number, self.rules.country))

    def clock_set(self, by: timedelta) -> None:
        """Go by the clock as it was set."""
        for following in self._following.values():
            following.clock_set(by)

    async def run(self) -> None:
        """Have calls placed, and write down how far they are, for ever. A bug of ours ends it."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                placing, self._to_place = self._to_place, []
                for record in placing:
                    group.create_task(self._place(record), name=f"call-back-{record.row_id}")
                pause = await self._look()
                try:
                    async with asyncio.timeout(max(0.0, pause.total_seconds())):
                        await self._woken.wait()
                except TimeoutError:
                    continue

    async def _look(self) -> timedelta:
        """Take for over what is, and write down what changed; give until when nothing is due."""
        now = self._now()
        for row, following in self._following.items():
            if following.expire(now):
                self._unsaved.add(row)
        if self._unsaved:
            try:
                await self._save()
            except StoreUnavailable as problem:
                log.error("call_back_waits_for_database", problem=str(problem))  # noqa: TRY400
                return STORE_PAUSE
        dues = [following.due() - self._now() for following in self._following.values()]
        return min([LONGEST_SLEEP, *dues])

    async def _save(self) -> None:
        rows = {
            row: self._following[row].progress for row in self._unsaved if row in self._following
        }

        def write(tx: Connection) -> None:
            for row, progress in rows.items():
                call_backs.save(tx, row, progress)

        await self._db.run(write)
        for row, progress in rows.items():
            following = self._following[row]
            if following.progress == progress:  # and not further meanwhile
                self._unsaved.discard(row)
            if not progress.under_way:
                self._forget(row)
                log.info("call_back_over", call_back=row, outcome=str(progress.outcome))

    def _forget(self, row: int) -> None:
        del self._following[row]
        self._placing.discard(row)
        self._unsaved.discard(row)

    def _follow(self, record: CallBackRecord, number: Number | None) -> None:
        ring = self.settings.ring if self.settings is not None else timedelta()
        name = record.token if number is None else tag(number, record.token)
        self._following[record.row_id] = Following(name, record.progress, ring)

    async def _place(self, record: CallBackRecord) -> None:
        """Tell the PBX, once."""
        settings, following = self.settings, self._following.get(record.row_id)
        number = parse(record.number, self.rules.country)
        if settings is None or self._control is None or number is None or following is None:
            return
        self._checkpoint("call_back_placing")
        action = originate(following.name, record, number, settings, self.rules.country)
        try:
            await self._control.act(action)
            changed = following.placed()
        except PbxRefused as refusal:
            permitted = "ermission" not in str(refusal)
            outcome = CallBackOutcome.NOT_PLACED if permitted else CallBackOutcome.NOT_PERMITTED
            log.error("call_back_refused", call_back=record.row_id, problem=str(refusal))  # noqa: TRY400
            changed = following.unplaced(outcome, self._now(), str(refusal))
        except PbxUnreachable as problem:
            log.error("call_back_not_placed", call_back=record.row_id, problem=str(problem))  # noqa: TRY400
            outcome = CallBackOutcome.PBX_UNREACHABLE
            changed = following.unplaced(outcome, self._now(), str(problem))
        except PbxSilent as silence:
            # Perhaps it rings. It is waited for as if it did, and never placed again.
            log.warning("call_back_pbx_silent", call_back=record.row_id)
            changed = following.unsure(str(silence))
        self._checkpoint("call_back_placed")
        self._placing.discard(record.row_id)
        if changed:
            self._got_further(record.row_id)


def _against(tx: Connection, wish: Wish, number: Number, rules: Rules) -> Refused | None:
    """Say why a customer is not called."""
    if not call_backs.is_known(tx, number.e164):
        return Refused(Refusal.UNKNOWN_NUMBER)
    found = forbidden(number, allowed=rules.allowed_countries, own=rules.own_numbers)
    if found is not None:
        return Refused(*found)
    other = call_backs.in_the_way(tx, number=number.e164, user=wish.user, extension=wish.extension)
    if other is None:
        return None
    same = other.number == number.e164
    return Refused(Refusal.CUSTOMER_BUSY if same else Refusal.COLLEAGUE_BUSY, other=other)


def originate(
    name: str, record: CallBackRecord, number: Number, settings: Settings, country: str
) -> dict[str, str]:
    """Make the action that has the colleague rung, and the customer once that was answered.

    What the colleague's phone shows is the customer; what the colleague then dials with is the
    colleague's own number, as if it were dialled there, or the line's.
    """
    dialled = dialled_from(number, country)
    shown = record.line if settings.show_line and _LINE.fullmatch(record.line) else ""
    variables = {
        "CONNECTEDLINE(name,i)": _display(settings.mark, record.name),
        "CONNECTEDLINE(num,i)": dialled,
        "CALLERID(num)": shown or record.extension,
        # FreePBX: whose call it is, by which its routes and caller IDs go; and the caller ID.
        "__REALCALLERIDNUM": record.extension,
    }
    if shown:
        variables["__TRUNKCIDOVERRIDE"] = shown
    return {
        "Action": "Originate",
        "ActionID": name,
        "Async": "true",
        "Channel": settings.dial(record.extension),
        "ChannelId": name,
        "Context": settings.context,
        "Exten": settings.outside + dialled,
        "Priority": "1",
        "Timeout": str(round(settings.ring.total_seconds() * 1000)),
        "Variable": ",".join(f"{key}={value}" for key, value in variables.items()),
    }


def _display(mark: str, name: str) -> str:
    """Give what a phone shows: of a stranger's name only what no dialplan could misread."""
    bare = "".join(c if c.isalnum() or c in " .-" else " " for c in name)
    return " ".join(f"{mark} {bare}".split())[: LONGEST_NAME + len(mark)].strip()
