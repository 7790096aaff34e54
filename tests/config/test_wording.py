"""Words in the configuration: mistakes in them, and the rules that they make."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pbx_bridge.config import Config, ConfigError, parse
from pbx_bridge.core.call import Reason
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.reply import Meaning

OFFICE = '[office]\nname = "Miller"\ncountry = "US"\ntimezone = "America/New_York"\n'
PBX = '[[pbx]]\nname = "office"\nusername = "bridge"\nsecret = "x"\n'


def read(added: str, office: str = "") -> Config:
    return parse(OFFICE + office + PBX + added, "x.toml", Path("/etc/pbx-bridge"))


def report(added: str, office: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        read(added, office)
    return str(caught.value).split(": ", 1)[1]


MISTAKES = [
    (
        "[texting]\ntemplate = 'Hi {caller_name}, from {office}'",
        (
            'texting.template = "Hi {caller_name}, from {office}": {caller_name} may have no value;'
            " give it a fallback, {caller_name|there}, or leave it out by {caller_name|}"
        ),
    ),
    (
        "[texting]\ntemplate = 'Call {office_number}'",
        (
            'texting.template = "Call {office_number}": {office_number} may have no value; give it'
            " a fallback, {office_number|…}, or leave it out by {office_number|}"
        ),
    ),
    (
        "[texting]\ntemplate = '{xyz}'",
        (
            'texting.template = "{xyz}": unknown placeholder {xyz}; known are {office},'
            " {office_number}, {line}, {line_name}, {caller}, {caller_name}, {calls}, {time},"
            " {day}, {next_open}, {booking_link}"
        ),
    ),
    (
        "[texting]\ntemplate = '{ office }'",
        'texting.template = "{ office }": unknown placeholder { office }; did you mean {office}?',
    ),
    (
        "[texting]\ntemplate = 'Hi {office|{line}}'",
        (
            'texting.template = "Hi {office|{line}}": a brace stands alone; placeholders are'
            " written {office}"
        ),
    ),
    (
        "[texting]\n[texting.variables]\noffice = 'x'",
        'texting.variables.office = "x": filled in by itself; choose another name',
    ),
    (
        "[texting]\n[texting.variables]\nOpening-Hours = 'x'",
        (
            'texting.variables.Opening-Hours = "x": not a name for a variable; small letters,'
            " digits and _, such as booking_link"
        ),
    ),
    (
        "[texting]\n[texting.variables]\nhours = ' '",
        'texting.variables.hours = " ": empty',
    ),
    (
        "[texting]\n[texting.variables]\nhours = 8",
        "texting.variables.hours = 8: not a text in quotes",
    ),
    (
        "[texting]\ntemplate = '{huors}'\n[texting.variables]\nhours = '8 to 6'",
        'texting.template = "{huors}": unknown placeholder {huors}; did you mean {hours}?',
    ),
    (
        "[texting]\n[texting.languages]\nMX = 'pl'",
        (
            'texting.languages.MX = "pl": no texts in this language; known are de, en, es, fr, it,'
            " nl, pt; for another one write [[texting.translations]]"
        ),
    ),
    (
        "[[texting.translations]]\nlanguage = 'pl'",
        (
            "texting.translations[1]: template is missing: there is none of ours in this language;"
            " add it"
        ),
    ),
    (
        "[[texting.translations]]\nlanguage = 'Spanish'\ntemplate = 'Hola'",
        (
            'texting.translations[1].language = "Spanish": not of the right form; it has to match'
            " ^[a-z]{2}$; two letters as in ISO 639-1, such as"
        ),
    ),
    (
        "[[texting.translations]]\nlanguage = 'es'\ntemplate = 'Hola {ofice}'",
        'texting.translations[1].template = "Hola {ofice}": unknown placeholder {ofice};',
    ),
    (
        "[[texting.translations]]\nlanguage = 'es'\nreasons = { bsy = 'Hola' }",
        'texting.translations[1].reasons.bsy = "Hola": no such reason; did you mean "busy"?',
    ),
    ("[texting]\ntranslations = 3", "texting.translations = 3: not a list"),
    ("[texting]\nvariables = 3", "texting.variables = 3: not a table"),
    ("[texting]\nlanguages = ['es']", "texting.languages: not a table"),
    (
        "[[lines]]\nnumber = '1'\nlanguage = 'pl'",
        'lines[1].language = "pl": no texts in this language; known are',
    ),
    (
        "[replies]\nhelp = 'Ask {office} about {line}'",
        (
            'replies.help = "Ask {office} about {line}": unknown placeholder {line}; known are'
            " {office}, {office_number}, {booking_link}"
        ),
    ),
    (
        "[replies]\nhepl = 'x'",
        'replies.hepl: unknown key; did you mean "help"?',
    ),
    (
        "[replies]\nlanguages = ['en', 'pl']",
        'replies.languages[2] = "pl": no words known in this language; known are de, en,',
    ),
    (
        "[replies]\nextra_opt_out = ['!!']",
        'replies.extra_opt_out[1] = "!!": nothing but punctuation; a word or a short phrase',
    ),
    (
        "[replies]\nconfirm = 'no'",
        'replies.confirm = "no": neither true nor false (without quotes);',
    ),
]


@pytest.mark.parametrize(("added", "expected"), MISTAKES, ids=[m[1][:40] for m in MISTAKES])
def test_a_mistake_is_reported(added: str, expected: str) -> None:
    said = report(added)
    assert said.startswith(expected)
    assert "\n" not in said


def test_what_has_a_value_in_the_file_needs_no_fallback() -> None:
    config = read(
        "[texting]\ntemplate = '{office}: {office_number}, {booking_link}, {hours}'\n"
        "[texting.variables]\nbooking_link = 'https://b.example'\nhours = '{office} 8-6'\n",
        office="number = '(212) 555-0100'\n",
    )
    values = config.wording().values()
    assert values["office_number"] == "+12125550100"
    assert values["booking_link"] == "https://b.example"
    assert values["hours"] == "{office} 8-6"  # a value is never filled in again


def test_without_settings_the_office_speaks_english_and_understands_its_country() -> None:
    config = read("")
    wording = config.wording()
    assert wording.language_for("", "MX") == "en"
    assert wording.understood == ("en", "es")
    assert str(wording.zone) == "America/New_York"
    assert wording.confirmation(Meaning.HELP) == (
        "Miller: we text you when we miss your call. Questions? Call our office."
        " Reply STOP to get no more texts."
    )
    rule = config.rules().reasons[Reason.BUSY]
    assert rule.template_in("en") == LANGUAGES["en"].first_text
    assert rule.template_in("es") == LANGUAGES["es"].first_text
    assert rule.template_in("pl") == LANGUAGES["en"].first_text  # better than nothing


def test_an_office_without_a_template_writes_in_its_own_language() -> None:
    config = read("", office="language = 'de'\n")
    rule = config.rules().reasons[Reason.BUSY]
    assert rule.template == rule.template_in("de") == LANGUAGES["de"].first_text
    assert rule.template_in("en") == LANGUAGES["en"].first_text
    assert config.wording().understood == ("en", "de", "es")


SPANISH = """\
[texting]
template = "A"
[texting.reasons]
busy = { template = "B" }
parked = { template = "P" }
[texting.languages]
MX = "es"
FR = "fr"
[[texting.translations]]
language = "es"
template = "HOLA"
reasons = { busy = "OCUPADO" }
[[lines]]
number = "+12125550177"
language = "it"
"""


def test_the_right_language_goes_before_the_right_reason() -> None:
    rules = read(SPANISH).rules()
    busy, parked = rules.reasons[Reason.BUSY], rules.reasons[Reason.PARKED]
    assert (busy.template_in("en"), busy.template_in("es")) == ("B", "OCUPADO")
    assert (parked.template_in("en"), parked.template_in("es")) == ("P", "HOLA")
    assert parked.template_in("fr") == LANGUAGES["fr"].first_text
    line = rules.line("2125550177")
    assert line is not None
    assert rules.wording.language_for(line.language, "MX") == "it"
    assert rules.wording.language_for("", "MX") == "es"
    assert rules.wording.understood == ("en", "es", "it", "fr")


def test_answers_can_be_the_offices_own_in_every_language() -> None:
    wording = read(
        "[replies]\nopt_out = 'Bye from {office}'\nlanguages = ['fr']\nurgent_words = ['flood']\n"
        "[[replies.translations]]\nlanguage = 'es'\nopt_out = 'Adiós de {office}'\n"
    ).wording()
    assert wording.confirmation(Meaning.OPT_OUT) == "Bye from Miller"
    assert wording.confirmation(Meaning.OPT_OUT, "es") == "Adiós de Miller"
    assert (wording.confirmation(Meaning.OPT_OUT, "fr") or "").startswith("Miller : vous")
    assert wording.understood == ("en", "fr")  # STOP always counts
    assert wording.urgent_words == ("flood",)


def test_answers_can_be_switched_off() -> None:
    wording = read("[replies]\nconfirm = false").wording()
    assert wording.confirmation(Meaning.OPT_OUT) is None


def test_times_are_told_in_the_offices_zone() -> None:
    zone = read("").rules().wording.zone
    assert datetime(2026, 7, 1, 12, tzinfo=UTC).astimezone(zone).hour == 8


DOCS = Path(__file__).parent.parent.parent / "docs" / "templates.md"


@pytest.mark.parametrize(
    "block", re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
)
def test_what_the_documentation_shows_is_valid(block: str) -> None:
    assert read(block).wording().office == "Miller"
