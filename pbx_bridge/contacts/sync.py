"""Reads the sources of contacts on their schedule, and writes back what people decided here.

A source that cannot be read is tried again, sooner than it would be due; what it told before stays.
One that has lost more than half of its entries since it was read last is not believed: a broken
export would otherwise take the office's contacts with it.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import aiohttp
import structlog
from sqlalchemy import Connection

from pbx_bridge.contacts import words
from pbx_bridge.contacts.carddav import AddressBook, Card
from pbx_bridge.contacts.reading import Unreadable
from pbx_bridge.contacts.source import News, Source, SourceKind, book_news, file_news, of_card
from pbx_bridge.contacts.web import SourceProblem, session
from pbx_bridge.core.matching import Plan, plan
from pbx_bridge.core.merge import Key
from pbx_bridge.core.origin import unheard
from pbx_bridge.core.told import Told
from pbx_bridge.ports import Clock
from pbx_bridge.store import contact_origins, contact_sources
from pbx_bridge.store.contact_origins import Applied
from pbx_bridge.store.contact_sources import SourceState
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreUnavailable

#: After a failure, doubled each time, up to when the source would be due anyway.
FIRST_RETRY = timedelta(minutes=5)
#: Entries written in one transaction, so that calls do not have to wait for long.
_TOGETHER = 500
#: How often to try to write a card that others change at the same time.
_MOST_TRIES = 3
#: Conflicts and remarks that are kept in words.
_MOST_WORDS = 20

log = structlog.get_logger()


@dataclass(slots=True)
class Outcome:
    """What a reading led to; row ids, and what could not be done, in words."""

    created: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    written: list[int] = field(default_factory=list)  #: back to the source
    words: list[str] = field(default_factory=list)

    def add(self, applied: Applied, made: Plan) -> None:
        """Count what became of a plan."""
        self.created += applied.created
        self.changed += applied.changed
        self.removed += applied.removed
        self.words += [text for _, text in words.conflicts(made)]
        self.words += map(words.skipped, made.skipped)

    def __str__(self) -> str:
        counts = (
            (len(self.created), "new"),
            (len(self.changed), "changed"),
            (len(self.removed), "removed"),
            (len(self.written), "written back"),
        )
        told = ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing new"
        shown = self.words[:_MOST_WORDS]
        if len(self.words) > len(shown):
            shown.append(f"and {len(self.words) - len(shown)} more")
        return "\n".join([told, *shown])


class ContactSync:
    """Keeps the contacts as the sources tell them."""

    def __init__(self, db: Database, sources: Sequence[Source], *, now: Clock) -> None:
        self._db = db
        self._sources = tuple(sources)
        self._now = now

    async def run(self) -> None:
        """Read each source when it is due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for source in self._sources:
                tasks.create_task(self._watch(source), name=f"contacts-{source.name}")

    async def read(self, source: Source, *, even_if_smaller: bool = False) -> Outcome:
        """Read a source now, and write down how that went.

        Raises:
            SourceProblem: it could not be read, or not be believed.
            StoreUnavailable: see `Database.run`.

        """
        try:
            async with session() as http:
                outcome = await self._read(source, http, even_if_smaller=even_if_smaller)
        except SourceProblem as problem:
            now, text = self._now(), str(problem)
            await self._db.run(lambda tx: contact_sources.failed(tx, source.name, text, now))
            raise
        log.info(
            "contacts_read",
            source=source.name,
            new=len(outcome.created),
            changed=len(outcome.changed),
            removed=len(outcome.removed),
            written=len(outcome.written),
            unsettled=len(outcome.words),
        )
        return outcome

    async def _watch(self, source: Source) -> None:
        state = await self._db.read(partial(contact_sources.get, name=source.name))
        wait = _first_wait(state, source, self._now())
        failures = 0
        while True:
            await asyncio.sleep(wait.total_seconds())
            try:
                await self.read(source)
                failures = 0
            except (SourceProblem, StoreUnavailable) as problem:
                failures += 1
                log.warning("contacts_not_read", source=source.name, problem=str(problem))
            except Exception:  # whatever a stranger's server leads to, calls go on
                failures += 1
                log.exception("bug", source=source.name)
            wait = source.every
            if failures:
                wait = min(FIRST_RETRY * 2 ** min(failures - 1, 10), source.every)

    async def _read(
        self, source: Source, http: aiohttp.ClientSession, *, even_if_smaller: bool
    ) -> Outcome:
        state = await self._db.read(partial(contact_sources.get, name=source.name))
        known = await self._db.read(partial(contact_origins.etags, source=source.name))
        book: AddressBook | None = None
        if source.kind is SourceKind.CARDDAV:
            book = AddressBook(source.web(http), source.url)
            await book.find()
            news: News | None = await book_news(book, source, state.cursor, known)
        else:
            news = await file_news(source, http, state.cursor, known)
        outcome = Outcome()
        if news is not None:
            if news.shrinks and not even_if_smaller:
                raise SourceProblem(
                    f"of {news.known} contacts that it told of, {len(news.gone)} are gone; nothing"
                    f" was changed. If that is right, `pbx-bridge contacts sync {source.name}"
                    " --even-if-smaller`"
                )
            await self._take(source, news, outcome)
        is_news = news is not None and (news.told or news.gone or news.remarks)
        state = replace(
            state,
            cursor=state.cursor if news is None else news.cursor,
            detail=str(outcome) if is_news else state.detail,
        )
        await self._note(state)
        if book is not None and source.write:
            before = len(outcome.written) + len(outcome.words)
            await self._write_back(source, book, outcome)
            if len(outcome.written) + len(outcome.words) > before:
                await self._note(replace(state, detail=str(outcome)))
        return outcome

    async def _note(self, state: SourceState) -> None:
        now = self._now()
        await self._db.run(
            lambda tx: contact_sources.read(
                tx, state.name, cursor=state.cursor, detail=state.detail, now=now
            )
        )

    async def _take(self, source: Source, news: News, outcome: Outcome) -> None:
        """Write down what a source tells."""
        outcome.words += news.remarks
        told = list(news.told)
        while told and not news.known:  # for the first time, that may be very many
            some, told = told[:_TOGETHER], told[_TOGETHER:]
            outcome.add(*await self._merge(source, some))
        if told or news.gone:
            outcome.add(*await self._merge(source, told, news.gone))

    async def _merge(
        self, source: Source, told: Sequence[Told], gone: Collection[str] = ()
    ) -> tuple[Applied, Plan]:
        def write(tx: Connection) -> tuple[Applied, Plan]:
            known = contact_origins.concerned(tx, source.name, told, gone=gone)
            made = plan(source.name, told, known, gone=gone)
            return contact_origins.apply(tx, made, self._now()), made

        return await self._db.run(write)

    async def _write_back(self, source: Source, book: AddressBook, outcome: Outcome) -> None:
        """Tell an address book what people decided about its contacts here."""
        standings = await self._db.read(partial(contact_origins.of_source, source=source.name))
        for standing in standings:
            for origin in standing.origins:
                if origin.source == source.name and unheard(standing, origin):
                    try:
                        if await self._write_card(source, book, standing.row_id, origin.uid):
                            outcome.written.append(standing.row_id)
                    except Unreadable as error:
                        outcome.words.append(f"contact {standing.row_id}: {error.problem}")

    async def _write_card(self, source: Source, book: AddressBook, row: int, href: str) -> bool:
        """Write one card, after what has changed in it meanwhile was merged; tell whether it was.

        Raises:
            Unreadable: it cannot be written to.

        """
        from pbx_bridge.contacts.vcard_edit import edited  # noqa: PLC0415 - vobject is an extra

        for _ in range(_MOST_TRIES):
            card = await book.card(href)
            if card is None:
                return False  # the next reading tells that it is gone
            keys = await self._hear(source, row, card)
            standing = await self._db.read(partial(contact_origins.standing, row_id=row))
            if not keys or standing is None:
                return False
            text = edited(card.text, standing.contact, keys, source.manner.country)
            if await book.put(Card(href, card.etag, text)):
                # As the server has it now: it may change what it is given.
                if (written := await book.card(href)) is not None:
                    await self._hear(source, row, written)
                return True
        raise Unreadable(0, "others change its card at the same time; it is tried again later")

    async def _hear(self, source: Source, row: int, card: Card) -> tuple[Key, ...]:
        """Take a card as it is now; name what it still says otherwise than people here.

        Raises:
            Unreadable: it is no card.

        """
        told, remarks = of_card(card, source.manner)
        if told is None:
            raise Unreadable(0, "; ".join(remarks) or "its card cannot be read")
        await self._merge(source, [told])
        standing = await self._db.read(partial(contact_origins.standing, row_id=row))
        origin = None if standing is None else standing.origin(source.name, card.href)
        return () if standing is None or origin is None else unheard(standing, origin)


def _first_wait(state: SourceState, source: Source, now: datetime) -> timedelta:
    """Tell when a source is due after a start; one that failed, or was never read, at once."""
    if state.tried_at is None or state.problem:
        return timedelta()
    return min(max(state.tried_at + source.every - now, timedelta()), source.every)
