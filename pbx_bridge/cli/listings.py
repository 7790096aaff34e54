"""`calls`, `explain`, `messages` and `replies`: what happened, and why."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.cli.explanation import print_explanation, spell_caller
from pbx_bridge.cli.options import (
    Report,
    config_option,
    earliest,
    json_option,
    limit_option,
    load_config,
    run_async,
    since_option,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.core import number
from pbx_bridge.core.call import Disposition
from pbx_bridge.core.delivery import State
from pbx_bridge.objects.calls import call_object, explanation_object
from pbx_bridge.objects.messages import message_object, reply_object
from pbx_bridge.store import calls as stored_calls
from pbx_bridge.store import messages as stored_messages
from pbx_bridge.store import replies as stored_replies
from pbx_bridge.store.calls import CallRecord, Explanation
from pbx_bridge.store.db import Database
from pbx_bridge.store.messages import MessageRecord
from pbx_bridge.store.problem import StoreProblem

T = TypeVar("T")


@click.command()
@config_option
@json_option
@since_option
@limit_option
@click.option("--caller", help="Only this number's calls.")
@click.option("--line", help="Only calls to this line, as the PBX writes it.")
@click.option(
    "--disposition", type=click.Choice([d.value for d in Disposition]), help="Only such calls."
)
def calls(  # noqa: PLR0913 - one argument for each option
    *,
    config_path: Path | None,
    since: timedelta | datetime | None,
    limit: int,
    caller: str | None,
    line: str | None,
    disposition: str | None,
    as_json: bool,
) -> None:
    """List calls, the newest first: what became of each, and whether it was texted.

    \b
    Examples:
      pbx-bridge calls --since 2d
      pbx-bridge calls --disposition missed --json
      pbx-bridge calls --caller "+1 212 555 0143"
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    zone = config.office.timezone
    found = _read(
        config,
        lambda tx: stored_calls.recent(
            tx,
            limit=limit,
            since=earliest(since, clock.utc_now(), zone),
            caller=caller and (number.normalise(caller, config.office.country) or caller),
            line=line,
            disposition=Disposition(disposition) if disposition else None,
        ),
    )
    if as_json:
        print_json(map(call_object, found))
        return
    if not found:
        print_line("no calls yet" if since is None else "no calls since then")
        return
    print_calls(f"calls, newest first, times in {zone}", found, zone)
    if not config.texting.enabled:
        print_line("shadow mode: nothing is sent until [texting] enabled = true")


@click.command()
@config_option
@json_option
@click.argument("call")
def explain(config_path: Path | None, call: str, *, as_json: bool) -> None:
    """Show one call's timeline, and every rule that judged it.

    CALL is the id that `pbx-bridge calls` shows, or Asterisk's Uniqueid.

    \b
    Examples:
      pbx-bridge explain 17
      pbx-bridge explain 1795446123.42
    """  # noqa: D301 - see above
    config = load_config(config_path)
    told = _read(config, lambda tx: _explanation(tx, call))
    if told is None:
        raise Report(f"no call {call!r}; `pbx-bridge calls` lists them")
    if as_json:
        print_json([explanation_object(told)])
    else:
        print_explanation(told, config.office.timezone)


@click.command()
@config_option
@json_option
@since_option
@limit_option
@click.option("--state", type=click.Choice([s.value for s in State]), help="Only such messages.")
def messages(
    config_path: Path | None,
    since: timedelta | datetime | None,
    limit: int,
    state: str | None,
    *,
    as_json: bool,
) -> None:
    """List messages, the newest first, and what became of each.

    \b
    Examples:
      pbx-bridge messages --since 1d
      pbx-bridge messages --state failed
    """  # noqa: D301 - see above
    config = load_config(config_path)
    zone = config.office.timezone
    found = _read(
        config,
        lambda tx: stored_messages.recent(
            tx,
            limit=limit,
            since=earliest(since, clock.utc_now(), zone),
            state=State(state) if state else None,
        ),
    )
    if as_json:
        print_json(map(message_object, found))
        return
    if not found:
        print_line("no messages")
        return
    print_table(
        f"messages, newest first, times in {zone}",
        ("id", "created", "to", "call", "gateway", "state", "tries", "detail", "text"),
        [_message_row(record, zone) for record in found],
    )


@click.command()
@config_option
@json_option
@since_option
@limit_option
@click.option("--sender", help="Only from this number.")
def replies(
    config_path: Path | None,
    since: timedelta | datetime | None,
    limit: int,
    sender: str | None,
    *,
    as_json: bool,
) -> None:
    """List what customers wrote, the newest first, and how it was understood.

    \b
    Examples:
      pbx-bridge replies --since 1d
      pbx-bridge replies --sender "+1 212 555 0143" --json
    """  # noqa: D301 - see above
    config = load_config(config_path)
    zone = config.office.timezone
    found = _read(
        config,
        lambda tx: stored_replies.recent(
            tx,
            limit=limit,
            since=earliest(since, clock.utc_now(), zone),
            sender=sender and (number.normalise(sender, config.office.country) or sender),
        ),
    )
    if as_json:
        print_json(map(reply_object, found))
        return
    if not found:
        print_line("no replies")
        return
    print_table(
        f"replies, newest first, times in {zone}",
        ("id", "received", "from", "meaning", "call", "gateway", "detail", "text"),
        [
            (
                str(record.row_id),
                local(record.received_at, zone),
                record.sender_e164 or record.sender,
                record.meaning,
                "" if record.call_row is None else str(record.call_row),
                record.gateway,
                record.detail,
                record.body,
            )
            for record in found
        ],
    )


def print_calls(title: str, found: Iterable[CallRecord], zone: ZoneInfo) -> None:
    """Print one line a call."""
    print_table(
        title,
        ("id", "began", "caller", "name", "line", "became", "because", "seconds", "text"),
        [_call_row(record, zone) for record in found],
    )


def _read(config: Config, query: Callable[[Connection], T]) -> T:
    async def read() -> T:
        async with Database.read_only(config.database.path) as database:
            return await database.read(query)

    with told_plainly(StoreProblem):
        return run_async(read())


def _explanation(tx: Connection, ref: str) -> Explanation | None:
    record = stored_calls.find(tx, ref)
    return stored_calls.explanation(tx, record.row_id) if record else None


def _call_row(record: CallRecord, zone: ZoneInfo) -> tuple[str, ...]:
    call = record.call
    return (
        str(record.row_id),
        local(call.began, zone),
        spell_caller(record),
        call.caller.name,
        call.line,
        call.disposition if call.ended else "live",
        call.reason if call.ended else "",
        f"{(call.ended - call.began).total_seconds():.0f}" if call.ended else "",
        _text_verdict(record),
    )


def _text_verdict(record: CallRecord) -> str:
    decision = record.decision
    if decision is None:
        return ""
    if decision.outcome == "skip":
        return f"no: {decision.rule}"
    if decision.outcome == "shadow":
        return "would be texted"
    return f"texted: {record.message_state}" if record.message_state else "texted"


def _message_row(record: MessageRecord, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        str(record.message_id),
        local(record.created_at, zone),
        record.to,
        str(record.purpose) if record.call_row is None else str(record.call_row),
        record.gateway,
        record.state,
        str(record.attempts),
        " ".join(filter(None, (record.code, record.detail))),
        record.body,
    )
