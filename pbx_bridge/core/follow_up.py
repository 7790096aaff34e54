"""A follow-up: what is done about the missed calls of one caller, from the first to its end.

A caller has one at a time about a line. The next missed call joins it, or replaces it if the rules
now ask for another sequence. Its steps wait in the database until they are due.
"""

from collections.abc import Sequence as Many
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from pbx_bridge.core.hours import Schedule
from pbx_bridge.core.sequence import TO_CALLER, Action, After, OnBusinessDay, Sequence, SequenceStep

#: What was to be written to a caller later than this is not written any more.
TOO_LATE_TO_WRITE = timedelta(hours=4)
#: Whatever else was planned is still done after so long a standstill.
TOO_LATE = timedelta(days=7)
#: Where a further text needs more than that somebody has called (47 CFR 64.1200; docs/rules.md).
CONSENT_NEEDED = frozenset({"US", "PR", "VI", "GU", "AS", "MP"})


class FollowUpState(StrEnum):
    OPEN = "open"
    FINISHED = "finished"  #: every step was done, or was not to be done
    STOPPED = "stopped"  #: spoken, replied, opted out, booked ...


class PlannedState(StrEnum):
    WAITING = "waiting"
    DONE = "done"
    SKIPPED = "skipped"  #: when it was due it was not to be done; the others go on
    CANCELLED = "cancelled"  #: the follow-up was stopped before


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A step of a follow-up, and when."""

    name: str
    action: Action
    due_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """By what a sequence's times are told."""

    schedule: Schedule  #: of the line
    office: tzinfo
    caller: Many[tzinfo]  #: in which the caller may be; empty if nobody knows


class Continuation(StrEnum):
    """What a missed call means for the follow-up that its caller has."""

    OPENS = "opens"  #: there is none
    JOINS = "joins"  #: it goes on, about one call more
    REPLACES = "replaces"  #: the rules ask for another sequence now


def continuation(current: str | None, wanted: str) -> Continuation:
    """Compare the sequence of the caller's open follow-up, if any, with what is wanted now."""
    if current is None:
        return Continuation.OPENS
    return Continuation.JOINS if current == wanted else Continuation.REPLACES


def text_at_once(sequence: Sequence) -> SequenceStep | None:
    """Give the text that answers the call at once, if the sequence has one."""
    for step in sequence.steps:
        if step.action is Action.TEXT and step.when == After(timedelta()):
            return step
    return None


def plan(sequence: Sequence, ended: datetime, clocks: Clocks) -> list[Planned]:
    """Give the steps and their times, but for the text at once, which goes its own way.

    A step that waits for a business day is left out where none comes within a year.
    """
    at_once = text_at_once(sequence)
    planned: list[Planned] = []
    for step in sequence.steps:
        due_at = due(step, ended, clocks)
        if step is at_once or due_at is None:
            continue
        late = TOO_LATE_TO_WRITE if step.action in TO_CALLER else TOO_LATE
        planned.append(
            Planned(name=step.name, action=step.action, due_at=due_at, expires_at=due_at + late)
        )
    return planned


def due(step: SequenceStep, ended: datetime, clocks: Clocks) -> datetime | None:
    """Tell when a step is due.

    A number that may be in several zones is written to when it is that time in the last of them.
    """
    match step.when:
        case After(delay):
            return ended + delay
        case OnBusinessDay(at, days, of_caller):
            zones = (clocks.caller if of_caller else ()) or (clocks.office,)
            times = [clocks.schedule.business_day(ended, days, at, zone) for zone in zones]
            return max((time for time in times if time is not None), default=None)
