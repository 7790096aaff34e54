"""Every other way out of the service, with the table of hostile texts in what goes out.

What is shown from the database is in test_stored_text.py. What gateways, connectors and channels
write is in their own tests: `WRITTEN_IN` says where, and a new kind is missed there.
"""

import ast
import email
import email.policy
import io
import json
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog

from pbx_bridge import broker, destinations, gateways, logs
from pbx_bridge.announcer import Announcer
from pbx_bridge.core import alerting, payloads
from pbx_bridge.core.alerting import Alert, AlertKind, Telling
from pbx_bridge.core.announcement import CallMissed, ReplyArrived
from pbx_bridge.core.reply import Meaning, Reply
from pbx_bridge.core.text import fill
from pbx_bridge.core.voicemail import Mailbox as VoicemailBox
from pbx_bridge.gateways._mail import Letter, Mailbox
from pbx_bridge.gateways._mapping import PRESETS
from pbx_bridge.systemd import Notifier
from pbx_bridge.voicemail import spool
from tests.gateways.fakes import message
from tests.gateways.test__mapping import preset
from tests.security.hostile import EVERYTHING, MARK, TEXTS
from tests.security.test_stored_text import STEERS
from tests.store.examples import NOON

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pbx_bridge"
HALF = "a\ud83d b"
every_text = pytest.mark.parametrize("hostile", [*TEXTS.values(), HALF], ids=[*TEXTS, "half"])

#: Where it is tried what a kind writes, with any text in it.
WRITTEN_IN = {
    "console": "tests/gateways/test_console.py",
    "http": "tests/gateways/test__http_presets.py",
    "mqtt": "tests/gateways/test_mqtt.py",
    "pbx": "tests/gateways/test_pbx.py",
    "smpp": "tests/gateways/test_smpp.py",
    "smtp": "tests/gateways/test__mail.py",
    "twilio": "tests/gateways/test_twilio.py",
    "hubspot": "tests/destinations/test_conformance.py",
    "salesforce": "tests/destinations/test_conformance.py",
    "zoho": "tests/destinations/test_conformance.py",
}
#: Who starts other programs, and what these are given of a stranger's.
PROGRAMS = {
    "calendar_feed.py": "a calendar, on standard input",
    "installation.py": "nothing: systemctl with fixed arguments",
    "speech.py": "a text, on standard input (tests/test_speech.py)",
    "transcribers/local.py": "a recording, on standard input",
}
#: The actions that a PBX is asked for, and what of a stranger's is in them.
ACTIONS = {
    "BridgeList": "", "Challenge": "", "CoreShowChannels": "", "CoreStatus": "", "Events": "",
    "ListCommands": "", "Login": "", "Ping": "",
    "Getvar": "a channel's id",
    "DBPut": "digits of a number, and names of phones", "DBDel": "the same",
    "DBGet": "", "DBGetTree": "",
    "Originate": "digits; of a name only letters (tests/test_call_back.py, test_staff_phone.py)",
    "MessageSend": "the text, in base64 (tests/gateways/test_pbx.py)",
    "DongleSendSMS": "the text (tests/gateways/test_pbx.py)",
}  # fmt: skip


def test_every_kind_has_its_tests() -> None:
    assert sorted(WRITTEN_IN) == sorted([*gateways.KINDS, *destinations.KINDS])
    for where in WRITTEN_IN.values():
        assert re.search("hostile|any_text|HOSTILE|st.text", (ROOT / where).read_text()), where


def test_every_program_that_is_started_is_known() -> None:
    starts = re.compile(r"create_subprocess|subprocess\.(run|Popen|call|check)|os\.(system|exec)")
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if starts.search(path.read_text(encoding="utf-8")) and "demo" not in path.parts
    }
    assert found == set(PROGRAMS)
    shells = [path for path in PACKAGE.rglob("*.py") if "shell=True" in path.read_text()]
    assert shells == []


def test_every_action_is_known() -> None:
    found = set[str]()
    for path in PACKAGE.rglob("*.py"):
        if "demo" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                found |= {
                    str(value.value)
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant)
                    and key.value == "Action"
                    and isinstance(value, ast.Constant)
                }
    assert found <= set(ACTIONS)


# -- the log --------------------------------------------------------------------------------


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@every_text
@pytest.mark.parametrize("style", ["json", "journal", "console"])
@pytest.mark.usefixtures("_logging_as_it_was")
def test_no_text_makes_a_line_of_the_log_or_steers_who_reads_it(
    style: logs.Format, hostile: str
) -> None:
    stream = _Terminal() if style == "console" else io.StringIO()
    logs.configure("info", style, stream)
    log = structlog.get_logger()
    log.info("call_began", caller_name=hostile, more={hostile: [hostile]}, at=NOON)
    log.warning(hostile, gateway=hostile)
    logging.getLogger("aiohttp").warning("%s", hostile)
    written = stream.getvalue()
    written.encode()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", written)  # the colours are ours
    assert STEERS.search(plain) is None, ascii(plain)
    assert len(plain.splitlines()) == 3, ascii(plain)
    if style == "json":
        for line in plain.splitlines():
            assert MARK not in json.loads(line)


# -- messages -------------------------------------------------------------------------------


@every_text
def test_a_letter_has_the_headers_that_it_was_given(hostile: str) -> None:
    letter = Letter(
        sender=Mailbox.read("Miller <office@example.com>"),
        to="ann@example.com",
        subject=hostile,
        body=hostile,
        message_id="<1@example.com>",
        at=NOON,
        unsubscribe={"List-Unsubscribe": "<mailto:office@example.com>"},
    )
    raw = letter.as_bytes()
    read = email.message_from_bytes(raw, policy=email.policy.default)
    ours = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "List-Unsubscribe"]
    assert sorted(set(read) - {"Content-Type", "MIME-Version"}) == sorted(ours)
    assert str(read["to"]) == "ann@example.com"
    assert [part.get_content_type() for part in read.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip
    assert not read.defects
    html = next(part for part in read.walk() if part.get_content_type() == "text/html")
    assert f"<{MARK}" not in html.get_content()
    assert f"<script>{MARK}" not in html.get_content()


@every_text
def test_what_fills_a_text_is_no_template(hostile: str) -> None:
    said = fill("Hello {caller_name}, {office}", {"caller_name": hostile, "office": "Miller"})
    assert STEERS.search(said) is None
    assert said.endswith(", Miller")
    assert "Miller" not in said.removesuffix(", Miller")
    said.encode()


@every_text
@pytest.mark.parametrize("name", PRESETS)
def test_a_modem_is_told_one_text(name: str, hostile: str) -> None:
    send = preset(name).send
    told = send.encoded(message(body=hostile))
    assert json.loads(told).keys() == send.payload.keys()


@every_text
def test_staff_read_what_was_said_and_nothing_of_its_own(hostile: str) -> None:
    for urgent in (False, True):
        alert = Alert(
            alert_id=1, at=NOON, kind=AlertKind.REPLY, subject=hostile, text=hostile,
            urgent=urgent, due_at=NOON,
        )  # fmt: skip
        for telling in (Telling((alert,)), Telling((alert, alert), together=True)):
            words = alerting.words(telling, "Miller", ZoneInfo("UTC"))
            for text in (words.title, words.body, words.short):
                assert STEERS.search(text) is None
                text.encode()
            assert "\n" not in words.title + words.short
            assert len(words.short) <= alerting.LONGEST_SHORT


# -- other programs -------------------------------------------------------------------------


@every_text
def test_home_automation_is_told_json_on_our_topics(hostile: str) -> None:
    settings = broker.Settings.model_validate({"host": "broker.example.com"})
    announcer = Announcer(settings, prefix="pbx-bridge", bodies=True, chance=lambda: 0.5)
    missed = CallMissed(
        at=NOON, call=1, caller=hostile, caller_name=hostile, line=hostile, reason="cancelled",
        texted=False,
    )  # fmt: skip
    told = json.loads(announcer.payload(missed))
    assert told.keys() == {"at", "call", "caller", "caller_name", "line", "reason", "texted"}
    reply = ReplyArrived(at=NOON, reply=1, sender=hostile, meaning="reply", body=hostile, call=None)
    assert json.loads(announcer.payload(reply)).keys() >= {"sender", "body"}


@every_text
def test_webhooks_tell_fields_that_steer_nothing(hostile: str) -> None:
    happening = payloads.reply_received(
        "key",
        Reply(gateway_ref="1", sender=hostile, body=hostile),
        at=NOON,
        reply_row=1,
        gateway="sms",
        message=None,
        number="+12125550142",
        meaning=Meaning.REPLY,
        call_row=None,
    )
    for numbers, words in ((True, True), (False, False)):
        told = payloads.disclosed(happening, numbers=numbers, words=words)
        text = json.dumps(told, ensure_ascii=False)
        text.encode()
        assert STEERS.search(text) is None
        assert ("body" in told) == words


@every_text
def test_systemd_is_told_one_line(hostile: str, tmp_path: Path) -> None:
    place = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(place))
        heard.settimeout(60)
        Notifier({"NOTIFY_SOCKET": str(place)}).status(f"cannot reach {hostile}")
        said = heard.recv(65_536)
    assert said.startswith(b"STATUS=")
    assert len(said.split(b"\n")) == 1


# -- names of files -------------------------------------------------------------------------


@every_text
def test_no_mailbox_leads_out_of_the_spool(hostile: str, tmp_path: Path) -> None:
    root = tmp_path / "spool"
    outside = tmp_path / "tmp" / MARK / "INBOX"
    for place in (root / "default" / "101", outside):
        place.mkdir(parents=True)
    (outside / "msg0000.txt").write_text("origtime=1\nduration=1\n")
    wanted = spool.Wanted(
        mailboxes=(
            VoicemailBox(hostile, "default"),
            VoicemailBox("101", hostile),
            VoicemailBox(f"../tmp/{MARK}", ""),
        ),
        channel=hostile,
        number=hostile,
        began=NOON,
        left_at=NOON,
    )
    assert spool.find(root, wanted) is None


def test_the_table_is_all_of_it() -> None:
    """All that makes the table is in the one text that has everything."""
    assert all(text in EVERYTHING for kind, text in TEXTS.items() if kind != "long")
