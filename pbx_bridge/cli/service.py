"""`demo` and `run`: the service itself, on recorded calls or on a PBX."""

from pathlib import Path

import click

from pbx_bridge import logs
from pbx_bridge.cli.options import config_option, find_config, load_config, run_async


@click.command()
@click.option(
    "--speed",
    type=click.FloatRange(min=0.01),
    default=1.0,
    show_default=True,
    help="2 is twice as fast.",
)
@click.option("--page", is_flag=True, help="Show the page, with some weeks of calls, until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8090,
    show_default=True,
    help="Where the page is, on this machine alone; for --page.",
)
@click.option(
    "--days",
    type=click.IntRange(0, 90),
    default=28,
    show_default=True,
    help="How much has happened before; for --page.",
)
@click.pass_context
def demo(ctx: click.Context, *, speed: float, page: bool, port: int, days: int) -> None:
    """See recorded real calls judged and texted.

    Needs no PBX, no account and no configuration: calls recorded on a real Asterisk go through the
    whole service, into a temporary database and onto the screen. Nothing is sent anywhere.

    With --page they also happened to a made-up office in the last weeks, and go on happening: open
    the link that is printed in a browser on this machine.

    \b
    Examples:
      pbx-bridge demo
      pbx-bridge demo --speed 5
      pbx-bridge demo --page
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    from pbx_bridge.cli import playing  # noqa: PLC0415 - the whole service, on recordings

    logs.configure("warning", "console")
    if page:
        ctx.exit(run_async(playing.page(speed, port=port, days=days)))
    run_async(playing.demo(speed))


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
    from pbx_bridge import app, threads  # noqa: PLC0415 - the whole service; others do without

    ctx.exit(threads.run(app.run(path)))
