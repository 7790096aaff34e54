"""How the gateways stand, from the command line."""

import json
from collections.abc import Callable
from datetime import timedelta

from click.testing import Result
from sqlalchemy import Connection

from pbx_bridge.clock import utc_now
from pbx_bridge.core.delivery import Accepted, State, Step
from pbx_bridge.core.routing import Circuit, Standing
from pbx_bridge.store import outbox, standings
from tests.store.examples import queue_message

Run = Callable[..., Result]
Write = Callable[[Callable[[Connection], object]], None]


def fill(tx: Connection) -> None:
    now = utc_now()
    opened = Standing(
        circuit=Circuit.OPEN, failures=1, until=now + timedelta(minutes=5), reason="wrong token"
    )
    standings.save(tx, "console", opened, now)
    for n, state in enumerate((State.ACCEPTED, State.FAILED)):
        soon = now + timedelta(minutes=9)
        queue_message(
            tx, key=str(n), gateway="console", created_at=now, due_at=now, expires_at=soon
        )
        (message,) = outbox.claim_due(tx, now, 1, lambda *_: None)
        outcome = outbox.Outcome(
            row=message,
            step=Step(state, None, ""),
            result=Accepted("1"),
            now=now,
            seconds=0.1,
            cost_micros=7900,
        )
        outbox.settle_attempts(tx, [outcome])


def test_each_gateway_is_shown_with_its_traffic(command: Run, write: Write) -> None:
    write(fill)
    (told,) = map(json.loads, command("gateways", "--json").output.splitlines())
    assert (told["name"], told["type"], told["circuit"]) == ("console", "console", "open")
    assert (told["taken"], told["delivered"], told["failed"]) == (1, 0, 1)
    assert (told["cost"], told["currency"], told["reason"]) == ("0.0079", "USD", "wrong token")
    shown = command("gateways").output
    assert "not until" in shown
    assert "wrong token" in shown


def test_a_mended_gateway_is_used_again_at_once(command: Run, write: Write) -> None:
    write(fill)
    assert command("gateways", "--close", "console").output == "console is used again\n"
    (told,) = map(json.loads, command("gateways", "--json").output.splitlines())
    assert (told["circuit"], told["reason"]) == ("closed", "")


def test_before_anything_was_sent_it_works_too(command: Run) -> None:
    (told,) = map(json.loads, command("gateways", "--json").output.splitlines())
    assert (told["circuit"], told["taken"]) == ("closed", 0)


def test_an_unknown_gateway_is_named(command: Run) -> None:
    said = command("gateways", "--close", "modem")
    assert said.exit_code == 2
    assert "no gateway 'modem'; configured: console" in said.output
