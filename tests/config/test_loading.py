"""Every mistake in a configuration is reported, all at once, with where and what would be right."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pbx_bridge.config import Config, ConfigError, Problem, defaults, load, parse
from pbx_bridge.core.call import Reason
from pbx_bridge.core.office import Moment
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.gateways import KINDS

OFFICE = """\
[office]
name = "Miller"
country = "US"
timezone = "America/New_York"
"""
PBX = """\
[[pbx]]
name = "office"
username = "bridge"
secret = "hunter2"
"""
FIRST_LINE = len((OFFICE + PBX).splitlines()) + 1


def read(text: str) -> Config:
    return parse(text, "x.toml", Path("/etc/pbx-bridge"))


def report(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


#: What is added to a good file, and the line that is then reported: LINE is where it was added.
MISTAKES = [
    (
        "[texting]\nenabled = 'yes'",
        (
            'LINE+1: texting.enabled = "yes": neither true nor false (without quotes); true sends;'
            " false (shadow mode) decides all and sends nothing, such as true"
        ),
    ),
    (
        "[texting]\ndelay = 20",
        (
            "LINE+1: texting.delay = 20: not a duration; write a number and its unit (s, m, h, d)"
            ' in quotes, such as "20s", "4h" or "1h30m"'
        ),
    ),
    (
        "[texting]\ncooldown = '4 hours'",
        (
            'LINE+1: texting.cooldown = "4 hours": not a duration; write a number and its unit'
            ' (s, m, h, d) in quotes, such as "20s", "4h" or "1h30m"'
        ),
    ),
    (
        "[texting]\ndelay = '45m'",
        (
            'LINE+1: texting.delay = "45m": every text would expire before it is sent; less than'
            ' expires_after ("30m")'
        ),
    ),
    (
        "[texting.reasons.busy]\ndelay = '2h'",
        (
            'LINE+1: texting.reasons.busy.delay = "2h": every text would expire before it is sent;'
            ' less than expires_after ("30m")'
        ),
    ),
    (
        "[texting]\nmax_per_hour = -1",
        (
            "LINE+1: texting.max_per_hour = -1: too small: at least 0; never more texts than this"
            " in an hour, such as 30"
        ),
    ),
    (
        "[texting]\nmax_per_day = 2.5",
        (
            "LINE+1: texting.max_per_day = 2.5: not a whole number (without quotes); never more"
            " texts than this in 24 hours, such as 200"
        ),
    ),
    (
        "[texting]\ntemplate = 'Hi from {ofice}'",
        (
            'LINE+1: texting.template = "Hi from {ofice}": unknown placeholder {ofice}; did you'
            " mean {office}?"
        ),
    ),
    (
        "[texting]\ntemplate = 'Hi from {office'",
        (
            'LINE+1: texting.template = "Hi from {office": a brace stands alone; placeholders are'
            " written {office}"
        ),
    ),
    (
        "[texting]\nallowed_countries = ['US', 'UK']",
        (
            'LINE+1: texting.allowed_countries[2] = "UK": not a country code; the United Kingdom is'
            ' "GB"'
        ),
    ),
    (
        "[texting]\nblocked_numbers = [\n  '212 555 0143',\n  '555 0143',\n]",
        (
            'LINE+3: texting.blocked_numbers[2] = "555 0143": not a number of US; write it with its'
            ' country code, such as "+12125550143", or as it is dialled inside the country'
        ),
    ),
    (
        "[texting]\ngateways = ['twilio']",
        "LINE+1: texting.gateways: no such gateway for texts: 'twilio'; known are console",
    ),
    (
        "[texting]\n[gateways.a]\ntype = 'console'\n[gateways.b]\ntype = 'console'",
        "LINE: texting.gateways: several gateways and none chosen; of a, b",
    ),
    (
        "[texting.reasons.answered]\ntext = true",
        (
            "LINE: texting.reasons.answered: calls of this reason are never texted;"
            " remove [texting.reasons.answered]"
        ),
    ),
    (
        "[texting.reasons.feed_gap]\ntext = true",
        (
            "LINE: texting.reasons.feed_gap: calls of this reason are never texted;"
            " remove [texting.reasons.feed_gap]"
        ),
    ),
    (
        "[texting.reasons]\nvoicemail_mesage = { text = true }",
        'LINE+1: texting.reasons.voicemail_mesage: unknown key; did you mean "voicemail_message"?',
    ),
    (
        "[texting.reasons.busy]\nact_on = 'call_ended'",
        (
            "LINE+1: texting.reasons.busy.act_on: only for voicemail_message and voicemail_hangup;"
            " remove it"
        ),
    ),
    (
        "[texting.reasons.voicemail_hangup]\nact_on = 'voicemail'",
        (
            'LINE+1: texting.reasons.voicemail_hangup.act_on = "voicemail": not known; did you mean'
            ' "voicemail_entered"?'
        ),
    ),
    (
        "[database]\npaht = '/x.db'",
        'LINE+1: database.paht: unknown key; did you mean "path"?',
    ),
    (
        "[logging]\nlevel = 'verbose'",
        'LINE+1: logging.level = "verbose": not known; known are debug, error, info, warning',
    ),
    (
        "[retention]\ncalls = '0d'",
        'LINE+1: retention.calls = "0d": out of range; from "1d" to "36500d"',
    ),
    (
        "[loging]",
        'LINE: loging: unknown key; did you mean "logging"?',
    ),
    (
        "[[pbx]]\nname = 'office'\nusername = 'a'\nsecret = 'b'",
        'LINE+1: pbx[2].name = "office": two PBXs have this name; give each its own',
    ),
    (
        "[[pbx]]\nname = 'b'\nusername = 'a'",
        (
            'LINE: pbx[2].secret: missing; the secret in manager.conf, such as { file = "/etc/'
            'pbx-bridge/ami-secret" }'
        ),
    ),
    (
        "[pbx.records]\ncdr = '/x'",
        'LINE+1: pbx[1].records.cdr: unknown key; did you mean "cdr_csv"?',
    ),
    (
        "[gateways.sms]\ntype = 'twillio'",
        'LINE+1: gateways.sms.type = "twillio": no such kind; did you mean "twilio"?',
    ),
    (
        "[gateways.sms]",
        f"LINE: gateways.sms.type: missing; one of {', '.join(KINDS)}",
    ),
    (
        "[gateways.sms]\ntype = 'http'\njsn = {}\nurl = 'https://sms.example.com/'",
        'LINE+2: gateways.sms.jsn: unknown key; did you mean "json"?',
    ),
    (
        (
            "[gateways.sms]\ntype = 'twilio'\naccount_sid = 'AC00000000000000000000000000000000'\n"
            "from_number = '+12125550143'"
        ),
        "LINE: gateways.sms: give either auth_token, or api_key and api_secret",
    ),
    ("gateways = []", "LINE: pbx[1].gateways: unknown key; known are"),
    ("[texting\n", "LINE: not TOML: expected ']' at the end of a table declaration"),
    ("x = 1\nx = 2", "LINE+1: not TOML: cannot overwrite a value; correct this line"),
]


@pytest.mark.parametrize(("added", "expected"), MISTAKES, ids=[m[1][:40] for m in MISTAKES])
def test_a_mistake_is_reported(added: str, expected: str) -> None:
    place, _, rest = expected.partition(":")
    line = FIRST_LINE + int(place.partition("+")[2] or 0)
    said = report(OFFICE + PBX + added)
    assert said.startswith(f"x.toml:{line}:{rest}")
    assert "\n" not in said


PBX_MISTAKES = [
    ("port = '5038'", 'port = "5038": not a whole number (without quotes); the port of AMI'),
    ("port = 70000", "port = 70000: too large: at most 65535; the port of AMI, such as 5038"),
    ("auth = 'md6'", 'auth = "md6": not known; did you mean "md5"?'),
    ("tls = 'yes'", 'tls = "yes": neither true, false nor a table; such as { ca = '),
    ("tls = { ca = '/no' }", 'tls.ca = "/no": no certificates there: No such file or directory'),
    ("inbound_contexts = ['((']", 'inbound_contexts[1] = "((": not a regular expression: missing'),
    ("inbound_contexts = []", "inbound_contexts: empty; at least one is needed"),
    ("ping_interval = '0s'", 'ping_interval = "0s": out of range; from "1s" to "5m"'),
    ("host = ''", 'host = "": empty; where AMI listens, such as "127.0.0.1"'),
    ("trunks = 'trunk'", 'trunks = "trunk": not a list; endpoints whose calls come from outside'),
]


@pytest.mark.parametrize(("added", "expected"), PBX_MISTAKES)
def test_a_mistake_about_a_pbx_is_reported(added: str, expected: str) -> None:
    assert report(OFFICE + PBX + added).startswith(f"x.toml:{FIRST_LINE}: pbx[1].{expected}")


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    text = '[office]\nname = ""\ncountry = "us"\n[[pbx]]\nname = "a"\nport = 0\n'
    assert report(text).splitlines() == [
        (
            "x.toml:1: office.timezone: missing; the time zone in which the office lives,"
            ' such as "America/New_York"'
        ),
        (
            'x.toml:2: office.name = "": empty; how the office calls itself to its callers,'
            ' such as "Miller & Sons"'
        ),
        'x.toml:3: office.country = "us": not a country code; write it in capitals: "US"',
        (
            "x.toml:4: pbx[1].username: missing; the section's name in manager.conf,"
            ' such as "pbx-bridge"'
        ),
        (
            "x.toml:4: pbx[1].secret: missing; the secret in manager.conf,"
            ' such as { file = "/etc/pbx-bridge/ami-secret" }'
        ),
        "x.toml:6: pbx[1].port = 0: too small: at least 1; the port of AMI, such as 5038",
    ]


def test_an_empty_file_is_told_what_it_needs() -> None:
    assert report("").splitlines() == [
        "x.toml:1: office: missing; a table [office] with name, country and timezone",
        "x.toml:1: pbx: missing; a table [[pbx]] for each PBX, with name, username and secret",
    ]


def test_tables_of_the_wrong_kind_are_told_so() -> None:
    said = report("office = 1\npbx = []\ngateways = 2\ntexting = []\n")
    assert [line.split(":")[2].strip() for line in said.splitlines()] == [
        "office = 1",
        "pbx",
        "gateways = 2",
        "texting",
    ]


@pytest.mark.parametrize(
    "text",
    [
        OFFICE + PBX.replace("secret =", "sekret ="),
        OFFICE + PBX.replace('secret = "hunter2"', 'secret = ["hunter2"]'),
        OFFICE + PBX.replace('secret = "hunter2"', 'secret = { fil = "hunter2" }'),
        OFFICE + PBX.replace('secret = "hunter2"', 'secret = "hunter2'),
        OFFICE + PBX + "secret = 'hunter2'",
        OFFICE
        + PBX
        + "[gateways.a]\ntype='http'\nurl='https://u:hunter2@h/'\nbearer='hunter2'\nx=1",
        OFFICE + PBX + "[gateways.a]\ntype='http'\nurl='https://h/'\nheaders={A=1,B='hunter2'}",
        OFFICE + PBX + "[gateways.a]\ntype='twilio'\naccount_sid=''\nauth_tokn='hunter2'",
        OFFICE + PBX + "host = ['https://user:hunter2@example.com']",
        OFFICE + PBX + "[texting]\nsecret = 'hunter2'",
    ],
)
def test_a_secret_is_never_shown(text: str) -> None:
    assert "hunter2" not in report(text)


def test_a_secret_is_not_in_the_representation_either() -> None:
    config = read(OFFICE + PBX)
    assert "hunter2" not in repr(config)
    assert "hunter2" not in repr(config.pbx[0].access())
    assert config.pbx[0].access().secret == "hunter2"


def test_hostile_values_cannot_steer_the_terminal_that_shows_the_report() -> None:
    said = report(OFFICE + PBX + '[logging]\nlevel = "\\u001b[2J\\n\\u202e"\n"\\u001b[2J" = 1')
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said.splitlines()) == 2


def test_what_is_left_out_has_its_default() -> None:
    config = read(OFFICE + PBX)
    assert config.texting.enabled is False
    assert config.texting.gateways == ("console",)
    assert config.office.timezone == ZoneInfo("America/New_York")
    assert config.pbx[0].inbound() == Inbound()
    assert config.pbx[0].access().tls is None
    assert not config.pbx[0].record_files(config.office.timezone)
    rules = config.rules()
    assert rules.shadow
    assert rules.allowed_countries == {"US", "PR", "VI", "GU", "AS", "MP"}
    assert rules.cooldown == timedelta(hours=4)
    silent = {reason for reason, rule in rules.reasons.items() if not rule.text}
    assert silent == {
        Reason.REJECTED,
        Reason.CONFERENCE_ALONE,
        Reason.LOST_IN_TRANSFER,
        Reason.HANDLED,
    }


def test_a_reason_takes_over_what_it_does_not_say() -> None:
    rules = read(
        OFFICE
        + PBX
        + "[texting]\ndelay = '1m'\ntemplate = 'A'\n[texting.reasons.voicemail_message]\n"
        "template = 'B'\nact_on = 'voicemail_entered'\n[texting.reasons.rejected]\ndelay = '0s'\n"
    ).rules()
    voicemail, rejected = rules.reasons[Reason.VOICEMAIL_MESSAGE], rules.reasons[Reason.REJECTED]
    assert (voicemail.text, voicemail.template, voicemail.delay) == (
        True,
        "B",
        timedelta(minutes=1),
    )
    assert voicemail.act_on is Moment.VOICEMAIL_ENTERED
    assert (rejected.text, rejected.template, rejected.delay) == (False, "A", timedelta(0))


def test_numbers_may_be_written_in_the_national_form() -> None:
    text = OFFICE.replace("US", "GB") + "own_numbers = ['020 7946 0018']\n" + PBX
    rules = read(text).rules()
    assert rules.own_numbers == {"+442079460018"}
    assert rules.allowed_countries == {"GB", "GG", "JE", "IM"}


def test_relative_paths_start_at_the_files_folder() -> None:
    config = read(OFFICE + PBX + "[database]\npath = 'data/x.db'")
    assert config.database.path == Path("/etc/pbx-bridge/data/x.db")


def test_tls_is_verified() -> None:
    context = read(OFFICE + PBX + "tls = true").pbx[0].access().tls
    assert context is not None
    assert context.check_hostname


def test_the_rules_without_any_configuration_know_no_borders() -> None:
    rules = defaults()
    assert rules.allowed_countries == frozenset()
    assert rules.shadow


def test_a_file_is_loaded_from_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(OFFICE + PBX + "[database]\npath = 'x.db'")
    assert load(path).database.path == tmp_path / "x.db"


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}: no such file; `pbx-bridge init` makes one"
    path.write_bytes(b"# fine\nname = '\xff'\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:2: not UTF-8; save the file in that encoding"
    assert caught.value.problems == (
        Problem(str(path), 2, "", "", "not UTF-8; save the file in that encoding"),
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"
