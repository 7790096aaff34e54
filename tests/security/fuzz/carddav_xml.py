"""What an address book's server answers."""

from collections.abc import Iterator

from pbx_bridge.contacts.dav import NotXml, multistatus
from tests.contacts.test_carddav import ODD_ANSWERS

_ANSWER = b"""<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"
 xmlns:c="urn:ietf:params:xml:ns:carddav"><d:response><d:href>/ann.vcf</d:href>
 <d:propstat><d:prop><d:getetag>"1"</d:getetag><c:address-data>BEGIN:VCARD</c:address-data>
 </d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>
 <d:response><d:href>/bob.vcf</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>
 <d:sync-token>urn:1</d:sync-token></d:multistatus>"""


def check(data: bytes) -> None:
    """It is a multistatus, or NotXml; nothing in it expands."""
    try:
        responses, token = multistatus(data.replace(b"\x01", b"9" * 5000, 1))
    except NotXml:
        return
    said = len(token) + sum(len(one.href) for one in responses)
    assert said <= len(data) + 5000
    for one in responses:
        assert one.status >= 0
        for name in one.found:
            one.text(name)
            one.href_of(name)


def seeds() -> Iterator[bytes]:
    yield _ANSWER
    yield _ANSWER.replace(b"404", b"\x01")
    for odd in ODD_ANSWERS.values():
        yield repr(odd).encode()[:2000]
    yield b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    yield b"<a>" * 40
    yield '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16")
