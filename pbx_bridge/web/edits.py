"""Edits of the configuration through the page: proposed, looked at, written, put in force.

The file stays the source of truth. Nothing of a proposal is kept between two requests: a form comes
back with what it said and with the mark of the file that it was about.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pbx_bridge.config import Config, ConfigError, Problem, parse
from pbx_bridge.config.difference import Row, difference
from pbx_bridge.config.editing import NotEditable, changed
from pbx_bridge.config.forms import Field, changes
from pbx_bridge.config.keeping import NotKept, Seen, keep, look
from pbx_bridge.config.passage import replaced
from pbx_bridge.web.frame import Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the file would say, and what is wrong with that."""

    text: str
    seen: Seen
    rows: Sequence[Row] = ()  #: what differs; empty if nothing does
    config: Config | None = None  #: None if there are mistakes
    problems: Sequence[Problem] = ()
    refused: str = ""  #: why it cannot be edited so at all
    first_line: int = 0  #: of the passage that was edited, counted from 1

    @property
    def can_be_saved(self) -> bool:
        return self.config is not None and bool(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What came of saving."""

    copy: str = ""  #: the name of the file with what was there before
    problem: str = ""  #: why nothing was written
    kept_old: str = ""  #: it was written, but is not in force: why


async def seen(visit: Visit) -> Seen:
    """Give the file as it is now.

    Raises:
        NotKept: it cannot be read.

    """
    return await asyncio.to_thread(look, visit.inside.config_path)


async def proposed(
    visit: Visit, file: Seen, fields: Sequence[Field], sent: Mapping[str, str]
) -> Proposal:
    """Work out what a form would make of the file."""
    try:
        wanted = changes(file.text, fields, sent)
    except ValueError as error:
        return Proposal(text="", seen=file, refused=str(error))
    return await _proposal(visit, file, lambda: (changed(file.text, wanted), 0))


async def proposed_passage(visit: Visit, file: Seen, passage: str) -> Proposal:
    """Work out what other rules and sequences would make of the file."""

    def put() -> tuple[str, int]:
        found = replaced(file.text, passage)
        return found.text, found.first_line

    return await _proposal(visit, file, put)


async def _proposal(visit: Visit, file: Seen, make: Callable[[], tuple[str, int]]) -> Proposal:
    path = visit.inside.config_path

    def work() -> Proposal:
        try:
            text, first_line = make()
        except NotEditable as error:
            return Proposal(text="", seen=file, refused=str(error))
        rows = difference(file.text, text)
        try:
            config = parse(text, path.name, path.parent.absolute())
        except ConfigError as error:
            return Proposal(
                text=text, seen=file, rows=rows, problems=error.problems, first_line=first_line
            )
        return Proposal(text=text, seen=file, rows=rows, config=config, first_line=first_line)

    return await asyncio.to_thread(work)


async def save(visit: Visit, proposal: Proposal, subject: str) -> Saved:
    """Write a proposal in which there is no mistake, and have the service go by it."""
    path, mark = visit.inside.config_path, proposal.seen.mark
    try:
        copy = await asyncio.to_thread(keep, path, proposal.text, seen=mark, at=visit.now)
    except NotKept as error:
        return Saved(problem=str(error))
    kept_old = await visit.inside.reload()
    detail = f"{copy.name} has what was there before"
    if kept_old:
        detail += f"; not in force: {kept_old}"
    await visit.inside.db.run(lambda tx: visit.audit(tx, "config.edit", subject, detail))
    return Saved(copy=copy.name, kept_old=kept_old)
