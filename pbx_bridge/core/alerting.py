"""What the office's own people are told, and when: soon, but never in a storm, and nothing is lost.

Two kinds of alerts go two ways. Routine ones are told once, a few messages in ten minutes, the same
thing at most once an hour, and not at night: what comes meanwhile waits, and is told together.
Urgent ones are told at once, and again every few minutes until somebody takes them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum

from pbx_bridge.core.attachment import Attachment
from pbx_bridge.core.text import clean, plain


class AlertKind(StrEnum):
    """What has happened. An alert is grouped with others of its kind and subject."""

    MISSED_CALL = "missed_call"  #: subject: the line
    FOLLOW_UP = "follow_up"  #: a step of a follow-up; subject: the number
    REPLY = "reply"  #: a customer wrote; subject: the number
    VOICEMAIL = "voicemail"  #: a caller left a message; subject: the number
    URGENT = "urgent"  #: a customer wrote URGENT; repeated until somebody takes it
    LADDER = (
        "ladder"  #: those on call could not be phoned, or did not take it; told by all channels
    )
    OPT_OUT = "opt_out"  #: a customer wants no more texts; subject: the number
    UNTEXTABLE = "untextable"  #: a missed caller cannot be texted, so call; subject: the number
    GATEWAY = "gateway"  #: a gateway refuses texts for a reason of its own; subject: the gateway
    CIRCUIT = "circuit"  #: a gateway is not used for a while, or again; subject: the gateway
    CREDENTIAL = "credential"  #: a gateway refuses our credentials; subject: the gateway
    CONTENT = "content"  #: a carrier took a text for spam; subject: the gateway
    LOOP = "loop"  #: a machine answers us; subject: the number
    SPENDING = "spending"  #: a spending limit was reached
    BURST = "burst"  #: too many texts at once: the burst breaker opened or closed
    TASK = "task"  #: a missed caller still waits for a call, too long; subject: the number
    DESTINATION = "destination"  #: a webhook or CRM cannot be told; subject: its name
    BACKUP = "backup"  #: a backup failed, or one was put back; subject: which of them


TITLES = {
    AlertKind.MISSED_CALL: "a missed call",
    AlertKind.FOLLOW_UP: "a follow-up needs you",
    AlertKind.REPLY: "a customer wrote",
    AlertKind.VOICEMAIL: "a caller left a message",
    AlertKind.URGENT: "URGENT, a customer needs you",
    AlertKind.LADDER: "URGENT, and nobody took it by phone",
    AlertKind.OPT_OUT: "a customer wants no more texts",
    AlertKind.UNTEXTABLE: "a missed caller cannot be texted",
    AlertKind.GATEWAY: "a gateway refuses texts",
    AlertKind.CIRCUIT: "a gateway failed or recovered",
    AlertKind.CREDENTIAL: "a gateway refuses our login",
    AlertKind.CONTENT: "a carrier took a text for spam",
    AlertKind.LOOP: "a machine answers our texts",
    AlertKind.SPENDING: "a spending limit was reached",
    AlertKind.BURST: "too many texts at once",
    AlertKind.TASK: "a missed caller still waits",
    AlertKind.DESTINATION: "a webhook or CRM failed or recovered",
    AlertKind.BACKUP: "a backup failed or was restored",
}

Group = tuple[AlertKind, str]

#: A customer who writes or speaks again is told again sooner than anything else.
REPLIES_AGAIN = timedelta(minutes=5)
#: When urgent alerts themselves become a storm, they are told together, this often.
URGENT_TOGETHER = timedelta(minutes=1)

LONGEST_SHORT = 160  # characters: a text
LONGEST_TEXT = 1000  # characters of one alert in a message
TEXTS_SHOWN = 5
LINES_SHOWN = 20

#: Where a message to staff cannot have a recording with it.
NOT_ATTACHED = "\n\nThe recording is not attached: pbx-bridge voicemails"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something to tell. `times`: how often it happened before anybody was told."""

    alert_id: int
    at: datetime
    kind: AlertKind
    subject: str
    text: str = field(repr=False)
    urgent: bool = False
    times: int = 1
    due_at: datetime
    told: int = 0  #: how often
    recording: int | None = None  #: the message that a caller left, if it is about one

    @property
    def group(self) -> Group:
        return self.kind, self.subject


@dataclass(frozen=True, slots=True)
class Told:
    """An alert that was told. Those of one message have the same instant, and nobody else has."""

    at: datetime
    group: Group
    urgent: bool
    told: int = 1


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From when to when, every day, only urgent alerts are told; mostly over midnight."""

    begin: time
    end: time
    zone: tzinfo

    def until(self, now: datetime) -> datetime | None:
        """Tell when the quiet hours end that it is now; None if it is not quiet."""
        return next((end for begin, end in self._around(now) if begin <= now < end), None)

    def ended(self, now: datetime) -> datetime:
        """Tell when quiet hours last ended."""
        return max(end for _, end in self._around(now) if end <= now)

    def _around(self, now: datetime) -> list[tuple[datetime, datetime]]:
        today = now.astimezone(self.zone).date()
        days = [today + timedelta(days=offset) for offset in (-2, -1, 0)]
        over_midnight = timedelta(days=1 if self.end <= self.begin else 0)
        return [
            (
                datetime.combine(day, self.begin, self.zone).astimezone(now.tzinfo),
                datetime.combine(day + over_midnight, self.end, self.zone).astimezone(now.tzinfo),
            )
            for day in days
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much is told, and how often."""

    most: int = 6  #: routine messages in a window; at least 1
    window: timedelta = timedelta(minutes=10)
    repeat_after: timedelta = timedelta(hours=1)  #: the same kind and subject not sooner
    quiet: QuietHours | None = None
    urgent_waits: tuple[timedelta, ...] = (timedelta(minutes=5),)  #: the last one goes on
    max_repeats: int = 12  #: of an urgent alert after the first time

    def urgent_wait(self, told: int) -> timedelta:
        """Give how long to wait after an urgent alert was told for the `told`th time."""
        return self.urgent_waits[min(max(told, 1), len(self.urgent_waits)) - 1]

    def again(self, kind: AlertKind) -> timedelta:
        """Give how long the same thing is not told again."""
        if kind in {AlertKind.REPLY, AlertKind.VOICEMAIL}:
            return min(self.repeat_after, REPLIES_AGAIN)
        return self.repeat_after

    @property
    def memory(self) -> timedelta:
        """Give how far back `history` has to go."""
        return max(self.window, self.repeat_after, *self.urgent_waits)


@dataclass(frozen=True, slots=True)
class Telling:
    """One message: alerts of one group, or what is left of several (`together`)."""

    alerts: tuple[Alert, ...]
    together: bool = False

    @property
    def urgent(self) -> bool:
        return any(alert.urgent for alert in self.alerts)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to tell now, and when there may be more to tell; None: when something happens."""

    tellings: tuple[Telling, ...] = ()
    next_at: datetime | None = None


def plan_routine(
    waiting: Sequence[Alert], history: Sequence[Told], now: datetime, pace: Pace
) -> Plan:
    """Tell which of the routine alerts that wait are told now, in which messages."""
    if not waiting:
        return Plan()
    if pace.quiet is not None and (until := pace.quiet.until(now)) is not None:
        return Plan((), until)
    night_ended = pace.quiet.ended(now) if pace.quiet is not None else None
    overnight = [a for a in waiting if night_ended is not None and a.at < night_ended]
    by_day = [a for a in waiting if night_ended is None or a.at >= night_ended]
    ready: list[Telling] = []
    later: list[datetime] = []
    if overnight:
        ready.append(_telling(_grouped(overnight)))
    for group, alerts in _grouped(by_day).items():
        last = max((told.at for told in history if told.group == group), default=None)
        due = min(alert.due_at for alert in alerts)
        if last is not None:
            due = max(due, last + pace.again(group[0]))
        if due <= now:
            ready.append(Telling(tuple(alerts)))
        else:
            later.append(due)
    spent = sorted({t.at for t in history if not t.urgent and t.at > now - pace.window})
    left = pace.most - len(spent)
    if ready and left <= 0:
        return Plan((), spent[-pace.most] + pace.window)
    return Plan(_within(ready, left), min(later, default=None))


def plan_urgent(
    waiting: Sequence[Alert], history: Sequence[Told], now: datetime, pace: Pace
) -> Plan:
    """Tell which of the urgent alerts are told now. All that nobody took are `waiting`."""
    ready: list[Telling] = []
    later: list[datetime] = []
    for group, alerts in _grouped(waiting).items():
        due = min(alert.due_at for alert in alerts)
        before = [told for told in history if told.group == group and told.urgent]
        if before:
            last = max(before, key=lambda told: told.at)
            due = max(due, last.at + pace.urgent_wait(last.told))
        if due <= now:
            ready.append(Telling(tuple(alerts)))
        else:
            later.append(due)
    spent = sorted({t.at for t in history if t.urgent and t.at > now - pace.window})
    left = pace.most - len(spent)
    if ready and left <= 0:
        if (soon := spent[-1] + URGENT_TOGETHER) > now:
            return Plan((), min([soon, *later]))
        left = 1
    return Plan(_within(ready, left), min(later, default=None))


def _within(ready: list[Telling], left: int) -> tuple[Telling, ...]:
    """Keep to the number of messages that are left: what is too much is told together."""
    if len(ready) <= max(left, 0):
        return tuple(ready)
    rest = [alert for telling in ready[left - 1 :] for alert in telling.alerts]
    return (*ready[: left - 1], _telling(_grouped(rest)))


def _telling(groups: dict[Group, list[Alert]]) -> Telling:
    alerts = tuple(alert for of_group in groups.values() for alert in of_group)
    return Telling(alerts, together=len(groups) > 1)


def _grouped(alerts: Iterable[Alert]) -> dict[Group, list[Alert]]:
    """Group by kind and subject, the longest waiting first."""
    groups: dict[Group, list[Alert]] = {}
    for alert in sorted(alerts, key=lambda alert: (alert.at, alert.alert_id)):
        groups.setdefault(alert.group, []).append(alert)
    return groups


@dataclass(frozen=True, slots=True)
class Words:
    """A message as it is read: a title and a body, or all of it in a text of 160 characters."""

    title: str
    body: str = field(repr=False)
    short: str = field(repr=False)
    attachments: tuple[Attachment, ...] = ()  #: with a body that is no text message


def words(telling: Telling, office: str, zone: tzinfo) -> Words:
    """Put a message into words. Texts of alerts have customers' words in them: hostile."""
    groups = _grouped(telling.alerts)
    count = sum(alert.times for alert in telling.alerts)
    newest = telling.alerts[-1]
    if telling.together or len(groups) > 1:
        title = f"{office}: {count} {'urgent ' if telling.urgent else ''}alerts"
        lines = [_line(group, alerts) for group, alerts in groups.items()]
        more = len(lines) - LINES_SHOWN
        if more > 0:
            lines = [*lines[:LINES_SHOWN], f"and {more} more: pbx-bridge alerts"]
        said = "; ".join(TITLES[kind] for kind in dict.fromkeys(kind for kind, _ in groups))
        short = f"{title}: {said}"
    else:
        title = f"{office}: {TITLES[newest.kind]}"
        lines = _one_group(groups[newest.group], count, zone)
        short = f"{office}: {_one_line(newest.text)}"
    if telling.urgent:
        again = max(alert.told for alert in telling.alerts)
        if again:
            title += f" (told {again} {'time' if again == 1 else 'times'} before)"
        lines += ["", "Take it, and it is not repeated:"]
        lines.append(f"pbx-bridge alerts --ack {newest.alert_id}")
        if len(telling.alerts) > 1:
            lines[-1] += "  (each has its own number: pbx-bridge alerts --open)"
    return Words(_one_line(title), "\n".join(lines), _short(short))


def _one_group(alerts: list[Alert], count: int, zone: tzinfo) -> list[str]:
    texts = list(dict.fromkeys(_text(alert.text) for alert in alerts))
    shown = texts[-TEXTS_SHOWN:]
    first, last = alerts[0].at.astimezone(zone), alerts[-1].at.astimezone(zone)
    lines = [*shown, f"{last:%a} {last.day} {last:%b %Y, %H:%M}"]
    if (more := count - len(shown)) > 0:
        since = f" since {first:%H:%M}" if first.date() == last.date() and first != last else ""
        lines[-1] += f", and {more} more like this{since}"
    return lines


def _line(group: Group, alerts: list[Alert]) -> str:
    kind, subject = group
    count = sum(alert.times for alert in alerts)
    about = f" ({_one_line(subject)[:40]})" if subject else ""
    times = f"{count} times " if count > 1 else ""
    return f"- {times}{TITLES[kind]}{about}: {_one_line(alerts[-1].text)[:200]}"


def _text(hostile: str) -> str:
    return clean(hostile).strip()[:LONGEST_TEXT]


def _one_line(hostile: str) -> str:
    return " ".join(clean(hostile).split())


def _short(written: str) -> str:
    line = _one_line(plain(written))
    return line if len(line) <= LONGEST_SHORT else f"{line[: LONGEST_SHORT - 3]}..."
