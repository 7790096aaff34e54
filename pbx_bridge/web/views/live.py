"""The calls in progress: who rings, waits, talks, and since when. It never pretends to be fresh."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.core.board import Board, Feed, LiveCall, Stage
from pbx_bridge.core.number import normalise
from pbx_bridge.core.office import Rules
from pbx_bridge.store import calls, contacts
from pbx_bridge.store.calls import CallRecord
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get
from pbx_bridge.web.words import REASONS

#: Calls that just ended and are still of interest.
_ENDED_SHOWN = 5
_ENDED_SINCE = timedelta(hours=1)
#: The board does not wait longer than this for names: the calls matter more.
_PATIENCE_S = 2.0

#: Stages in which a caller waits for somebody, in the order in which they are shown.
_WAITING = (
    *(Stage.QUEUE, Stage.RINGING, Stage.HOLD, Stage.PARKED, Stage.CONFERENCE),
    *(Stage.MENU, Stage.ARRIVED),
)
_ORDER = (*_WAITING, Stage.TALKING, Stage.APPLICATION, Stage.VOICEMAIL, Stage.ENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One call as the board shows it."""

    key: str  #: of the same call in the next board
    call: LiveCall
    name: str  #: as the office knows the caller, else as the caller says
    number: str | None  #: E.164, to which there is a conversation; None if withheld or unusable
    line: str
    elapsed: timedelta
    waited: timedelta  #: in this stage
    lost: bool  #: its PBX is not seen now
    doubtful: bool  #: the PBX said nothing of it for long


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database adds; without it the board is shown all the same."""

    names: Mapping[str, str]
    ended: Sequence[CallRecord]


async def show(visit: Visit) -> web.StreamResponse:
    """Show the board; to our own script only what changes on it."""
    board = visit.inside.board()
    numbers = _numbers(board, visit.inside.rules())
    known = await _known(visit, numbers)
    cards = _cards(visit, board, numbers, known)
    facts: dict[str, Any] = {
        "kiosk": visit.query.get("kiosk") == "1",
        "board": board,
        "cards": cards,
        "waiting": sum(card.call.stage in _WAITING for card in cards),
        "talking": sum(card.call.stage is Stage.TALKING for card in cards),
        "behind": board.behind(visit.now),
        "lost": [_told(visit, feed) for feed in board.lost],
        "ended": None if known is None else known.ended,
        "became": REASONS,
        "names": {} if known is None else known.names,
    }
    if visit.wants_part:
        return visit.part("live_board.html", **facts)
    return visit.page("live.html", title=visit.gettext("Live"), **facts)


def _cards(
    visit: Visit, board: Board, numbers: Mapping[str, str], known: _Known | None
) -> list[Card]:
    lost = {feed.pbx for feed in board.lost}
    rules, names = visit.inside.rules(), {} if known is None else known.names
    cards = []
    for one in board.calls:
        call, number = one.call, numbers.get(one.call.call_id)
        line = rules.line(call.line)
        cards.append(
            Card(
                key=f"{one.pbx}-{call.call_id}",
                call=call,
                name=names.get(number or "", "") or call.caller.name,
                number=number,
                line=(line.name if line else "") or call.line,
                elapsed=_past(visit.now - call.began),
                waited=_past(visit.now - call.since),
                lost=one.pbx in lost,
                doubtful=one.pbx not in lost and call.doubtful(visit.now),
            )
        )
    return sorted(cards, key=lambda card: (_ORDER.index(card.call.stage), card.call.began))


def _numbers(board: Board, rules: Rules) -> dict[str, str]:
    """Give the callers' numbers by call; a withheld one is nobody's business."""
    return {
        one.call.call_id: e164
        for one in board.calls
        if not one.call.caller.withheld
        and (e164 := normalise(one.call.caller.number, rules.country)) is not None
    }


async def _known(visit: Visit, numbers: Mapping[str, str]) -> _Known | None:
    """Look up names, and what just ended; None while the database does not answer."""
    since = visit.now - _ENDED_SINCE

    def look(tx: Connection) -> _Known:
        recent = calls.recent(tx, limit=_ENDED_SHOWN * 4, since=since)
        ended = [record for record in recent if record.call.ended is not None][:_ENDED_SHOWN]
        those = {*numbers.values(), *(record.caller_e164 or "" for record in ended)}
        return _Known(contacts.names_of(tx, those), ended)

    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await visit.inside.db.read(look)
    except (StoreProblem, TimeoutError):
        return None


def _told(visit: Visit, feed: Feed) -> tuple[Feed, str]:
    """Say what is wrong with the watch of a PBX: why it does not come back, if that is known."""
    found = [one for one in visit.inside.verdict().findings if one.what == f"pbx {feed.pbx}"]
    return feed, visit.told(found[0].text if found else feed.problem)


def _past(length: timedelta) -> timedelta:
    """Take the future for now: the clock was set."""
    return max(timedelta(), length)


ROUTES = (get("/live", show),)
