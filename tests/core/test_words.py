"""What a step says, in whose language, and of whom."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.core import words
from pbx_bridge.core.call import Caller
from pbx_bridge.core.contact import Contact
from pbx_bridge.core.hours import Hours, Schedule
from pbx_bridge.core.sequence import Action, After, SequenceStep
from pbx_bridge.core.text import LONGEST
from tests.core.test_policy import RULES, facts

HOURS = Hours(office=Schedule(zone=ZoneInfo("America/New_York"), hours="Mo-Fr 09:00-17:00"))


def step(says: str = "", action: Action = Action.TEXT, **more: Any) -> SequenceStep:
    return SequenceStep(name="it", action=action, when=After(timedelta()), words=says, **more)


def test_without_words_of_its_own_a_step_says_what_is_usual() -> None:
    assert words.text(facts(), step()).startswith("Miller & Sons missed +12125550142")


def test_a_step_speaks_the_callers_language() -> None:
    says = step("Hello {caller_name|there}", translations={"es": "Hola {caller_name|}"})
    assert words.text(facts(), says) == "Hello Ann"
    assert words.text(facts(contact=Contact(language="es")), says) == "Hola Ann"
    assert words.text(facts(contact=Contact(language="nl")), says) == "Hello Ann"


def test_the_office_knows_better_than_the_caller_id() -> None:
    called = {"caller": Caller("+12125550142", "BROOKLYN NY", withheld=False)}
    says = step("Hello {caller_name|there}")
    assert words.text(facts(called), says) == "Hello there"
    assert words.text(facts(called, contact=Contact(name="Ann Baker")), says) == "Hello Ann"


def test_when_somebody_is_there_again() -> None:
    says = step("We are back {next_open|soon}, {calls} calls")
    early = facts(rules=replace(RULES, hours=HOURS), calls=3)
    assert words.text(early, says) == "We are back today at 9:00 am, 3 calls"
    assert words.text(facts(), says) == "We are back soon, 1 calls"


def test_a_text_is_never_longer_than_a_gateway_takes() -> None:
    assert len(words.text(facts(), step("x" * 5000))) == LONGEST


def test_a_mail_has_a_subject_of_one_line() -> None:
    says = step(
        "Dear {caller_name|customer},\n\nwe missed you.",
        Action.MAIL,
        subject="Your call,\n{caller_name|}",
        subjects={"es": "Su llamada"},
    )
    assert words.mail(facts(), says) == ("Your call, Ann", "Dear Ann,\n\nwe missed you.")
    assert words.mail(facts(contact=Contact(language="es")), says)[0] == "Su llamada"


def test_what_is_for_staff_is_one_line_in_their_own_words() -> None:
    says = step("Call\n{caller} back", Action.TASK, translations={"es": "Llamar"})
    assert words.for_staff(facts(contact=Contact(language="es")), says) == "Call +12125550142 back"


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (Action.TASK, "Call Ann back"),
        (Action.ALERT, "Ann (+12125550142) still waits for a call back"),
        (Action.WEBHOOK, ""),
    ],
)
def test_what_is_usual_for_staff(action: Action, said: str) -> None:
    assert words.for_staff(facts(), step(action=action)) == said


def test_a_caller_without_a_number_is_called_what_came() -> None:
    unknown = facts(number="101")
    assert words.for_staff(unknown, step("{caller} rang", Action.ALERT)) == "101 rang"
