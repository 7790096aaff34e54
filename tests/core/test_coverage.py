"""What is left of conditions when others are taken away, against all situations there are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.coverage import Claim, OneOf, SomeOf, claims_of, covered, disagreeing, possible
from pbx_bridge.core.hours import Track
from pbx_bridge.core.rules import Conditions, Situation, Span, VoicemailOutcome

AT = datetime(2026, 11, 21, 19, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def situation(**known: Any) -> Situation:
    return Situation(at=AT, reason=Reason.BUSY, **{"line": frozenset()} | known)


def subsets(*members: str) -> list[frozenset[str]]:
    return [
        frozenset(one for one, there in zip(members, mask, strict=True) if there)
        for mask in product((True, False), repeat=len(members))
    ]


#: All that conditions about words, tags and yes or no can tell apart; `z` stands for anything else.
OF_MEMBERS = [
    situation(queue=queue, tags=tags, voicemail=voicemail, has_email=has_email)
    for queue, tags, voicemail, has_email in product(
        ("", "x", "y", "z"), subsets("a", "b"), VoicemailOutcome, (True, False)
    )
]


def missed(counts: tuple[int, ...]) -> Iterator[datetime]:
    """Give so many calls in the last hour, in the last two, and before."""
    within = (HOUR / 2, HOUR * 1.5, HOUR * 9)
    before = 0
    for age, count in zip(within, counts, strict=True):
        yield from [AT - age] * (count - before)
        before = count


#: All that conditions about these lengths and counts can tell apart.
OF_AMOUNTS = [
    situation(wait=wait * SECOND, ring=ring * SECOND, missed_at=tuple(missed(counts)))
    for wait, ring, counts in product(
        range(4), range(3), combinations_with_replacement(range(4), 3)
    )
]


def sets(*members: Any) -> st.SearchStrategy[frozenset[Any]]:
    return st.frozensets(st.sampled_from(members))


def spans(most: int) -> st.SearchStrategy[Span]:
    end = st.none() | st.integers(1, most).map(lambda seconds: seconds * SECOND)
    return st.builds(Span, end, end)


ABOUT_MEMBERS = st.builds(
    Conditions,
    queues=sets("", "x", "y"),
    tags=sets("a", "b"),
    without_tags=sets("a", "b"),
    voicemail=sets(*VoicemailOutcome),
    has_email=st.sampled_from((None, None, True, False)),
)
ABOUT_AMOUNTS = st.builds(
    Conditions,
    wait=spans(3),
    ring=spans(2),
    calls=st.integers(1, 4),
    within=st.sampled_from((None, HOUR, 2 * HOUR)),
)


@pytest.mark.parametrize(
    ("about", "every"), [(ABOUT_MEMBERS, OF_MEMBERS), (ABOUT_AMOUNTS, OF_AMOUNTS)]
)
def test_covered_is_what_is_covered_in_every_situation(
    about: st.SearchStrategy[Conditions], every: list[Situation]
) -> None:
    @given(about, st.lists(about, max_size=5))
    @settings(max_examples=300, deadline=None)
    def is_so(asked: Conditions, others: list[Conditions]) -> None:
        left = [
            one for one in every if asked.hold(one) and not any(other.hold(one) for other in others)
        ]
        assert covered(claims_of(asked), list(map(claims_of, others))) is not bool(left)
        assert possible(claims_of(asked)) is any(map(asked.hold, every))

    is_so()


def conditions(**asked: Any) -> tuple[Claim, ...]:
    return claims_of(Conditions(**asked))


def test_the_five_tracks_cover_every_time() -> None:
    each = [conditions(hours=frozenset({track})) for track in Track]
    assert covered((), each)
    assert not covered((), each[1:])
    assert covered(conditions(hours=frozenset(Track) - {Track.IN_HOURS}), each[1:])


def test_two_conditions_can_split_what_a_third_is_about() -> None:
    new = conditions(callers=frozenset({CallerKind.NEW}))
    with_mail = conditions(callers=frozenset(CallerKind) - {CallerKind.NEW}, has_email=True)
    without = conditions(callers=frozenset(CallerKind) - {CallerKind.NEW}, has_email=False)
    assert covered((), [new, with_mail, without])
    assert not covered((), [new, with_mail])


def test_of_an_open_set_something_is_always_left() -> None:
    assert not covered((), [conditions(languages=frozenset({"en", "es"}))])
    assert not covered((), [conditions(countries=frozenset({"US"}))])


def test_every_condition_is_taken_apart() -> None:
    every = Conditions(
        reasons=frozenset({Reason.BUSY}),
        lines=frozenset({"Sales"}),
        queues=frozenset({"x"}),
        extensions=frozenset({"101"}),
        hours=frozenset({Track.WEEKEND}),
        callers=frozenset({CallerKind.NEW}),
        tags=frozenset({"a"}),
        without_tags=frozenset({"b"}),
        languages=frozenset({"en"}),
        countries=frozenset({"US"}),
        voicemail=frozenset({VoicemailOutcome.LEFT}),
        crm_status=frozenset({"lead"}),
        calls=2,
        within=HOUR,
        wait=Span(SECOND, None),
        ring=Span(None, SECOND),
        has_email=True,
        consented=False,
    )
    told = {claim.fact for claim in claims_of(every)}
    assert told | {"without_tags", "within"} == set(Conditions.__dataclass_fields__)
    assert claims_of(Conditions()) == ()


def test_what_excludes_itself_is_named() -> None:
    assert disagreeing(conditions(tags=frozenset({"a"}), without_tags=frozenset({"a"}))) == "tags"
    assert disagreeing(conditions(ring=Span(2 * SECOND, 2 * SECOND))) == "ring"
    assert disagreeing(conditions(ring=Span(SECOND, 2 * SECOND))) is None


def test_what_would_take_too_long_counts_as_not_covered() -> None:
    asked: tuple[Claim, ...] = (
        OneOf("queues", frozenset({"x"})),
        OneOf("languages", frozenset({"en"})),
    )
    halves = [(*asked, OneOf("has_email", frozenset({yes}))) for yes in (True, False)]
    beside = [
        (SomeOf("tags", frozenset({f"t{n}"})), SomeOf("extensions", frozenset({f"e{n}"})))
        for n in range(16)
    ]
    assert covered(asked, [*beside[:4], *halves])
    assert not covered(asked, [*beside, *halves])
