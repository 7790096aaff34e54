"""The sound of a voicemail message: from our own shelf alone, by its id."""

from pathlib import Path

from aiohttp import web

from pbx_bridge.core.roles import Role
from pbx_bridge.store import recordings
from pbx_bridge.voicemail.shelf import Shelf
from pbx_bridge.voicemail.spool import KINDS
from pbx_bridge.web.frame import Visit
from pbx_bridge.web.routes import get


async def voicemail(visit: Visit) -> web.StreamResponse:
    """Send a recording, or the part of it that a player asks for (Range)."""
    recording_id = int(visit.request.match_info["recording"])
    found = await visit.inside.db.read(lambda tx: recordings.find(tx, [recording_id]))
    name = found[0].path if found else ""
    kind = KINDS.get(Path(name).suffix[1:])
    place = Shelf(visit.inside.db.path).place(name)
    # Names in the database are ours; all the same nothing outside the folder is ever sent.
    if not name or kind is None or Path(name).name != name or not _is_file(place):
        raise web.HTTPNotFound(text=visit.gettext("The recording is not there any more."))
    return web.FileResponse(
        place,
        headers={
            "Content-Type": kind,
            "Content-Disposition": f'inline; filename="voicemail-{recording_id}{place.suffix}"',
            "Cache-Control": "private, no-store",
        },
    )


def _is_file(place: Path) -> bool:
    return place.is_file() and not place.is_symlink()


ROUTES = (get(r"/voicemail/{recording:\d{1,18}}", voicemail, Role.AGENT),)
