"""`rules`: the rules in force and the sequences that they lead to, read aloud."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from pbx_bridge.cli.options import config_option, find_config, json_option, load_config
from pbx_bridge.cli.tables import print_json, print_line
from pbx_bridge.config import Config, doubtful
from pbx_bridge.core.aloud import rule_aloud, sequence_aloud


@click.command()
@config_option
@json_option
def rules(config_path: Path | None, *, as_json: bool) -> None:
    """Read aloud what is done about which missed calls, step by step.

    Of the rules the first that matches wins; the built-in ones come after your own. Then each
    sequence that a rule leads to, and at the end what is doubtful: rules that can never match.

    \b
    Examples:
      pbx-bridge rules
      pbx-bridge rules --json
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    found = doubtful(config, find_config(config_path))
    if as_json:
        print_json(_objects(config))
        print_json({"kind": "doubt", "text": str(problem)} for problem in found)
        return
    print_line("The first rule that matches wins.")
    for number, (rule, sentence) in enumerate(_sentences(config), start=1):
        mark = " (built in)" if rule["built_in"] else ""
        print_line(f"{number:>3}. {rule['name']}{mark}")
        print_line(f"     {sentence}")
    for name, steps in _steps(config):
        print_line("")
        print_line(f"The sequence {name}")
        for step in steps:
            print_line(f"     {step}")
    if found:
        print_line("")
        for problem in found:
            print_line(f"note: {problem}")


def _sentences(config: Config) -> Iterator[tuple[dict[str, Any], str]]:
    usual = config.usual_reasons()
    for rule in config.rulebook():
        told = {"name": rule.name, "built_in": rule.built_in, "sequence": rule.sequence}
        yield told, rule_aloud(rule, usual)


def _steps(config: Config) -> Iterator[tuple[str, list[str]]]:
    """Give the sequences that rules lead to, in the order in which they are named."""
    sequences = config.sequences()
    for name in dict.fromkeys(rule.sequence for rule in config.rulebook() if rule.sequence):
        yield name, sequence_aloud(sequences[name])


def _objects(config: Config) -> Iterator[dict[str, Any]]:
    for rule, sentence in _sentences(config):
        yield {"kind": "rule", **rule, "sentence": sentence}
    for name, steps in _steps(config):
        yield {"kind": "sequence", "name": name, "steps": steps}
