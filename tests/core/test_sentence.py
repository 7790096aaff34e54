"""Sentences and what is understood of them. Now is Tuesday, 24 November 2026, 14:00 in New York."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.scenario import Scenario
from pbx_bridge.core.sentence import EXAMPLE, Known, NotUnderstood, read, read_line, read_when

ZONE = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 24, 19, 0, tzinfo=UTC)
SALES, SERVICE = "+12125550100", "8001"
KNOWN = Known(country="US", lines={"Sales": SALES, "Night service": SERVICE})
SATURDAY = datetime(2026, 11, 28, 19, 5, tzinfo=UTC)


def seconds(amount: float) -> timedelta:
    return timedelta(seconds=amount)


SENTENCES: list[tuple[str, dict[str, Any]]] = [
    (
        EXAMPLE,
        {
            "caller": CallerKind.NEW, "line": SALES, "at": SATURDAY,
            "reason": Reason.RANG_CANCELLED, "lasts": seconds(20),
        },
    ),
    (
        "A new caller on the sales line on Saturday at 2:05 pm who hung up after 20 seconds.",
        {
            "caller": CallerKind.NEW, "line": SALES, "at": SATURDAY,
            "reason": Reason.RANG_CANCELLED, "lasts": seconds(20),
        },
    ),
    (
        "existing customer tagged vip, to +12125550100, tomorrow 7:30, left a message",
        {
            "caller": CallerKind.CUSTOMER, "tags": frozenset({"vip"}), "line": SALES,
            "at": datetime(2026, 11, 25, 12, 30, tzinfo=UTC), "reason": Reason.VOICEMAIL_MESSAGE,
        },
    ),
    ("anonymous, busy", {"caller": CallerKind.ANONYMOUS, "reason": Reason.BUSY}),
    (
        "number withheld; no answer",
        {"caller": CallerKind.ANONYMOUS, "reason": Reason.RANG_NO_ANSWER},
    ),
    ("2nd call within the hour", {"calls": 2}),
    ("third missed call in 90 min", {"calls": 3, "within": seconds(5400)}),
    ("called twice", {"calls": 2}),
    ("called 4 times within 2 days", {"calls": 4, "within": seconds(172800)}),
    ("", {}),
    ("now", {}),
    ("staff", {"caller": CallerKind.STAFF}),
    ("a blocked caller", {"caller": CallerKind.BLOCKED}),
    ("known caller", {"caller": CallerKind.KNOWN}),
    ("tagged vip and contract, tagged big", {"tags": frozenset({"vip", "contract", "big"})}),
    ("named Ann Baker", {"name": "Ann Baker"}),
    ("with an e-mail address", {"email": True}),
    ("without an email address", {"email": False}),
    ("agreed to texts", {"consented": True}),
    ("no consent", {"consented": False}),
    ("known caller, speaks Spanish", {"caller": CallerKind.KNOWN, "language": "es"}),
    ("Spanish-speaking", {"language": "es"}),
    ("CRM status lead", {"crm_status": "lead"}),
    ("from GB", {"country": "GB"}),
    ("from the UK", {"country": "GB"}),
    ("from (212) 555-0142", {"number": "+12125550142"}),
    ("from +1 212 555 0142 14:05", {"number": "+12125550142", "at": NOW + timedelta(minutes=5)}),
    ("to Night service", {"line": SERVICE}),
    ("the night service line", {"line": SERVICE}),
    ("to 8001", {"line": SERVICE}),
    ("line (212) 555-0101", {"line": "+12125550101"}),
    ("in the queue support, abandoned", {"queue": "support", "reason": Reason.QUEUE_ABANDONED}),
    ("the support queue", {"queue": "support"}),
    ("waited 2 min, gave up", {"wait": seconds(120), "reason": Reason.QUEUE_ABANDONED}),
    ("extension 101 rang, rang for 15 s", {"extension": "101", "ring": seconds(15)}),
    ("nobody picked up after 30 s", {"reason": Reason.RANG_NO_ANSWER, "lasts": seconds(30)}),
    ("after 30 s", {"lasts": seconds(30)}),
    ("phones down", {"reason": Reason.UNAVAILABLE}),
    ("left no message", {"reason": Reason.VOICEMAIL_HANGUP}),
    ("turned away", {"reason": Reason.QUEUE_UNSERVED}),
    ("hung up in a menu after 5 s", {"reason": Reason.IVR_ABANDONED, "lasts": seconds(5)}),
    ("heard only an announcement", {"reason": Reason.ANNOUNCEMENT_ONLY}),
    ("parked", {"reason": Reason.PARKED}),
    ("rejected", {"reason": Reason.REJECTED}),
    ("alone in a conference", {"reason": Reason.CONFERENCE_ALONE}),
    ("lost in transfer", {"reason": Reason.LOST_IN_TRANSFER}),
    ("answered", {"reason": Reason.PERSON}),
    ("feed_gap", {"reason": Reason.FEED_GAP}),
    ("queue_unserved after 1 min", {"reason": Reason.QUEUE_UNSERVED, "lasts": seconds(60)}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "understood"), SENTENCES)
def test_what_is_understood(words: str, understood: dict[str, Any]) -> None:
    assert read(words, NOW, ZONE, KNOWN) == Scenario(**({"at": NOW} | understood))


MISTAKES = [
    ("custmer", 'not understood: "custmer"; did you mean "customer"?'),
    ("new calller, busy", 'not understood: "calller"; did you mean "new caller"?'),
    ("saturady 14:05", 'not understood: "saturady 14:05"; did you mean "Saturday 14:05"?'),
    ("frobnicate it", f'not understood: "frobnicate it"; write it as in "{EXAMPLE}"'),
    ("customer of ours", 'not understood: "ours"; did you mean'),
    ("to Sails", 'no such line: "Sails"; did you mean "Sales"?'),
    ("roofing line", 'no such line: "roofing"; known are Sales, Night service'),
    ("Saturday 25:00", 'no time of day: 25:00; such as "2:05 pm" or "14:05"'),
    ("30 February", "no such day: 30 february"),
    ("busy, parked", '"parked": that was said before, or otherwise'),
    ("abandoned, busy", '"busy": that was said before, or otherwise'),
    ("today, Saturday", '"Saturday": that was said before, or otherwise'),
    ("from GB, from +12125550142", '"from +12125550142": that was said before'),
    ("from ZZ", 'not a country: "ZZ"; two letters (ISO 3166) such as US or GB'),
    ("from 12345", 'not a telephone number: "12345"; such as +12125550142'),
    ("+12125550142", 'whose number is it? "from +12125550142" is the caller\'s'),
    ("speaks Klingon", 'no texts in this language: "klingon"; known are'),
    ("99th call", 'which call? "99th call"; at most 20'),
    ("new caller tagged vip", "a new caller is nobody you know"),
    ("anonymous from +12125550142", "of an anonymous caller nothing is known"),
    ("anonymous, 2nd call", "nobody can tell how often"),
    ("answered, 2nd call", "only missed calls are counted, and answered is none"),
    ("x" * 1001, "too long; at most 1000 characters"),
]


@pytest.mark.parametrize(("words", "problem"), MISTAKES)
def test_what_is_not_understood_is_told(words: str, problem: str) -> None:
    with pytest.raises(NotUnderstood) as told:
        read(words, NOW, ZONE, KNOWN)
    assert told.value.problems[0].startswith(problem)


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(NotUnderstood) as told:
        read("custmer, to Sails, 25:00", NOW, ZONE, KNOWN)
    assert len(told.value.problems) == 3


def test_an_office_without_lines_may_call_them_anything() -> None:
    nowhere = Known(country="US")
    assert read("sales line", NOW, ZONE, nowhere).line == "sales"
    assert read_line("anything", nowhere) == "anything"


def test_options_say_what_words_do_not() -> None:
    found = read("busy", NOW, ZONE, KNOWN, {"at": SATURDAY, "email": True})
    assert (found.at, found.email, found.reason) == (SATURDAY, True, Reason.BUSY)


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("busy", {"reason": Reason.PARKED}),
        ("abandoned", {"reason": Reason.PARKED}),
        ("Saturday", {"at": SATURDAY}),
        ("customer", {"caller": CallerKind.NEW}),
    ],
)
def test_an_option_does_not_silently_win_over_words(words: str, options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(NotUnderstood, match=f"{name} is said twice"):
        read(words, NOW, ZONE, KNOWN, options)


def test_a_time_alone_can_be_read() -> None:
    assert read_when("Saturday, 14:05".replace(",", ""), NOW, ZONE) == SATURDAY
    for words in ("vip", "busy", "25:00", "customer Saturday"):
        with pytest.raises(NotUnderstood):
            read_when(words, NOW, ZONE)


def test_a_line_alone_can_be_read() -> None:
    assert read_line("sales", KNOWN) == SALES
    assert read_line("8001", KNOWN) == SERVICE
    for words in ("Sails", "", "8001 busy"):
        with pytest.raises(NotUnderstood):
            read_line(words, KNOWN)


@given(st.text(max_size=80) | st.lists(st.sampled_from([w for w, _ in SENTENCES])).map(", ".join))
def test_whatever_is_said_is_understood_or_told(words: str) -> None:
    problems: tuple[str, ...] = ()
    found = None
    try:
        found = read(words, NOW, ZONE, KNOWN)
    except NotUnderstood as told:
        problems = told.problems
    assert (found is None) == bool(problems)
