"""Which follow-up a missed call gets: an office's rules, of which the first that matches wins.

A rule is conditions that must all hold, and the name of a sequence, or nothing. A condition that
is not set always holds. But what the office's file leaves out is filled in where it is read
(`config.rules`): unless a rule says otherwise it is about `USUAL_REASONS` and `USUAL_CALLERS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.hours import Track

#: Rules are not asked about such calls: a person spoke to the caller, or nobody knows.
NEVER_ASKED = frozenset({Reason.PERSON, Reason.FEED_GAP, Reason.PBX_RESTARTED, Reason.NEVER_ENDED})
#: Reasons whose callers get nothing unless the file asks for it.
SILENT_REASONS = frozenset(
    {Reason.REJECTED, Reason.CONFERENCE_ALONE, Reason.LOST_IN_TRANSFER, Reason.HANDLED}
)
#: What a rule that names no reasons is about,
USUAL_REASONS = frozenset(Reason) - NEVER_ASKED - SILENT_REASONS
#: and one that names no callers: nobody is texted by mistake who is staff or blocked.
USUAL_CALLERS = frozenset({CallerKind.NEW, CallerKind.KNOWN, CallerKind.CUSTOMER})


class VoicemailOutcome(StrEnum):
    LEFT = "left"  #: left a message
    NOT_LEFT = "not_left"  #: heard the greeting, left none
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that rules can ask about a missed call and its caller."""

    at: datetime  #: when the call ended
    reason: Reason
    line: frozenset[str]  #: what the line is called: by the PBX, in E.164, by its name in [[lines]]
    queue: str = ""
    extensions: frozenset[str] = frozenset()  #: that rang
    track: Track = Track.IN_HOURS
    caller: CallerKind = CallerKind.NEW
    tags: frozenset[str] = frozenset()
    language: str = ""  #: in which the caller is written to
    country: str = ""  #: of the caller's number, ISO 3166; empty if it has none
    wait: timedelta = timedelta()  #: in queues
    ring: timedelta = timedelta()
    voicemail: VoicemailOutcome = VoicemailOutcome.NOT_REACHED
    missed_at: Sequence[datetime] = ()  #: the caller's missed calls before this one
    has_email: bool = False
    consented: bool = False  #: asked for texts, or wrote to us first
    crm_status: str = ""  #: the customer's status, as a CRM says


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time from `least` until just before `most`; None is no bound."""

    least: timedelta | None = None
    most: timedelta | None = None

    def holds(self, length: timedelta) -> bool:
        if self.least is not None and length < self.least:
            return False
        return self.most is None or length < self.most


ANY_LENGTH = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What must all be so. An empty set asks for nothing; of several members one is enough."""

    reasons: frozenset[Reason] = frozenset()
    lines: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    extensions: frozenset[str] = frozenset()
    hours: frozenset[Track] = frozenset()
    callers: frozenset[CallerKind] = frozenset()
    tags: frozenset[str] = frozenset()
    without_tags: frozenset[str] = frozenset()  #: none of these
    languages: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    voicemail: frozenset[VoicemailOutcome] = frozenset()
    crm_status: frozenset[str] = frozenset()
    calls: int = 1  #: at least so many missed calls, this one counted,
    within: timedelta | None = None  #: in so long; None is however long ago
    wait: Span = ANY_LENGTH
    ring: Span = ANY_LENGTH
    has_email: bool | None = None
    consented: bool | None = None

    def hold(self, situation: Situation) -> bool:
        """Tell whether all of it is so."""
        return not self.failing(situation)

    def failing(self, situation: Situation) -> tuple[str, ...]:
        """Name the conditions that do not hold, by their fields' names."""
        own = situation
        members: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
            ("reasons", self.reasons, frozenset({own.reason})),
            ("lines", self.lines, own.line),
            ("queues", self.queues, frozenset({own.queue})),
            ("extensions", self.extensions, own.extensions),
            ("hours", self.hours, frozenset({own.track})),
            ("callers", self.callers, frozenset({own.caller})),
            ("tags", self.tags, own.tags),
            ("languages", self.languages, frozenset({own.language})),
            ("countries", self.countries, frozenset({own.country})),
            ("voicemail", self.voicemail, frozenset({own.voicemail})),
            ("crm_status", self.crm_status, frozenset({own.crm_status})),
        )
        failing = [name for name, wanted, given in members if wanted and not wanted & given]
        if self.without_tags & own.tags:
            failing.append("without_tags")
        if self._calls(own) < self.calls:
            failing.append("calls")
        failing += [
            name
            for name, span, length in (("wait", self.wait, own.wait), ("ring", self.ring, own.ring))
            if not span.holds(length)
        ]
        failing += [
            name
            for name, wanted, given in (
                ("has_email", self.has_email, own.has_email),
                ("consented", self.consented, own.consented),
            )
            if wanted is not None and wanted is not given
        ]
        return tuple(failing)

    def _calls(self, situation: Situation) -> int:
        earliest = None if self.within is None else situation.at - self.within
        before = [at for at in situation.missed_at if earliest is None or at >= earliest]
        return len(before) + 1


ALWAYS = Conditions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """If this, then that sequence; an empty `sequence` is to do nothing, and `because` says why."""

    name: str
    conditions: Conditions = ALWAYS
    sequence: str
    because: str = ""
    built_in: bool = False  #: ours, after all of the office's own


#: What holds where an office has no rules at all.
EVERYBODY = Rule(name="every missed caller", sequence="default")


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule that was asked, and which of its conditions did not hold."""

    rule: Rule
    failing: tuple[str, ...]


def ask(rules: Sequence[Rule], situation: Situation) -> list[Asked]:
    """Ask the rules in order, up to and with the first that matches."""
    asked: list[Asked] = []
    for rule in rules:
        asked.append(Asked(rule, rule.conditions.failing(situation)))
        if not asked[-1].failing:
            break
    return asked
