"""`contacts`: whom the office knows; who they are, and what we had to do with each other."""

import getpass
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy import Connection

from pbx_bridge import clock
from pbx_bridge.cli.contact_files import KINDS, export, import_, sync
from pbx_bridge.cli.options import (
    Misuse,
    Report,
    config_option,
    json_option,
    limit_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.contacts import by_hand
from pbx_bridge.contacts.news import CHANGED, CREATED, DELETED, tell
from pbx_bridge.core import number, told
from pbx_bridge.core.contact import NOBODY, Contact
from pbx_bridge.core.merge import Key, number_key, tag_key
from pbx_bridge.core.origin import Standing
from pbx_bridge.core.told import Field
from pbx_bridge.objects.contacts import contact_object, history_object
from pbx_bridge.store import contact_history, contact_origins
from pbx_bridge.store import contacts as stored
from pbx_bridge.store.calls import ROW_ID_DIGITS
from pbx_bridge.store.contact_history import Contacted, Direction, History
from pbx_bridge.store.contacts import ContactRecord, NumberTaken
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem

Result = TypeVar("Result")
Command = TypeVar("Command", bound=Callable[..., Any])

_WHO = click.argument("who", metavar="WHO")


def _fields(command: Command) -> Command:
    """Add an option for each field; the command gets them in `given`."""
    for option in (
        click.option("--notes", help="Anything worth knowing."),
        click.option("--owner", help="Whose contact it is, among the staff."),
        click.option("--email", metavar="ADDRESS", help="E-mail address."),
        click.option("--zone", help="Time zone, such as America/New_York."),
        click.option("--language", metavar="CODE", help="Two letters, such as es."),
        click.option("--kind", type=KINDS, help="What the contact is."),
        click.option("--company", help="Company."),
        click.option("--name", help="Name."),
        click.option(
            "--number", "numbers", multiple=True, metavar="NUMBER[=LABEL]", help="May be repeated."
        ),
    ):
        command = option(command)
    return command


@click.group()
def contacts() -> None:
    """See and change whom you know: who they are decides how a missed call is followed up.

    WHO is a contact's id, a telephone number, or part of a name that only one has. What you change
    here is never overwritten by what is imported or synchronised.

    \b
    Examples:
      pbx-bridge contacts list miller
      pbx-bridge contacts show "+1 212 555 0142"
      pbx-bridge contacts add --name "Ann Baker" --number "212 555 0142=mobile" --kind customer
      pbx-bridge contacts edit 17 --language es
      pbx-bridge contacts tag 17 vip
      pbx-bridge contacts import customers.csv --as customer
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is


@contacts.command("list")
@config_option
@json_option
@limit_option
@click.argument("text", default="")
@click.option("--kind", type=KINDS, help="Only such contacts.")
@click.option("--tag", help="Only those with this tag.")
def list_(  # noqa: PLR0913 - one argument for each option
    *,
    config_path: Path | None,
    as_json: bool,
    limit: int,
    text: str,
    kind: str | None,
    tag: str | None,
) -> None:
    """List contacts by name, or those that have TEXT in name, company, address, tag or number."""
    config = load_config(config_path)
    wanted = number.normalise(text, config.office.country) or text
    those = _reading(config, lambda tx: stored.find(tx, wanted))
    tags = frozenset() if tag is None else told.tags([tag])
    found = [r for r in those if kind in (None, r.contact.kind) and tags <= r.contact.tags][:limit]
    if as_json:
        print_json(map(contact_object, found))
        return
    if not found:
        print_line("no such contacts" if text or kind or tag else "no contacts")
        return
    print_table(
        "contacts, by name",
        ("id", "name", "company", "kind", "numbers", "e-mail", "tags", "language", "owner"),
        [_row(record) for record in found],
    )


@contacts.command()
@config_option
@json_option
@limit_option
@_WHO
def show(*, config_path: Path | None, as_json: bool, limit: int, who: str) -> None:
    """Show all that is known about WHO: fields, where they come from, calls and messages."""
    config = load_config(config_path)

    def read(tx: Connection) -> tuple[ContactRecord, Standing | None, History]:
        record = _find(tx, who, config)
        standing = contact_origins.standing(tx, record.row_id)
        past = contact_history.history(tx, record.row_id, clock.utc_now(), limit=limit)
        return record, standing, past

    record, standing, past = _reading(config, read)
    if as_json:
        print_json([contact_object(record) | history_object(past)])
        return
    _print_contact(record, standing, past, config)


@contacts.command()
@config_option
@_fields
@click.option("--tag", "tags", multiple=True, help="May be repeated.")
def add(
    *, config_path: Path | None, numbers: tuple[str, ...], tags: tuple[str, ...], **given: Any
) -> None:
    """Add a contact.

    \b
    Example:
      pbx-bridge contacts add --name "Ann Baker" --number "+1 212 555 0142=mobile" --tag vip
    """  # noqa: D301 - see above
    config = load_config(config_path)
    contact, _ = _changed(NOBODY, given)
    contact = replace(contact, numbers=_numbers(config, numbers), tags=told.tags(tags))
    if not contact.numbers and not contact.email:
        raise Misuse("neither a number nor an e-mail address; give --number or --email")
    by, now = getpass.getuser(), clock.utc_now()

    def write(tx: Connection) -> ContactRecord:
        made = stored.create(tx, contact, by=by, now=now)
        tell(tx, CREATED, [(made.row_id, made.contact)], config.listeners(), now)
        return made

    record = _writing(config, write)
    print_line(f"contact {record.row_id}: {_called(record)}")


@contacts.command()
@config_option
@_WHO
@_fields
@click.option("--drop-number", "dropped", multiple=True, metavar="NUMBER", help="May be repeated.")
def edit(
    *,
    config_path: Path | None,
    who: str,
    numbers: tuple[str, ...],
    dropped: tuple[str, ...],
    **given: Any,
) -> None:
    """Change fields of WHO; an empty text empties a field.

    What you name here is your word: neither a file nor an address book changes it again.

    \b
    Example:
      pbx-bridge contacts edit "ann baker" --language es --drop-number "212 555 0199"
    """  # noqa: D301 - see above
    config = load_config(config_path)
    more = _numbers(config, numbers)
    fewer = _numbers(config, dropped)

    def change(contact: Contact) -> tuple[Contact, set[Key]]:
        changed, decided = _changed(contact, given)
        left = {n: label for n, label in changed.numbers.items() if n not in fewer}
        decided |= {number_key(one) for one in (*more, *fewer)}
        return replace(changed, numbers=left | more), decided

    _edit(config, who, change)


@contacts.command()
@config_option
@_WHO
@click.argument("tags", nargs=-1, required=True)
@click.option("--remove", "removing", is_flag=True, help="Take the tags away.")
def tag(*, config_path: Path | None, who: str, tags: tuple[str, ...], removing: bool) -> None:
    """Give WHO tags, for rules to ask about, or take them away.

    \b
    Examples:
      pbx-bridge contacts tag 17 vip "service contract"
      pbx-bridge contacts tag 17 vip --remove
    """  # noqa: D301 - see above
    named = told.tags(tags)

    def change(contact: Contact) -> tuple[Contact, set[Key]]:
        left = contact.tags - named if removing else contact.tags | named
        return replace(contact, tags=left), {tag_key(one) for one in named}

    _edit(load_config(config_path), who, change)


@contacts.command()
@config_option
@click.argument("kept", metavar="WHO")
@click.argument("other", metavar="OTHER")
def merge(*, config_path: Path | None, kept: str, other: str) -> None:
    """Make one contact of two: WHO stays, OTHER fills what is empty, and is gone.

    \b
    Example:
      pbx-bridge contacts merge 17 23
    """  # noqa: D301 - see above
    config = load_config(config_path)

    def write(tx: Connection) -> tuple[ContactRecord, ContactRecord]:
        first, second = _find(tx, kept, config), _find(tx, other, config)
        if first.row_id == second.row_id:
            raise Misuse(f"{kept!r} and {other!r} are the same contact")
        now = clock.utc_now()
        joined = stored.join(tx, first.row_id, second.row_id, now=now)
        tell(tx, CHANGED, [(joined.row_id, joined.contact)], config.listeners(), now)
        tell(tx, DELETED, [(second.row_id, second.contact)], config.listeners(), now)
        return joined, second

    record, gone = _writing(config, write)
    print_line(f"contact {gone.row_id} is part of contact {record.row_id} now: {_called(record)}")


@contacts.command()
@config_option
@_WHO
def remove(*, config_path: Path | None, who: str) -> None:
    """Forget WHO; calls and messages stay. A source that still tells of them brings them back."""
    config = load_config(config_path)

    def write(tx: Connection) -> ContactRecord:
        record = _find(tx, who, config)
        stored.remove(tx, record.row_id)
        those = [(record.row_id, record.contact)]
        tell(tx, DELETED, those, config.listeners(), clock.utc_now())
        return record

    record = _writing(config, write)
    print_line(f"contact {record.row_id} is gone: {_called(record)}")


for _command in (import_, export, sync):
    contacts.add_command(_command)


def _edit(config: Config, who: str, change: Callable[[Contact], tuple[Contact, set[Key]]]) -> None:
    by, now = getpass.getuser(), clock.utc_now()

    def write(tx: Connection) -> ContactRecord:
        record = _find(tx, who, config)
        contact, decided = change(record.contact)
        edited = stored.edit(tx, record.row_id, contact, by=by, now=now, decided=decided)
        tell(tx, CHANGED, [(edited.row_id, edited.contact)], config.listeners(), now)
        return edited

    record = _writing(config, write)
    print_line(f"contact {record.row_id}: {_called(record)}")


def _changed(contact: Contact, given: dict[str, str | None]) -> tuple[Contact, set[Key]]:
    """Give a contact with the fields that options name, and the names of these."""
    written = {name: text for name, text in given.items() if text is not None}
    try:
        return by_hand.changed(contact, written), set(written)
    except by_hand.NotSo as problem:
        raise Misuse(str(problem)) from problem


def _numbers(config: Config, written: tuple[str, ...]) -> dict[str, str]:
    parts = (text.partition("=") for text in written)
    try:
        return by_hand.numbers(
            ((digits, label) for digits, _, label in parts), config.office.country
        )
    except by_hand.NotSo as problem:
        raise Misuse(str(problem)) from problem


def _find(tx: Connection, who: str, config: Config) -> ContactRecord:
    """Find the one contact that is meant."""
    e164 = number.normalise(who, config.office.country)
    if e164 is not None and (record := stored.of_number(tx, e164)) is not None:
        return record
    if who.isascii() and who.isdigit() and len(who) <= ROW_ID_DIGITS:
        if (record := stored.get(tx, int(who))) is not None:
            return record
        raise Report(f"there is no contact {who}; `pbx-bridge contacts list` has their ids")
    found = stored.find(tx, who)
    if len(found) == 1:
        return found[0]
    if not found:
        raise Report(f"no contact has {who!r}")
    names = ", ".join(f"{record.row_id} ({record.contact.name})" for record in found[:10])
    raise Report(f"{len(found)} contacts have {who!r}; name one by its id: {names}")


def _reading(config: Config, fn: Callable[[Connection], Result]) -> Result:
    async def work() -> Result:
        async with Database.read_only(config.database.path) as database:
            return await database.read(fn)

    with told_plainly(StoreProblem):
        return run_async(work())


def _writing(config: Config, fn: Callable[[Connection], Result]) -> Result:
    async def work() -> Result:
        async with Database.open(config.database.path) as database:
            return await database.run(fn)

    with told_plainly(StoreProblem, NumberTaken):
        return run_async(work())


def _called(record: ContactRecord) -> str:
    contact = record.contact
    parts = (contact.name or contact.company, *contact.numbers, contact.email)
    return ", ".join(filter(None, parts))


def _row(record: ContactRecord) -> tuple[str, ...]:
    contact = record.contact
    return (
        str(record.row_id),
        contact.name,
        contact.company,
        contact.kind,
        ", ".join(contact.numbers),
        contact.email,
        ", ".join(sorted(contact.tags)),
        contact.language,
        contact.owner,
    )


def _print_contact(
    record: ContactRecord, standing: Standing | None, past: History, config: Config
) -> None:
    contact, zone = record.contact, config.office.timezone
    print_line(f"contact {record.row_id}, since {local(record.created_at, zone)}")
    suggested = standing.suggested if standing is not None else frozenset()
    for field in Field:
        for key, text in _lines(contact, field):
            by = record.edited.get(key)
            note = f"  (decided by {by})" if by else ""
            note = "  (only the caller ID says so)" if key in suggested else note
            print_line(f"  {field.value + ':':10}{text}{note}")
    if standing is not None and standing.origins:
        told_by = ", ".join(dict.fromkeys(origin.source for origin in standing.origins))
        print_line(f"  {'told by:':10}{told_by}")
    print_line(f"  {'spoke:':10}{_contacted(past.last_spoken, config)}")
    print_line(f"  {'wrote:':10}{_contacted(past.last_written, config)}")
    _print_history(past, config)


def _print_history(past: History, config: Config) -> None:
    zone = config.office.timezone
    if past.calls:
        print_table(
            f"calls, newest first, times in {zone}",
            ("id", "began", "line", "became", "reason", "answered by"),
            [
                (
                    str(one.row_id),
                    local(one.call.began, zone),
                    one.call.line,
                    one.call.disposition if one.call.ended else "live",
                    one.call.reason if one.call.ended else "",
                    one.call.answered_by,
                )
                for one in past.calls
            ],
        )
    if past.messages:
        print_table(
            "messages to them",
            ("id", "created", "to", "state", "text"),
            [
                (str(m.message_id), local(m.created_at, zone), m.to, m.state, m.body)
                for m in past.messages
            ],
        )
    if past.replies:
        print_table(
            "messages from them",
            ("id", "received", "from", "meaning", "text"),
            [
                (str(r.row_id), local(r.received_at, zone), r.sender, r.meaning, r.body)
                for r in past.replies
            ],
        )
    if past.consents:
        print_table(
            "what they said about texts; the newest counts",
            ("at", "number", "said", "by", "evidence"),
            [
                (local(c.at, zone), c.address, c.kind.value, c.source.value, c.detail)
                for c in past.consents
            ],
        )


def _lines(contact: Contact, field: Field) -> list[tuple[Key, str]]:
    """Lay a field out as it is shown, each element with its key."""
    if field is Field.TAGS:
        return [(tag_key(one), one) for one in sorted(contact.tags)]
    if field is Field.NUMBERS:
        return [(number_key(n), f"{n} {label}".strip()) for n, label in contact.numbers.items()]
    text = str(getattr(contact, field))
    return [(field.value, text)] if text else []


def _contacted(last: Contacted | None, config: Config) -> str:
    if last is None:
        return "never"
    way = "they to us" if last.direction is Direction.IN else "we to them"
    who = f", {last.by}" if last.by else ""
    return f"{local(last.at, config.office.timezone)}, {way}{who}"
