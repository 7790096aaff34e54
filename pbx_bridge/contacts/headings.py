"""What the columns of a spreadsheet are called: by ours, Google, Outlook, and people."""

import re
from enum import StrEnum


class Column(StrEnum):
    """What a column holds."""

    UID = "uid"
    NAME = "name"
    GIVEN = "given"
    MIDDLE = "middle"
    FAMILY = "family"
    COMPANY = "company"
    KIND = "kind"
    TAGS = "tags"
    LANGUAGE = "language"
    ZONE = "zone"
    EMAIL = "email"
    OWNER = "owner"
    NOTES = "notes"
    NUMBER = "number"
    LABEL = "label"  #: of the number in the next column, as Google has it


#: In the order in which they are asked. Headings are compared in small letters, words only.
_HEADINGS = {
    Column.UID: "uid|id|contact id|external id|pbx bridge id",
    Column.LABEL: r"phone \d+ (?:label|type)|phone (?:label|type)",
    Column.EMAIL: (
        r"(?:(?:primary|business|work|home|private|personal) )?e ?mail(?: ?(?:address|adresse))?"
        r"|e ?mail ?1? (?:value|address)|e ?mail 1|mail|correo(?: electr[oó]nico)?|courriel"
        r"|adresse (?:e ?mail|mail)|posta elettronica|e ?mailadres|endere[cç]o de e ?mail"
    ),
    Column.NUMBER: (
        r"(?:(?P<label>mobile|cell|cellular|handy|mobil|m[oó]vil|celular|portable|cellulare"
        r"|telem[oó]vel|mobiel|home|work|business|office|main|privat|gesch[aä]ftlich|fax|other"
        r"|company main|primary|car|assistant s?) ?)?"
        r"(?:tele)?(?:phone|fone|fono|foon|phon|phone number)(?: ?\d+)?(?: value)?(?: number)?"
        r"|(?P<only>mobile|cell|cellular|handy|mobil|m[oó]vil|celular|portable|cellulare"
        r"|telem[oó]vel|mobiel)(?: ?\d+)?(?: (?:number|no|nr))?"
        r"|(?:tel|telefon|telefono|tel[eé]fono|t[eé]l[eé]phone|telefoon|telefone|telefonnummer"
        r"|rufnummer|nummer|number|numbers|num[eé]ro|n[uú]mero|numero|phones|caller|msisdn)"
        r"(?: ?\d+)?"
    ),
    Column.GIVEN: "first ?name|given ?name|vorname|nombre de pila|pr[eé]nom|voornaam|fore ?name",
    Column.MIDDLE: "middle ?names?|additional name",
    Column.FAMILY: (
        "last ?name|family ?name|surname|nachname|familienname|apellidos?|nom de famille"
        "|cognome|achternaam|apelido|sobrenome"
    ),
    Column.NAME: (
        "name|full ?name|display ?name|contact|contact name|customer|customer name|client"
        "|nombre|nom|nome|naam|kunde|anzeigename|file as"
    ),
    Column.COMPANY: (
        "company|company name|organi[sz]ation|organi[sz]ation ?1?(?: name)?|firma|unternehmen"
        "|empresa|entreprise|soci[eé]t[eé]|azienda|bedrijf|business|account name"
    ),
    Column.KIND: "kind|type|contact type|kategorie|art|tipo",
    Column.TAGS: "tags?|labels?|groups?|group membership|categor(?:y|ies)|kategorien|etiquetas",
    Column.LANGUAGE: "language|lang|locale|sprache|idioma|langue|lingua|taal",
    Column.ZONE: "(?:time ?)?zone|tz|zeitzone|zona horaria|fuseau horaire",
    Column.OWNER: (
        "owner|contact owner|account manager|assigned to|responsible|betreuer|zust[aä]ndig"
    ),
    Column.NOTES: "notes?|comments?|remarks?|description|notizen|bemerkung(?:en)?|notas|note",
}
_PATTERNS = {column: re.compile(pattern) for column, pattern in _HEADINGS.items()}
_MOBILE = re.compile(
    "mobile|cell|cellular|handy|mobil|m[oó]vil|celular|portable|cellulare|telem[oó]vel|mobiel"
)
_LABELS = {"business": "work", "office": "work", "geschäftlich": "work", "privat": "home"}
_LONGEST = 60


def meaning(heading: str) -> tuple[Column, str] | None:
    """Tell what a column holds, and for numbers their label; None if the heading says nothing."""
    words = " ".join(re.findall(r"\w+", heading.lower().replace("_", " ")))
    if len(words) > _LONGEST:
        return None
    for column, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(words):
            return column, _label(found) if column is Column.NUMBER else ""
    return None


def _label(found: re.Match[str]) -> str:
    word = found["label"] or found["only"] or ""
    if _MOBILE.fullmatch(word):
        return "mobile"
    return _LABELS.get(word, word if word in {"home", "work", "fax", "main"} else "")
