"""How somebody who calls is regarded, and by what name greeted."""

from pbx_bridge.core.contact import CallerKind, Contact
from pbx_bridge.core.text import clean, plain
from pbx_bridge.core.variables import caller_name

#: What stands before a name, and is no name to greet by.
_TITLES = frozenset(
    "mr mrs ms miss mx dr prof sir dame rev hr herr fr frau sr sra srta señor señora m mme mlle"
    " monsieur madame sig sigra dhr mevr".split()
)
#: With these a name is that of a company.
_COMPANIES = frozenset(
    "inc llc llp ltd limited plc corp corporation co company pty gmbh ag kg ohg ug se sa sas sarl"
    " srl spa bv nv services service group plumbing dental clinic school bank hotel".split()
)


def caller_kind(
    contact: Contact | None, *, withheld: bool, stranger: bool, has_number: bool
) -> CallerKind:
    """Tell who calls, as rules tell callers apart.

    `stranger`: was never answered, never wrote, and was not rung from here (`store.callers`).
    """
    if withheld or not has_number:
        return CallerKind.ANONYMOUS
    if contact is not None:
        return contact.kind
    return CallerKind.NEW if stranger else CallerKind.KNOWN


def greeting_name(contact: Contact | None, caller_id_name: str) -> str:
    """Give the name to greet a caller by; empty if there is none that is fit for it.

    A contact's first name; the whole name where it is that of a company, or begins with a title.
    Without a contact's name what the caller ID has, if that is plainly a name.
    """
    whole = "" if contact is None else " ".join(plain(clean(contact.name)).split())
    first, comma, rest = whole.partition(", ")
    if comma and len(first.split()) == 1 and not _is_company(rest):  # Baker, Ann
        whole = f"{rest} {first}"
    # What is greeted by goes into a text: it has to look like a name, whoever wrote it.
    fit = caller_name(whole)
    if contact is None or not fit:
        return caller_name(caller_id_name)
    word = fit.split()[0].rstrip(",")
    if word.lower().rstrip(".") in _TITLES or _is_company(fit) or fit == contact.company:
        return fit
    return word


def _is_company(name: str) -> bool:
    words = {word.lower().strip(".,") for word in name.split()}
    return "&" in words or not _COMPANIES.isdisjoint(words)
