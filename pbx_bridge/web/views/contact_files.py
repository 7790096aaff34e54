"""Contacts from files and into files: nothing is written before it was looked at."""

import asyncio
import base64
import binascii
import zlib
from dataclasses import dataclass
from functools import partial

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.contacts import files, words
from pbx_bridge.contacts.by_hand import KINDS
from pbx_bridge.contacts.reading import Manner, Reading, Unreadable
from pbx_bridge.contacts.taking import as_csv, as_vcards, fingerprint, planned, take
from pbx_bridge.core.contact import NOBODY, CallerKind, Contact
from pbx_bridge.core.matching import Plan, Step
from pbx_bridge.core.merge import Key, flat
from pbx_bridge.core.roles import Role
from pbx_bridge.core.told import ALL_FIELDS
from pbx_bridge.store import contact_origins
from pbx_bridge.store import contacts as stored
from pbx_bridge.store.contacts import ContactRecord, batches
from pbx_bridge.web.frame import Form, Visit
from pbx_bridge.web.routes import get, post

_PATH = "/contacts/import"
#: Bytes: such a file has more than ten thousand contacts, and the form comes back with it.
LARGEST_FILE = 4 * 2**20
#: Of each kind of change so many are shown; all are counted.
MOST_SHOWN = 100
#: So often a plan is made anew because contacts changed while it was made.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Planned:
    """What a file leads to, and how the contacts stood when that was found out."""

    plan: Plan
    stamp: tuple[object, ...]
    before: dict[int, Contact]  #: contacts that change, as they are


async def ask(visit: Visit) -> web.Response:
    """Ask for a file, and offer all contacts as one."""
    return _page(visit)


async def preview(visit: Visit) -> web.Response:
    """Show what a file would change."""
    form = await visit.form()
    sent = form.file("file")
    if sent is None:
        return _page(visit, wrong=visit.gettext("Choose a file first."))
    body = await asyncio.to_thread(sent.file.read, LARGEST_FILE + 1)
    return await _preview(visit, body, sent.filename, _kind(form))


async def take_in(visit: Visit) -> web.Response:
    """Take in what was looked at; if it would do something else by now, it is shown again."""
    form = await visit.form()
    body, kind = _unpacked(form["body"]), _kind(form)
    for _ in range(_TRIES):
        try:
            reading = await _read(visit, body, kind)
        except Unreadable as problem:
            return _page(visit, wrong=_unreadable(visit, problem))
        found = await visit.inside.db.survey(partial(_plan, reading=reading))
        if fingerprint(found.plan) != form["fingerprint"]:
            return await _preview(visit, body, form["name"], kind, is_other=True)
        if await _taken(visit, found, form["name"]):
            visit.inside.told()
            notice = visit.gettext("%(new)d new, %(changed)d changed, %(skipped)d left out.") % {
                "new": len(found.plan.created),
                "changed": len(found.plan.changed),
                "skipped": len(found.plan.skipped),
            }
            return visit.to("/contacts", notice=notice)
    return await _preview(visit, body, form["name"], kind, is_other=True)


async def export(visit: Visit) -> web.Response:
    """Give all contacts as CSV or vCards, and remember what the file was told."""
    as_cards = (await visit.form())["format"] == "vcf"
    if as_cards and not files.has_vcards():
        return _page(visit, wrong=files.NO_VCARDS)
    inside = visit.inside

    def everyone(tx: Connection) -> tuple[list[ContactRecord], dict[int, str]]:
        found = stored.everyone(tx)
        return found, contact_origins.file_ids(tx, found)

    found, ids = await inside.db.survey(everyone)
    those = [(ids[record.row_id], record.contact) for record in found]
    text = await asyncio.to_thread(as_vcards if as_cards else as_csv, those)
    # What was handed out is remembered some at a time: texts go out in between.
    for some in batches(found):
        await inside.db.run(partial(_remember, visit=visit, some=some))
    await inside.db.run(
        lambda tx: visit.audit(tx, "contacts.export", detail=f"{len(found)} contacts")
    )
    ending, kind = ("vcf", "text/vcard") if as_cards else ("csv", "text/csv")
    return web.Response(
        body=text.encode("utf-8" if as_cards else "utf-8-sig"),
        content_type=kind,
        charset="utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="contacts.{ending}"',
            "Cache-Control": "no-store",
        },
    )


ROUTES = (
    get(_PATH, ask, Role.ADMIN),
    post(f"{_PATH}/preview", preview, Role.ADMIN),
    post(_PATH, take_in, Role.ADMIN),
    post("/contacts/export", export, Role.ADMIN),
)


# -------------------------------------------------------------------------------------------


def _page(visit: Visit, *, wrong: str = "") -> web.Response:
    return visit.page(
        "contacts_import.html",
        status=422 if wrong else 200,
        title=visit.gettext("Contacts from files and into files"),
        wrong=wrong,
        kinds=KINDS,
        largest=LARGEST_FILE // 2**20,
        has_vcards=files.has_vcards(),
    )


async def _preview(
    visit: Visit, body: bytes, name: str, kind: CallerKind | None, *, is_other: bool = False
) -> web.Response:
    try:
        reading = await _read(visit, body, kind)
    except Unreadable as problem:
        return _page(visit, wrong=_unreadable(visit, problem))
    found = await visit.inside.db.survey(partial(_plan, reading=reading))
    made = found.plan
    told = [(remark.line, remark.text) for remark in reading.remarks]
    told += words.conflicts(made)
    told += [(one.line, words.skipped(one)) for one in made.skipped]
    return visit.page(
        "contacts_preview.html",
        status=409 if is_other else 200,
        title=visit.gettext("What this file would change"),
        name=name,
        is_other=is_other,
        kind=kind or "",
        body=base64.b64encode(zlib.compress(body, 9)).decode(),
        fingerprint=fingerprint(made),
        created=[_described(step.contact) for step in made.created[:MOST_SHOWN]],
        created_count=len(made.created),
        changed=[_change(step, found.before) for step in made.changed[:MOST_SHOWN]],
        changed_count=len(made.changed),
        same_count=len(made.steps) - len(made.created) - len(made.changed),
        told=sorted(told)[:MOST_SHOWN],
        told_count=len(told),
        skipped_count=len(made.skipped),
        by_email=[step for step in made.steps if step.by_email][:MOST_SHOWN],
        most=MOST_SHOWN,
    )


async def _read(visit: Visit, body: bytes, kind: CallerKind | None) -> Reading:
    """Read a file in a thread: the loop goes on."""
    if len(body) > LARGEST_FILE:
        raise Unreadable(
            0,
            f"larger than {LARGEST_FILE // 2**20} MiB; split the file, or use"
            " `pbx-bridge contacts import`",
        )
    manner = Manner(visit.inside.config().office.country, kind)
    return await asyncio.to_thread(files.read, body, manner)


def _plan(tx: Connection, reading: Reading) -> _Planned:
    made = planned(tx, reading)
    rows = [step.row_id for step in made.changed if step.row_id is not None]
    before = {record.row_id: record.contact for record in stored.of_rows(tx, rows)}
    return _Planned(made, stored.stamp(tx), before)


async def _taken(visit: Visit, found: _Planned, name: str) -> bool:
    """Write a plan down, unless contacts changed since it was made."""

    def write(tx: Connection) -> bool:
        if stored.stamp(tx) != found.stamp:
            return False
        made = found.plan
        take(tx, made, visit.inside.config().listeners(), visit.now)
        detail = f"{len(made.created)} new, {len(made.changed)} changed"
        visit.audit(tx, "contacts.import", name, detail)
        return True

    return await visit.inside.db.run(write)


def _remember(tx: Connection, visit: Visit, some: list[ContactRecord]) -> None:
    there = {record.row_id for record in stored.of_rows(tx, [one.row_id for one in some])}
    those = [one for one in some if one.row_id in there]
    contact_origins.exported(tx, those, ALL_FIELDS, visit.now)


def _unpacked(text: str) -> bytes:
    """Undo what the form was given; what comes back may be anything."""
    try:
        unpacking = zlib.decompressobj()
        return unpacking.decompress(base64.b64decode(text, validate=True), LARGEST_FILE + 1)
    except (binascii.Error, zlib.error, ValueError):
        raise web.HTTPBadRequest(text="That is not the file that was looked at.") from None


def _kind(form: Form) -> CallerKind | None:
    return CallerKind(form["kind"]) if form["kind"] in KINDS else None


def _unreadable(visit: Visit, problem: Unreadable) -> str:
    return visit.gettext("The file cannot be read; nothing was changed: %s") % visit.told(
        problem.args[0]
    )


def _described(contact: Contact) -> list[str]:
    parts = (contact.name, contact.company, *contact.numbers, contact.email)
    return [part for part in parts if part]


def _change(
    step: Step, before: dict[int, Contact]
) -> tuple[int, str, list[tuple[str, str | None, str | None]]]:
    """Give a contact's row, its name, and each field that changes: how it is, and would be."""
    row = step.row_id or 0
    was, will = flat(before.get(row, NOBODY)), flat(step.contact)
    name = " ".join(_described(before.get(row, NOBODY))[:1])
    return row, name, [(_key(key), was.get(key), will.get(key)) for key in step.changed]


def _key(key: Key) -> str:
    field, _, element = key.partition(":")
    return f"{field} {element}".strip()
