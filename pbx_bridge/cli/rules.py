"""`rules`: the rules in force and the sequences that they lead to, read aloud."""

from pathlib import Path

import click

from pbx_bridge.cli.options import config_option, find_config, json_option, load_config
from pbx_bridge.cli.tables import print_json, print_line
from pbx_bridge.config import doubtful
from pbx_bridge.objects.rules import rule_sentences, rules_objects, sequence_steps


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
        print_json(rules_objects(config))
        print_json({"kind": "doubt", "text": str(problem)} for problem in found)
        return
    print_line("The first rule that matches wins.")
    for number, (rule, sentence) in enumerate(rule_sentences(config), start=1):
        mark = " (built in)" if rule["built_in"] else ""
        print_line(f"{number:>3}. {rule['name']}{mark}")
        print_line(f"     {sentence}")
    for name, steps in sequence_steps(config):
        print_line("")
        print_line(f"The sequence {name}")
        for step in steps:
            print_line(f"     {step}")
    if found:
        print_line("")
        for problem in found:
            print_line(f"note: {problem}")
