"""A database of every revision of the tables, as the migrations made it, with rows in every table.

    python -m tests.store.schemas 0003      writes tests/store/schemas/v0003.sql

Made once, when the revision is new, and never again: what a released version wrote does not change.
A new migration needs one more; give its tables and columns a row in `ROWS`.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

import pbx_bridge.store.migrate

FOLDER = Path(__file__).parent
MIGRATIONS = pbx_bridge.store.migrate.MIGRATIONS

NUMBER, OTHER = "+12125550143", "+12125550166"
LINE = "+12125550100"


def _at(day: int, time: str) -> str:
    return f"2026-11-{day:02d}T{time}.000000Z"


CALLED, ENDED = _at(23, "15:04:05"), _at(23, "15:04:30")
LATER, MORNING = _at(23, "15:05:00"), _at(24, "14:00:00")

#: One office's day. A row has the columns of all revisions; each takes those that it knows.
ROWS: dict[str, list[dict[str, Any]]] = {
    "pbx": [{"name": "office", "boot": "1764000000.5", "feed": "whole", "seen_at": LATER}],
    "gap": [
        {"pbx": "office", "began": _at(22, "01:00:00"), "ended": _at(22, "01:10:00"),
         "reason": "the connection broke"},
    ],
    "call": [
        {"id": 1, "pbx": "office", "boot": "1764000000.5", "call_id": "1764000001.1",
         "began": CALLED, "answered_at": None, "ended": ENDED, "disposition": "missed",
         "reason": "rang_no_answer", "caller_raw": "2125550143", "caller_e164": NUMBER,
         "caller_name": "Zoë O'Hara; DROP TABLE call", "withheld": 0, "line": LINE,
         "trunk": "PJSIP/trunk", "answered_by": "", "hung_up_by": "caller", "ring_seconds": 25.5,
         "voicemail_seconds": 0.0, "mailbox": "", "queue": "sales", "queue_position": 2,
         "queue_wait_seconds": 12.25,
         "rung": '[["PJSIP/101", 25.5, 2, "NOANSWER"]]',
         "source": "live"},
        {"id": 2, "pbx": "office", "boot": "1764000000.5", "call_id": "1764000002.1",
         "began": LATER, "answered_at": LATER, "ended": LATER, "disposition": "answered",
         "reason": "answered", "caller_raw": "2125550166", "caller_e164": OTHER, "caller_name": "",
         "withheld": 0, "line": LINE, "trunk": "PJSIP/trunk", "answered_by": "PJSIP/102",
         "hung_up_by": "pbx", "ring_seconds": 3.0, "voicemail_seconds": 0.0, "mailbox": "",
         "queue": None, "queue_position": None, "queue_wait_seconds": None, "rung": "[]",
         "source": "cdr"},
    ],
    "step": [
        {"call": 1, "n": 0, "at": CALLED, "kind": "arrived", "who": "PJSIP/trunk", "detail": ""},
        {"call": 1, "n": 1, "at": ENDED, "kind": "ended", "who": "", "detail": "cause 16"},
    ],
    "outbound_call": [
        {"id": 1, "pbx": "office", "boot": "1764000000.5", "call_id": "1764000003.1",
         "dialled": "12125550166", "began": LATER, "answered_at": None, "ended": LATER},
    ],
    "decision": [
        {"id": 1, "call": 1, "at": ENDED, "moment": "call_ended", "outcome": "text", "rule": "",
         "detail": "", "checks": '[["cooldown", "pass", "not texted for 4h"]]',
         "matched_rule": "new callers", "sequence": "booking", "track": "treated"},
        {"id": 2, "call": 2, "at": LATER, "moment": "call_ended", "outcome": "skip",
         "rule": "answered", "detail": "answered by 102", "checks": "[]", "matched_rule": "",
         "sequence": "", "track": ""},
    ],
    "message": [
        {"id": 1, "call": 1, "step": "first_text", "key": "key-1", "to_e164": NUMBER,
         "recipient": NUMBER, "body": "Sorry that we missed you, Zoë. Reply STOP to opt out.",
         "gateway": "twilio", "line": LINE, "created_at": ENDED, "due_at": LATER,
         "expires_at": _at(23, "15:34:30"), "ask_at": None, "state": "delivered", "shadow": 0,
         "attempts": 1, "lookups": 0, "gateway_ref": "SM1", "detail": "", "code": "",
         "updated_at": LATER, "channel": "sms", "purpose": "follow_up", "subject": "",
         "reply": None, "route": '["twilio"]', "tried": "{}", "segments": 1, "region": "US",
         "stranger": 1, "cost_micros": 7900, "priced_by": "gateway", "follow_up": 1,
         "author": ""},
        {"id": 2, "call": None, "step": "test", "key": "key-2", "to_e164": OTHER,
         "recipient": OTHER, "body": "A test", "gateway": "modem", "line": "",
         "created_at": LATER, "due_at": LATER, "expires_at": MORNING, "ask_at": None,
         "state": "queued", "shadow": 0, "attempts": 0, "lookups": 0, "gateway_ref": "",
         "detail": "", "code": "", "updated_at": LATER, "channel": "sms", "purpose": "test",
         "subject": "", "reply": None, "route": '["modem"]', "tried": "{}", "segments": 1,
         "region": "US", "stranger": 0, "cost_micros": 0, "priced_by": "", "follow_up": None,
         "author": "anna"},
    ],
    "attempt": [
        {"id": 1, "message": 1, "n": 1, "at": LATER, "kind": "send", "outcome": "accepted",
         "detail": "", "code": "", "gateway_ref": "SM1", "seconds": 0.25, "gateway": "twilio"},
    ],
    "receipt": [
        {"id": 1, "message": 1, "at": LATER, "gateway": "twilio", "gateway_ref": "SM1", "key": "",
         "state": "delivered", "code": "", "detail": "delivered", "blame": "message"},
    ],
    "reply": [
        {"id": 1, "received_at": LATER, "sent_at": LATER, "gateway": "twilio",
         "gateway_ref": "IN1", "sender": NUMBER, "sender_e164": NUMBER, "recipient": LINE,
         "body": "STOP please", "meaning": "opt_out", "detail": "the word 'STOP'", "message": 1,
         "call": 1},
    ],
    "consent": [
        {"id": 1, "address": NUMBER, "at": LATER, "kind": "opt_out", "source": "reply",
         "detail": "STOP please", "reply": 1, "call": None},
        {"id": 2, "address": "+12125550177", "at": LATER, "kind": "opt_out", "source": "office",
         "detail": "asked on the phone", "reply": None, "call": None},
        {"id": 3, "address": OTHER, "at": LATER, "kind": "opt_in", "source": "press_1",
         "detail": "pressed 1", "reply": None, "call": 2},
    ],
    "astdb": [
        {"pbx": "office", "family": "pbxbridge-last", "key": NUMBER[-9:], "value": "102",
         "is_put": 1,"updated_at": LATER},
    ],
    "correspondent": [
        {"address": NUMBER, "gateway": "twilio", "untextable": "", "muted_until": None,
         "muted_why": "", "updated_at": LATER},
        {"address": OTHER, "gateway": "", "untextable": "a landline", "muted_until": None,
         "muted_why": "", "updated_at": LATER},
    ],
    "standing": [
        {"gateway": "twilio", "circuit": "closed", "failures": 0, "until": None, "reason": "",
         "cursor": "2026-11-23T15:05:00Z", "updated_at": LATER},
    ],
    "guard": [
        {"name": "burst", "state": "closed", "since": LATER, "until": None, "detail": ""},
    ],
    "alert": [
        {"id": 1, "at": LATER, "kind": "opt_out", "subject": NUMBER,
         "text": f"{NUMBER} wants no more texts: STOP please", "urgent": 0, "times": 1,
         "due_at": None, "told": 1, "told_at": LATER, "acknowledged_at": None,
         "acknowledged_by": "", "problem": "", "reply": 1, "recording": None},
    ],
    "follow_up": [
        {"id": 1, "call": 1, "recipient": NUMBER, "line": LINE, "rule": "new callers",
         "sequence": "booking", "calls": 1, "opened_at": ENDED, "last_call_at": ENDED,
         "state": "stopped", "stopped_at": LATER, "reason": "opted_out",
         "detail": "the customer opted out", "held_out": 0, "updated_at": LATER},
        {"id": 2, "call": 2, "recipient": OTHER, "line": LINE, "rule": "new callers",
         "sequence": "booking", "calls": 2, "opened_at": LATER, "last_call_at": LATER,
         "state": "open", "stopped_at": None, "reason": "", "detail": "", "held_out": 0,
         "updated_at": LATER},
    ],
    "planned_step": [
        {"id": 1, "follow_up": 1, "n": 0, "name": "second_text", "action": "text",
         "due_at": MORNING, "expires_at": _at(24, "18:00:00"), "state": "cancelled",
         "reason": "opted_out", "detail": "the customer opted out", "message": None,
         "updated_at": LATER},
        {"id": 2, "follow_up": 2, "n": 0, "name": "second_text", "action": "text",
         "due_at": MORNING, "expires_at": _at(24, "18:00:00"), "state": "waiting", "reason": "",
         "detail": "", "message": None, "updated_at": LATER},
    ],
    "task": [
        {"id": 1, "follow_up": 2, "call": 2, "recipient": OTHER, "name": "", "line": LINE,
         "title": "Call the caller back", "calls": 2, "state": "open", "owner": "anna",
         "created_at": LATER, "due_at": MORNING, "snoozed_until": None,
         "expires_at": _at(30, "15:00:00"), "escalated": 0, "escalated_at": None,
         "closed_at": None, "closed_by": "", "closed_how": "", "note": "prefers mornings",
         "updated_at": LATER},
    ],
    "contact": [
        {"id": 1, "name": "Zoë O'Hara", "company": "O'Hara Ltd", "kind": "customer",
         "tags": '["vip"]', "language": "en", "zone": "America/New_York",
         "email": "zoe@ohara.example", "owner": "anna", "notes": "has a dog",
         "edited": '["notes"]', "created_at": CALLED, "updated_at": LATER},
    ],
    "contact_number": [{"number": NUMBER, "contact": 1, "label": "mobile"}],
    "contact_origin": [
        {"id": 1, "contact": 1, "source": "nextcloud", "uid": "u-1", "etag": '"1"',
         "seen": '{"name": "Zoë O\'Hara"}', "updated_at": LATER},
    ],
    "contact_source": [
        {"name": "nextcloud", "cursor": "sync-1", "detail": "1 contact", "problem": "",
         "tried_at": LATER, "read_at": LATER},
    ],
    "calendar_feed": [
        {"name": "closures", "source": "https://example.com/c.ics",
         "body": "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "etag": "", "modified": "", "problem": "",
         "tried_at": LATER, "read_at": LATER},
    ],
    "event": [
        {"id": 1, "key": "evt-1", "kind": "call.missed", "at": ENDED, "number": NUMBER,
         "data": f'{{"call": 1, "number": "{NUMBER}"}}'},
    ],
    "event_delivery": [
        {"id": 1, "event": 1, "destination": "zapier", "state": "delivered", "attempts": 1,
         "wanted_at": ENDED, "due_at": ENDED, "detail": "", "code": "200", "updated_at": LATER},
    ],
    "destination": [
        {"name": "zapier", "failures": 0, "failing_since": None, "until": None, "told": 0,
         "disabled": 0, "fingerprint": "f", "detail": "", "updated_at": LATER},
    ],
    "crm_contact": [
        {"destination": "hubspot", "number": NUMBER, "remote_id": "77", "name": "Zoë O'Hara",
         "status": "customer", "checked_at": LATER},
    ],
    "recording": [
        {"id": 1, "call": 2, "mailbox": "102@default", "channel": "PJSIP/trunk-1",
         "left_at": LATER, "path": "/var/spool/asterisk/voicemail/default/102/INBOX/msg0000.wav",
         "seconds": 14.0, "state": "transcribed", "transcript": "Please call me back",
         "language": "en", "attempts": 1, "due_at": None, "tell_at": None, "problem": "",
         "updated_at": LATER},
    ],
    "ladder": [
        {"id": 1, "alert": 1, "number": NUMBER, "line": LINE, "wrote": 1, "call": 1,
         "opened_at": LATER, "state": "taken", "taken_by": "anna", "ended_at": LATER,
         "detail": ""},
    ],
    "ladder_leg": [
        {"id": 1, "ladder": 1, "round": 0, "place": 0, "person": "anna", "token": "t-1",
         "placed_at": LATER, "answered_at": LATER, "ended_at": LATER, "outcome": "took",
         "detail": ""},
    ],
    "web_user": [
        {"id": 1, "name": "anna", "display_name": "Anna", "subject": None, "role": "admin",
         "password": "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g", "extension": "101",
         "language": "en", "zone": "", "shortcuts": 1, "created_at": CALLED, "seen_at": LATER,
         "disabled_at": None},
    ],
    "web_session": [
        {"id": 1, "user": 1, "token": "a" * 64, "former": None, "csrf": "c" * 43,
         "address": "192.0.2.7", "agent": "Firefox", "created_at": LATER, "rotated_at": LATER,
         "seen_at": LATER, "expires_at": _at(30, "15:05:00")},
    ],
    "web_invite": [
        {"id": 1, "token": "b" * 64, "user": None, "name": "", "role": "agent",
         "created_by": "anna", "created_at": LATER, "expires_at": _at(26, "15:05:00"),
         "used_at": None},
    ],
    "web_token": [
        {"id": 1, "name": "wallboard", "token": "d" * 64, "role": "viewer", "created_by": "anna",
         "created_at": LATER, "used_at": None, "revoked_at": None},
    ],
    "audit": [
        {"id": 1, "at": LATER, "who": "anna", "action": "task.claim", "subject": OTHER,
         "detail": "", "address": "192.0.2.7"},
    ],
    "call_back": [
        {"id": 1, "key": "k-1", "token": "t-2", "pbx": "office", "task": 1, "number": NUMBER,
         "name": "Zoë O'Hara", "line": LINE, "user": "anna", "extension": "101",
         "wanted_at": LATER, "answered_at": LATER, "rang_at": LATER, "talking_at": None,
         "ended_at": LATER, "state": "ended", "outcome": "customer_busy", "detail": ""},
    ],
    "clock": [{"id": 1, "boot": "3f0c3c9e-7d5c-4a8e-9a55-0f2f4d9f7a11", "origin": MORNING}],
    "jump": [{"id": 1, "at": LATER, "seconds": -3600.5, "since": None}],
    "note": [
        {"id": 1, "contact": 1, "number": NUMBER, "at": LATER, "who": "anna",
         "text": "asked for Zoë's dog"},
    ],
    "booking": [
        {"id": 1, "key": "b-1", "number": OTHER, "at": LATER, "starts_at": MORNING,
         "source": "cal.com", "detail": "30 minutes"},
    ],
}  # fmt: skip


def revisions() -> list[str]:
    """Give every revision, the first one first."""
    return pbx_bridge.store.migrate.known_revisions()


def make(path: Path, revision: str) -> None:
    """Make a database of a revision with a row in every table."""
    engine = create_engine(f"sqlite:///{path}", poolclass=StaticPool)
    with engine.begin() as tx:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = tx
        command.upgrade(config, revision)
    engine.dispose()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA foreign_keys = OFF")  # tables come in any order
        for table, columns in columns_of(file).items():
            if table not in ROWS:
                raise LookupError(f"give the table {table} a row in {__file__}")
            for row in ROWS[table]:
                if missing := [name for name in columns if name not in row and name != "id"]:
                    raise LookupError(f"give {table} a value for {missing} in {__file__}")
                names = [name for name in columns if name in row]
                marks = ", ".join("?" * len(names))
                file.execute(
                    f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608
                    [row[name] for name in names],
                )
        file.commit()
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []


def columns_of(file: sqlite3.Connection) -> dict[str, list[str]]:
    """Give the tables of a database, but for the migrations' own, with their columns."""
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    tables = [row[0] for row in file.execute(query).fetchall() if row[0] != "alembic_version"]
    return {
        table: [row[1] for row in file.execute(f"PRAGMA table_info({table})")] for table in tables
    }


def dump(revision: str) -> Path:
    """Give where the database of a revision stands, as SQL."""
    return FOLDER / f"v{revision}.sql"


def load(path: Path, revision: str) -> None:
    """Make a database from what was written down when the revision was new."""
    with closing(sqlite3.connect(path)) as file:
        file.executescript(dump(revision).read_text(encoding="utf-8"))
