"""What a step says, and in which language."""

from pbx_bridge.core.rulebook import AT_ONCE
from pbx_bridge.core.sequence import Action, SequenceStep

STEP = SequenceStep(
    name="mail",
    action=Action.MAIL,
    when=AT_ONCE,
    words="Hello",
    translations={"es": "Hola"},
    subject="Your call",
    subjects={"es": "Su llamada"},
)


def test_words_are_said_in_the_language_of_the_caller() -> None:
    assert (STEP.words_in("es"), STEP.subject_in("es")) == ("Hola", "Su llamada")


def test_without_a_translation_they_are_said_as_they_are() -> None:
    assert (STEP.words_in("fr"), STEP.subject_in("fr")) == ("Hello", "Your call")


def test_the_usual_words_are_left_to_who_knows_them() -> None:
    assert SequenceStep(name="text", action=Action.TEXT, when=AT_ONCE).words_in("es") == ""
