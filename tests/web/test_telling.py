"""What the service said, in German: as it is said, and as it stands in the database."""

import pytest

from pbx_bridge.core.call import Reason
from pbx_bridge.core.saying import say, say_n, whole
from pbx_bridge.web.pages import Pages

PAGES = Pages(lambda name: name)


def told(said: str) -> str:
    return PAGES.told("de", said)


def test_english_stays_as_it_was_said() -> None:
    assert PAGES.told("en", say("no rule matches")) == "no rule matches"
    assert PAGES.told("en", None) == ""


def test_a_saying_is_told_with_all_that_it_was_made_of() -> None:
    said = say("{callers} get the sequence {sequence}", callers=say("all callers"), sequence="vip")
    assert told(whole(said)) == "Alle Anrufer bekommen die Abfolge vip."


def test_counts_take_the_form_that_their_language_has() -> None:
    forms = [told(say_n("{n} day", "{n} days", n)) for n in (1, 2)]
    assert forms == ["1 Tag", "2 Tage"]


def test_the_service_s_own_names_are_words() -> None:
    said = say("the outcome is unknown: {reason}", reason=Reason.FEED_GAP)
    assert told(said) == "der Ausgang ist unbekannt: niemand sah, was daraus wurde"
    spoken = say(
        "they are written to in {languages}", languages=say("{language}", language="Spanish")
    )
    assert told(spoken) == "man ihnen auf Spanisch schreibt"


@pytest.mark.parametrize(
    ("stored", "german"),
    [
        ("texting was switched off meanwhile", "SMS wurden inzwischen ausgeschaltet"),
        ("no rule matches", "keine Regel passt"),
        ("answered by 102", "angenommen (durch 102)"),
        ("answered", "angenommen"),
        ("due 16:44:41 UTC", "fällig um 16:44:41 UTC"),
        (
            "asked for no more texts at 2026-11-28 22:07 UTC",
            "hat am 28.11.2026 um 22:07 UTC weitere SMS abbestellt",
        ),
        ("hung up after 1.3 s, under min_ring", "hat nach 1,3 s aufgelegt, unter min_ring"),
        (
            "held back until 12:33 UTC: 12 texts wanted within ten minutes, more than 10",
            "zurückgehalten bis 12:33 UTC: 12 SMS binnen zehn Minuten gewünscht, mehr als 10",
        ),
        ("the task was closed by ben", "die Aufgabe wurde von ben geschlossen"),
    ],
)
def test_what_stands_in_the_database_is_recognised(stored: str, german: str) -> None:
    assert told(stored) == german


@pytest.mark.parametrize(
    "foreign",
    [
        "Blocked by carrier",  # a provider's words, though they have a template's form
        "Error 30007: filtered",
        "{n} texts {",
        "callers and customers",
        "x" * 5000,
    ],
)
def test_what_others_say_stays_as_it_is(foreign: str) -> None:
    assert told(foreign) == foreign


def test_a_time_that_there_is_not_is_no_time() -> None:
    assert told("due 99:99:99 UTC") == "due 99:99:99 UTC"
