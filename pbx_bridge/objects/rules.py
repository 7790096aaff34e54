"""The rules in force, and how they read."""

from collections.abc import Iterator
from typing import Any

from pbx_bridge.config import Config
from pbx_bridge.core.aloud import rule_aloud, sequence_aloud


def rules_objects(config: Config) -> Iterator[dict[str, Any]]:
    for rule, sentence in rule_sentences(config):
        yield {"kind": "rule", **rule, "sentence": sentence}
    for name, steps in sequence_steps(config):
        yield {"kind": "sequence", "name": name, "steps": steps}


def rule_sentences(config: Config) -> Iterator[tuple[dict[str, Any], str]]:
    usual = config.usual_reasons()
    for rule in config.rulebook():
        told = {"name": rule.name, "built_in": rule.built_in, "sequence": rule.sequence}
        yield told, rule_aloud(rule, usual)


def sequence_steps(config: Config) -> Iterator[tuple[str, list[str]]]:
    """Give the sequences that rules lead to, in the order in which they are named."""
    sequences = config.sequences()
    for name in dict.fromkeys(rule.sequence for rule in config.rulebook() if rule.sequence):
        yield name, sequence_aloud(sequences[name])
