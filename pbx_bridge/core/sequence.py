"""What is done about a missed call, step by step, and when.

A sequence is a plan. What it comes to is decided at each step's time, by what is so then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum

from pbx_bridge.core.rules import ALWAYS, Conditions


class Action(StrEnum):
    TEXT = "text"  #: a text to the caller
    MAIL = "mail"  #: an e-mail to the caller, if an address is known
    ALERT = "alert"  #: the staff are told, through [alerts]
    TASK = "task"  #: somebody here is to do something
    WEBHOOK = "webhook"  #: other programs are told


#: Steps that write to the caller: nothing of it goes out once the follow-up is stopped.
TO_CALLER = frozenset({Action.TEXT, Action.MAIL})


@dataclass(frozen=True, slots=True)
class After:
    """So long after the call."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class OnBusinessDay:
    """At a time of the clock on a business day of the line: the next one, or `days` further on."""

    at: time
    days: int = 1  #: 0 is the day of the call, if that is still to come
    of_caller: bool = True  #: by the caller's clock; else by the office's


When = After | OnBusinessDay


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceStep:
    """One thing to do."""

    name: str  #: unique in its sequence, such as `text` or `text-2`
    action: Action
    when: When
    #: A template: of the text, the mail, the alert, or the task's title. Empty: the usual words.
    words: str = ""
    translations: Mapping[str, str] = field(default_factory=dict)  #: of the words, by language
    subject: str = ""  #: of a mail
    subjects: Mapping[str, str] = field(default_factory=dict)  #: of a mail, by language
    only: Conditions = ALWAYS  #: asked when the step is due
    due_in: timedelta | None = None  #: of a task: when it is overdue; None is the usual time
    owner: str = ""  #: of a task
    #: A text for which consent is needed where the law asks for it.
    needs_consent: bool = False
    event: str = ""  #: of a webhook: what to call it

    def words_in(self, language: str) -> str:
        """Give the template in a language, or as it is; empty for the usual words."""
        return self.translations.get(language, self.words)

    def subject_in(self, language: str) -> str:
        """Give the subject's template in a language, or as it is."""
        return self.subjects.get(language, self.subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    name: str
    steps: tuple[SequenceStep, ...]


#: The shortest plan there is: the usual text, at once.
TEXT_NOW = Sequence(
    name="default",
    steps=(SequenceStep(name="text", action=Action.TEXT, when=After(timedelta())),),
)
