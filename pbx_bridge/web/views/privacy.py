"""Privacy requests: all that is kept about a number, handed out or erased for good."""

import asyncio
import tempfile

from aiohttp import web
from sqlalchemy import Connection

from pbx_bridge.core.number import Number, parse
from pbx_bridge.core.roles import Role
from pbx_bridge.privacy import Rows, archive, erase, kept, remains, told_lines
from pbx_bridge.store.problem import StoreUnavailable
from pbx_bridge.store.scrub import scrub
from pbx_bridge.voicemail.shelf import Shelf
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get, post

_PATH = "/contacts/privacy"


async def show(visit: Visit) -> web.Response:
    """Ask for a number, and show how much is kept about it."""
    return await _page(visit, visit.query.get("number", "").strip())


async def hand_out(visit: Visit) -> web.Response:
    """Give a ZIP file with all that is kept about a number."""
    form = await visit.form()
    number = _number(visit, form["number"])
    if number is None:
        return await _page(visit, form["number"])
    db = visit.inside.db
    found, told = await kept(db, number)
    shelf = Shelf(db.path)

    def packed() -> bytes:
        with tempfile.TemporaryFile() as file:
            archive(file, shelf, number, found, told, visit.now)
            file.seek(0)
            return file.read()

    body = await asyncio.to_thread(packed)
    await db.run(lambda tx: visit.audit(tx, "privacy.export", number.e164))
    return web.Response(
        body=body,
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="export-{number.e164[1:]}.zip"',
            "Cache-Control": "no-store",
        },
    )


async def forget(visit: Visit) -> web.Response:
    """Erase all that is kept about a number, if it was typed once more."""
    form = await visit.form()
    number, again = _number(visit, form["number"]), _number(visit, form["again"])
    config = visit.inside.config()
    if number is None:
        return await _page(visit, form["number"])
    if again is None or again.e164 != number.e164:
        wrong = visit.gettext("Type the number once more to erase all about it.")
        return await _page(visit, form["number"], wrong=wrong)
    if number.e164 in config.own_numbers():
        wrong = visit.gettext("That is the office's own number.")
        return await _page(visit, form["number"], wrong=wrong)
    _, told = await kept(visit.inside.db, number)

    def note(tx: Connection, name: str) -> None:
        visit.audit(tx, "privacy.erase", name)  # the number itself must not stay there

    erased = await erase(visit.inside.db, number, visit.now, note)
    problem = ""
    try:
        await asyncio.to_thread(scrub, visit.inside.db.path)
    except StoreUnavailable as unavailable:
        problem = str(unavailable)
    return visit.page(
        "privacy_done.html",
        title=visit.gettext("Erased"),
        erased=erased,
        remains=remains(config, told),
        problem=problem,
    )


ROUTES = (
    get(_PATH, show, Role.ADMIN),
    post(f"{_PATH}/export", hand_out, Role.ADMIN),
    post(f"{_PATH}/erase", forget, Role.ADMIN),
)


async def _page(visit: Visit, written: str, *, wrong: str = "") -> web.Response:
    number = _number(visit, written)
    counts: dict[str, int] = {}
    others: list[str] = []
    if number is not None:
        found, told = await kept(visit.inside.db, number)
        counts, others = _counts(found), told_lines(told)
    elif written:
        wrong = visit.gettext("That is no number; write it as +1 212 555 0143.")
    return visit.page(
        "privacy.html",
        status=422 if wrong else 200,
        title=visit.gettext("Privacy requests"),
        number="" if number is None else number.e164,
        written=written[:64],
        counts=counts,
        others=others,
        wrong=wrong,
    )


def _number(visit: Visit, written: str) -> Number | None:
    return parse(written, visit.inside.config().office.country) if written else None


def _counts(found: Rows) -> dict[str, int]:
    return {table: len(rows) for table, rows in found.items() if rows}
