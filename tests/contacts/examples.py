"""Contacts as hypothesis makes them up: whatever can stand in one, tidied as they are kept."""

from hypothesis import strategies as st

from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.told import tidied

#: What goes wrong if it goes wrong: separators, quotes, formulas, escapes, other scripts, controls.
_AWKWARD = "aZ09 ,;:|\"'\\=+-@\t\r\n\x00ß­é́مرحبا\u202e日本🎉_$!<>.()/"
texts = st.text(st.sampled_from(_AWKWARD) | st.characters(codec="utf-8"), max_size=30)
numbers = st.sampled_from(
    [
        *(f"+1212555{n:04}" for n in range(100, 110)),
        "+442079460018",
        "+4930123456",
        "+33142685300",
    ]
)
contacts = st.builds(
    Contact,
    name=texts,
    company=texts,
    kind=st.sampled_from(
        [CallerKind.KNOWN, CallerKind.CUSTOMER, CallerKind.STAFF, CallerKind.BLOCKED]
    ),
    tags=st.frozensets(texts, max_size=4),
    language=st.sampled_from(["", "en", "DE", "en-GB", "xyz"]),
    zone=st.sampled_from(["", "Europe/Berlin", "America/New_York"]),
    email=st.sampled_from(["", "ann@example.com", "Ann.Baker+x@Example.COM", "no address"]),
    owner=texts,
    notes=texts,
    numbers=st.dictionaries(
        numbers, texts | st.sampled_from(["mobile", "work", "fax"]), max_size=3
    ),
).map(tidied)
