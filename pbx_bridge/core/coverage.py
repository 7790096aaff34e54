"""Which situations there are in which some conditions hold and others do not.

A condition is taken apart into claims about one fact each. A claim can be turned round, and a list
of claims is either impossible or is so in some `Situation`; so one can take what an earlier rule
covers away from what a later one is about, piece by piece, and see whether anything is left.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.hours import Track
from pbx_bridge.core.rules import ANY_LENGTH, Conditions, Span, VoicemailOutcome

#: All that some facts can be. The others can be anything.
_EVERYTHING: dict[str, frozenset[Any]] = {
    "reasons": frozenset(Reason),
    "hours": frozenset(Track),
    "callers": frozenset(CallerKind),
    "voicemail": frozenset(VoicemailOutcome),
    "has_email": frozenset({True, False}),
    "consented": frozenset({True, False}),
}
_NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class OneOf:
    """A fact that is one thing at a time is one of these; or, turned round, none of these."""

    fact: str
    members: frozenset[Any]
    so: bool = True

    def turned(self) -> tuple[Self, ...]:
        return (replace(self, so=not self.so),)

    @staticmethod
    def agree(claims: "Sequence[OneOf]") -> bool:
        allowed = _EVERYTHING.get(claims[0].fact)
        excluded: set[Any] = set()
        for claim in claims:
            if not claim.so:
                excluded |= claim.members
            else:
                allowed = claim.members if allowed is None else allowed & claim.members
        return allowed is None or not allowed <= excluded


@dataclass(frozen=True, slots=True)
class SomeOf:
    """Of a fact that is several things at once, one at least is among these; or none is."""

    fact: str
    members: frozenset[str]
    so: bool = True

    def turned(self) -> tuple[Self, ...]:
        return (replace(self, so=not self.so),)

    @staticmethod
    def agree(claims: "Sequence[SomeOf]") -> bool:
        excluded = {member for claim in claims if not claim.so for member in claim.members}
        return all(not claim.members <= excluded for claim in claims if claim.so)


@dataclass(frozen=True, slots=True)
class Lasted:
    """A length of time lies in this span."""

    fact: str
    span: Span

    def turned(self) -> tuple[Self, ...]:
        shorter = Span(None, self.span.least) if self.span.least is not None else None
        longer = Span(self.span.most, None) if self.span.most is not None else None
        return tuple(replace(self, span=span) for span in (shorter, longer) if span is not None)

    @staticmethod
    def agree(claims: "Sequence[Lasted]") -> bool:
        least = max(claim.span.least or _NO_TIME for claim in claims)
        return all(claim.span.most is None or least < claim.span.most for claim in claims)


@dataclass(frozen=True, slots=True)
class Called:
    """So many missed calls came before, in so long; or, turned round, fewer."""

    fact: str
    before: int  #: at least 1
    within: timedelta | None
    so: bool = True

    def turned(self) -> tuple[Self, ...]:
        return (replace(self, so=not self.so),)

    @staticmethod
    def agree(claims: "Sequence[Called]") -> bool:
        """In a longer time there are no fewer calls; else any number is possible in any time."""
        many = [claim for claim in claims if claim.so]
        few = [claim for claim in claims if not claim.so]
        return not any(
            more.before >= fewer.before and _no_longer(more.within, fewer.within)
            for more in many
            for fewer in few
        )


def _no_longer(one: timedelta | None, other: timedelta | None) -> bool:
    return other is None or (one is not None and one <= other)


Claim = OneOf | SomeOf | Lasted | Called


def claims_of(conditions: Conditions) -> tuple[Claim, ...]:
    """Take conditions apart. The `fact` of a claim is the name of the condition about it."""
    return (*_about_members(conditions), *_about_amounts(conditions))


#: Conditions about a fact that is one thing at a time, and about one that is several.
_SINGLE = (
    *("reasons", "queues", "hours", "callers", "languages", "countries", "voicemail"),
    "crm_status",
)
_SEVERAL = ("lines", "extensions", "tags")


def _about_members(asked: Conditions) -> Iterator[Claim]:
    for fact in _SINGLE:
        if members := getattr(asked, fact):
            yield OneOf(fact, members)
    for fact in _SEVERAL:
        if members := getattr(asked, fact):
            yield SomeOf(fact, members)
    if asked.without_tags:
        yield SomeOf("tags", asked.without_tags, so=False)
    for fact in ("has_email", "consented"):
        if (wanted := getattr(asked, fact)) is not None:
            yield OneOf(fact, frozenset({wanted}))


def _about_amounts(asked: Conditions) -> Iterator[Claim]:
    if asked.calls > 1:
        yield Called("calls", asked.calls - 1, asked.within)
    for fact in ("wait", "ring"):
        span: Span = getattr(asked, fact)
        if span != ANY_LENGTH:
            yield Lasted(fact, span)


def possible(claims: Sequence[Claim]) -> bool:
    """Tell whether all of it can be so at once."""
    return disagreeing(claims) is None


def disagreeing(claims: Sequence[Claim]) -> str | None:
    """Name a fact about which the claims exclude each other."""
    by_fact: dict[str, list[Any]] = {}
    for claim in claims:
        by_fact.setdefault(claim.fact, []).append(claim)
    for fact, about in by_fact.items():
        if not type(about[0]).agree(about):
            return fact
    return None


#: So many pieces are looked at; who writes rules by hand needs a few hundred.
_PATIENCE = 20_000


class _TooMany(Exception):  # noqa: N818 - no error: an answer
    pass


def covered(claims: Sequence[Claim], covers: Sequence[Sequence[Claim]]) -> bool:
    """Tell whether wherever `claims` are so, all of one of `covers` is so too.

    It is if `claims` are impossible. Where this would take too long it is said not to be.
    """
    patience = iter(range(_PATIENCE))
    try:
        return not _is_left(tuple(claims), list(covers), patience)
    except _TooMany:
        return False


def _is_left(
    claims: tuple[Claim, ...], covers: list[Sequence[Claim]], patience: Iterator[int]
) -> bool:
    """Tell whether anything of `claims` is left when all covers are taken away."""
    if next(patience, None) is None:
        raise _TooMany
    if not possible(claims):
        return False
    touching = [cover for cover in covers if possible((*claims, *cover))]
    if not touching:
        return True
    first = min(touching, key=len)
    others = [cover for cover in touching if cover is not first]
    for claim in first:
        if any(_is_left((*claims, turned), others, patience) for turned in claim.turned()):
            return True
        claims = (*claims, claim)
    return False
