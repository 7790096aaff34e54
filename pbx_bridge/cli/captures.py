"""`record` and `replay`: what a PBX said, kept in files and judged again."""

import dataclasses
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from pbx_bridge import logs
from pbx_bridge import replay as replaying
from pbx_bridge.cli.options import (
    config_option,
    find_pbx,
    json_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_json, print_line, print_table
from pbx_bridge.config import defaults
from pbx_bridge.core.office import Rules
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.record import Capture
from pbx_bridge.recording import RecordingProblem


@click.command()
@config_option
@click.argument("name", type=click.Path(path_type=Path))
@click.option("--pbx", help="The name of the PBX, if several are configured.")
@click.option("--mask-numbers", is_flag=True, help="Replace telephone numbers by made-up ones.")
@click.option("--seconds", type=click.FloatRange(min=1), help="How long; without it until Ctrl-C.")
def record(
    *,
    config_path: Path | None,
    name: Path,
    pbx: str | None,
    mask_numbers: bool,
    seconds: float | None,
) -> None:
    """Capture what the PBX says: NAME.ami, the bytes, and NAME.times.jsonl, when they came.

    Secrets are masked. A capture is what a bug report needs: `pbx-bridge replay NAME.ami` judges
    its calls again on any machine.

    \b
    Examples:
      pbx-bridge record monday --mask-numbers
      pbx-bridge record test-call --seconds 60
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    place = find_pbx(config, pbx)
    logs.configure("info", "console")
    path = name if name.suffix == ".ami" else name.with_name(f"{name.name}.ami")
    capture = Capture(place.access(), place.inbound(), path, mask=mask_numbers)
    print_line(f"recording {place.name} into {path}; Ctrl-C ends it")
    with told_plainly(RecordingProblem), suppress(KeyboardInterrupt):
        run_async(capture.run(seconds))
    if capture.problem:
        print_line(capture.problem)
    print_line(f"{capture.bytes} bytes, {capture.events} events about calls, in {path}")
    print_line(f"judge them: pbx-bridge replay {path}")


@click.command()
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Judge by this configuration. [default: built-in rules, FreePBX's inbound contexts]",
)
@json_option
@click.option("--pbx", help="Whose inbound settings to use; the first in the configuration's.")
@click.argument(
    "captures",
    metavar="NAME.ami ...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
def replay(
    *, config_path: Path | None, pbx: str | None, captures: tuple[Path, ...], as_json: bool
) -> None:
    """Judge captured calls by today's rules; send nothing.

    Says for each inbound call whether its caller would have been texted, and why not. Works without
    configuration, and without the .times.jsonl beside a capture.

    \b
    Examples:
      pbx-bridge replay monday.ami
      pbx-bridge replay --json --config pbx-bridge.toml captures/*.ami
    """  # noqa: D301 - see above
    logs.configure("warning", "console")
    rules, inbound, zone = defaults(), Inbound(), ZoneInfo("UTC")
    if config_path is not None:
        config = load_config(config_path)
        rules, zone = config.rules(), config.office.timezone
        inbound = find_pbx(config, pbx).inbound()
    rows = []
    for path in captures:
        with told_plainly(RecordingProblem):
            judged = run_async(_judge(path, rules, inbound))
        if as_json:
            print_json(map(dataclasses.asdict, judged))
        rows += [_row(path, call, zone) for call in judged]
    if not as_json:
        columns = ("capture", "began", "caller", "line", "became", "because", "text", "why")
        print_table(f"inbound calls, times in {zone}", columns, rows)


async def _judge(path: Path, rules: Rules, inbound: Inbound) -> list[replaying.Judged]:
    return [judged async for judged in replaying.replay(path, rules, inbound)]


def _row(path: Path, call: replaying.Judged, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        path.name,
        local(call.began, zone),
        call.caller or "no number",
        call.line,
        call.disposition,
        call.reason,
        "yes" if call.would_text else "no",
        call.why,
    )
