"""`simulate`: what would be done about a call that is only imagined."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge import simulate as simulation
from pbx_bridge.cli.options import (
    Misuse,
    config_option,
    json_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.simulation import print_simulation
from pbx_bridge.cli.tables import print_json, print_line
from pbx_bridge.config import Config, defaults
from pbx_bridge.config.values import parse_duration
from pbx_bridge.core import sentence
from pbx_bridge.core.call import Reason
from pbx_bridge.core.contact import CallerKind
from pbx_bridge.core.office import Rules
from pbx_bridge.core.scenario import Scenario
from pbx_bridge.core.sentence import EXAMPLE, Known, NotUnderstood
from pbx_bridge.core.text import clean
from pbx_bridge.objects.simulation import Money, simulation_object
from pbx_bridge.simulate import Impossible, Simulation
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem


class _Length(click.ParamType[timedelta]):
    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            return self.fail(f"{value!r} is {error}", param, ctx)


@click.command()
@click.argument("words", nargs=-1, metavar="[WORDS]")
@config_option
@json_option
@click.option("--caller", type=click.Choice([kind.value for kind in CallerKind]), help="Who calls.")
@click.option("--line", help="The line: its name in [[lines]], or its number.")
@click.option("--at", help='When the call comes in: "Saturday 14:05". [default: now]')
@click.option("--reason", type=click.Choice([r.value for r in Reason]), help="How it is missed.")
@click.option("--ring", type=_Length(), help="How long phones ring: 20s.")
@click.option("--wait", type=_Length(), help="How long the caller waits in queues: 1m30s.")
@click.option("--queue", help="The queue in which the caller waits.")
@click.option("--tag", "tags", multiple=True, help="A tag of the contact. May be repeated.")
@click.option("--email/--no-email", default=None, help="Whether an e-mail address is known.")
@click.option("--consent/--no-consent", default=None, help="Whether the caller agreed to texts.")
@click.option("--calls", type=click.IntRange(1, sentence.MOST_CALLS), help="Missed calls, of late.")
@click.option("--as", "number", metavar="NUMBER", help="A real caller, as known in the database.")
def simulate(
    *,
    words: tuple[str, ...],
    config_path: Path | None,
    as_json: bool,
    number: str | None,
    **given: Any,
) -> None:
    """Show what would be done about a call, told in plain words or by options; do nothing.

    You see every rule and why it does not match, the text as it would be sent, with its segments
    and price, and each later step with its time. The caller is made up, and nothing has been sent
    to anybody yet; with --as it is somebody real, of whom counts what is known.

    \b
    Examples:
      pbx-bridge simulate "a new caller, sales line, Saturday 14:05, abandoned after 20 s"
      pbx-bridge simulate "existing customer tagged vip, tomorrow 7:30, left a message"
      pbx-bridge simulate "anonymous, busy"
      pbx-bridge simulate "2nd call within the hour, in the queue support, waited 2 min"
      pbx-bridge simulate --caller customer --line Sales --at "24 December 9:00" --json
      pbx-bridge simulate --as "+1 212 555 0142" "sales line, tomorrow 7:30"

    \b
    What can be said, in any order, with commas between:
      who       new caller, known caller, customer, staff, blocked, anonymous,
                tagged vip, named Ann Baker, e-mail known, agreed to texts,
                speaks Spanish, CRM status lead, from GB, from +12125550142
      to whom   sales line, to +12125550100, in the queue support, extension 101
      when      Saturday 14:05, tomorrow 7:30, 24 December 9 am, 2026-12-24 9:00
      how       abandoned after 20 s, nobody picked up, busy, unavailable,
                left a message, left no message, hung up in a menu, turned away,
                heard an announcement, waited 2 min, rang for 20 s
      how often 2nd call within the hour
      before    texted 2 h ago, opted out
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    said = " ".join(words)
    if not said and number is None and all(value in (None, ()) for value in given.values()):
        raise Misuse(f'say what call, such as\n  pbx-bridge simulate "{EXAMPLE}"')
    config = _config(config_path)
    rules = defaults() if config is None else config.rules()
    known = Known(country=rules.country, lines=_lines(config))
    now = clock.utc_now()
    try:
        fields = _fields(given, known, number)
        if given["at"] is not None:
            fields["at"] = sentence.read_when(given["at"], now, rules.zone)
        imagined = sentence.read(said, now, rules.zone, known, fields)
        found = _simulated(config, imagined, rules, real=number is not None)
    except NotUnderstood as error:
        raise Misuse(clean("\n".join(error.problems))) from error
    except Impossible as error:
        raise Misuse(clean(str(error))) from error
    money = Money("USD" if config is None else config.spending.currency)
    if as_json:
        print_json([simulation_object(found, money)])
        return
    if config is None:
        print_line("No configuration: by the built-in rules, for an office in the US, in UTC.")
        print_line("")
    print_simulation(found, money)


def _config(path: Path | None) -> Config | None:
    """Load the configuration; the built-in rules can be tried before there is one."""
    try:
        return load_config(path)
    except Misuse as error:
        if path is not None or not str(error).startswith("no configuration"):
            raise
        return None


def _lines(config: Config | None) -> dict[str, str]:
    return {} if config is None else {line.name: line.number for line in config.lines if line.name}


def _fields(given: dict[str, Any], known: Known, number: str | None) -> dict[str, Any]:
    """Give what the options say of the scenario."""
    fields: dict[str, Any] = {
        name: given[name] for name in ("ring", "wait", "queue", "calls") if given[name] is not None
    }
    for name, option in (("email", "email"), ("consented", "consent")):
        if given[option] is not None:
            fields[name] = given[option]
    if given["caller"] is not None:
        fields["caller"] = CallerKind(given["caller"])
    if given["reason"] is not None:
        fields["reason"] = Reason(given["reason"])
    if given["tags"]:
        fields["tags"] = frozenset(given["tags"])
    if given["line"] is not None:
        fields["line"] = sentence.read_line(given["line"], known)
    if number is not None:
        fields["number"] = number
    return fields


def _simulated(
    config: Config | None, imagined: Scenario, rules: Rules, *, real: bool
) -> Simulation:
    if not real:
        return simulation.simulate(imagined, rules)
    if config is None:
        raise Misuse("without a configuration nobody is known; --as needs one")

    def look(tx: Connection) -> Simulation:
        return simulation.as_known(tx, imagined, rules)

    async def read() -> Simulation:
        async with Database.read_only(config.database.path) as database:
            return await database.read(look)

    with told_plainly(StoreProblem):
        return run_async(read())
