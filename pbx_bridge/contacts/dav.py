"""WebDAV's XML: what is asked (RFC 4918, 6352, 6578), and the answers, which are not trusted."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import escape

DAV, CARD = "DAV:", "urn:ietf:params:xml:ns:carddav"
#: No answer of a server goes deeper.
_DEEPEST = 30
_OK = "200"
#: HTTP's own line, of which only the number is read.
_STATUS = re.compile(r"\s*\S+\s+([0-9]{3})(?:\s|$)")


class NotXml(ValueError):  # noqa: N818 - names the fact
    """An answer is not the XML that it should be; the text says why."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a multistatus answer says of one resource."""

    href: str
    status: int  #: 0 if it has none of its own, only its properties have
    found: dict[str, Element] = field(default_factory=dict)  #: properties that it has, by name

    def text(self, name: str) -> str:
        """Give the text of a property; empty if there is none."""
        element = self.found.get(name)
        return "" if element is None else (element.text or "").strip()

    def href_of(self, name: str) -> str:
        """Give the href inside a property."""
        element = self.found.get(name)
        inside = None if element is None else element.find(f"{{{DAV}}}href")
        return "" if inside is None else (inside.text or "").strip()


def propfind(*names: str) -> bytes:
    """Ask for properties; a name is `namespace name`."""
    return _document("D:propfind", f"<D:prop>{_props(names)}</D:prop>")


def sync_collection(token: str) -> bytes:
    """Ask what has changed since a token; an empty one asks for all."""
    inside = f"<D:sync-token>{escape(token)}</D:sync-token><D:sync-level>1</D:sync-level>"
    return _document("D:sync-collection", f"{inside}<D:prop><D:getetag/></D:prop>")


def multiget(hrefs: Iterable[str]) -> bytes:
    """Ask for cards."""
    those = "".join(f"<D:href>{escape(href)}</D:href>" for href in hrefs)
    prop = "<D:prop><D:getetag/><C:address-data/></D:prop>"
    return _document("C:addressbook-multiget", prop + those)


def multistatus(body: bytes) -> tuple[list[Response], str]:
    """Read a multistatus answer, and the sync token in it.

    Raises:
        NotXml: it is none.

    """
    root = parsed(body)
    if root.tag != f"{{{DAV}}}multistatus":
        raise NotXml("no multistatus")
    token = root.findtext(f"{{{DAV}}}sync-token") or ""
    return [_response(one) for one in root.findall(f"{{{DAV}}}response")], token.strip()


def parsed(body: bytes) -> Element:
    """Read XML that has neither a document type nor entities: nothing in it can expand.

    Raises:
        NotXml: it is not such.

    """
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise NotXml("nested too deep")
        builder.start(_tag(name), attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_tag(name))

    def refuse(*_: object) -> None:
        raise NotXml("it declares a document type")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(body, True)  # noqa: FBT003 - its signature
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise NotXml(f"not XML: {error}") from None


def _response(element: Element) -> Response:
    found: dict[str, Element] = {}
    for stat in element.findall(f"{{{DAV}}}propstat"):
        if _OK in (stat.findtext(f"{{{DAV}}}status") or "").split():
            for prop in stat.iterfind(f"{{{DAV}}}prop/*"):
                found[prop.tag] = prop
    status = _STATUS.match(element.findtext(f"{{{DAV}}}status") or "")
    code = int(status[1]) if status else 0
    return Response((element.findtext(f"{{{DAV}}}href") or "").strip(), code, found)


def _tag(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def _document(name: str, inside: str) -> bytes:
    text = f'<?xml version="1.0" encoding="utf-8"?><{name} xmlns:D="{DAV}" xmlns:C="{CARD}">'
    return f"{text}{inside}</{name}>".encode()


def _props(names: Iterable[str]) -> str:
    return "".join(f"<{name}/>" for name in names)
