"""`check` and `probe`: whether everything is right, and what this PBX calls things."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from pbx_bridge import check as checking
from pbx_bridge import logs
from pbx_bridge import probe as probing
from pbx_bridge.cli.options import (
    Report,
    config_option,
    find_config,
    find_pbx,
    json_option,
    load_config,
    run_async,
)
from pbx_bridge.cli.tables import print_json, print_line, print_table
from pbx_bridge.config import Config, Pbx, Problem, doubtful
from pbx_bridge.sources.ami import problems
from pbx_bridge.sources.ami.link import LinkLost, Refused

_WORDS = {True: "ok", None: "note", False: "WRONG"}


@click.command()
@config_option
@json_option
@click.pass_context
def check(ctx: click.Context, config_path: Path | None, *, as_json: bool) -> None:
    """Try all that the service needs; send nothing.

    One line each for configuration, rules that can hardly be meant, texts, database, login and
    permissions at each PBX, gateway credentials and clock. The exit code is not 0 if anything has
    to be put right.

    \b
    Examples:
      pbx-bridge check
      pbx-bridge check --config /etc/pbx-bridge/pbx-bridge.toml && systemctl restart pbx-bridge
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    doubts = doubtful(config, find_config(config_path))
    logs.configure("error", "console")
    ctx.exit(0 if run_async(_check(config, doubts, as_json=as_json)) else 1)


async def _check(config: Config, doubts: Sequence[Problem], *, as_json: bool) -> bool:
    fine = True
    async for finding in checking.check(config, doubts):
        fine = fine and finding.good is not False
        if as_json:
            print_json([{"good": finding.good, "what": finding.what, "text": finding.text}])
        else:
            print_line(f"{_WORDS[finding.good]:5}  {finding.what}: {finding.text}")
    return fine


@click.command()
@config_option
@click.option("--pbx", help="The name of the PBX, if several are configured.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=120.0,
    show_default=True,
    help="How long to watch.",
)
def probe(config_path: Path | None, pbx: str | None, seconds: float) -> None:
    """Watch a test call and propose the inbound settings for this PBX.

    Start it, ring the office from a mobile phone, and see what the PBX calls that: context,
    endpoint, line and number. Paste what it proposes into the configuration.

    \b
    Examples:
      pbx-bridge probe
      pbx-bridge probe --pbx office --seconds 60
    """  # noqa: D301 - see above
    config = load_config(config_path)
    place = find_pbx(config, pbx)
    logs.configure("warning", "console")
    print_line(f"ring the office from outside now; watching {place.name} for {seconds:.0f} s")
    seen = probing.Probe([], set())
    try:
        run_async(_watch(place, config.office.country, seen, seconds))
    except KeyboardInterrupt:
        pass  # enough seen: what was seen is told all the same
    except (LinkLost, Refused, OSError) as error:
        problem = problems.of_connecting(error, place.host, place.port, place.username)
        raise Report(f"{place.name}: {problem.text}") from error
    _conclude(place, seen)


async def _watch(pbx: Pbx, country: str, seen: probing.Probe, seconds: float) -> None:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            async for call in probing.watch(pbx.access(), pbx.inbound(), country, seen):
                print_table(
                    "a call",
                    ("context", "endpoint", "line", "number", "name", "inbound?"),
                    [
                        (
                            call.context,
                            call.endpoint,
                            call.exten,
                            call.e164 or call.number or "no number",
                            call.caller_name,
                            "yes" if call.recognised else "no",
                        )
                    ],
                )
    except TimeoutError:
        if not limit.expired():  # it is the PBX that did not answer in time
            raise


def _conclude(pbx: Pbx, seen: probing.Probe) -> None:
    if not seen.calls:
        print_line("no call was seen; did it reach this PBX?")
    elif proposal := seen.proposal():
        print_line(f"for these calls to count as inbound, put into [[pbx]] of {pbx.name}:")
        for line in proposal:
            print_line(f"  {line}")
    elif any(call.recognised for call in seen.calls):
        print_line("calls from outside are recognised with the settings as they are")
    if seen.calls and (missing := seen.missing_classes()):
        print_line(f"no events seen of: {', '.join(missing)} (agent shows only in a queue)")
