"""What a reply means: STOP, START, HELP, URGENT, or something for people to read.

The whole message is compared first, then a conservative look for phrases follows. A missed STOP
breaks the law, a false one loses a customer who has to write START; so words count in any case,
with any punctuation, accents, spaces and courtesies around them, but only by themselves, and a
sentence only where it plainly refuses texts.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.vocabulary import VOCABULARIES, Vocabulary
from pbx_bridge.core.wording import Wording

_LONGEST = 2000  # characters that are looked at
_APOSTROPHES = re.compile(r"['’‘`´ʼ＇]")
_SENTENCE_END = re.compile(r"[.!?\n\r…]+")
_CLAUSE_END = re.compile(r"[.!?\n\r;:,…]+|\s[-–—]+\s")
#: Lines that a mail program or a phone adds, and quotes of what we wrote.
_NOT_SAID = re.compile(
    r"^\s*(?:>.*|sent from my .*|get outlook for .*|envoyé de mon .*|enviado desde mi .*"
    r"|von meinem .* gesendet)$",
    re.IGNORECASE | re.MULTILINE,
)
#: What iPhones send when somebody puts a heart on our text: our words, not theirs.
_REACTION = re.compile(
    r"\s*(?:liked|loved|disliked|laughed at|emphasized|questioned|reacted \S+ to|removed an?"
    r" \w+ from)\s*[“\"]",
    re.IGNORECASE,
)
_STOP_SIGN = "🛑"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reply means, and the word that says so (empty for `REPLY`)."""

    meaning: Meaning
    word: str = ""
    #: It may also mean something else ("cancel" an appointment): acted on, but people should look.
    ambiguous: bool = False


def classify(  # noqa: PLR0911 - one for each way to be sure
    body: str, wording: Wording, *, asked: bool = False
) -> Heard:
    """Read a reply. `asked`: our last text asked whether to go on, so that YES opts in."""
    body = _NOT_SAID.sub("", body[:_LONGEST])
    if _REACTION.match(body):
        return Heard(Meaning.REPLY)
    words = _known(wording)
    text = simplified(body)
    if not text:
        return Heard(Meaning.OPT_OUT, _STOP_SIGN, ambiguous=True) if _STOP_SIGN in body else _REPLY
    whole = words.whole(text, asked=asked)
    if whole is not None:
        return whole
    clauses = [clause for clause in map(simplified, _CLAUSE_END.split(body)) if clause]
    if refused := words.refusal(clauses):
        return Heard(Meaning.OPT_OUT, refused)
    if urgent := words.urgency(clauses):
        return Heard(Meaning.URGENT, urgent)
    # "Found somebody else. Stop." or "Stop, I found somebody", but not "turn right, stop, ring"
    for sentence in (*map(simplified, _SENTENCE_END.split(body)), *clauses[:1], *clauses[-1:]):
        alone = words.whole(sentence, asked=False)
        if alone and alone.meaning is Meaning.OPT_OUT and alone.word in words.certain:
            return Heard(Meaning.OPT_OUT, alone.word, ambiguous=True)
    return _REPLY


_REPLY = Heard(Meaning.REPLY)


def simplified(text: str) -> str:
    """Give the bare words: no case, accents, apostrophes, punctuation or emoji."""
    text = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text)).casefold()
    letters = (c for c in text if not unicodedata.category(c).startswith(("M", "Cf")))
    return " ".join("".join(c if c.isalnum() else " " for c in letters).split())


def _squeezed(text: str) -> str:
    """Take out the spaces, so that "opt-out", "optout" and "o p t o u t" are one."""
    return text.replace(" ", "")


class _Words:
    """The words of some languages together, ready to be compared."""

    def __init__(
        self,
        languages: tuple[str, ...],
        urgent: tuple[str, ...] | None,
        extra_opt_out: tuple[str, ...],
    ) -> None:
        spoken: list[Vocabulary] = [VOCABULARIES[code] for code in languages]
        #: Those that are STOP even inside a longer message, if a sentence is nothing else.
        self.certain = {word for one in spoken for word in one.opt_out.keys() - one.ambiguous}
        self._meanings: dict[str, Heard] = {}
        # What is entered first stays: leaving weighs more than asking for help.
        for word in map(simplified, extra_opt_out):
            self._meanings.setdefault(_squeezed(word), Heard(Meaning.OPT_OUT, word))
        for one in spoken:
            for word in one.opt_out:
                heard = Heard(Meaning.OPT_OUT, word, ambiguous=word in one.ambiguous)
                self._meanings.setdefault(_squeezed(word), heard)
        for one in spoken:
            for meaning, listed in ((Meaning.OPT_IN, one.opt_in), (Meaning.HELP, one.help)):
                for word in listed:
                    self._meanings.setdefault(_squeezed(word), Heard(meaning, word))
        self._agreement = {_squeezed(word): word for one in spoken for word in one.agreement}
        self._courtesy = frozenset(word for one in spoken for word in one.courtesy)
        self._hurry = frozenset(word for one in spoken for word in one.hurry)
        self._refusals = [
            (re.compile(rf"\b(?:{'|'.join(one.refusals)})"), re.compile(rf"\b{one.reversing} $"))
            for one in spoken
        ]
        self._urgent = [
            simplified(word)
            for word in (urgent if urgent is not None else _of_all(spoken))
            if simplified(word)
        ]
        calming = "|".join(one.calming for one in spoken)
        self._calmed = re.compile(rf"\b(?:{calming}) $")

    def whole(self, text: str, *, asked: bool) -> Heard | None:
        """Read a message that is nothing but a known word, repeated or with courtesies."""
        if asked and _squeezed(text) in self._agreement:
            return Heard(Meaning.OPT_IN, self._agreement[_squeezed(text)])
        words = text.split()
        while words and not self._word(" ".join(words)) and words[0] in self._courtesy:
            words = words[1:]
        while words and not self._word(" ".join(words)) and words[-1] in self._courtesy:
            words = words[:-1]
        heard = self._word(" ".join(words))
        if heard is None and words and words[-1] in self._hurry:  # "stop now"
            hurried = self._word(" ".join(words[:-1]))
            heard = hurried if hurried and hurried.meaning is Meaning.OPT_OUT else None
        if heard is None and words:  # "stop stop", "stop unsubscribe"
            each = [self._word(word) for word in words]
            if all(one is not None and one.meaning is Meaning.OPT_OUT for one in each):
                heard = next((one for one in each if one and not one.ambiguous), each[0])
        return heard

    def _word(self, text: str) -> Heard | None:
        squeezed = _squeezed(text)
        for spelling in (
            squeezed,
            re.sub(r"(.)\1{2,}", r"\1", squeezed),  # "stoppppp", "stooop"
            re.sub(r"(.)\1{2,}", r"\1\1", squeezed),
        ):
            if spelling in self._meanings:
                return self._meanings[spelling]
        return None

    def refusal(self, clauses: list[str]) -> str:
        """Find a phrase that refuses texts, unless the words before it turn it round."""
        for clause in clauses:
            for phrases, reversing in self._refusals:
                for found in phrases.finditer(clause):
                    if not reversing.search(clause[: found.start()]):
                        return found[0].strip()
        return ""

    def urgency(self, clauses: list[str]) -> str:
        """Find an urgent word that is not taken back: "not urgent", "no emergency"."""
        for clause in clauses:
            for word in self._urgent:
                for found in re.finditer(rf"\b{re.escape(word)}\b", clause):
                    if not self._calmed.search(clause[: found.start()]):
                        return word
        return ""


def _of_all(spoken: list[Vocabulary]) -> list[str]:
    return [word for one in spoken for word in one.urgent]


def _known(wording: Wording) -> _Words:
    return _compiled(wording.understood, wording.urgent_words, wording.extra_opt_out)


@lru_cache(maxsize=16)
def _compiled(
    languages: tuple[str, ...], urgent: tuple[str, ...] | None, extra: tuple[str, ...]
) -> _Words:
    return _Words(languages, urgent, extra)
