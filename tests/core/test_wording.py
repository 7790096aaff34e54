"""How the office speaks: which language, and what answers STOP, START and HELP."""

import pytest

from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.text import LONGEST
from pbx_bridge.core.wording import Wording

MILLER = Wording(office="Miller & Sons", office_number="+12125550100")


def test_the_answer_to_help_names_the_office_and_a_contact() -> None:
    assert MILLER.confirmation(Meaning.HELP) == (
        "Miller & Sons: we text you when we miss your call. Questions? Call +12125550100."
        " Reply STOP to get no more texts."
    )


@pytest.mark.parametrize("code", ["en", "es", "fr", "de", "it", "nl", "pt", "xx"])
@pytest.mark.parametrize("meaning", [Meaning.OPT_OUT, Meaning.OPT_IN, Meaning.HELP])
def test_every_confirmation_names_the_office(code: str, meaning: Meaning) -> None:
    said = MILLER.confirmation(meaning, code)
    assert said is not None
    assert said.startswith("Miller & Sons")
    assert "{" not in said


@pytest.mark.parametrize("meaning", [Meaning.REPLY, Meaning.URGENT])
def test_what_people_have_to_read_is_not_answered(meaning: Meaning) -> None:
    assert MILLER.confirmation(meaning) is None


def test_nothing_is_answered_if_the_office_does_not_want_it() -> None:
    silent = Wording(office="Miller", confirm=False)
    assert [silent.confirmation(meaning) for meaning in Meaning] == [None] * len(Meaning)


def test_the_office_answers_in_its_own_language_and_its_own_words() -> None:
    wording = Wording(
        office="Müller",
        language="de",
        variables={"hours": "8\u201318"},
        answers={"de": {Meaning.HELP: "{office}: {hours}, Tel. {office_number|im Netz}"}},
    )
    assert wording.confirmation(Meaning.HELP) == "Müller: 8-18, Tel. im Netz"
    assert (wording.confirmation(Meaning.OPT_OUT) or "").startswith("Müller: Sie erhalten keine")
    assert (wording.confirmation(Meaning.HELP, "en") or "").startswith("Müller: we text you")


def test_a_line_goes_before_a_region_and_a_region_before_the_office() -> None:
    wording = Wording(language="de", by_region={"FR": "fr"})
    assert wording.language_for("it", "FR") == "it"
    assert wording.language_for("", "FR") == "fr"
    assert wording.language_for("", "US") == "de"


def test_a_variable_cannot_pretend_to_be_the_office() -> None:
    wording = Wording(office="Miller", variables={"office": "Other", "booking_link": "b"})
    assert wording.values() == {"office": "Miller", "office_number": "", "booking_link": "b"}


def test_a_confirmation_is_never_longer_than_a_gateway_takes() -> None:
    long = Wording(office="x" * 5000)
    assert len(long.confirmation(Meaning.OPT_OUT) or "") == LONGEST
