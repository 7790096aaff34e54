"""`send-test`: one real text, to see that the gateway works."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import click
from sqlalchemy import Connection

from pbx_bridge import clock, logs
from pbx_bridge.cli.options import (
    Misuse,
    Report,
    config_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import print_line
from pbx_bridge.config import Config
from pbx_bridge.core import number, text
from pbx_bridge.core.delivery import (
    Accepted,
    Deferred,
    Message,
    Purpose,
    Rejected,
    SendResult,
    State,
    Step,
    Uncertain,
)
from pbx_bridge.ports import GatewayProblem
from pbx_bridge.sources.ami.borrowed import borrowed
from pbx_bridge.store import outbox
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem

#: A test that takes longer is given up.
_TIMEOUT_SECONDS = 30.0
#: Before everything that really waits, so that claiming one message claims the test.
_FIRST_IN_LINE = datetime(2000, 1, 1, tzinfo=UTC)
DEFAULT_TEXT = "Test from {office}: missed-call texts work."


@click.command("send-test")
@config_option
@click.argument("to", metavar="NUMBER")
@click.option("--gateway", help="Its name; without it the one that [texting] names.")
@click.option("--text", "body", default=DEFAULT_TEXT, show_default=True, help="What to send.")
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
def send_test(
    *, config_path: Path | None, to: str, gateway: str | None, body: str, yes: bool
) -> None:
    """Send one text through the gateway, also in shadow mode.

    Shows what will be sent and asks first. The message is written into the database like any
    other, without a call: see `pbx-bridge messages`. It is tried once.

    \b
    Examples:
      pbx-bridge send-test "+1 212 555 0143"
      pbx-bridge send-test "+1 212 555 0143" --gateway twilio --yes
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    logs.configure("warning", "console")
    e164 = number.normalise(to, config.office.country)
    if e164 is None:
        raise Misuse(f"{to!r} is no number of {config.office.country}; write it as +1 212 555 0143")
    name = gateway or next(iter(config.texting.gateways), "")
    if name not in config.gateways:
        raise Misuse(f"no gateway {name!r}; configured: {', '.join(config.gateways)}")
    if unknown := text.placeholders(body) - {"office"}:
        raise Misuse(f"unknown placeholder {{{min(unknown)}}}; a test knows only {{office}}")
    filled = text.fill(body, {"office": config.office.name})
    parts = text.segments(filled)
    print_line(f"to {e164} through {name}, {parts.parts} part(s), {parts.encoding}:")
    print_line(f"  {filled}")
    if not yes:
        click.confirm("Send it?", abort=True)
    with told_plainly(StoreProblem, GatewayProblem):
        result = run_async(_send(config, name, e164, filled))
    match result:
        case Accepted(ref):
            print_line(f"accepted by the gateway, its id: {ref or 'none given'}")
        case Rejected(reason, code):
            raise Report(f"refused: {reason} {code}".rstrip())
        case Deferred(reason, _, code):
            raise Report(f"not sent, may be tried again: {reason} {code}".rstrip())
        case Uncertain(reason):
            raise Report(f"perhaps sent, the gateway did not say: {reason}")


async def _send(config: Config, name: str, to: str, body: str) -> SendResult:
    async with (
        Database.open(config.database.path) as database,
        borrowed(pbx.access() for pbx in config.pbx) as pbxs,
        config.gateways[name].build(config.surroundings(name, pbxs)) as gateway,
    ):
        message = await database.run(_queued_and_claimed(name, to, body))
        began = time.monotonic()
        result: SendResult
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                result = await gateway.send(message)
        except TimeoutError:
            result = Uncertain(f"no answer within {_TIMEOUT_SECONDS:.0f} s")
        seconds = time.monotonic() - began
        await database.run(
            lambda tx: outbox.settle_attempt(
                tx,
                message.message_id,
                _step(result),
                result,
                now=clock.utc_now(),
                seconds=seconds,
            )
        )
        return result


def _queued_and_claimed(gateway: str, to: str, body: str) -> Callable[[Connection], Message]:
    """Write the message down as being sent, so that a running service leaves it alone."""

    def write(tx: Connection) -> Message:
        now = clock.utc_now()
        outbox.insert(
            tx,
            call_row=None,
            step="test",
            key=str(uuid4()),
            to=to,
            body=body,
            gateway=gateway,
            line="",
            created_at=now,
            due_at=_FIRST_IN_LINE,
            expires_at=now + timedelta(minutes=5),
            shadow=False,
            purpose=Purpose.TEST,
        )
        (row,) = outbox.claim_due(tx, now, 1, lambda *_: None)
        return row.as_message()

    return write


def _step(result: SendResult) -> Step:
    """Say what follows: a test is not tried again, the person at the keyboard may."""
    match result:
        case Accepted():
            return Step(State.ACCEPTED, None, "", "")
        case Rejected(reason, code) | Deferred(reason, _, code):
            return Step(State.FAILED, None, reason, code)
        case Uncertain(reason):
            return Step(State.UNCERTAIN, None, reason, "")
