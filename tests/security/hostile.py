"""What a stranger may put where a name, a number or a text is expected, and where that gets to.

`TEXTS` is the one table of it. `spread` writes one of them into every column of a database that may
have somebody else's words in it, whether the service would take it in like that or not: whatever
reads the database has to stand it.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Table

from pbx_bridge.store import personal
from tests.store import schemas

#: In each of them, where it would show that it got out of where it stands.
MARK = "qzx"

TEXTS = {
    "sql": f"'); DROP TABLE call; -- {MARK}",
    "html": f"<img src=x onerror={MARK}()><{MARK}>\"'></td><script>{MARK}()</script>",
    "attribute": f"' on{MARK}=x \" autofocus onfocus={MARK}() x='",
    "link": f"javascript:{MARK}()//https://{MARK}.example",
    "header": f"x\r\nBcc: {MARK}@evil.example\r\nContent-Type: text/html\r\n\r\n<b>{MARK}",
    "ami": f"x\r\nAction: Originate\r\n{MARK}: 1\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1\r\n\r\n",
    "line": f'x\n2026-11-28T00:00:00Z [error] {MARK}\n{{"event": "{MARK}"}}',
    "terminal": f"\x1b[2J\x1b]0;{MARK}\x07\x9b31m\x08\x7f\x85",
    "direction": f"\u202egnp.{MARK}\u202c \u2066{MARK}\u2069 \u200f\u061c",
    "no width": f"{MARK}\u200b\u200d\ufeff\u00ad\U000e0041{MARK}",
    "separators": f"{MARK}\u2028{MARK}\u2029{MARK}\x0b\x0c\x1c{MARK}",
    "nothing": f"{MARK}\x00{MARK}",
    "template": f"{{office}} {{0.__class__}} {{{{7*7}}}} {{% raw %}} ${{7*7}} %(x)s %s %n {MARK}",
    "markup": f"[bold red]{MARK}[/] [link=http://127.0.0.9]{MARK}[/link] :bomb:",
    "formula": f'=HYPERLINK("http://127.0.0.9/{MARK}";"x")',
    "plus": f"+1+cmd|' /C {MARK}'!A0",
    "minus": f"-2+3+cmd|' /C {MARK}'!A0",
    "at": f"@SUM(1+1)*cmd|' /C {MARK}'!A0",
    "tab": f"\t=1+1+{MARK}",
    "return": f"\r=1+1+{MARK}",
    "path": f"../../../../tmp/{MARK}/..\\..\\{MARK}",
    "card": f"x\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN:{MARK}\r\nEND:VEVENT\r\nBEGIN:VEVENT",
    "labels": f'x"}} 1\n{MARK}_total{{a="b\\',
    "json": f'"}}],"{MARK}":[{{"\\',
    "xml": f"]]>&{MARK};<!ENTITY {MARK} SYSTEM 'file:///etc/passwd'>",
    "shell": f"$(touch {MARK}); `touch {MARK}` | -w {MARK} --version",
    "toml": f'"\n[[pbx]]\n{MARK} = """',
    "long": f"{MARK} " + "W" * 10_000,
}

#: All at once: what is escaped is so wherever it stands.
EVERYTHING = " ".join(text for kind, text in TEXTS.items() if kind != "long")
#: What counts only at the beginning of a cell.
FORMULAS = ("formula", "plus", "minus", "at", "tab", "return")

#: Columns with words that are our own, checked, or of the configuration; by table, or by name in
#: all. Every other column of a table with something of callers in it is a stranger's.
OURS = {
    "": "state kind reason outcome rule matched_rule sequence track moment source meaning blame "
    "channel purpose action disposition hung_up_by boot pbx",
    "alert": "subject",  # by which alerts are told apart; the number, or a name of ours
    "audit": "address who",
    "booking": "key number",
    "call": "caller_e164",
    "call_back": "key token number user extension",
    "consent": "address",
    "contact": "email language zone uid edited",
    "contact_number": "number",
    "contact_origin": "key value etag uid",
    "correspondent": "address gateway",
    "crm_contact": "number destination",
    "astdb": "family key",
    "event": "key number",
    "event_delivery": "destination",
    "follow_up": "recipient",
    "ladder": "number",
    "message": "recipient key gateway route tried region priced_by step",
    "attempt": "gateway",
    "planned_step": "name",
    "receipt": "gateway",
    "recording": "path language",
    "reply": "sender_e164 gateway",
    "task": "recipient closed_how",
    "note": "number",
}


def columns() -> Iterator[tuple[Table, Any]]:
    """Give every column that may have a stranger's words in it."""
    for table in personal.RULES:
        ours = {*OURS[""].split(), *OURS.get(table.name, "").split()}
        for column in personal.words(table):
            if column.name not in ours:
                yield table, column


def spread(path: Path, text: str) -> int:
    """Make a database with a row in every table, and that text in every place for it; count them.

    What has to be different in each row has the row's number before its end.
    """
    schemas.load(path, schemas.revisions()[-1])
    many = 0
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE contact SET edited = '{}'")  # an early fixture has a list there
        for table, column in columns():
            read = f'SELECT rowid, "{column.name}" FROM "{table.name}"'  # noqa: S608 - our own names
            change = f'UPDATE "{table.name}" SET "{column.name}" = ? WHERE rowid = ?'  # noqa: S608
            for row, value in file.execute(read).fetchall():
                if value is None:
                    continue
                new = text
                if isinstance(column.type, JSON):
                    new = json.dumps(_in_all(json.loads(value), text))
                try:
                    file.execute(change, (new, row))
                except sqlite3.IntegrityError:  # it has to be different in each row
                    file.execute(change, (f"{text[:-1]}{row}{text[-1]}", row))
                many += 1
        file.commit()
    return many


def _in_all(value: Any, text: str) -> Any:
    """Put a text in the place of every text that is no word of ours."""
    match value:
        case str():
            return text if not value.islower() or " " in value else value
        case list():
            return [_in_all(one, text) for one in value]
        case dict():
            return {name: _in_all(one, text) for name, one in value.items()}
        case _:
            return value
