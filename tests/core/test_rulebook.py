"""What an office gets that wrote no rules: the right thing, for every caller and reason."""

from datetime import UTC, datetime, time, timedelta

import pytest

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.rulebook import built_in_rules, built_in_sequences
from pbx_bridge.core.rules import USUAL_REASONS, Conditions, Situation, VoicemailOutcome, ask
from pbx_bridge.core.sequence import Action, After, OnBusinessDay


def rule_for(
    reason: Reason = Reason.BUSY,
    caller: CallerKind = CallerKind.NEW,
    voicemail: VoicemailOutcome = VoicemailOutcome.NOT_REACHED,
    usual: frozenset[Reason] = USUAL_REASONS,
) -> tuple[str, str]:
    situation = Situation(
        at=datetime(2026, 11, 21, 19, tzinfo=UTC),
        reason=reason,
        line=frozenset({"100"}),
        caller=caller,
        voicemail=voicemail,
    )
    asked = ask(built_in_rules(usual), situation)[-1]
    assert asked.failing == ()
    return asked.rule.name, asked.rule.sequence


@pytest.mark.parametrize("caller", [CallerKind.NEW, CallerKind.KNOWN, CallerKind.CUSTOMER])
def test_who_was_missed_gets_the_default(caller: CallerKind) -> None:
    assert rule_for(caller=caller) == ("everybody else", "default")


@pytest.mark.parametrize("caller", [CallerKind.NEW, CallerKind.KNOWN, CallerKind.CUSTOMER])
def test_who_left_a_message_is_not_nagged(caller: CallerKind) -> None:
    rule = rule_for(Reason.VOICEMAIL_MESSAGE, caller, VoicemailOutcome.LEFT)
    assert rule == ("a message was left", "voicemail")
    hung_up = rule_for(Reason.VOICEMAIL_HANGUP, caller, VoicemailOutcome.NOT_LEFT)
    assert hung_up == ("everybody else", "default")


@pytest.mark.parametrize("caller", [CallerKind.STAFF, CallerKind.BLOCKED, CallerKind.ANONYMOUS])
@pytest.mark.parametrize("reason", Reason)
def test_some_get_nothing_whatever_happened(reason: Reason, caller: CallerKind) -> None:
    assert rule_for(reason, caller) == (caller.value, "")
    assert rule_for(Reason.VOICEMAIL_MESSAGE, caller, VoicemailOutcome.LEFT) == (caller.value, "")


@pytest.mark.parametrize("reason", sorted(set(Reason) - USUAL_REASONS))
def test_a_silent_reason_is_followed_up_only_if_the_office_says_so(reason: Reason) -> None:
    assert rule_for(reason) == ("the rest", "")
    assert rule_for(reason, usual=USUAL_REASONS | {reason}) == ("everybody else", "default")


def test_every_rule_is_marked_and_tells_why_it_does_nothing() -> None:
    rules = built_in_rules()
    assert all(rule.built_in for rule in rules)
    assert all(rule.because for rule in rules if not rule.sequence)
    assert len({rule.name for rule in rules}) == len(rules)
    assert {rule.sequence for rule in rules} - {""} == built_in_sequences().keys()


def test_the_default_is_four_steps() -> None:
    text, task, mail, second = built_in_sequences()["default"].steps
    assert (text.name, text.action, text.when) == ("text", Action.TEXT, After(timedelta()))
    assert (task.name, task.action, task.when) == ("task", Action.TASK, After(timedelta()))
    assert text.words == task.words == ""  # the usual ones
    assert (mail.name, mail.action, mail.when) == (
        "mail",
        Action.MAIL,
        After(timedelta(minutes=60)),
    )
    assert mail.only == Conditions(has_email=True)
    assert (second.name, second.action) == ("text-2", Action.TEXT)
    assert second.when == OnBusinessDay(time(9, 30), days=1, of_caller=True)
    assert [step.needs_consent for step in (text, task, mail, second)] == [
        *(False, False, False),
        True,
    ]


def test_after_a_message_there_is_a_text_and_a_task_and_no_more() -> None:
    steps = built_in_sequences()["voicemail"].steps
    assert [(step.action, step.when) for step in steps] == [
        (Action.TEXT, After(timedelta())),
        (Action.TASK, After(timedelta())),
    ]


@pytest.mark.parametrize("code", LANGUAGES)
def test_callers_are_written_to_in_their_language(code: str) -> None:
    _, _, mail, second = built_in_sequences()["default"].steps
    assert second.words_in(code) == LANGUAGES[code].second_text
    assert mail.words_in(code) == LANGUAGES[code].mail
    assert mail.subject_in(code) == LANGUAGES[code].mail_subject


def test_a_language_that_we_do_not_know_is_answered_in_the_offices_own() -> None:
    _, _, mail, second = built_in_sequences("de")["default"].steps
    assert second.words_in("pl") == LANGUAGES["de"].second_text
    assert mail.words_in("pl") == LANGUAGES["de"].mail
    assert mail.subject_in("pl") == LANGUAGES["de"].mail_subject
