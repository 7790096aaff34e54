"""Who calls the demo's office, and what they write: made up, with numbers kept for fiction."""

from dataclasses import dataclass

from pbx_bridge.core.contact import CallerKind, Contact

OFFICE = "Miller & Sons"
SALES, SERVICE = "+12125550100", "+12125550150"
#: Those who look after callers: login names, and the phone of each.
STAFF = {"ann": "101", "ben": "102", "carla": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who calls. `name` is what the carrier sends, `known` whom the office knows."""

    number: str
    name: str = ""
    known: Contact | None = None
    writes: str = ""  #: what they answer to a text; empty if they do not
    landline: bool = False  #: gets no texts


_CUSTOMER, _KNOWN = CallerKind.CUSTOMER, CallerKind.KNOWN


def people() -> tuple[Person, ...]:
    """List everybody, always the same."""
    return (
        _somebody("+12125550111", "Olivia Brennan", company="Brennan Bakery", kind=_CUSTOMER,
                  tags=("contract",), writes="Hi! The oven is cold again. Can you come before 6?"),
        _somebody("+16465550112", "Marcus Webb", kind=_CUSTOMER,
                  writes="No worries, please call me after 4 pm"),
        _somebody("+19175550113", "Priya Nair", company="Nair Dental", kind=_CUSTOMER,
                  tags=("contract", "vip"), writes="We have no hot water. URGENT please"),
        _somebody("+17185550114", "Tom Okafor", kind=_CUSTOMER),
        _somebody("+13475550115", "Chloé Lefèvre", kind=_CUSTOMER, language="fr",
                  writes="Merci, je rappelle demain matin 🙂"),
        _somebody("+19295550116", "Hassan Aziz", company="Aziz Grocery", kind=_CUSTOMER,
                  writes="Yes please call back"),
        _somebody("+15165550117", "Grace Lindqvist", kind=_KNOWN,
                  writes="What would a new thermostat cost, roughly?"),
        _somebody("+19145550118", "Ray Santos", company="Santos Property",
                  kind=_CUSTOMER, tags=("vip",),
                  writes="Unit 4B: radiator leaks. Key is with the super."),
        _somebody("+12015550119", "Nina Petrova", kind=_KNOWN),
        _somebody("+19735550120", "Walter Hughes", kind=_CUSTOMER, landline=True),
        _somebody("+12125550121", "Supply House Inc", kind=_KNOWN, tags=("supplier",)),
        _somebody("+16465550122", "Dolores Kim", kind=_CUSTOMER, writes="STOP"),
        Person(number="+19175550123", name="BROOKLYN NY", writes="Who is this?"),
        Person(number="+17185550124", name="WIRELESS CALLER"),
        Person(number="+13475550125", name="QUEENS NY",
               writes="Can you look at my boiler, 35 Elm St"),
        Person(number="+19295550126", name="J MORRISON", writes="ok thx"),
        Person(number="+15165550127", name="HICKSVILLE NY"),
        Person(number="+19145550128", name="YONKERS NY", writes="Can I book for Friday?"),
        Person(number="+12015550129", name="L HOFFMAN", landline=True),
        Person(number="+19735550130", name="NEWARK NJ"),
        Person(number="+12125550131", name="NEW YORK NY", writes="👍"),
        Person(number="+16465550132"),
        Person(number="+19175550133", name="A DIAZ",
               writes="Necesito una cita la semana que viene"),
        Person(number="+17185550134", name="STATEN ISLAND"),
        Person(number="+13475550135", name="E NOWAK"),
        Person(number="+19295550136", name="WIRELESS CALLER", writes="Wrong number, sorry"),
        Person(number="+15165550137", name="M THOMPSON", writes="Tuesday morning works for me"),
        Person(number="+19145550138"),
        Person(number="+12015550139", name="JERSEY CITY NJ"),
        Person(number="+19735550140", name="R FISCHER", landline=True),
        *_passers_by(),
    )  # fmt: skip


#: Who calls once or twice: what carriers send of them, and what they answer.
_PLACES = (
    "BRONX NY",
    "WIRELESS CALLER",
    "",
    "HOBOKEN NJ",
    "MOUNT VERNON",
    "FLUSHING NY",
    "ASTORIA NY",
)
_ANSWERS = (
    "",
    "ok",
    "Please call me back this afternoon",
    "",
    "Do you repair dishwashers?",
    "",
    "",
)


def _passers_by() -> list[Person]:
    areas = ("212", "646", "917", "718", "347", "929", "516", "914", "201", "973")
    return [
        Person(
            number=f"+1{area}5550{last}",
            name=_PLACES[(last + n) % len(_PLACES)],
            writes=_ANSWERS[(2 * last + n) % len(_ANSWERS)],
        )
        for last in range(141, 161)
        for n, area in enumerate(areas)
    ]


def _somebody(  # noqa: PLR0913 - what there is to know of somebody
    number: str, name: str, *, writes: str = "", landline: bool = False, kind: CallerKind,
    company: str = "", tags: tuple[str, ...] = (), language: str = "",
) -> Person:  # fmt: skip
    email = f"{name.split(maxsplit=1)[0].lower()}@example.com" if name.isascii() else ""
    known = Contact(
        name=name, company=company, kind=kind, tags=frozenset(tags), language=language,
        email=email, numbers={number: "work" if company else "mobile"},
    )  # fmt: skip
    sent = name.upper() if name.isascii() else ""
    return Person(number=number, name=sent, known=known, writes=writes, landline=landline)
