"""What templates may name, and where the values come from: strangers, mostly."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_bridge.core.call import Call, Caller, Disposition, HungUpBy, Reason
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.number import parse
from pbx_bridge.core.text import fill, segments
from pbx_bridge.core.variables import (
    NAME,
    VARIABLES,
    caller_name,
    clock,
    in_words,
    of_call,
    problem,
)

DOCS = Path(__file__).parent.parent.parent / "docs" / "templates.md"


def call(name: str = "", line: str = "+12125550100", at: datetime | None = None) -> Call:
    return Call(
        call_id="1.1",
        began=at or datetime(2026, 11, 24, 20, 5, tzinfo=UTC),
        ended=None,
        disposition=Disposition.MISSED,
        reason=Reason.BUSY,
        caller=Caller("+12125550142", name, withheld=False),
        line=line,
        trunk="",
        answered_at=None,
        answered_by="",
        hung_up_by=HungUpBy.PBX,
        ring_seconds=0,
        rung=(),
        queue=None,
        voicemail_seconds=0,
        mailbox="",
        steps=(),
    )


def values(judged: Call, code: str = "en", line_name: str = "Sales") -> dict[str, str]:
    caller = parse(judged.caller.number, "US")
    assert caller is not None
    return of_call(
        judged,
        caller,
        line_name=line_name,
        office="Miller",
        zone=ZoneInfo("America/New_York"),
        code=code,
    )


def test_a_call_gives_its_values() -> None:
    assert values(call("BAKER ANN")) == {
        "line": "+12125550100",
        "line_name": "Sales",
        "caller": "+12125550142",
        "caller_name": "Baker Ann",
        "calls": "1",
        "time": "3:05 pm",
        "day": "Tuesday",
        "next_open": "",
    }


def test_several_calls_are_counted() -> None:
    caller = parse("+12125550142", "US")
    assert caller is not None
    told = of_call(
        call(), caller, line_name="", office="Miller", zone=ZoneInfo("UTC"), code="en", calls=3
    )
    assert told["calls"] == "3"


def test_times_are_told_as_the_language_and_the_zone_have_it() -> None:
    late = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)  # Monday evening in New York
    assert (values(call(at=late))["time"], values(call(at=late))["day"]) == ("10:30 pm", "Monday")
    spanish = values(call(at=late), code="es")
    assert (spanish["time"], spanish["day"]) == ("22:30", "lunes")


@pytest.mark.parametrize(
    ("hour", "said"), [(0, "12:05 am"), (1, "1:05 am"), (12, "12:05 pm"), (23, "11:05 pm")]
)
def test_noon_and_midnight_have_their_english_names(hour: int, said: str) -> None:
    assert clock(datetime(2026, 1, 1, hour, 5, tzinfo=UTC), "en") == said


NEW_YORK = ZoneInfo("America/New_York")
THURSDAY = datetime(2026, 11, 26, 20, 30, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("opens", "code", "said"),
    [
        ("2026-11-26T21:00", "en", "today at 9:00 pm"),
        ("2026-11-27T09:00", "en", "tomorrow at 9:00 am"),
        ("2026-11-30T09:00", "en", "Monday at 9:00 am"),
        ("2026-12-02T12:00", "en", "Wednesday at 12:00 pm"),  # six days on
        ("2026-12-03T00:30", "en", "Thursday 3 December at 12:30 am"),  # another Thursday
        ("2026-11-30T09:00", "es", "el lunes a las 09:00"),
        ("2026-11-27T13:00", "es", "mañana a las 13:00"),
        ("2026-12-07T09:00", "es", "el lunes 7 de diciembre a las 09:00"),
        ("2026-11-26T21:00", "fr", "aujourd'hui à 21:00"),
        ("2027-02-01T09:00", "fr", "lundi 1er février à 09:00"),
        ("2027-08-02T09:00", "fr", "lundi 2 aout à 09:00"),
        ("2026-11-30T09:00", "de", "am Montag um 09:00 Uhr"),
        ("2026-12-07T09:00", "de", "am Montag, dem 7. Dezember, um 09:00 Uhr"),
        ("2026-11-27T09:00", "it", "domani alle 09:00"),
        ("2026-12-07T09:00", "it", "lunedì 7 dicembre alle 09:00"),
        ("2026-11-26T21:00", "nl", "vandaag om 21:00 uur"),
        ("2026-12-07T09:00", "nl", "maandag 7 december om 09:00 uur"),
        ("2026-11-27T09:00", "pt", "sexta-feira às 09:00"),
        ("2026-12-07T09:00", "pt", "segunda-feira, 7 de dezembro, às 09:00"),
        ("2026-11-30T09:00", "xx", "Monday at 9:00 am"),
        ("2026-11-26T20:30", "en", ""),  # somebody is there now
    ],
)
def test_an_opening_is_told_in_words(opens: str, code: str, said: str) -> None:
    at = datetime.fromisoformat(opens).replace(tzinfo=NEW_YORK)
    assert in_words(at.astimezone(UTC), THURSDAY.astimezone(UTC), NEW_YORK, code) == said


def test_what_never_opens_is_told_as_nothing() -> None:
    assert in_words(None, THURSDAY, NEW_YORK, "en") == ""


def test_today_is_by_the_clock_of_the_office() -> None:
    """In UTC it is Friday already."""
    assert in_words(THURSDAY + timedelta(hours=1), THURSDAY, NEW_YORK, "en") == "today at 9:30 pm"
    assert in_words(THURSDAY + timedelta(hours=1), THURSDAY, ZoneInfo("UTC"), "en") == (
        "today at 2:30 am"
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_an_opening_costs_one_segment_but_for_names_that_are_spelt_right(code: str) -> None:
    costly = {"sábado", "terça-feira", "março"}
    for days in range(400):
        said = in_words(THURSDAY + timedelta(days=days, hours=13), THURSDAY, NEW_YORK, code)
        assert said
        if not costly.intersection(re.split(r"[ ,]+", said)):
            assert segments(said).encoding == "GSM-7", said


def test_an_unknown_line_is_the_office() -> None:
    assert values(call(line=""))["line"] == "Miller"


NAMES = [
    ("Ann Baker", "Ann Baker"),
    ("ANN BAKER", "Ann Baker"),
    ("BAKER,ANN", "Baker,Ann"),
    ("Baker, Ann", "Baker, Ann"),
    ("O'BRIEN PAT", "O'Brien Pat"),
    ("O’Brien", "O'Brien"),
    ("Anne-Marie", "Anne-Marie"),
    ("MILLER & SONS", "Miller & Sons"),
    ("St. Mary School", "St. Mary School"),
    ("José Muñoz", "José Muñoz"),
    ("  Ann \t\n Baker ", "Ann Baker"),
    ("Ann\x00\u202eB", "AnnB"),
    ("A" * 60, "A" + "a" * 39),
    ("Wilhelmina Wolfeschlegelsteinhausenberger Smith", "Wilhelmina"),
    ("Ann Wilhelmina Elisabeth Smith-Baker-Jones", "Ann Wilhelmina Elisabeth"),
    ("AL", "AL"),
    *(
        (absent, "")
        for absent in (
            "",
            " ",
            "A",
            "2125550142",
            "+1 (212) 555-0142",
            "Ann 2",
            "V4211290412",
            "WIRELESS CALLER",
            "Wireless Caller",
            "CELL PHONE",
            "UNKNOWN",
            "Unknown Name",
            "UNAVAILABLE",
            "ANONYMOUS",
            "PRIVATE",
            "RESTRICTED",
            "Not Available",
            "TOLL FREE CALL",
            "TOLL FREE",
            "SPAM RISK",
            "SCAM LIKELY",
            "asterisk",
            "Google Voice",
            "GOOGLE VOICE",
            "NEW YORK NY",
            "NEW YORK    NY",
            "DALLAS, TX",
            "TORONTO ON",
            "New York",
            "LONDON",
            "TEXAS",
            "United States",
            "http://evil.example",
            "evil.com",
            "www evil com/x",
            "{office}",
            "<b>Ann</b>",
            "Ann@example",
            "Win $1000",
            "Ann 😀",
            "-Ann",
            "Sales: Ann",
            "%s",
            "'; DROP TABLE",
        )
    ),
]


@pytest.mark.parametrize(("given_name", "expected"), NAMES, ids=[ascii(n[0])[:40] for n in NAMES])
def test_only_a_name_is_used_as_one(given_name: str, expected: str) -> None:
    assert caller_name(given_name) == expected


@settings(max_examples=3_000, deadline=None)
@given(st.one_of(st.text(max_size=80), st.text("ANn bé.,'&-{}<>/:\u202e\n1", max_size=60)))
def test_no_name_does_harm(given_name: str) -> None:
    name = caller_name(given_name)
    assert len(name) <= 40
    assert not re.search(r"[\d{}<>/:@\n\x00-\x1f\u202a-\u202e]|\.\S", name)
    assert name == name.strip()
    assert fill("Hi {caller_name|there}!", {"caller_name": name}) == f"Hi {name or 'there'}!"


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("Hi, this is {office}.", None),
        ("Hi {caller_name|there}, {line_name|} {line} {caller} {time} {day}", None),
        ("{booking_link|}{office_number|us}", None),
        ("no placeholder", None),
        ("{ofice}", "did you mean {office}?"),
        ("{Office}", "did you mean {office}?"),
        ("{}", "unknown placeholder {}; known are {office}, "),
        ("{caller_name}", "{caller_name|there}"),
        ("{booking_link}", "{booking_link|…}"),
        ("{office", "a brace stands alone"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(template: str, wrong: str | None) -> None:
    found = problem(template, ())
    assert found is None if wrong is None else wrong in (found or "")


def test_what_the_office_has_given_needs_no_fallback() -> None:
    assert problem("{booking_link} {hours}", {"booking_link", "hours"}) is None
    assert problem("{hours}", ()) is not None


def test_an_answer_knows_no_call() -> None:
    assert problem("{office} {office_number|} {booking_link|}", (), about_call=False) is None
    for variable in VARIABLES.values():
        said = problem(f"{{{variable.name}|}}", (), about_call=False)
        assert (said is not None) == variable.of_call


@settings(max_examples=2_000, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *(f"{{{name}}}" for name in VARIABLES),
                *(f"{{{name}|x}}" for name in VARIABLES),
                *("{", "}", "text ", "{hours}", "|", "{office|{", "{caller_name|}"),
            ]
        ),
        max_size=6,
    ).map("".join),
    st.dictionaries(st.sampled_from(list(VARIABLES)), st.text(max_size=20)),
)
def test_a_template_without_mistakes_can_always_be_filled(
    template: str, filled: dict[str, str]
) -> None:
    """Nothing that passes at load can fail when a text is due, whatever the values are."""
    known = dict.fromkeys(VARIABLES, "") | {"hours": "8-6"} | filled
    if problem(template, {"hours"}) is None:
        fill(template, known)


def test_the_examples_are_good_values_of_their_variables() -> None:
    for variable in VARIABLES.values():
        assert NAME.fullmatch(variable.name)
        assert variable.meaning
        assert variable.example
    assert caller_name(VARIABLES["caller_name"].example) == VARIABLES["caller_name"].example


def test_the_documentation_has_the_same_table() -> None:
    rows = re.findall(
        r"^\| `\{(\w+)(\\\|…)?\}` \| (.+?) \| `(.+?)` \|$",
        DOCS.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert rows == [
        (v.name, r"\|…" if v.may_be_absent else "", v.meaning, v.example)
        for v in VARIABLES.values()
    ]
