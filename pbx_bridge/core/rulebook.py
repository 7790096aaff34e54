"""What every office has without writing it: the rules after its own, and two sequences."""

from collections.abc import Mapping
from datetime import time, timedelta

from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.languages import LANGUAGES, language
from pbx_bridge.core.rules import USUAL_REASONS, Conditions, Rule, VoicemailOutcome
from pbx_bridge.core.saying import say
from pbx_bridge.core.sequence import Action, After, OnBusinessDay, Sequence, SequenceStep

#: The names of the sequences that every office has, and may write anew.
DEFAULT = "default"
VOICEMAIL = "voicemail"

AT_ONCE = After(timedelta())


def built_in_rules(usual: frozenset[Reason] = USUAL_REASONS) -> tuple[Rule, ...]:
    """Give the rules that stand after an office's own; one of them always matches.

    `usual` is what is followed up where no rule says otherwise.
    """
    return (
        _nothing(say("staff"), CallerKind.STAFF, say("they are our own people")),
        _nothing(say("blocked"), CallerKind.BLOCKED, say("the office has blocked them")),
        _nothing(
            say("anonymous"),
            CallerKind.ANONYMOUS,
            say("there is no number to write to or to call back"),
        ),
        Rule(
            name=say("a message was left"),
            conditions=Conditions(reasons=usual, voicemail=frozenset({VoicemailOutcome.LEFT})),
            sequence=VOICEMAIL,
            built_in=True,
        ),
        Rule(
            name=say("everybody else"),
            conditions=Conditions(reasons=usual),
            sequence=DEFAULT,
            built_in=True,
        ),
        Rule(
            name=say("the rest"),
            sequence="",
            because=say("such calls are followed up only where a rule names the reason"),
            built_in=True,
        ),
    )


def _nothing(name: str, caller: CallerKind, because: str) -> Rule:
    conditions = Conditions(callers=frozenset({caller}))
    return Rule(name=name, conditions=conditions, sequence="", because=because, built_in=True)


def built_in_sequences(code: str = "en") -> Mapping[str, Sequence]:
    """Give the sequences by name; `code` is the language in which the office speaks."""
    text = SequenceStep(name="text", action=Action.TEXT, when=AT_ONCE)
    task = SequenceStep(name="task", action=Action.TASK, when=AT_ONCE)
    mail = SequenceStep(
        name="mail",
        action=Action.MAIL,
        when=After(timedelta(minutes=60)),
        words=language(code).mail,
        translations={one: of.mail for one, of in LANGUAGES.items()},
        subject=language(code).mail_subject,
        subjects={one: of.mail_subject for one, of in LANGUAGES.items()},
        only=Conditions(has_email=True),
    )
    second_text = SequenceStep(
        name="text-2",
        action=Action.TEXT,
        when=OnBusinessDay(time(9, 30)),
        words=language(code).second_text,
        translations={one: of.second_text for one, of in LANGUAGES.items()},
        needs_consent=True,
    )
    return {
        DEFAULT: Sequence(name=DEFAULT, steps=(text, task, mail, second_text)),
        # Its text says that we have the message: the usual words for that reason do.
        VOICEMAIL: Sequence(name=VOICEMAIL, steps=(text, task)),
    }
