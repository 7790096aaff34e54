"""Options that several commands share, and how their mistakes are told."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:  # `health` runs every half minute: it must not wait for what it does not need
    from pbx_bridge.config import Config, Pbx
    from pbx_bridge.endings import Endings

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")

#: Where a configuration is looked for, in this order, unless one is named.
CONFIG_PLACES = (Path("pbx-bridge.toml"), Path("/etc/pbx-bridge/pbx-bridge.toml"))


class Report(click.ClickException):
    """What failed, told in words that stand for themselves, without `Error:` before them."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        click.echo(self.message, file=file or sys.stderr)


class Misuse(Report):
    """What has to be put right before the command can begin."""

    exit_code = 2


@contextmanager
def told_plainly(*problems: type[Exception]) -> Iterator[None]:
    """End the command with the text of such a problem, which says all there is to say."""
    try:
        yield
    except problems as problem:
        raise Report(str(problem)) from problem


def config_option(command: Command) -> Command:
    """Add `-c/--config`; the command gets `config_path`, a Path or None."""
    return click.option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="PBX_BRIDGE_CONFIG",
        show_envvar=True,
        help=f"Configuration file. [default: {' or '.join(map(str, CONFIG_PLACES))}]",
    )(command)


def json_option(command: Command) -> Command:
    """Add `--json`; the command gets `as_json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="For programs: one JSON object a line."
    )(command)


def find_config(path: Path | None) -> Path:
    """Give the configuration file to use, which may still turn out not to exist if it was named."""
    if path is not None:
        return path
    for place in CONFIG_PLACES:
        if place.exists():
            return place
    raise Misuse(
        "no configuration: neither --config nor $PBX_BRIDGE_CONFIG names one, and there is neither"
        f" {' nor '.join(map(str, CONFIG_PLACES))}. `pbx-bridge init` makes one."
    )


def load_config(path: Path | None) -> "Config":
    """Load the configuration, or end with the report of all its mistakes and exit code 2."""
    from pbx_bridge.config import ConfigError, load  # noqa: PLC0415 - see above

    try:
        return load(find_config(path))
    except ConfigError as error:
        raise Misuse(str(error)) from error


def find_pbx(config: "Config", name: str | None) -> "Pbx":
    """Give the PBX of that name, or the first."""
    for pbx in config.pbx:
        if name in (None, pbx.name):
            return pbx
    raise Misuse(f"no PBX {name!r}; configured: {', '.join(pbx.name for pbx in config.pbx)}")


def endings(config: "Config") -> "Endings":
    """Give what ends follow-ups, for a command: other programs are told by the service."""
    from pbx_bridge.endings import Endings  # noqa: PLC0415 - see above

    return Endings(lambda: uuid4().hex, config.listeners())


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


class Since(click.ParamType[timedelta | datetime]):
    """How far back to look: a duration (`2d`), or a day or time in the office's zone."""

    name = "since"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta | datetime:
        from pbx_bridge.config.values import parse_duration  # noqa: PLC0415 - see above

        if isinstance(value, timedelta | datetime):
            return value
        with suppress(ValueError):
            return parse_duration(value)
        with suppress(ValueError):
            return datetime.fromisoformat(value)
        return self.fail(f"{value!r} is neither like 2d or 4h nor like 2026-11-23", param, ctx)


def since_option(command: Command) -> Command:
    """Add `--since`; the command gets a timedelta, a datetime or None, see `earliest`."""
    return click.option(
        "--since", type=Since(), help="How far back: 4h, 2d, or a date like 2026-11-23."
    )(command)


def limit_option(command: Command) -> Command:
    """Add `--limit`."""
    return click.option(
        "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most."
    )(command)


def earliest(since: timedelta | datetime | None, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Give the instant meant; a time without a zone is in the office's."""
    if isinstance(since, datetime):
        return since if since.tzinfo else since.replace(tzinfo=zone)
    return None if since is None else now - since
