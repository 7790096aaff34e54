"""What the dialplan may read of us: who was missed, who spoke last, whether callers are texted."""

from dataclasses import replace
from datetime import timedelta

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core.astdb import (
    HOLDS_FOR,
    LAST,
    MISSED,
    MOST,
    TEXTING,
    Came,
    Keeping,
    Key,
    Seen,
    Went,
    difference,
    entries,
    keys,
)
from pbx_bridge.core.call import Disposition, Reason
from pbx_bridge.core.number import example, parse, spellings
from tests.store.examples import NOON, minutes

ANN = "+12125550143"
END = "125550143"
ALL = Keeping(missed=True, last=True, texting=True)
LOST = Came(
    pbx="office",
    e164=ANN,
    began=NOON,
    ended=NOON + minutes(1),
    disposition=Disposition.MISSED,
    reason=Reason.RANG_NO_ANSWER,
    answered_at=None,
    answered_by="",
)
SPOKE = replace(
    LOST,
    disposition=Disposition.ANSWERED,
    reason=Reason.PERSON,
    answered_at=NOON + minutes(0.2),
    answered_by="102",
)


def after(one: Came, count: float) -> Came:
    return replace(one, began=one.began + minutes(count))


def held(*came: Came, went: tuple[Went, ...] = (), days: float = 0, **more: object) -> set[Key]:
    seen = Seen(came=came, went=went, trunks=frozenset({"trunk"}))
    return set(entries("office", ALL, seen, NOON + timedelta(days=days), **more))  # type: ignore[arg-type]


def test_who_was_missed_is_known_until_somebody_speaks_with_them() -> None:
    assert held(LOST) == {(MISSED, END)}
    assert held(after(SPOKE, 5), LOST) == {(LAST, END)}
    assert held(after(LOST, 5), SPOKE) == {(MISSED, END), (LAST, END)}
    live = replace(after(SPOKE, 5), ended=None)
    assert held(live, LOST) == {(LAST, END)}
    rings = replace(after(LOST, 5), ended=None)
    assert held(rings, LOST) == {(MISSED, END)}


@pytest.mark.parametrize("dialled", ["2125550143", "12125550143", "912125550143"])
def test_a_call_back_settles_it(dialled: str) -> None:
    assert held(LOST, went=(Went(dialled, NOON + minutes(5)),)) == set()
    assert held(LOST, went=(Went(dialled, NOON - minutes(5)),)) == {(MISSED, END)}
    assert held(LOST, went=(Went("2125550144", NOON + minutes(5)),)) == {(MISSED, END)}


def test_it_is_forgotten_after_a_time() -> None:
    assert held(LOST, SPOKE, days=6.9) == {(MISSED, END), (LAST, END)}
    assert held(LOST, SPOKE, days=7.1) == set()


def test_the_office_itself_and_who_was_turned_away_are_not_known() -> None:
    assert held(LOST, nobody=frozenset({ANN})) == set()
    assert held(replace(LOST, reason=Reason.REJECTED)) == set()
    assert held(replace(LOST, disposition=Disposition.UNOBSERVED)) == set()


@pytest.mark.parametrize("who", ["", "trunk", "10 2", "102&PJSIP/900", "x" * 33, "102,30"])
def test_no_colleague_is_dialled_who_is_none(who: str) -> None:
    assert held(replace(SPOKE, answered_by=who)) == set()


def test_a_colleague_is_one_of_that_pbx_and_a_missed_call_anybodys() -> None:
    seen = Seen(came=(SPOKE, LOST))
    elsewhere = entries("branch", ALL, seen, NOON)
    assert elsewhere == {}
    assert set(entries("branch", ALL, Seen(came=(LOST,)), NOON)) == {(MISSED, END)}


def test_what_is_kept_is_the_time_and_the_endpoint() -> None:
    made = entries("office", ALL, Seen(came=(after(LOST, 5), SPOKE)), NOON)
    assert made == {
        (MISSED, END): str(int((NOON + minutes(5)).timestamp())),
        (LAST, END): "102",
    }


def test_nothing_is_kept_that_is_not_asked_for() -> None:
    seen = Seen(came=(LOST, SPOKE))
    assert entries("office", Keeping(), seen, NOON, texts=True) == {}
    assert set(entries("office", Keeping(last=True), seen, NOON, texts=True)) == {(LAST, END)}


@pytest.mark.parametrize("later", [0, 1, 4.99, 5, 299])
def test_that_callers_are_texted_holds_for_a_while(later: float) -> None:
    now = NOON + minutes(later)
    assert TEXTING not in entries("office", ALL, Seen(), now, texts=False)
    until = int(entries("office", ALL, Seen(), now, texts=True)[TEXTING])
    left = until - now.timestamp()
    assert HOLDS_FOR.total_seconds() <= left <= HOLDS_FOR.total_seconds() * 1.5


def test_a_flood_of_numbers_does_not_fill_the_pbx() -> None:
    flood = [replace(LOST, e164=f"+1212{2000000 + n}") for n in range(MOST + 100)]
    assert len(held(*flood)) == MOST


# ------------------------------------------------------------------ how a number ends


@pytest.mark.parametrize("seen", ["+12125550143", "12125550143", "2125550143", "0012125550143"])
def test_north_america_has_one_key(seen: str) -> None:
    assert keys(ANN, 9) == (END,)
    assert seen[-9:] == END


@pytest.mark.parametrize(
    ("e164", "seen"),
    [
        ("+4930123456", ("+4930123456", "4930123456", "030123456", "004930123456")),
        ("+4520123456", ("+4520123456", "20123456", "004520123456")),
        ("+442079460000", ("+442079460000", "02079460000", "2079460000")),
        ("+390612345678", ("+390612345678", "0612345678")),
    ],
)
def test_short_numbers_have_a_key_for_each_way_to_write_them(
    e164: str, seen: tuple[str, ...]
) -> None:
    assert {one[-9:] for one in seen} <= set(keys(e164, 9))


@settings(deadline=None)
@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.integers(6, 15))
def test_whatever_way_a_number_is_written_the_dialplan_finds_it(country: str, digits: int) -> None:
    e164 = example(country)
    number = parse(e164 or "", country)
    if number is None:
        return
    for form in spellings(number):
        if form.lstrip("+").isdigit():
            assert form[-digits:] in keys(number.e164, digits)
    assert all(key.lstrip("+").isdigit() and len(key) <= digits for key in keys(e164 or "", digits))


# ------------------------------------------------------------------ what changes

_HELD = st.dictionaries(
    st.tuples(st.sampled_from([MISSED, LAST]), st.sampled_from("abc")), st.sampled_from("12")
)


@given(_HELD, _HELD)
def test_what_is_changed_comes_to_what_is_wanted(
    before: dict[Key, str], want: dict[Key, str]
) -> None:
    after_it = before | difference(before, want)
    assert {key: value for key, value in after_it.items() if value} == want
    assert difference(after_it, want) == {}
