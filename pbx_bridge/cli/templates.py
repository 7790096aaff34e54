"""`templates`: every text that callers can get, filled in, with its price and what is amiss."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from pbx_bridge.cli.options import Misuse, config_option, json_option, load_config
from pbx_bridge.cli.tables import print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.core import variables
from pbx_bridge.core.call import Reason
from pbx_bridge.core.languages import LANGUAGES, language
from pbx_bridge.core.lint import Circumstances, Finding, Linted, Severity, lint
from pbx_bridge.core.office import Rules
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.text import LONGEST, shorten, substitute
from pbx_bridge.core.variables import VARIABLES, Variable
from pbx_bridge.core.wording import Wording
from pbx_bridge.gateways.console import bubble

#: What the example caller has: a name, and a day whose name is costly in some languages.
_EXAMPLE = {variable.name: variable.example for variable in VARIABLES.values()}
_SATURDAY = 5
_DAY = timedelta(days=1)
_ANSWERS = {
    Meaning.OPT_OUT: "answers STOP",
    Meaning.OPT_IN: "answers START",
    Meaning.HELP: "answers HELP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A text and where it stands in the configuration."""

    what: str
    language: str
    template: str
    values: dict[str, str]
    answers: Meaning | None = None


@click.command()
@config_option
@json_option
@click.option("--text", "draft", help="Try this draft instead; needs no configuration.")
@click.option("--variables", "listing", is_flag=True, help="List what a template may name.")
@click.pass_context
def templates(
    ctx: click.Context,
    config_path: Path | None,
    draft: str | None,
    *,
    as_json: bool,
    listing: bool,
) -> None:
    """Show every text as a caller would get it, with its price and what could be better.

    Texts of [texting], of reasons, lines and languages, and the answers to STOP, START and HELP
    are filled in for an example caller. The exit code is 1 if one of them must not go out so.

    \b
    Examples:
      pbx-bridge templates
      pbx-bridge templates --text "Hi {caller_name|there}, this is {office}. Back at 2 pm."
      pbx-bridge templates --variables
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    if listing:
        _list(as_json=as_json)
        return
    config = _config(config_path, needed=draft is None)
    around = _around(config)
    shown = _in_force(config) if draft is None and config else _draft(draft or "", config)
    fine = True
    for one in shown:
        linted = lint(
            substitute(one.template, one.values),
            _for(one, around),
        )
        fine = fine and linted.passes
        if as_json:
            print_json([_object(one, linted, around)])
        else:
            _print(one, linted, around)
    ctx.exit(0 if fine else 1)


def _config(path: Path | None, *, needed: bool) -> Config | None:
    """Load the configuration; a draft can be tried before there is one."""
    try:
        return load_config(path)
    except Misuse:
        if needed or path is not None:
            raise
        return None


def _around(config: Config | None) -> Circumstances:
    if config is None:
        return Circumstances(office=_EXAMPLE["office"], country="US")
    country = config.office.country
    first = config.gateways[config.texting.gateways[0]].tariff
    return Circumstances(
        office=config.office.name,
        country=country,
        price=first.prices.get(country, first.price),
        currency=config.spending.currency,
    )


def _for(one: _Shown, around: Circumstances) -> Circumstances:
    return replace(around, language=one.language, answers=one.answers)


def _in_force(config: Config) -> Iterator[_Shown]:
    """Give each text that can go out, once."""
    rules = config.rules()
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
        yield from _answers(rules.wording, code)


def _first_texts(rules: Rules, code: str) -> Iterator[_Shown]:
    about: dict[str, list[Reason]] = {}
    for reason, rule in rules.reasons.items():
        if rule.text:
            about.setdefault(rule.template_in(code), []).append(reason)
    # The most common text first: it is the one of [texting].
    for template, reasons in sorted(about.items(), key=lambda item: -len(item[1])):
        what = "first text" if len(reasons) > len(rules.reasons) // 2 else ", ".join(reasons)
        yield _Shown(what=what, language=code, template=template, values=_values(rules, code))


def _answers(wording: Wording, code: str) -> Iterator[_Shown]:
    for meaning, what in _ANSWERS.items():
        template = wording.answer(meaning, code)
        if template is not None:
            yield _Shown(
                what=what,
                language=code if code in LANGUAGES else "en",
                template=template,
                values=wording.values(),
                answers=meaning,
            )


def _values(rules: Rules, code: str) -> dict[str, str]:
    """Give what an example caller of the office has."""
    line = next((one.name for one in rules.lines.values() if one.name), "")
    called = next(iter(rules.lines), _EXAMPLE["line"])
    zone = rules.wording.zone
    at = datetime(2026, 11, 21, 15, 5, tzinfo=zone)
    return rules.wording.values() | {
        "office": rules.office,
        "line": called,
        "line_name": line,
        "caller": _EXAMPLE["caller"],
        "caller_name": _EXAMPLE["caller_name"],
        "time": variables.clock(at, code),
        "day": language(code).days[_SATURDAY],
        "next_open": variables.in_words(at.replace(hour=9, minute=0) + 2 * _DAY, at, zone, code),
    }


def _draft(text: str, config: Config | None) -> Iterator[_Shown]:
    """Give a draft, filled in from the configuration or else from the table of variables."""
    if config is None:
        code, values, given = "en", _EXAMPLE, {"office_number", "booking_link"}
    else:
        rules = config.rules()
        code = rules.wording.language
        values = _values(rules, code)
        given = {name for name, value in rules.wording.values().items() if value}
    if problem := variables.problem(text, given):
        raise Misuse(problem)
    yield _Shown(what="draft", language=code, template=text, values=values)


def _print(one: _Shown, linted: Linted, around: Circumstances) -> None:
    spoken = LANGUAGES[one.language].name if one.language in LANGUAGES else one.language
    cost = around.money(linted.parts)
    print_line(f"{one.what} ({spoken})")
    for line in bubble(_EXAMPLE["caller"], shorten(linted.body, LONGEST)).splitlines():
        print_line(line)
    segments = "1 segment" if linted.parts == 1 else f"{linted.parts} segments"
    print_line(
        f"  {len(linted.body)} characters, {linted.encoding}, {segments}"
        f"{f', {cost}' if cost else ''}"
    )
    for finding in linted.findings:
        print_line(f"  {finding.severity + ':':9}{finding.text}{_because(finding)}")
    print_line("")


def _because(finding: Finding) -> str:
    return (
        f" [{finding.because}]" if finding.because and finding.severity is not Severity.NOTE else ""
    )


def _object(one: _Shown, linted: Linted, around: Circumstances) -> dict[str, Any]:
    return {
        "what": one.what,
        "language": one.language,
        "template": one.template,
        "text": linted.body,
        "encoding": linted.encoding,
        "segments": linted.parts,
        "price": _number(linted.price),
        "currency": around.currency if linted.price is not None else None,
        "findings": [
            {
                "severity": finding.severity,
                "rule": finding.rule,
                "text": finding.text,
                "because": finding.because,
            }
            for finding in linted.findings
        ],
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _list(*, as_json: bool) -> None:
    every = VARIABLES.values()
    if as_json:
        print_json(map(asdict, every))
        return
    print_table(
        "what a template may name, and [texting.variables] of your own",
        ("write", "stands for", "example"),
        [(_written(variable), variable.meaning, variable.example) for variable in every],
    )


def _written(variable: Variable) -> str:
    return f"{{{variable.name}|…}}" if variable.may_be_absent else f"{{{variable.name}}}"
