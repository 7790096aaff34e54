"""Where a contact comes from: what each source told of it last, beside how it stands here."""

from collections.abc import Iterable
from dataclasses import dataclass

from pbx_bridge.core.contact import Contact
from pbx_bridge.core.merge import Key, flat
from pbx_bridge.core.told import Statement

#: The source of what people import from files; an entry of a file does not go by being absent.
FILE = "file"
#: The source of what caller IDs say.
CALL = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A contact as a source told it last."""

    source: str
    uid: str
    etag: str = ""
    said: Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A contact as it stands here."""

    row_id: int
    contact: Contact
    edited: frozenset[Key] = frozenset()  #: what a person decided, see `core.merge`
    origins: tuple[Origin, ...] = ()

    def origin(self, source: str, uid: str) -> Origin | None:
        """Give what a source told about this contact under that id."""
        return next((o for o in self.origins if (o.source, o.uid) == (source, uid)), None)

    @property
    def suggested(self) -> frozenset[Key]:
        """Name what nobody but a caller ID says."""
        stands = flat(self.contact).items()
        called = {
            item for o in self.origins if o.source == CALL for item in _items(o) if item in stands
        }
        told = {item for o in self.origins if o.source != CALL for item in _items(o)}
        return frozenset(key for key, _ in called - told) - self.edited


def tellers(standing: Standing, key: Key) -> tuple[str, ...]:
    """Name the sources by which a key is what it is here, each once."""
    stands = flat(standing.contact)
    if key not in stands:
        return ()
    said = (o.source for o in standing.origins if (key, stands[key]) in _items(o))
    return tuple(dict.fromkeys(said))


def unheard(standing: Standing, origin: Origin) -> tuple[Key, ...]:
    """Name what a person decided here and a source that speaks of it says otherwise."""
    here = flat(standing.contact, origin.said.fields)
    there = flat(origin.said.contact, origin.said.fields)
    return tuple(
        key
        for key in sorted(standing.edited & (here.keys() | there.keys()))
        if here.get(key) != there.get(key)
    )


def _items(origin: Origin) -> Iterable[tuple[Key, str]]:
    return flat(origin.said.contact, origin.said.fields).items()
