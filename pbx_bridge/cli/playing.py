"""What the demo shows: each recorded call, the texts that go out, and the list at the end."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from pbx_bridge import demo as recorded_demo
from pbx_bridge.cli.explanation import print_explanation
from pbx_bridge.cli.listings import print_calls
from pbx_bridge.cli.tables import print_line
from pbx_bridge.config import defaults
from pbx_bridge.demo import showing
from pbx_bridge.gateways import console
from pbx_bridge.store import calls
from pbx_bridge.store.db import Database

_ZONE = ZoneInfo("UTC")


async def demo(speed: float) -> None:
    """Play the recorded calls, `speed` times as fast as they were."""
    print_line("Calls recorded on a real Asterisk go through the whole service. Nothing is sent.")
    await recorded_demo.play(
        replace(defaults(), office="Miller & Sons"),
        console.Gateway(console.Settings(type="console")),
        speed=speed,
        announce=_announce,
        judged=_judged,
        show=_show,
    )


async def page(speed: float, *, port: int, days: int) -> int:
    """Show the page of a made-up office until the service is stopped; give its exit code."""
    print_line(f"{days} days of recorded calls are played; that takes half a minute ...")

    def ready(link: str) -> None:
        print_line("The page is up. Everything in it is made up, and nothing is sent anywhere.")
        print_line("")
        print_line(f"  {link}")
        print_line("")
        print_line("The link works once: choose a password, then you are in. Ctrl-C ends the demo.")

    return await showing.show(port=port, days_back=days, speed=speed, tell=ready)


def _announce(scene: recorded_demo.Scene) -> None:
    print_line("")
    print_line(f"> {scene.what}")


async def _judged(database: Database) -> None:
    for record in await database.read(lambda tx: calls.recent(tx, limit=1)):
        call, decision = record.call, record.decision
        if decision is None:
            continue
        then = f"no text ({decision.detail})" if decision.outcome == "skip" else "a text follows"
        print_line(f"  {call.disposition}: {call.reason}; {then}")


async def _show(database: Database) -> None:
    found = await database.read(lambda tx: calls.recent(tx, limit=100))
    print_line("")
    print_calls("what became of them (as `pbx-bridge calls` lists it)", reversed(found), _ZONE)
    texted = next(record for record in found if record.message_id is not None)
    explained = await database.read(lambda tx: calls.explanation(tx, texted.row_id))
    if explained is not None:
        print_line("")
        print_line(f"why (as `pbx-bridge explain {texted.row_id}` tells it)")
        print_explanation(explained, _ZONE)
