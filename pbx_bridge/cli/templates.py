"""`templates`: every text that callers can get, filled in, with its price and what is amiss."""

from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from pbx_bridge.cli.options import Misuse, config_option, json_option, load_config
from pbx_bridge.cli.tables import print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.core import variables
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.lint import Circumstances, Finding, Linted, Severity
from pbx_bridge.core.text import LONGEST, shorten
from pbx_bridge.core.variables import VARIABLES, Variable
from pbx_bridge.gateways.console import bubble
from pbx_bridge.proofs import EXAMPLE, Proof, circumstances, example_values, in_force


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

    Texts of [texting], of reasons, lines, languages and sequences, and the answers to STOP, START
    and HELP are filled in for an example caller. The exit code is 1 if one must not go out so.

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
    nowhere = Circumstances(office=EXAMPLE["office"], country="US")
    around = circumstances(config) if config else nowhere
    shown = in_force(config) if draft is None and config else _draft(draft or "", config)
    fine = True
    for one in shown:
        linted = one.linted(around)
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


def _draft(text: str, config: Config | None) -> Iterator[Proof]:
    """Give a draft, filled in from the configuration or else from the table of variables."""
    if config is None:
        code, values, given = "en", EXAMPLE, {"office_number", "booking_link"}
    else:
        rules = config.rules()
        code = rules.wording.language
        values = example_values(rules, code)
        given = {name for name, value in rules.wording.values().items() if value}
    if problem := variables.problem(text, given):
        raise Misuse(problem)
    yield Proof(what="draft", language=code, template=text, values=values)


def _print(one: Proof, linted: Linted, around: Circumstances) -> None:
    spoken = LANGUAGES[one.language].name if one.language in LANGUAGES else one.language
    cost = around.money(linted.parts)
    print_line(f"{one.what} ({spoken})")
    for line in bubble(EXAMPLE["caller"], shorten(linted.body, LONGEST)).splitlines():
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


def _object(one: Proof, linted: Linted, around: Circumstances) -> dict[str, Any]:
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
