"""docker-compose.yml: a stranger's first minute, and how the containers are kept."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from .compose import Composition, docker, inspect, shown, until
from .conftest import IMAGES, SERVICES, TEXT, figures

#: Seconds in which the service has finished what is in hand, see `pbx-bridge run --help`.
DRAIN = 10


def judged(office: Composition) -> list[dict[str, Any]]:
    """Give the calls that the service knows, the newest first."""
    listed = office.inside("pbx-bridge", "pbx-bridge", "calls", "--json")
    return [json.loads(line) for line in listed.splitlines()]


def call(office: Composition, number: str) -> str:
    """Call a number of the office, and give the caller's."""
    told = office("run", "--rm", "-T", "call", number)
    (caller,) = re.findall(r"(\+1212555\d{4}) calls", told)
    return str(caller)


def test_a_missed_call_becomes_a_text_within_a_minute(office: Composition) -> None:
    """And one that Ben answers does not."""
    assert float(figures["docker compose up to the first text"].split()[0]) < 60
    assert docker("wait", office.container("call")).strip() == "0"
    told = office.logs("call")
    missed, answered = re.findall(r"(\+1212555\d{4}) calls \+1646555010[12]", told)
    assert "nobody answers, the caller gives up" in told
    assert "  answered\n" in told
    office.awaited("pbx-bridge", rf"call_judged.*{answered[-3:]} .*=answered", within=20)

    newest, first = judged(office)
    assert (first["caller"], first["disposition"]) == (missed, "missed")
    assert (newest["caller"], newest["disposition"]) == (answered, "answered")
    assert newest["message"] is None
    shown = office.logs("pbx-bridge")
    assert f"╭─ {missed} ─" in shown
    assert len(re.findall(TEXT, shown)) == 1


def test_staff_get_a_mail_and_home_automation_a_message(office: Composition) -> None:
    listen = ["exec", "-T", "mosquitto", "mosquitto_sub", "-v", "-t", "pbxbridge/#"]
    with office.running(*listen, within=60) as lines:
        until(lines, "pbxbridge/online online")
        caller = re.escape(call(office, "+16465550133"))  # closed: an announcement
        until(lines, f"pbxbridge/call_missed .*{caller}")
        until(lines, f"pbxbridge/text .*{caller}")
    mail = office.awaited("mail", f"{caller} was missed", within=30)
    assert "To: staff@example.com" in mail


def test_no_process_is_root_and_none_could_become_it(office: Composition) -> None:
    running = office.containers()
    assert set(running) == set(SERVICES)
    users = {}
    for service, container in running.items():
        _, *processes = docker("top", container, "-eo", "pid,uid,args").splitlines()
        (users[service],) = {line.split()[1] for line in processes}
        status = office.inside(service, "cat", "/proc/1/status")
        assert re.search(r"CapBnd:\s*0+\n", status), service
        assert re.search(r"NoNewPrivs:\s*1\n", status), service
    assert "0" not in users.values()
    assert len(set(users.values())) == len(SERVICES)


def test_nothing_can_be_written_but_data(office: Composition) -> None:
    for service, container in office.containers().items():
        assert inspect(container)["HostConfig"]["ReadonlyRootfs"], service
    test = "touch /var/lib/pbx-bridge/x && rm /var/lib/pbx-bridge/x && ! touch /run/secrets/x"
    office.inside("pbx-bridge", "sh", "-c", test)


def test_the_office_is_reached_from_nowhere_else(office: Composition) -> None:
    for container in office.containers().values():
        network = inspect(container)["NetworkSettings"]
        assert network["Ports"] == {}
        for name in network["Networks"]:
            assert inspect(name)["Internal"], name


def test_the_secret_is_seen_nowhere(office: Composition) -> None:
    secret = office.inside("pbx-bridge", "cat", "/run/secrets/ami-secret")
    assert re.fullmatch(r"[0-9a-f]{48}", secret)
    with pytest.raises(AssertionError, match="No such file"):
        office.inside("phones", "cat", "/run/secrets/ami-secret")
    places = [office.logs(), docker("volume", "inspect", "pbx-bridge_secrets")]
    for container in office.containers().values():
        places += [docker("inspect", container), docker("top", container, "-eo", "pid,args")]
    for image in IMAGES:
        places += [docker("inspect", image), docker("history", "--no-trunc", image)]
    assert len(places) > len(IMAGES) * 4
    assert not any(secret in place for place in places)


def test_every_call_of_the_office_works(office: Composition) -> None:
    """Voicemail, too, writes where it may."""
    caller = call(office, "+16465550134")
    office.awaited("pbx-bridge", rf"call_judged.*{caller[-3:]} .*=voicemail", within=20)


def test_the_commands_of_the_page(office: Composition) -> None:
    """Those that look into the running office; the others are what these tests are made of."""
    commands = [words for words in shown("docker compose") if words[0] in {"exec", "logs"}]
    assert len(commands) > 4
    for command in commands:
        if "mosquitto_sub" in command:
            command += ["-C", "1"]  # it listens for ever
        office(command[0], *["-T"] * (command[0] == "exec"), *command[1:])


def test_a_stop_between_call_and_text_loses_nothing_and_sends_nothing_twice(
    office: Composition,
) -> None:
    caller = call(office, "+16465550101")
    container = office.container("pbx-bridge")
    begun = time.monotonic()
    office("stop", "pbx-bridge")
    took = time.monotonic() - begun
    state = inspect(container)["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    figures["docker compose stop of the service"] = f"{took:.1f} s"
    assert took < DRAIN + 5  # of Compose itself, on a machine that is busy

    office("start", "pbx-bridge")
    office.awaited("pbx-bridge", f"─ {re.escape(caller)} ─", within=30)
    assert office.logs("pbx-bridge").count(f"─ {caller} ─") == 1


def test_data_outlive_the_containers(office: Composition) -> None:
    before = judged(office)
    asterisk = office.container("asterisk")
    office("stop")
    assert inspect(asterisk)["State"]["ExitCode"] == 0
    office("down")
    office("up", "--detach", "--no-build", "--wait", timeout=180)
    assert judged(office) == before
    caller = call(office, "+16465550101")
    office.awaited("pbx-bridge", f"─ {re.escape(caller)} ─", within=30)
