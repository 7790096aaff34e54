"""What happened, from calls of which only the whole is known: begun, answered, ended, each in time.

A text that is due looks whether its caller is on the phone just then; so a call has to begin before
it ends, for the past as for the present.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from pbx_bridge.core.call import (
    Call,
    CallAnswered,
    CallBegan,
    CallEnded,
    Disposition,
    Observation,
    OutboundCall,
)

Happening = tuple[datetime, Observation]


def in_order(calls: Iterable[Call | OutboundCall], longest: timedelta) -> Iterator[Happening]:
    """Take calls in the order of their end apart into what happened, in the order of its time.

    Holds as many calls as end in `longest`, which is how long a call lasts at most.
    """
    waiting: list[tuple[datetime, int, Observation]] = []
    serial = count()
    for call in calls:
        parts = _outbound(call) if isinstance(call, OutboundCall) else _inbound(call)
        ended = call.ended or call.began
        for at, what in parts:
            heapq.heappush(waiting, (at, next(serial), what))
        while waiting[0][0] <= ended - longest:
            at, _, what = heapq.heappop(waiting)
            yield at, what
    while waiting:
        at, _, what = heapq.heappop(waiting)
        yield at, what


def _inbound(call: Call) -> Iterator[Happening]:
    ringing = replace(
        call,
        ended=None,
        answered_at=None,
        answered_by="",
        disposition=Disposition.MISSED,
        steps=(),
    )
    yield call.began, CallBegan(ringing)
    if call.answered_at is not None:
        speaking = replace(call, ended=None, steps=())
        yield call.answered_at, CallAnswered(speaking)
    if call.ended is not None:
        yield call.ended, CallEnded(call)


def _outbound(call: OutboundCall) -> Iterator[Happening]:
    yield call.began, replace(call, answered_at=None, ended=None)
    if call.answered_at is not None:
        yield call.answered_at, replace(call, ended=None)
    if call.ended is not None:
        yield call.ended, call
