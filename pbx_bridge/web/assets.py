"""The files that browsers keep: each has its digest in its name, and is sent packed."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "static"
#: What a browser gets; a README is for people.
SUFFIXES = {".css", ".js", ".svg", ".png", ".ico"}
#: Pictures are packed already.
PACKED = {".png", ".ico"}
A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    name: str  #: in the address: `app.0f3a91c2.css`
    body: bytes
    content_type: str
    packed: bytes | None  #: gzip, if that makes it smaller


class Assets:
    """All static files, in memory: nothing outside the folder can be asked for."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._by_file = {
            path.name: _asset(path) for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES
        }
        self._by_name = {asset.name: asset for asset in self._by_file.values()}

    def name(self, file: str) -> str:
        """Give the name in the address.

        Raises:
            KeyError: there is no such file.

        """
        return self._by_file[file].name

    def response(self, request: web.Request) -> web.Response:
        """Answer for `name`.

        Raises:
            web.HTTPNotFound: there is none of that name.

        """
        asset = self._by_name.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": A_YEAR, "Vary": "Accept-Encoding"}
        body = asset.body
        if asset.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = asset.packed
        return web.Response(body=body, headers=headers | {"Content-Type": asset.content_type})


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:8]
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind.endswith("javascript"):
        kind += "; charset=utf-8"
    packed = None if path.suffix in PACKED else gzip.compress(body, 9, mtime=0)
    return Asset(f"{path.stem}.{digest}{path.suffix}", body, kind, packed)
