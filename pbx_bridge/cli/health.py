"""`health`: whether the running service is alive and does its work."""

import json
from pathlib import Path

import click

from pbx_bridge import health as asking
from pbx_bridge.cli.options import Report, config_option, find_config, json_option
from pbx_bridge.core.liveness import Finding, State, Verdict
from pbx_bridge.core.text import clean

_WORDS = {State.OK: "ok", State.WAITS: "waits", State.WRONG: "WRONG", State.HUNG: "HANGS"}


@click.command()
@config_option
@json_option
@click.pass_context
def health(ctx: click.Context, config_path: Path | None, *, as_json: bool) -> None:
    """Tell whether the running service is alive and does its work.

    One line each for the service, its event loop, the database, each PBX, the calls and the outbox;
    the exit code is 0 if all is well, else 1. A PBX or gateway that is down is no fault of the
    service: it waits, and the exit code is 0. It asks the service itself, over a socket beside the
    database, and needs the configuration only to find that: no secrets, no network.

    \b
    Examples:
      pbx-bridge health
      pbx-bridge health --json --config /etc/pbx-bridge/pbx-bridge.toml
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    try:
        database = asking.database_of(find_config(config_path))
    except asking.NotFound as problem:
        raise Report(str(problem)) from problem
    try:
        verdict = asking.ask(asking.socket_of(database))
    except asking.Unanswered as problem:
        state = State.HUNG if problem.hangs else State.WRONG
        verdict = Verdict((Finding("service", state, str(problem)),))
    for finding in verdict.findings:
        click.echo(_json(finding) if as_json else _line(finding))
    ctx.exit(0 if verdict.works else 1)


def _line(finding: Finding) -> str:
    text = f"{_WORDS[finding.state]:5}  {finding.what}: {finding.text}"
    return clean(text).replace("\n", " ")


def _json(finding: Finding) -> str:
    good = finding.state in (State.OK, State.WAITS)
    return json.dumps(
        {"good": good, "what": finding.what, "state": finding.state.value, "text": finding.text}
    )
