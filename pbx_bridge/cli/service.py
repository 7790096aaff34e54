"""`demo`, `check`, `probe` and `run`: commands that work with a PBX, a recorded or a real one."""

from pathlib import Path

import click

from pbx_bridge import logs
from pbx_bridge.cli.options import config_option, find_config, find_pbx, load_config, run_async


@click.command()
@click.option(
    "--speed",
    type=click.FloatRange(min=0.01),
    default=1.0,
    show_default=True,
    help="2 is twice as fast.",
)
@click.pass_context
def demo(ctx: click.Context, speed: float) -> None:
    """See recorded real calls judged and texted.

    Needs no PBX, no account and no configuration: calls recorded on a real Asterisk go through the
    whole service, into a temporary database and onto the screen. Nothing is sent anywhere.

    \b
    Examples:
      pbx-bridge demo
      pbx-bridge demo --speed 5
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    from pbx_bridge import demo as the_demo  # noqa: PLC0415 - its name is this command's

    logs.configure("warning", "console")
    ctx.exit(run_async(the_demo.run(speed=speed)))


@click.command()
@config_option
@click.pass_context
def check(ctx: click.Context, config_path: Path | None) -> None:
    """Try all that the service needs; send nothing.

    One line each for configuration, database, login and permissions at each PBX, gateway
    credentials and clock. The exit code is not 0 if anything has to be put right.

    \b
    Examples:
      pbx-bridge check
      pbx-bridge check --config /etc/pbx-bridge/pbx-bridge.toml && systemctl restart pbx-bridge
    """  # noqa: D301 - see above
    config = load_config(config_path)
    from pbx_bridge import check as the_check  # noqa: PLC0415 - its name is this command's

    logs.configure("error", "console")
    ctx.exit(run_async(the_check.run(config)))


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
@click.pass_context
def probe(ctx: click.Context, config_path: Path | None, pbx: str | None, seconds: float) -> None:
    """Watch a test call and propose the inbound settings for this PBX.

    Start it, ring the office from a mobile phone, and see what the PBX calls that: context,
    endpoint, line and number. Paste what it proposes into the configuration.

    \b
    Examples:
      pbx-bridge probe
      pbx-bridge probe --pbx office --seconds 60
    """  # noqa: D301 - see above
    place = find_pbx(load_config(config_path), pbx)
    from pbx_bridge import probe as the_probe  # noqa: PLC0415 - its name is this command's

    logs.configure("warning", "console")
    ctx.exit(run_async(the_probe.run(place, seconds=seconds)))


@click.command()
@config_option
@click.pass_context
def run(ctx: click.Context, config_path: Path | None) -> None:
    """Watch the PBX and text missed callers, until stopped.

    On a first start nothing is sent (shadow mode): `pbx-bridge calls` shows what would have been.
    Set `enabled = true` in [texting] when you like what you see.

    \b
    Signals:
      SIGHUP   read the configuration again; a bad one is reported, and the old one kept
      SIGTERM  finish what is in hand and exit, within 10 seconds
    """  # noqa: D301 - see above
    path = find_config(config_path)
    load_config(path)
    from pbx_bridge import app  # noqa: PLC0415 - the whole service; the other commands do without

    ctx.exit(run_async(app.run(path)))
