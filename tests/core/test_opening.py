"""OpenStreetMap's opening hours, and what we make of `PH` in them."""

from datetime import date, datetime, time, timedelta

import pytest

from pbx_bridge.core.opening import mistake, opened, says_holidays

#: In the week from Monday 21 December 2026.
CHRISTMAS = {date(2026, 12, 25), date(2026, 12, 26)}
DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


shown = datetime.fromisoformat


def week(text: str) -> str:
    """Write down when it is open in that week."""
    first = date(2026, 12, 21)
    said = []
    for begins, ends in sorted(opened(text, CHRISTMAS, first, first + timedelta(days=7))):
        if ends <= datetime.combine(first, time()):
            continue  # the night before, and its day
        after = "" if ends.date() == begins.date() else "+"
        said.append(f"{DAYS[begins.weekday()]} {begins:%H:%M}-{ends:%H:%M}{after}")
    return ", ".join(said)


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("Mo-We 08:00-17:00", "Mo 08:00-17:00, Tu 08:00-17:00, We 08:00-17:00"),
        ("Th 08:00-12:00,13:00-17:00", "Th 08:00-12:00, Th 13:00-17:00"),
        ("Mo 08:00-12:00, Mo 13:00-17:00", "Mo 08:00-12:00, Mo 13:00-17:00"),
        ("Th-Sa 22:00-02:00; PH off", "Th 22:00-02:00+"),
        ("Th-Sa 08:00-12:00; PH off", "Th 08:00-12:00"),
        ("Th-Sa 08:00-12:00", "Th 08:00-12:00, Fr 08:00-12:00, Sa 08:00-12:00"),
        ("PH off; Th-Sa 08:00-12:00", "Th 08:00-12:00"),  # the order of the two is no trap
        ("Th-Sa 08:00-12:00; PH 10:00-11:00", "Th 08:00-12:00, Fr 10:00-11:00, Sa 10:00-11:00"),
        ("Th-Su 08:00-12:00; PH,Su off", "Th 08:00-12:00"),
        ("Th-Su 08:00-12:00; Su,PH 10:00-11:00", ("Th 08:00-12:00, Fr 10:00-11:00,"
         " Sa 10:00-11:00, Su 10:00-11:00")),
        ("Th-Sa 08:00-12:00; PH off; Dec 26 09:00-10:00", "Th 08:00-12:00, Sa 09:00-10:00"),
        ("PH off", ""),
        ("off", ""),
        ("24/7; PH off", ("Mo 00:00-00:00+, Tu 00:00-00:00+, We 00:00-00:00+,"
         " Th 00:00-00:00+, Su 00:00-00:00+")),
        ("Mo-Tu 22:00-02:00; We-Su off", "Mo 22:00-02:00+, Tu 22:00-02:00+"),  # no rule of its own
        ("Mo-We 22:00-23:00; Tu off", "Mo 22:00-23:00, We 22:00-23:00"),
        ("We-Th 22:00-02:00; Fr,Sa-Mo off", "We 22:00-02:00+, Th 22:00-02:00+"),
        ("22:00-23:00; Tu-Su off", "Mo 22:00-23:00"),
        ("Dec Tu 22:00-23:00; Mo off", "Tu 22:00-23:00"),
        ("Tu off; Mo off", ""),
        ("Fr-Sa 22:00-02:00; PH off", ""),  # nor after midnight
        ("Th-Sa 08:00-12:00; Dec PH off", "Th 08:00-12:00"),
        ("Th-Sa 08:00-12:00; Jul PH off", "Th 08:00-12:00, Fr 08:00-12:00, Sa 08:00-12:00"),
        ("Th 22:00-23:00; PH,Tu 18:00-02:00", ("Tu 18:00-02:00+, Th 22:00-23:00,"
         " Fr 18:00-02:00+, Sa 18:00-02:00+")),
        ('Th 08:00-12:00 "not on PH; really"', "Th 08:00-12:00"),
        ("Th 08:00-12:00 unknown; Tu 08:00-09:00", "Tu 08:00-09:00"),
    ],
)  # fmt: skip
def test_hours_are_read(text: str, is_open: str) -> None:
    assert mistake(text) is None
    assert week(text) == is_open


def test_where_there_are_no_holidays_their_rule_is_none() -> None:
    first = date(2026, 12, 25)
    found = opened("Fr 08:00-09:00; PH off", (), first, first + timedelta(days=1))
    assert found == [(shown("2026-12-25T08:00"), shown("2026-12-25T09:00"))]
    assert opened("PH 08:00-09:00", (), first, first + timedelta(days=1)) == []


def test_the_night_before_the_first_day_is_looked_at() -> None:
    first = date(2026, 12, 22)
    found = opened("Mo 22:00-02:00", (), first, first + timedelta(days=1))
    assert found == [(shown("2026-12-21T22:00"), shown("2026-12-22T02:00"))]


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("Mo-Fr 08:00-17:00-", 18, "no opening hours"),
        ("Mo-Fr 8-17", 7, "no opening hours"),
        ("", 1, "no opening hours"),
        ("Mo-Fr 08:00-17:00; SH off", 20, "school holidays are not known"),
        ("Mo-Fr sunrise-17:00", 7, "where the sun stands"),
        ("Mo-Fr 08:00-17:00, PH off", 20, "PH has a rule of its own"),
        ("Mo-Fr off, PH 08:00-17:00", 12, "PH has a rule of its own"),
        ('Mo-Fr "x" PH off', 11, "PH has a rule of its own"),
        ("Mo; PH off, PH 08:00-09:00", 5, "PH has a rule of its own"),
        ("Mo-Fr 08:00-17:00; PH +1 day off", 26, "no opening hours"),
        ("Mo-Fr 08:00-17:00; PH nonsense", 23, "no opening hours"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: int, why: str) -> None:
    found = mistake(text)
    assert found is not None
    assert found[0] == place
    assert why in found[1]


@pytest.mark.parametrize(
    ("text", "says"),
    [("Mo-Fr 08:00-17:00", False), ("PH off", True), ('Mo "PH" off', False), ("Su,PH off", True)],
)
def test_whether_holidays_are_spoken_of(text: str, *, says: bool) -> None:
    assert says_holidays(text) is says
