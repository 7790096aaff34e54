"""Opening hours as people write them, and what is said of those that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.config.opening import LONGEST, read
from pbx_bridge.core.opening import mistake

READ = [
    ("Mo-Fr 08:00-12:00,13:00-17:00; PH off", "Mo-Fr 08:00-12:00,13:00-17:00; PH off"),
    ("24/7", "24/7"),
    ("Mo-Fr 8-17", "Mo-Fr 08:00-17:00"),
    ("Mon-Fri 8-17", "Mo-Fr 08:00-17:00"),
    ("Monday to Friday 8:00-17:00", "Mo-Fr 08:00-17:00"),
    ("Mon-Fri 8:00-12:00, 13:00-17:00; Sat 9-12",
     "Mo-Fr 08:00-12:00,13:00-17:00; Sa 09:00-12:00"),
    ("Mon - Fri: 8am - 5pm, Sat 9am-noon", "Mo-Fr 08:00-17:00; Sa 09:00-12:00"),
    ("Mon, Wed, Fri 9-12", "Mo,We,Fr 09:00-12:00"),
    ("Tues & Thurs 9-12", "Tu,Th 09:00-12:00"),
    ("Mon-Fri 8-12 and 13-17", "Mo-Fr 08:00-12:00,13:00-17:00"),
    ("Mo\u2013Fr 8\u201317", "Mo-Fr 08:00-17:00"),
    ("weekdays 8.30-17.00, weekends closed", "Mo-Fr 08:30-17:00; Sa-Su off"),
    ("every day 10h-22h30", "Mo-Su 10:00-22:30"),
    ("Mon to Sat 8am to midnight", "Mo-Sa 08:00-24:00"),
    ("daily midnight-noon", "Mo-Su 00:00-12:00"),
    ("Mo-Fr 12am-12pm", "Mo-Fr 00:00-12:00"),
    ("Mo-Fr 6pm-12am", "Mo-Fr 18:00-24:00"),
    ("8-17", "08:00-17:00"),
    ("Mon-Fri 8-17\nSat 9-12\n", "Mo-Fr 08:00-17:00; Sa 09:00-12:00"),
    ("Mon-Fri 8-17 Sat 9-12;", "Mo-Fr 08:00-17:00; Sa 09:00-12:00"),
    # One of two times may say for both which half of the day it is.
    ("Mon-Fri 8-5pm", "Mo-Fr 08:00-17:00"),
    ("Mon-Fri 1-5pm", "Mo-Fr 13:00-17:00"),
    ("Mon-Fri 8am-5", "Mo-Fr 08:00-17:00"),
    ("Mon-Fri 8am-11", "Mo-Fr 08:00-11:00"),
    ("Mon-Fri 8am-17", "Mo-Fr 08:00-17:00"),
    # Nights.
    ("daily 18:00-02:00", "Mo-Su 18:00-02:00"),
    ("daily 6pm-2am", "Mo-Su 18:00-02:00"),
    ("Mo-Fr 22:00-26:00", "Mo-Fr 22:00-26:00"),
    # Other times of the same days are meant instead, further ones besides.
    ("Mon-Fri 8-17, Wed 8-12", "Mo-Fr 08:00-17:00; We 08:00-12:00"),
    ("Mon-Fri 10-17, Thu 18-20", "Mo-Fr 10:00-17:00, Th 18:00-20:00"),
    ("Mon-Sun 8-17, Sun closed", "Mo-Su 08:00-17:00; Su off"),
    # Holidays and dates.
    ("Mon-Fri 8-17, holidays closed", "Mo-Fr 08:00-17:00; PH off"),
    ("Mon-Fri 8-17, PH 10-12", "Mo-Fr 08:00-17:00; PH 10:00-12:00"),
    ("public holidays closed; Mon-Sun 8-20", "PH off; Mo-Su 08:00-20:00"),
    ("Dec 24 8-12", "Dec 24 08:00-12:00"),
    ("Dec 8-17 closed", "Dec 8-17 off"),
    ("December 24 - January 2 closed; Mo-Fr 8-17", "Dec 24-Jan 2 off; Mo-Fr 08:00-17:00"),
    ("2026 Dec 24 08:00-12:00", "2026 Dec 24 08:00-12:00"),
    # What only the form can say.
    ("week 1-53/2 Sa 9-12", "week 1-53/2 Sa 09:00-12:00"),
    ("Mo[1] -2 days 08:00-12:00", "Mo[1] -2 days 08:00-12:00"),
    ("Mo[1] 8-9", "Mo[1] 08:00-09:00"),
    ("Mo-Fr 10:00-16:00/02:00", "Mo-Fr 10:00-16:00/02:00"),
    ("Mo-Fr 08:00+", "Mo-Fr 08:00+"),
    ('Mo-Fr 8-17 "ring - me, please"', 'Mo-Fr 08:00-17:00 "ring - me, please"'),
    ('Mo-Fr 08:00-17:00 || "by mail"', 'Mo-Fr 08:00-17:00 || "by mail"'),
]  # fmt: skip


@pytest.mark.parametrize(("written", "form"), READ)
def test_hours_are_read_as_they_are_written(written: str, form: str) -> None:
    assert read(written) == form
    assert mistake(form) is None
    assert read(form) == form


MISTAKES = [
    ("Mnday 8-17", 'not opening hours, at character 1: "Mnday"; did you mean "monday"?'),
    ("Mon-Fri 8-17; xy", 'not opening hours, at character 15: "xy"; such as "Mon-Fri 8:00-12:00,'),
    ("qqqq 8-17", 'not opening hours, at character 1: "qqqq"; such as "Mon-Fri'),
    ("Mon-Fri 9-5", 'not opening hours, at character 9: "9-5" would end at night; write "9am-5pm"'),
    ("Mo-Fr 9:00-5:00", 'not opening hours, at character 7: "9:00-5:00" would end at night'),
    ("Mo-Fr 8:75-9:00", 'not opening hours, at character 7: no such time, "8:75"'),
    ("Mo-Fr 13pm-14pm", 'not opening hours, at character 7: no such time, "13pm"'),
    ("Mo-Fr 0am-5", 'not opening hours, at character 7: no such time, "0am"'),
    ("Mo-Fr 25-26", 'not opening hours, read as "Mo-Fr 25:00-26:00", at character 7: no opening'),
    ("Mo-Fr 08:00", "not opening hours, at character"),
    ("Mo-Fr sunrise-17:00", "not opening hours, at character 7: where the sun stands is not known"),
    ("Mo-Fr 8-17; SH off", 'not opening hours, read as "Mo-Fr 08:00-17:00; SH off", at character'),
    (" ", 'empty; such as "Mon-Fri'),
    ("Mo" * LONGEST, "too long: at most 1000 characters"),
]


@pytest.mark.parametrize(("written", "said"), MISTAKES, ids=[m[0][:20] for m in MISTAKES])
def test_a_mistake_says_where_and_what_would_be_right(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read(written)
    assert str(caught.value).startswith(said)


PARTS = ["Mon", "Mo-Fr", "Sat", "PH", " ", ",", ";", "-", "8", "17", "8-17", "9:00-12:00",
         "am", "pm", "closed", "Dec", "24", "week", "to", "and", '"',
         "[1]", "\n", "\u2013", "noon"]  # fmt: skip


@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PARTS), max_size=9).map(" ".join)))
def test_whatever_is_written_is_read_or_told(written: str) -> None:
    try:
        form = read(written)
    except ValueError:
        return
    assert mistake(form) is None
