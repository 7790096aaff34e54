"""Each line of `check`: what is right, and what is wrong and how to put it right."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pbx_bridge import config
from pbx_bridge.check import CLOCK_TOLERANCE, Finding, check
from pbx_bridge.clock import utc_now
from pbx_bridge.store.db import Database
from tests.gateways.fakes import Told, answer
from tests.sources.ami.fake import FakeAmi, Headers, denied, serving
from tests.test_ics import calendar

OFFICE = """\
[office]
name = "Miller"
country = "US"
timezone = "America/New_York"
[[pbx]]
name = "office"
host = "127.0.0.1"
port = {port}
username = "bridge"
secret = "s3cret"
[database]
path = "bridge.db"
"""
TWILIO = """
[texting]
gateways = ["main"]
[gateways.main]
type = "twilio"
base_url = "{url}"
account_sid = "AC00000000000000000000000000000000"
auth_token = "not a token"
from_number = "+12125550100"
"""


PBX = """
[gateways.main]
type = "pbx"
method = "message"
destination = "pjsip:trunk/sip:{to}@carrier.example"
"""


class Office:
    """A configuration whose PBX is `ami`, checked as a whole."""

    def __init__(self, folder: Path, ami: FakeAmi) -> None:
        self.folder = folder
        self.ami = ami
        self.more = ""
        self.doubts = False  #: whether the rules are looked at too

    async def found(self) -> list[Finding]:
        text = OFFICE.format(port=self.ami.port) + self.more
        settings = config.parse(text, "pbx-bridge.toml", self.folder)
        path = self.folder / "pbx-bridge.toml"
        doubtful: tuple[config.Problem, ...] = ()
        if self.doubts:
            path.write_text(text)
            doubtful = config.doubtful(settings, path)
        return [finding async for finding in check(settings, doubtful)]

    async def about(self, what: str) -> list[Finding]:
        return [finding for finding in await self.found() if finding.what == what]

    async def says(self, what: str, text: str) -> bool | None:
        """Give how good the one finding is that says so."""
        (finding,) = [one for one in await self.about(what) if text in one.text]
        return finding.good


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with serving(FakeAmi()) as ami:
        yield Office(tmp_path, ami)


async def test_nothing_is_wrong_in_a_fresh_office(office: Office) -> None:
    office.ami.answers["Ping"] = telling_time()
    found = await office.found()
    assert [(one.what, one.good) for one in found] == [
        ("configuration", True),
        ("rules", True),
        ("texts", True),
        ("database", True),
        ("clock", True),
        ("pbx office", True),  # login
        ("pbx office", True),  # may ask for channels
        ("pbx office", True),  # its clock
        ("pbx office", None),  # what only a call shows
        ("gateway console", True),
        ("webhooks", None),
        ("alerts", None),
        ("hours", None),
    ]


async def test_a_webhook_is_reached_and_told_nothing(office: Office) -> None:
    webhook = (
        '[[webhooks]]\nname = "zapier"\nurl = "{url}/hook"\n'
        'secret = "whsec_b2ZmaWNlLW9mLW1pbGxlci1hbmQtc29ucy0wMQ=="\n'
    )
    async with Told(answer(200)).running() as server:
        office.more = webhook.format(url=server.url)
        (finding,) = await office.about("destination zapier")
        assert finding.good
        assert server.requests == []
    (finding,) = await office.about("destination zapier")
    assert finding.good is False
    assert "cannot be reached" in finding.text


async def test_shadow_mode_is_said_and_so_is_sending(office: Office) -> None:
    assert await office.says("configuration", "shadow mode: nothing is sent")
    office.more = "[texting]\nenabled = true\n"
    assert await office.says("configuration", "texts are sent")


# -- rules and texts ------------------------------------------------------------------------


async def test_rules_are_counted(office: Office) -> None:
    assert await office.says("rules", "the built-in ones; `pbx-bridge rules` reads them aloud")
    office.more = '[[rules]]\nname = "x"\nthen = "default"\n'
    assert await office.says("rules", "1 of your own, then the built-in ones")


async def test_what_can_hardly_be_meant_is_worth_knowing(office: Office) -> None:
    office.more = (
        '[[rules]]\nname = "all"\nthen = "default"\n[[rules]]\nname = "x"\nthen = "nothing"\n'
    )
    office.doubts = True
    (finding,) = await office.about("rules")
    assert finding.good is None
    assert finding.text == (
        f'{office.folder / "pbx-bridge.toml"}:16: rules[2]: the rule "x" is never reached: "all"'
        " stands before it and matches all that it would"
    )


async def test_a_text_of_a_sequence_that_must_not_go_out_is_wrong(office: Office) -> None:
    office.more = '[sequences.default]\nsteps = [{ text = "Sorry! Reply STOP to opt out" }]\n'
    (finding,) = await office.about("texts")
    assert finding.good is False
    assert finding.text == ("must not go out so: default: text (en); see `pbx-bridge templates`")


# -- database -------------------------------------------------------------------------------


async def test_a_database_is_not_made_by_the_check(office: Office) -> None:
    assert await office.says("database", "will be created at the first start")
    assert list(office.folder.iterdir()) == []


async def test_a_database_of_this_version_is_right(office: Office) -> None:
    path = office.folder / "bridge.db"
    async with Database.open(path):
        pass
    assert await office.says("database", str(path))


async def test_a_file_that_is_no_database_is_wrong(office: Office) -> None:
    (office.folder / "bridge.db").write_text("no database" * 1000)
    (finding,) = await office.about("database")
    assert finding.good is False


@pytest.mark.parametrize(
    ("there", "say"), [(True, "is not writable for this user"), (False, "is not writable")]
)
async def test_where_nothing_can_be_written_is_wrong(
    office: Office, monkeypatch: pytest.MonkeyPatch, say: str, *, there: bool
) -> None:
    if there:
        (office.folder / "bridge.db").touch()
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    assert await office.says("database", say) is False


# -- clock ----------------------------------------------------------------------------------


async def test_a_clock_that_was_never_set_is_wrong(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx_bridge.check.utc_now", lambda: datetime(2000, 1, 1, tzinfo=UTC))
    assert await office.says("clock", "says 2000-01-01 00:00 UTC: set it") is False


# -- PBX ------------------------------------------------------------------------------------


def telling_time(off: timedelta = timedelta(0)) -> Callable[[FakeAmi, Headers], str]:
    """Answer a ping with a clock that is so far off ours."""

    def pong(ami: FakeAmi, action: Headers) -> str:
        return ami.success(action, Ping="Pong", Timestamp=f"{(utc_now() + off).timestamp():.6f}")

    return pong


async def test_a_login_says_where_and_to_what(office: Office) -> None:
    text = f"login at 127.0.0.1:{office.ami.port} (Asterisk Call Manager/11.0.0)"
    assert await office.says("pbx office", text)


async def test_a_refused_login_says_what_to_change(office: Office) -> None:
    office.ami.secret = "another"
    (finding,) = await office.about("pbx office")
    assert finding.good is False
    assert "check username and secret" in finding.text


async def test_a_pbx_that_is_not_there_says_so(office: Office, unused_tcp_port: int) -> None:
    office.ami.port = unused_tcp_port
    (finding,) = await office.about("pbx office")
    assert finding.good is False
    assert "nothing listens on" in finding.text


async def test_the_number_of_live_channels_is_told(office: Office) -> None:
    office.ami.channels = [{"Uniqueid": "1.1"}, {"Uniqueid": "1.2"}]
    assert await office.says("pbx office", "live channels can be asked for: 2 now")


async def test_an_account_that_may_not_ask_for_channels_is_told(office: Office) -> None:
    office.ami.answers["CoreShowChannels"] = denied
    assert await office.says("pbx office", "add `write = reporting`") is False


async def test_an_account_that_may_not_read_system_events_is_told(office: Office) -> None:
    office.ami.answers["Login"] = lambda ami, action: ami.success(action, Message="accepted")
    assert await office.says("pbx office", "add `system` to its read=") is False


@pytest.mark.parametrize("off", [timedelta(minutes=-3), timedelta(minutes=3)])
async def test_a_clock_that_differs_from_ours_is_told_with_its_sign(
    office: Office, off: timedelta
) -> None:
    office.ami.answers["Ping"] = telling_time(off)
    assert (
        await office.says("pbx office", f"its clock is {off.total_seconds():+.0f} s off") is False
    )


async def test_a_clock_that_differs_little_agrees(office: Office) -> None:
    off = CLOCK_TOLERANCE / 2
    office.ami.answers["Ping"] = telling_time(off)
    assert await office.says("pbx office", "its clock agrees with ours (+2.")


@pytest.mark.parametrize("timestamp", ["soon", "1e300", "nan"])
async def test_a_pbx_that_tells_no_time_is_not_wrong(office: Office, timestamp: str) -> None:
    office.ami.answers["Ping"] = lambda ami, action: ami.success(action, Timestamp=timestamp)
    assert await office.says("pbx office", "does not tell its time") is None


async def test_the_check_leaves_the_pbx_in_peace(office: Office) -> None:
    """It asks, and changes nothing."""
    await office.found()
    asked = {action["Action"] for action in office.ami.asked}
    assert asked <= {"Challenge", "Login", "Ping", "BridgeList", "CoreShowChannels"}


# -- gateways -------------------------------------------------------------------------------


async def test_a_gateway_that_refuses_the_account_is_wrong(office: Office) -> None:
    async with Told(answer(401, '{"code": 20003, "message": "Authenticate"}')).running() as twilio:
        office.more = TWILIO.format(url=twilio.url)
        (finding,) = await office.about("gateway main")
    assert finding.good is False
    assert "not a token" not in finding.text


async def test_no_text_is_sent(office: Office) -> None:
    async with Told(answer(200, "{}")).running() as twilio:
        office.more = TWILIO.format(url=twilio.url)
        await office.found()
    assert {request.method for request in twilio.requests} == {"GET"}


async def test_a_gateway_through_the_pbx_is_asked_over_a_connection_of_its_own(
    office: Office,
) -> None:
    office.more = PBX
    office.ami.answers["ListCommands"] = lambda ami, action: ami.success(
        action, MessageSend="Send an out of call message to an endpoint.  (Priv: message,all)"
    )
    assert await office.says("gateway main", "lets this account use MessageSend")
    assert all(action["Action"] != "MessageSend" for action in office.ami.asked)


async def test_a_gateway_through_the_pbx_without_permission_is_wrong(office: Office) -> None:
    office.more = PBX
    office.ami.answers["ListCommands"] = lambda ami, action: ami.success(action)
    assert await office.says("gateway main", "write = reporting,message") is False
    office.ami.secret = "another"
    assert await office.says("gateway main", "check username and secret") is False
    office.more = PBX + 'pbx = "branch"\n'
    assert await office.says("gateway main", "there is no PBX named 'branch'") is False


# -- the account that acts ------------------------------------------------------------------

CONTROL = """
[[pbx]]
name = "branch"
host = "127.0.0.1"
port = {port}
username = "bridge"
secret = "s3cret"
[pbx.control]
username = "actor"
secret = "{secret}"
"""


@pytest.mark.parametrize(
    ("allowed", "good", "text"),
    [
        (("Originate",), True, "'actor' may place calls (originate)"),
        (("Originate", "DBPut"), True, "(originate) and write its database (system)"),
        (("Ping",), False, "'actor' of [pbx.control] may do nothing: add to its write="),
    ],
)
async def test_what_the_account_that_acts_may_do_is_said_and_not_done(
    office: Office, *, allowed: tuple[str, ...], good: bool, text: str
) -> None:
    office.ami.answers["ListCommands"] = lambda ami, action: ami.success(
        action, **dict.fromkeys(allowed, "what it does")
    )
    office.more = CONTROL.format(port=office.ami.port, secret="s3cret")
    assert await office.says("control of branch", text) is good
    assert not {action["Action"] for action in office.ami.asked} & {"Originate", "DBPut"}


async def test_what_the_dialplan_reads_needs_the_right_to_write_it(office: Office) -> None:
    office.more = CONTROL.format(port=office.ami.port, secret="s3cret")
    office.more += "[pbx.dialplan]\nmissed_first = true\n"
    for allowed, good in (("Originate",), False), (("DBPut",), True):
        office.ami.answers["ListCommands"] = lambda ami, action, allowed=allowed: ami.success(  # type: ignore[misc]
            action, **dict.fromkeys(allowed, "what it does")
        )
        text = "write its database" if good else "[pbx.dialplan] needs that; add `system`"
        assert await office.says("control of branch", text) is good


async def test_an_account_that_acts_and_cannot_log_in_is_wrong(office: Office) -> None:
    office.more = CONTROL.format(port=office.ami.port, secret="wrong")
    assert await office.says("control of branch", "refuses the login of 'actor'") is False


# -- hours ----------------------------------------------------------------------------------


async def test_when_somebody_is_there_is_said(office: Office) -> None:
    assert await office.says("hours", "somebody is always there") is None
    office.more = "[hours]\nopen = 'Mon-Sun 0-24'\nholidays = 'none'\n"
    assert await office.says("hours", "Mo-Su 00:00-24:00; somebody is there now")
    office.more = "[hours]\nopen = 'off'\n"
    assert await office.says("hours", "nobody is ever there within a year") is False


async def test_a_calendar_is_read(office: Office) -> None:
    file = office.folder / "closures.ics"
    office.more = f"[hours.calendar]\nurl = '{file}'\n"
    assert await office.says("calendar office", "the file cannot be read: No such") is False
    file.write_text(calendar(), encoding="utf-8")
    assert await office.says("calendar office", "closes 0 times within a year")
