"""Every text that callers can get, filled in for an example caller, and what the linter says."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pbx_bridge.config import Config
from pbx_bridge.core import variables
from pbx_bridge.core.call import Reason
from pbx_bridge.core.languages import LANGUAGES, language
from pbx_bridge.core.lint import Circumstances, Linted, lint
from pbx_bridge.core.office import Rules
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.saying import say
from pbx_bridge.core.sequence import Action, Sequence
from pbx_bridge.core.text import substitute
from pbx_bridge.core.variables import VARIABLES
from pbx_bridge.core.wording import Wording

#: What the example caller has: a name, and a day whose name is costly in some languages.
EXAMPLE = {variable.name: variable.example for variable in VARIABLES.values()}
_SATURDAY = 5
_DAY = timedelta(days=1)
_ANSWERS = {
    Meaning.OPT_OUT: say("answers STOP"),
    Meaning.OPT_IN: say("answers START"),
    Meaning.HELP: say("answers HELP"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A text and where it stands in the configuration."""

    what: str
    language: str
    template: str
    values: dict[str, str] = field(repr=False)
    answers: Meaning | None = None

    def linted(self, around: Circumstances) -> Linted:
        """Fill it in and look at it."""
        filled = substitute(self.template, self.values)
        return lint(filled, replace(around, language=self.language, answers=self.answers))


def circumstances(config: Config) -> Circumstances:
    """Give for whom the texts of an office are, and what they cost through its first gateway."""
    country = config.office.country
    first = config.gateways[config.texting.gateways[0]].tariff
    return Circumstances(
        office=config.office.name,
        country=country,
        price=first.prices.get(country, first.price),
        currency=config.spending.currency,
    )


def in_force(config: Config) -> Iterator[Proof]:
    """Give each text that can go out, once."""
    rules = config.rules()
    used = {rule.sequence for rule in config.rulebook()}
    sequences = [one for name, one in config.sequences().items() if name in used]
    codes = dict.fromkeys(
        (
            rules.wording.language,
            *(line.language for line in rules.lines.values() if line.language),
            *rules.wording.by_region.values(),
            *(translation.language for translation in config.texting.translations),
        )
    )
    for code in codes:
        yield from _first_texts(rules, code)
    for code in codes:
        for sequence in sequences:
            yield from _of_sequence(sequence, rules, code)
    for code in codes:
        yield from _answers(rules.wording, code)


def _first_texts(rules: Rules, code: str) -> Iterator[Proof]:
    about: dict[str, list[Reason]] = {}
    for reason, rule in rules.reasons.items():
        if rule.text:
            about.setdefault(rule.template_in(code), []).append(reason)
    # The most common text first: it is the one of [texting].
    for template, reasons in sorted(about.items(), key=lambda item: -len(item[1])):
        what = say("first text") if len(reasons) > len(rules.reasons) // 2 else ", ".join(reasons)
        values = example_values(rules, code)
        yield Proof(what=what, language=code, template=template, values=values)


def _of_sequence(sequence: Sequence, rules: Rules, code: str) -> Iterator[Proof]:
    """Give the texts that are the sequence's own in this language; the usual words are shown."""
    for step in sequence.steps:
        if step.action is not Action.TEXT:
            continue
        own = code in step.translations or code == rules.wording.language
        if own and (template := step.words_in(code)):
            yield Proof(
                what=f"{sequence.name}: {step.name}",
                language=code,
                template=template,
                values=example_values(rules, code),
            )


def _answers(wording: Wording, code: str) -> Iterator[Proof]:
    for meaning, what in _ANSWERS.items():
        template = wording.answer(meaning, code)
        if template is not None:
            yield Proof(
                what=what,
                language=code if code in LANGUAGES else "en",
                template=template,
                values=wording.values(),
                answers=meaning,
            )


def example_values(rules: Rules, code: str) -> dict[str, str]:
    """Give what an example caller of the office has."""
    line = next((one.name for one in rules.lines.values() if one.name), "")
    called = next(iter(rules.lines), EXAMPLE["line"])
    zone = rules.wording.zone
    at = datetime(2026, 11, 21, 15, 5, tzinfo=zone)
    return rules.wording.values() | {
        "office": rules.office,
        "line": called,
        "line_name": line,
        "caller": EXAMPLE["caller"],
        "caller_name": EXAMPLE["caller_name"],
        "calls": EXAMPLE["calls"],
        "time": variables.clock(at, code),
        "day": language(code).days[_SATURDAY],
        "next_open": variables.in_words(at.replace(hour=9, minute=0) + 2 * _DAY, at, zone, code),
    }
