"""[[rules]] and [sequences.*]: mistakes in them, and what they come to."""

from datetime import time, timedelta
from pathlib import Path

import pytest

from pbx_bridge.config import Config, ConfigError, doubtful, parse
from pbx_bridge.config.rules import MOST_RULES, MOST_STEPS, all_sequences, rulebook
from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.hours import Track
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.rulebook import built_in_rules, built_in_sequences
from pbx_bridge.core.rules import (
    USUAL_CALLERS,
    USUAL_REASONS,
    Conditions,
    Rule,
    Span,
    VoicemailOutcome,
)
from pbx_bridge.core.sequence import Action, After, OnBusinessDay, SequenceStep

OFFICE = '[office]\nname = "Miller"\ncountry = "US"\ntimezone = "America/New_York"\n'
PBX = '[[pbx]]\nname = "office"\nusername = "bridge"\nsecret = "x"\n'
LINES = """\
[[lines]]
number = "+12125550100"
name = "Sales"
[[lines]]
number = "0177"
name = "Service"
[[lines]]
number = "+12125550155"
[[lines]]
number = "+12125550166"
name = "Fax"
[[lines]]
number = "+12125550167"
name = "Fax"
"""
FIRST_LINE = len((OFFICE + PBX + LINES).splitlines()) + 1


def read(added: str) -> Config:
    return parse(OFFICE + PBX + LINES + added, "x.toml", Path("/etc/pbx-bridge"))


def report(added: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(added)
    return str(caught.value)


def rule(added: str) -> Rule:
    return read(f'[[rules]]\nname = "x"\nthen = "nothing"\n{added}').rulebook()[0]


def conditions(added: str) -> Conditions:
    return rule(added).conditions


def usual(**asked: object) -> Conditions:
    known: dict[str, object] = {"reasons": USUAL_REASONS, "callers": USUAL_CALLERS}
    return Conditions(**(known | asked))  # type: ignore[arg-type]


#: What is written under [[rules]], and the conditions that it comes to.
WRITTEN = [
    ("", usual()),
    ('reasons = ["busy", "rejected"]', usual(reasons=frozenset({Reason.BUSY, Reason.REJECTED}))),
    ('lines = ["Sales"]', usual(lines=frozenset({"Sales"}))),
    ('lines = ["+12125550100"]', usual(lines=frozenset({"Sales"}))),
    ('lines = ["(212) 555-0100"]', usual(lines=frozenset({"Sales"}))),
    ('lines = ["0177"]', usual(lines=frozenset({"Service"}))),
    ('lines = ["212 555 0155"]', usual(lines=frozenset({"+12125550155"}))),
    ('lines = ["212 555 0199"]', usual(lines=frozenset({"+12125550199"}))),
    ('lines = ["0199"]', usual(lines=frozenset({"0199"}))),
    ('lines = ["Fax"]', usual(lines=frozenset({"Fax"}))),
    ('lines = ["+12125550167"]', usual(lines=frozenset({"+12125550167"}))),
    ('queues = ["support"]', usual(queues=frozenset({"support"}))),
    ('extensions = ["101", "102"]', usual(extensions=frozenset({"101", "102"}))),
    (
        'hours = ["after_hours", "phones_down"]',
        usual(hours=frozenset({Track.AFTER_HOURS, Track.PHONES_DOWN})),
    ),
    ('callers = ["new"]', usual(callers=frozenset({CallerKind.NEW}))),
    ('callers = ["staff"]', usual(callers=frozenset({CallerKind.STAFF}))),
    ('tags = ["vip"]', usual(tags=frozenset({"vip"}))),
    ('tags = ["VIP", " Roof  Repair"]', usual(tags=frozenset({"vip", "roof repair"}))),
    ('without_tags = ["vip"]', usual(without_tags=frozenset({"vip"}))),
    ('languages = ["es"]', usual(languages=frozenset({"es"}))),
    ('countries = ["MX", "US"]', usual(countries=frozenset({"MX", "US"}))),
    ('voicemail = ["left"]', usual(voicemail=frozenset({VoicemailOutcome.LEFT}))),
    ('crm_status = ["lead"]', usual(crm_status=frozenset({"lead"}))),
    ("calls = 2", usual(calls=2)),
    ('calls = 3\nwithin = "1h"', usual(calls=3, within=timedelta(hours=1))),
    ('wait = "30s.."', usual(wait=Span(timedelta(seconds=30), None))),
    ('wait = "..20s"', usual(wait=Span(None, timedelta(seconds=20)))),
    ('ring = "10s..1m30s"', usual(ring=Span(timedelta(seconds=10), timedelta(seconds=90)))),
    ("email = true", usual(has_email=True)),
    ("consent = false", usual(consented=False)),
]


@pytest.mark.parametrize(("written", "expected"), WRITTEN, ids=[w[0] for w in WRITTEN])
def test_conditions_are_read(written: str, expected: Conditions) -> None:
    assert conditions(written) == expected


def test_a_rule_names_a_sequence_or_nothing_and_says_why() -> None:
    first, second, third, *others = read(
        """
        [[rules]]
        name = "vips"
        tags = ["vip"]
        then = "nothing"
        because = "Ann calls them herself"
        [[rules]]
        name = "nights"
        hours = ["after_hours"]
        then = "booking"
        [[rules]]
        name = "days"
        then = "default"
        [sequences.booking]
        steps = [{ text = true }]
        """
    ).rulebook()
    assert (first.name, first.sequence, first.because) == ("vips", "", "Ann calls them herself")
    assert (second.sequence, third.sequence) == ("booking", "default")
    assert not first.built_in
    assert tuple(others) == built_in_rules()


def test_an_office_without_rules_has_the_built_in_ones() -> None:
    config = read("")
    assert config.rulebook() == rulebook() == built_in_rules()
    assert config.sequences() == all_sequences({}) == dict(built_in_sequences())


def test_a_reason_that_is_switched_on_is_usual() -> None:
    config = read("[texting.reasons]\nrejected = { text = true }\nbusy = { text = false }\n")
    assert config.usual_reasons() == USUAL_REASONS | {Reason.REJECTED}
    assert config.rulebook() == built_in_rules(USUAL_REASONS | {Reason.REJECTED})


SEQUENCE = """
[sequences.booking]
steps = [
  { text = "Hello, this is {office}.", translations = { es = "Hola, {office}." } },
  { task = "Call {caller_name|the caller} back, {calls} calls", due_in = "2h", owner = "ann" },
  { mail = "Hello", subject = "Your call", at = "+60 min", only = { email = true } },
  { text = true, at = "next business day 09:30", consent = true },
  { alert = "{caller}", at = "2nd business day 08:00 caller's time" },
  { webhook = "gave_up", at = "next business day 09:30" },
  { text = true, at = "same business day 17:00 office time" },
]
[[rules]]
name = "x"
then = "booking"
"""


def test_steps_are_read() -> None:
    steps = read(SEQUENCE).sequences()["booking"].steps
    assert [step.name for step in steps] == [
        *("text", "task", "mail", "text-2", "alert", "webhook", "text-3"),
    ]
    text, task, mail, second, alert, webhook, third = steps
    assert text == SequenceStep(
        name="text",
        action=Action.TEXT,
        when=After(timedelta()),
        words="Hello, this is {office}.",
        translations={"es": "Hola, {office}."},
    )
    assert (task.due_in, task.owner) == (timedelta(hours=2), "ann")
    assert (mail.words, mail.subject, mail.subjects) == ("Hello", "Your call", {})
    assert (mail.when, mail.only) == (After(timedelta(hours=1)), Conditions(has_email=True))
    assert (second.words, second.needs_consent) == ("", True)
    assert second.when == OnBusinessDay(time(9, 30), 1, of_caller=True)
    assert alert.when == OnBusinessDay(time(8), 2, of_caller=True)
    assert (webhook.event, webhook.words) == ("gave_up", "")
    assert webhook.when == OnBusinessDay(time(9, 30), 1, of_caller=False)
    assert third.when == OnBusinessDay(time(17), 0, of_caller=False)


def test_a_condition_of_a_step_is_about_any_caller_and_reason() -> None:
    (step,) = (
        read('[sequences.default]\nsteps = [{ text = true, only = { lines = ["0177"] } }]')
        .sequences()["default"]
        .steps
    )
    assert step.only == Conditions(lines=frozenset({"Service"}))


def test_the_usual_words_of_a_mail_are_ours_in_every_language() -> None:
    mail, own = (
        read(
            "[sequences.default]\nsteps = [{ mail = true },"
            ' { mail = "Hi", subjects = { es = "Su llamada" } }]'
        )
        .sequences()["default"]
        .steps
    )
    assert (mail.words_in("de"), mail.subject_in("de")) == (
        LANGUAGES["de"].mail,
        LANGUAGES["de"].mail_subject,
    )
    assert (own.words_in("de"), own.subject_in("de")) == ("Hi", LANGUAGES["de"].mail_subject)
    assert own.subject_in("es") == "Su llamada"


def test_a_built_in_sequence_can_be_written_anew() -> None:
    sequences = read("[sequences.default]\nsteps = [{ task = true }]").sequences()
    assert [step.action for step in sequences["default"].steps] == [Action.TASK]
    assert sequences["voicemail"] == built_in_sequences()["voicemail"]


X = '[[rules]]\nname = "x"\nthen = "nothing"\n'
SEQ = "[sequences.booking]\nsteps = [\n{ text = true },\n"

#: What is added, and what is said of it: LINE is where it was added.
MISTAKES = [
    (
        '[[rules]]\nthen = "nothing"',
        'LINE: rules[1].name: missing; what to call it, such as "new callers after hours"',
    ),
    (
        '[[rules]]\nname = "x"',
        (
            "LINE: rules[1].then: missing; the [sequences.*] that such callers get, or nothing,"
            ' such as "default"'
        ),
    ),
    (
        '[[rules]]\nname = "x"\nthen = "boking"\n[sequences.booking]\nsteps = [{ text = true }]',
        'LINE+2: rules[1].then = "boking": no such sequence; did you mean "booking"?',
    ),
    (
        '[[rules]]\nname = "x"\nthen = "stop"',
        ('LINE+2: rules[1].then = "stop": no such sequence; known are default, nothing, voicemail'),
    ),
    (
        X + 'lines = ["Sales", "Sals"]',
        (
            'LINE+3: rules[1].lines[2] = "Sals": no such line; did you mean "Sales"?, or add it as'
            " [[lines]]"
        ),
    ),
    (
        X + 'hours = ["night"]',
        (
            'LINE+3: rules[1].hours[1] = "night": not known; known are after_hours, holiday,'
            " in_hours, phones_down, weekend"
        ),
    ),
    (
        X + 'callers = ["newt"]',
        'LINE+3: rules[1].callers[1] = "newt": not known; did you mean "new"?',
    ),
    (
        X + 'callers = "new"',
        (
            'LINE+3: rules[1].callers = "new": not a list; who calls, such as ["new", "known",'
            ' "customer"]'
        ),
    ),
    (X + "callers = []", "LINE+3: rules[1].callers: empty; at least one is needed"),
    (
        X + 'reasons = [\n"busy",\n"bussy"]',
        'LINE+5: rules[1].reasons[2] = "bussy": not known; did you mean "busy"?',
    ),
    (
        X + 'reasons = ["answered"]',
        (
            'LINE+3: rules[1].reasons[1] = "answered": calls of this reason are never followed up;'
            " remove it"
        ),
    ),
    (
        X + 'tags = ["vip, gold"]',
        (
            'LINE+3: rules[1].tags[1] = "vip, gold": not one tag; small letters, without comma or'
            " semicolon"
        ),
    ),
    (
        X + 'languages = ["pl"]',
        'LINE+3: rules[1].languages[1] = "pl": no texts in this language; known are de, en, es,',
    ),
    (
        X + 'countries = ["UK"]',
        'LINE+3: rules[1].countries[1] = "UK": not a country code; the United Kingdom is "GB"',
    ),
    (
        X + 'voicemail = ["yes"]',
        ('LINE+3: rules[1].voicemail[1] = "yes": not known; known are left, not_left, not_reached'),
    ),
    (
        X + "extensions = [101]",
        (
            "LINE+3: rules[1].extensions[1] = 101: not a text in quotes; an extension that rang,"
            ' such as ["101"]'
        ),
    ),
    (
        X + "calls = 1",
        "LINE+3: rules[1].calls = 1: too small: at least 2; the caller's missed calls, this one",
    ),
    (
        X + 'within = "1h"',
        'LINE+3: rules[1].within = "1h": only with calls; add calls = 2, or remove it',
    ),
    (
        X + 'calls = 2\nwithin = "0s"',
        'LINE+4: rules[1].within = "0s": no time at all; such as "1h"',
    ),
    (
        X + 'wait = "30s"',
        (
            'LINE+3: rules[1].wait = "30s": not a span of time; from and to with .. between, such'
            ' as "30s..", "..20s" or "10s..1m"'
        ),
    ),
    (
        X + 'wait = ".."',
        'LINE+3: rules[1].wait = "..": not a span of time; from and to with .. between, such as',
    ),
    (
        X + 'ring = "30s..20s"',
        (
            'LINE+3: rules[1].ring = "30s..20s": never so: it ends before it begins; from and to'
            ' with .. between, such as "30s..", "..20s" or "10s..1m"'
        ),
    ),
    (
        X + 'ring = "..0s"',
        'LINE+3: rules[1].ring = "..0s": never so: it ends before it begins; from and to',
    ),
    (
        X + 'ring = "1x.."',
        'LINE+3: rules[1].ring = "1x..": not a span of time; from and to with .. between, such as',
    ),
    (
        X + 'ring = "h..1m"',
        'LINE+3: rules[1].ring = "h..1m": not a duration; write a number and its unit (s, m, h, d)',
    ),
    (
        X + "email = 'yes'",
        'LINE+3: rules[1].email = "yes": neither true nor false (without quotes); whether an',
    ),
    (X + 'cllers = ["new"]', 'LINE+3: rules[1].cllers: unknown key; did you mean "callers"?'),
    (
        X + X,
        'LINE+4: rules[2].name = "x": two rules have this name; give each its own',
    ),
    (
        '[[rules]]\nname = "everybody else"\nthen = "nothing"',
        'LINE+1: rules[1].name = "everybody else": two rules have this name; give each its own',
    ),
    (
        SEQ + "{ at = '+2h' }]",
        (
            "LINE+3: sequences.booking.steps[2]: does nothing; one of text, mail, alert, task,"
            " webhook is needed"
        ),
    ),
    (
        SEQ + "{ text = true, task = true }]",
        (
            "LINE+3: sequences.booking.steps[2].task = true: one step does one thing, this one has"
            " text"
        ),
    ),
    (
        SEQ + "{ text = false }]",
        (
            "LINE+3: sequences.booking.steps[2].text = false: not a text in quotes; a text to the"
            " caller; true for the usual words, such as"
        ),
    ),
    (SEQ + "{ text = '' }]", 'LINE+3: sequences.booking.steps[2].text = "": empty'),
    (
        SEQ + "{ text = 'Hi {ofice}' }]",
        (
            'LINE+3: sequences.booking.steps[2].text = "Hi {ofice}": unknown placeholder {ofice};'
            " did you mean {office}?"
        ),
    ),
    (
        SEQ + "{ task = 'Call {caller_name}' }]",
        (
            'LINE+3: sequences.booking.steps[2].task = "Call {caller_name}": {caller_name} may'
            " have no value; give it a fallback, {caller_name|there}, or leave it out by"
            " {caller_name|}"
        ),
    ),
    (
        SEQ + "{ text = true, at = 'tomorrow' }]",
        (
            'LINE+3: sequences.booking.steps[2].at = "tomorrow": not a time; "now", "+60 min",'
            ' "+2h" or "next business day 09:30"'
        ),
    ),
    (
        SEQ + "{ text = true, due_in = '2h' }]",
        ('LINE+3: sequences.booking.steps[2].due_in = "2h": only in a step with task; remove it'),
    ),
    (
        SEQ + "{ text = true, subject = 'x' }]",
        ('LINE+3: sequences.booking.steps[2].subject = "x": only in a step with mail; remove it'),
    ),
    (
        SEQ + "{ mail = true, consent = true }]",
        ("LINE+3: sequences.booking.steps[2].consent = true: only in a step with text; remove it"),
    ),
    (
        SEQ + "{ task = 'x', translations = { es = 'y' } }]",
        "LINE+3: sequences.booking.steps[2].translations: only in a step with text or mail;",
    ),
    (
        SEQ + "{ text = true, translations = { es = 'y' } }]",
        (
            "LINE+3: sequences.booking.steps[2].translations: the usual words have translations of"
            " their own; remove it"
        ),
    ),
    (
        SEQ + "{ text = 'x', translations = { pl = 'y' } }]",
        "LINE+3: sequences.booking.steps[2].translations.pl",
    ),
    (
        SEQ + "{ webhook = 'Gave up!' }]",
        (
            'LINE+3: sequences.booking.steps[2].webhook = "Gave up!": not of the right form; it'
            " has to match ^[a-z][a-z0-9_]{0,39}$;"
        ),
    ),
    (
        SEQ + "{ text = true, only = { emial = true } }]",
        ('LINE+3: sequences.booking.steps[2].only.emial: unknown key; did you mean "email"?'),
    ),
    (
        SEQ + "{ text = true, only = { callers = ['newt'] } }]",
        (
            'LINE+3: sequences.booking.steps[2].only.callers[1] = "newt": not known; did you mean'
            ' "new"?'
        ),
    ),
    ("[sequences.booking]", "LINE: sequences.booking.steps: missing; what is done, each step"),
    (
        "[sequences.booking]\nsteps = []",
        "LINE+1: sequences.booking.steps: empty; at least one is needed",
    ),
    (
        "[sequences.Booking]\nsteps = [{ text = true }]",
        (
            "LINE: sequences.Booking: not a name for a sequence; small letters, digits, _ and -,"
            " such as booking"
        ),
    ),
    (
        "[sequences.nothing]\nsteps = [{ text = true }]",
        "LINE: sequences.nothing: not a name for a sequence; small letters, digits, _ and -,",
    ),
    (
        f"[sequences.long]\nsteps = [{'{ text = true },' * (MOST_STEPS + 1)}]",
        f"LINE+1: sequences.long.steps: too many steps; at most {MOST_STEPS}",
    ),
    (
        "".join(f'[[rules]]\nname = "{n}"\nthen = "nothing"\n' for n in range(MOST_RULES + 1)),
        f"LINE+{3 * MOST_RULES}: rules[{MOST_RULES + 1}]: too many rules; at most {MOST_RULES}",
    ),
]


@pytest.mark.parametrize(("added", "expected"), MISTAKES, ids=[m[1][:60] for m in MISTAKES])
def test_a_mistake_is_reported(added: str, expected: str) -> None:
    said = report(added)
    place, _, rest = expected.partition(": ")
    line = FIRST_LINE + int(place.removeprefix("LINE").removeprefix("+") or 0)
    assert said.startswith(f"x.toml:{line}: {rest}")
    assert "\n" not in said


def test_without_lines_a_name_is_told_to_be_a_number() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(OFFICE + PBX + X + 'lines = ["Sales"]', "x.toml", Path("/etc"))
    assert str(caught.value).endswith(
        'rules[1].lines[1] = "Sales": no such line; write its number, or add it as [[lines]]'
    )


@pytest.mark.parametrize("broken", ["lines = 3", "lines = [3]", "sequences = 3", "[[lines]]"])
def test_other_mistakes_do_not_hide_behind_rules(broken: str) -> None:
    written = f"{broken}\n{OFFICE}{PBX}{X}" if "=" in broken else f"{OFFICE}{PBX}{X}{broken}"
    with pytest.raises(ConfigError) as caught:
        parse(written, "x.toml", Path("/etc"))
    assert len(caught.value.problems) == 1


DOUBTFUL = """
[[rules]]
name = "weekends"
hours = ["weekend"]
then = "default"
[[rules]]
name = "saturdays"
hours = ["weekend"]
lines = ["Sales"]
then = "booking"
[[rules]]
name = "odd"
callers = ["anonymous"]
tags = ["vip"]
then = "nothing"
[sequences.booking]
steps = [{ text = true }]
[sequences.spare]
steps = [{ text = true }]
"""


def test_what_can_hardly_be_meant_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "pbx-bridge.toml"
    text = OFFICE + PBX + LINES + DOUBTFUL
    path.write_text(text, encoding="utf-8")
    lines = text.splitlines()
    found = doubtful(parse(text, str(path), tmp_path), path)
    assert [(problem.key, problem.message) for problem in found] == [
        (
            "rules[2]",
            (
                'the rule "saturdays" is never reached: "weekends" stands before it and matches'
                " all that it would"
            ),
        ),
        (
            "rules[3]",
            (
                'the rule "odd" never matches: new and anonymous callers are no contacts, so they'
                " have no tags"
            ),
        ),
        ("sequences.spare", 'no rule uses the sequence "spare"'),
    ]
    assert lines[found[0].line] == 'name = "saturdays"'
    assert lines[found[1].line] == 'name = "odd"'
    assert lines[found[2].line - 1] == "[sequences.spare]"
    assert all(problem.file == str(path) for problem in found)


def test_two_ways_to_write_a_line_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "pbx-bridge.toml"
    first = X + 'lines = ["Sales"]\n'
    second = '[[rules]]\nname = "y"\nlines = ["(212) 555-0100"]\nthen = "default"\n'
    text = OFFICE + PBX + LINES + first + second
    path.write_text(text, encoding="utf-8")
    (problem,) = doubtful(parse(text, str(path), tmp_path), path)
    assert 'the rule "y" is never reached: "x" stands before it' in problem.message
