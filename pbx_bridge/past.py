"""A PBX's own past as the service would have seen it: what happened on its lines, and when.

The best record wins: channel events (CEL) from their first row on, call detail records (CDR) for
the time before, the queue log where there is neither. Files and tables are read as a stream, so
that a year costs no more memory than a day.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, takewhile
from pathlib import Path
from typing import Self, TypeVar
from zoneinfo import ZoneInfo

from pbx_bridge import recording
from pbx_bridge.core.call import Call, OutboundCall, Reason
from pbx_bridge.core.graph import endpoint_of
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.core.unfolding import Happening, in_order
from pbx_bridge.secret import Secret
from pbx_bridge.sources import recorded
from pbx_bridge.sources.records import LONGEST_CALL, cdr, cel, lines, queue_log
from pbx_bridge.sources.records.account import Account, Kind
from pbx_bridge.store.pbx_records import CDR, CEL, Layout, PbxRecords
from pbx_bridge.store.problem import StoreProblem

R = TypeVar("R")
D = TypeVar("D", cel.Row, cdr.Row)


class PastProblem(Exception):  # noqa: N818 - a report for the person at the keyboard
    """The past cannot be read; the text says what and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the records are; `timezone` is that of times in them without their own."""

    cel: Sequence[Path] = ()
    cdr: Sequence[Path] = ()
    queue_log: Sequence[Path] = ()
    recordings: Sequence[Path] = ()
    database: Secret | None = None
    timezone: ZoneInfo

    def __bool__(self) -> bool:
        return bool(
            self.cel or self.cdr or self.queue_log or self.recordings or self.database is not None
        )

    def size(self) -> int:
        """Give how many bytes the files have; 0 if nobody can tell beforehand."""
        files = (*self.cel, *self.cdr, *self.queue_log, *self.recordings)
        if self.database is not None:
            return 0
        return sum(path.stat().st_size for path in files if path.exists())


class Past:
    """Reads the past once, from `since` to `until`. Use as a context manager."""

    def __init__(
        self,
        places: Places,
        inbound: Inbound,
        *,
        since: datetime,
        until: datetime,
        tell: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._places, self._inbound = places, inbound
        self._since, self._until, self._tell = since, until, tell
        self._stack = ExitStack()
        self._tables: PbxRecords | None = None
        self.accounts: list[Account] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def tells_dialled(self) -> bool:
        """Whether what was read also tells of calls from the office."""
        return any(account.kind is not Kind.QUEUE_LOG for account in self.accounts)

    def happenings(self) -> Iterator[Happening]:
        """Give what happened, in order.

        Raises:
            PastProblem: a record cannot be read.

        """
        try:
            yield from self._happenings()
        except (StoreProblem, recording.RecordingProblem) as problem:
            raise PastProblem(str(problem)) from problem
        except OSError as error:
            raise PastProblem(f"{error.filename}: {error.strerror}") from error

    def _happenings(self) -> Iterator[Happening]:
        if self._places.recordings:
            yield from heapq.merge(
                *map(self._recording, self._places.recordings), key=lambda one: one[0]
            )
            return
        events, details = self._cel_rows(), self._cdr_rows()
        first_event, first_detail = next(events, None), next(details, None)
        # In whole seconds: a call that began in that of the first event has all its events.
        until = self._until if first_event is None else first_event.at.replace(microsecond=0)
        if first_detail is not None and first_event is not None and first_detail.start >= until:
            first_detail = None  # the events tell all
            self.accounts.pop()
        if first_detail is not None:
            near = takewhile(
                lambda row: row.start < until + LONGEST_CALL, chain([first_detail], details)
            )
            calls: Iterator[Call | OutboundCall] = cdr.follow(near, self._inbound)
        elif first_event is None:
            calls = queue_log.follow(self._queue_rows())
        else:
            calls = iter(())
        earlier = (call for call in calls if call.began < until)
        before = in_order(earlier, LONGEST_CALL)
        all_events = events if first_event is None else chain([first_event], events)
        after = cel.observe(all_events, self._inbound)
        yield from heapq.merge(before, after, key=lambda one: one[0])

    # -- rows -------------------------------------------------------------------------------

    def _cel_rows(self) -> Iterator[cel.Row]:
        zone = self._places.timezone
        if self._places.cel:
            account = self._account(Kind.CEL, self._places.cel)
            parse = partial(cel.parse, timezone=zone)
            found = self._from_files(account, self._places.cel, parse, lambda row: row.at)
        elif (tables := self._tables_with(CEL)) is not None:
            account = self._account(Kind.CEL, tables.name)
            columns = tables.rows(CEL, self._since, zone)
            parsed = (cel.from_columns(each, zone) for each in columns)
            found = self._in_time(account, parsed, lambda row: row.at)
        else:
            return iter(())
        return _noting(account, found)

    def _cdr_rows(self) -> Iterator[cdr.Row]:
        zone = self._places.timezone
        if self._places.cdr:
            account = self._account(Kind.CDR, self._places.cdr)
            parse = partial(cdr.parse, timezone=zone, old=True)
            found = self._from_files(account, self._places.cdr, parse, lambda row: row.end)
        elif (tables := self._tables_with(CDR)) is not None:
            account = self._account(Kind.CDR, tables.name)
            columns = tables.rows(CDR, self._since, zone)
            parsed = (cdr.from_columns(each, zone) for each in columns)
            found = self._in_time(account, parsed, lambda row: row.end)
        else:
            return iter(())
        return _noting(account, found)

    def _queue_rows(self) -> Iterator[queue_log.Row]:
        if not self._places.queue_log:
            return iter(())
        account = self._account(Kind.QUEUE_LOG, self._places.queue_log)
        files = self._places.queue_log
        return self._from_files(account, files, queue_log.parse, lambda row: row.at)

    def _tables_with(self, layout: Layout) -> PbxRecords | None:
        if self._places.database is None:
            return None
        if self._tables is None:
            self._tables = self._stack.enter_context(PbxRecords(self._places.database))
        return self._tables if self._tables.has(layout) else None

    def _account(self, kind: Kind, place: str | Sequence[Path]) -> Account:
        if not isinstance(place, str):
            more = f" and {len(place) - 1} more" if len(place) > 1 else ""
            place = f"{place[0]}{more}"
        account = Account(kind=kind, place=place)
        self.accounts.append(account)
        return account

    def _from_files(
        self,
        account: Account,
        files: Sequence[Path],
        parse: Callable[[str], R | None],
        at: Callable[[R], datetime],
    ) -> Iterator[R]:
        def time_of(line: str) -> datetime | None:
            row = parse(line)
            return None if row is None else at(row)

        read = lines.stream(files, self._since, time_of, self._tell)
        return self._in_time(account, (parse(line) for line in read if line), at)

    def _in_time(
        self, account: Account, rows: Iterable[R | None], at: Callable[[R], datetime]
    ) -> Iterator[R]:
        """Give the rows of the time, and of a call's length after it; count what goes by."""
        for row in rows:
            if row is None:
                account.damaged += 1
                continue
            when = at(row)
            if when > self._until + LONGEST_CALL:
                return
            if when >= self._since:
                account.saw(when)
                yield row

    # -- recordings -------------------------------------------------------------------------

    def _recording(self, path: Path) -> Iterator[Happening]:
        account = self._account(Kind.RECORDING, (path,))
        moments = list(recording.read(path))
        if not recorded.timed(moments):
            raise PastProblem(f"{path}: needs its {recording.times_path(path).name} beside it")
        tracker = CallTracker(self._inbound)
        at = moments[-1].at
        for event in recorded.events(moments):
            yield from _expired(tracker, event.at)
            account.saw(event.at)
            yield from ((event.at, told) for told in tracker.receive(event))
        # Whoever had hung up is done; whoever was still on the line we know nothing more of.
        end = at + timedelta(minutes=1)
        yield from _expired(tracker, end)
        yield from ((end, told) for told in tracker.abandon(end, Reason.NEVER_ENDED))
        self._tell(path.stat().st_size)


def _expired(tracker: CallTracker, until: datetime) -> Iterator[Happening]:
    while (deadline := tracker.next_deadline()) is not None and deadline <= until:
        for told in tracker.expire(deadline):
            yield deadline, told


def _noting(account: Account, rows: Iterator[D]) -> Iterator[D]:
    """Note where calls begin."""
    for row in rows:
        if row.channel_id == row.linkedid:
            account.saw_beginning(row.context, endpoint_of(row.channel))
        yield row
