"""The alert rules for Prometheus, tried by promtool: each is silent just below what it warns of."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pbx_bridge.metrics import WATCHED_EVENTS, Metrics

ROOT = Path(__file__).parents[2]
RULES = ROOT / "packaging" / "prometheus" / "pbx-bridge.rules.yml"
DASHBOARD = ROOT / "packaging" / "grafana" / "pbx-bridge.json"
TEXT = RULES.read_text(encoding="utf-8")
ALERTS = re.findall(r"- alert: (\w+)", TEXT)
WATCHING = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool: scripts/test-servers installs it"
)

UP = 'up{job="pbx_bridge"}'
LOG = "pbxbridge_log_lines_total"
ATTEMPTS = "pbxbridge_gateway_attempts_total"
RECEIPTS = "pbxbridge_receipts_total"
DECISIONS = "pbxbridge_decisions_total"


@dataclass(frozen=True, slots=True)
class Case:
    """Series, one value a minute as promtool writes them, that raise an alert and do not."""

    fires: dict[str, str]
    quiet: dict[str, str]
    labels: dict[str, str]  #: of the alert that is raised, besides its severity
    at: str = "1h"


def log(event: str, fires: str, quiet: str, **more: Any) -> Case:
    (level,) = {one for one, name in WATCHED_EVENTS if name == event}
    series = f'{LOG}{{level="{level}",event="{event}"}}'
    labels = more.pop("labels", {"level": level, "event": event})
    return Case({series: fires}, {series: quiet}, labels, **more)


def gauge(name: str, fires: str, quiet: str, **labels: str) -> Case:
    inner = ",".join(f'{key}="{value}"' for key, value in labels.items())
    series = f"pbxbridge_{name}{{{inner}}}"
    return Case({series: fires}, {series: quiet}, labels)


def summed(case: Case, **labels: str) -> Case:
    """Give the same, of an alert that has only these labels."""
    return Case(case.fires, case.quiet, labels, case.at)


def at(case: Case, when: str) -> Case:
    return Case(case.fires, case.quiet, case.labels, when)


CASES: dict[str, list[Case]] = {
    "PbxBridgeDown": [
        Case({UP: "0x60"}, {UP: "1x60"}, {"job": "pbx_bridge"}),
        Case({'up{job="node"}': "1x60"}, {UP: "1x60"}, {"job": "pbx_bridge"}),
        Case({UP: "0x9"}, {UP: "1x5 0 1x9"}, {"job": "pbx_bridge"}, "8m"),  # one lost scrape
    ],
    "PbxBridgeNotWorking": [gauge("works", "0x60", "1x60"), gauge("works", "1x50 0x9", "1x59 0x1")],
    "PbxBridgeRestarts": [
        gauge("process_start_time_seconds", "100+100x60", "100x20 200x20 300x20"),
    ],
    "PbxBridgeConfigurationRefused": [log("config_kept_old", "0x50 1x10", "0x60")],
    "PbxBridgeLoopLate": [gauge("loop_lag_seconds", "2.5x60", "1.9x60")],
    "PbxBridgeMemory": [
        gauge("process_resident_memory_bytes", "310000000x60", "290000000x60"),
        gauge("process_resident_memory_bytes", "310000000x60", "90000000x35 310000000x25"),
    ],
    "PbxBridgeOpenFiles": [
        Case(
            {"pbxbridge_process_open_fds": "900x60", "pbxbridge_process_max_fds": "1000x60"},
            {"pbxbridge_process_open_fds": "700x60", "pbxbridge_process_max_fds": "1000x60"},
            {},
        )
    ],
    "PbxBridgeClockWrong": [
        gauge("clock_seconds", "-120+60x60", "-40+60x60"),
        gauge("clock_seconds", "3600+60x60", "50+60x60"),
    ],
    "PbxBridgeClockSet": [log("clock_set", "0x50 1x10", "3x60")],
    "PbxBridgePbxNotSeen": [
        gauge("pbx_connected", "0x60", "1x60", pbx="office"),
        at(gauge("pbx_connected", "1x10 0x9", "1x10 0x3 1x9", pbx="office"), "18m"),
    ],
    "PbxBridgePbxComesAndGoes": [
        gauge("pbx_connects_total", "1x20 1+1x40", "1x20 2x20 3x20", pbx="office"),
    ],
    "PbxBridgePbxSaysNothing": [
        at(
            Case(
                {
                    'pbxbridge_ami_events_total{pbx="office"}': "5x1600",
                    'pbxbridge_pbx_connected{pbx="office"}': "1x1600",
                },
                {
                    'pbxbridge_ami_events_total{pbx="office"}': "5x800 6x800",
                    'pbxbridge_pbx_connected{pbx="office"}': "1x1600",
                },
                {"pbx": "office"},
            ),
            "26h",
        ),
    ],
    "PbxBridgeGaps": [gauge("feed_gaps_total", "0x20 1+1x40", "0x20 2x40", pbx="office")],
    "PbxBridgeCallsUnobserved": [
        gauge("decisions_total", "0x20 0+1x40", "0x20 2x40", outcome="skip", rule="unobserved"),
    ],
    "PbxBridgeEventsWait": [gauge("events_unjudged", "1500x60", "900x60")],
    "PbxBridgeEventsLost": [
        summed(log("inbox_overflow", "0x50 1x10", "0x60")),
        summed(log("events_dropped", "0x50 1x10", "0x60")),
    ],
    "PbxBridgeTextsWait": [gauge("outbox_oldest_due_seconds", "310x60", "290x60")],
    "PbxBridgeNoGateway": [
        Case(
            {
                'pbxbridge_gateway_usable{instance="a",gateway="twilio"}': "0x60",
                'pbxbridge_gateway_usable{instance="a",gateway="modem"}': "0x60",
            },
            {
                'pbxbridge_gateway_usable{instance="a",gateway="twilio"}': "0x60",
                'pbxbridge_gateway_usable{instance="a",gateway="modem"}': "1x60",
            },
            {"instance": "a"},
        )
    ],
    "PbxBridgeGatewayLeftAlone": [
        gauge("gateway_usable", "1x10 0x50", "1x50 0x10", gateway="twilio"),
    ],
    "PbxBridgeGatewayRefuses": [
        Case(
            {
                f'{ATTEMPTS}{{gateway="modem",outcome="rejected"}}': "0+1x60",
                f'{ATTEMPTS}{{gateway="modem",outcome="accepted"}}': "0+3x60",
            },
            {
                f'{ATTEMPTS}{{gateway="modem",outcome="rejected"}}': "0+1x60",
                f'{ATTEMPTS}{{gateway="modem",outcome="accepted"}}': "0+5x60",
            },
            {"gateway": "modem"},
        ),
        Case(  # three of three say little
            {f'{ATTEMPTS}{{gateway="modem",outcome="rejected"}}': "0+1x60"},
            {f'{ATTEMPTS}{{gateway="modem",outcome="rejected"}}': "0x30 3x30"},
            {"gateway": "modem"},
        ),
    ],
    "PbxBridgeFateUnknown": [
        summed(
            gauge("messages", "1x60", "0x60", state="uncertain", gateway="twilio"),
            gateway="twilio",
        ),
        summed(
            gauge("messages", "1x60", "0x40 1x20", state="uncertain", gateway="twilio"),
            gateway="twilio",
        ),
    ],
    "PbxBridgeNotDelivered": [
        Case(
            {
                f'{RECEIPTS}{{gateway="modem",state="undelivered"}}': "0+1x60",
                f'{RECEIPTS}{{gateway="modem",state="delivered"}}': "0+2x60",
            },
            {
                f'{RECEIPTS}{{gateway="modem",state="undelivered"}}': "0+1x60",
                f'{RECEIPTS}{{gateway="modem",state="delivered"}}': "0+3x60",
            },
            {"gateway": "modem"},
        )
    ],
    "PbxBridgeGatewayNotHeard": [
        summed(log("gateway_not_heard", "0+1x60", "0x40 5x20")),
        summed(log("replies_not_read", "0+1x60", "0x40 5x20")),
    ],
    "PbxBridgeBrokerDown": [
        summed(log("mqtt_down", "0+1x60", "0x40 2x20"), event="mqtt_down"),
        summed(log("smpp_down", "0+1x60", "0x40 2x20"), event="smpp_down"),
    ],
    "PbxBridgeNewsLost": [
        summed(log("news_dropped", "0x50 1x10", "0x60")),
        summed(log("announcements_lost", "0x50 1x10", "0x60")),
    ],
    "PbxBridgeTasksOverdue": [at(gauge("tasks_overdue", "2x90", "0x40 2x50"), "80m")],
    "PbxBridgeWriterBusy": [gauge("writer_busy_seconds", "31x60", "29x60")],
    "PbxBridgeDatabaseLocked": [
        log("store_locked_by_another_program", "0x50 1x10", "0x20 1x40"),
    ],
    "PbxBridgeDiskNearlyFull": [
        gauge("disk_free_bytes", "400000000x60", "600000000x60"),
        gauge("disk_free_bytes", "400000000x60", "900000000x55 400000000x5"),
    ],
    "PbxBridgeBackupFailed": [log("backup_failed", "0x50 1x10", "0x60")],
    "PbxBridgeSpendingNearCap": [
        Case(
            {
                'pbxbridge_spent{period="day",currency="USD"}': "4.1x60",
                'pbxbridge_spending_cap{period="day",currency="USD"}': "5x60",
            },
            {
                'pbxbridge_spent{period="day",currency="USD"}': "3.9x60",
                'pbxbridge_spending_cap{period="day",currency="USD"}': "5x60",
            },
            {"period": "day", "currency": "USD"},
        )
    ],
    "PbxBridgeSpendingAtCap": [
        Case(
            {
                'pbxbridge_spent{period="day",currency="USD"}': "5x60",
                'pbxbridge_spending_cap{period="day",currency="USD"}': "5x60",
            },
            {
                'pbxbridge_spent{period="day",currency="USD"}': "4.9x60",
                'pbxbridge_spending_cap{period="day",currency="USD"}': "5x60",
            },
            {"period": "day", "currency": "USD"},
        )
    ],
    "PbxBridgeGuardsHoldBack": [
        summed(gauge("decisions_total", "0+1x60", "0x20 15x40", outcome="skip", rule=rule))
        for rule in (
            "burst",
            "block_hourly_cap",
            "strangers_daily_cap",
            "region_cap",
            "hourly_cap",
            "daily_spending",
        )
    ],
    "PbxBridgeForgedWebhooks": [log("hook_forged", "0+1x60", "0x50 8x10")],
    "PbxBridgeWebhooksUnreadable": [log("hook_unreadable", "0+1x60", "0x50 8x10")],
    "PbxBridgeLoginsRefused": [log("login_refused", "0+2x60", "0x50 15x10")],
}  # fmt: skip


def _severity(alert: str) -> str:
    found = re.search(rf"- alert: {alert}\n.*?severity: (\w+)", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def _test(alert: str, series: dict[str, str], when: str, labels: dict[str, str] | None) -> Any:
    expected = [] if labels is None else [{"exp_labels": {**labels, "severity": _severity(alert)}}]
    return {
        "name": f"{alert}: {series}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"alertname": alert, "eval_time": when, "exp_alerts": expected}],
    }


def _alone(alert: str) -> str:
    """Give one rule without its words: promtool judges every rule at every minute of every case."""
    found = re.search(rf"      - alert: {alert}\n(?: +.*\n)*?(?=        annotations)", TEXT)
    assert found is not None
    return f"groups:\n  - name: alone\n    rules:\n{found[0]}"


def _tool(*arguments: str | Path) -> str:
    done = subprocess.run(  # noqa: S603 - arguments of ours
        ["promtool",  # noqa: S607 - as the skip above found it
         *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_rules_can_be_read() -> None:
    assert f"{len(ALERTS)} rules found" in _tool("check", "rules", RULES)


@pytest.mark.parametrize("alert", sorted(CASES))
def test_it_is_raised_when_it_should_be_and_not_before(tmp_path: Path, alert: str) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(_alone(alert), encoding="utf-8")
    tests: list[Any] = []
    for case in CASES[alert]:
        tests.append(_test(alert, case.fires, case.at, case.labels))
        tests.append(_test(alert, case.quiet, case.at, None))
    trial = tmp_path / "trial.yml"
    trial.write_text(json.dumps({"rule_files": [str(rules)], "tests": tests}), encoding="utf-8")
    assert "SUCCESS" in _tool("test", "rules", trial)


def test_no_rule_is_untried_and_none_unexplained() -> None:
    assert sorted(CASES) == sorted(ALERTS)
    explained = re.findall(r"^\| `(PbxBridge\w+)` \|", WATCHING, re.MULTILINE)
    assert sorted(explained) == sorted(ALERTS)
    assert TEXT.count("summary: ") == TEXT.count("severity: ") == len(ALERTS)


def _expressions(found: Any) -> Iterator[str]:
    """Give each query of the dashboard."""
    if isinstance(found, dict):
        if isinstance(found.get("expr"), str):
            yield found["expr"]
        found = list(found.values())
    if isinstance(found, list):
        for inner in found:
            yield from _expressions(inner)


def test_the_dashboard_asks_what_prometheus_understands(tmp_path: Path) -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [query.replace("$__rate_interval", "5m") for query in _expressions(board)]
    assert len(queries) > 20
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__range", "1h")}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "board.yml"
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}), encoding="utf-8")
    assert f"{len(queries)} rules found" in _tool("check", "rules", file)
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert all(panel["title"] and panel["targets"] for panel in panels)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("path", [RULES, DASHBOARD], ids=lambda path: path.name)
def test_only_what_the_service_tells_is_asked_for(path: Path) -> None:
    told = {
        name
        for family in Metrics().registry.collect()
        for name in (
            family.name, f"{family.name}_total", f"{family.name}_bucket", f"{family.name}_count",
            f"{family.name}_sum",
        )
    }  # fmt: skip
    asked = set(re.findall(r"pbxbridge_[a-z0-9_]+", path.read_text(encoding="utf-8")))
    assert asked
    assert asked - told == set()


def test_the_events_asked_for_stand_at_0_before_they_happen() -> None:
    asked = {
        name
        for group in re.findall(r'event=~?"([a-z_|]+)"', TEXT)
        for name in group.split("|")
    }  # fmt: skip
    assert asked == {event for _, event in WATCHED_EVENTS}


def test_the_log_events_in_the_docs_are_logged() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "pbx_bridge").rglob("*.py")
    )
    named = re.findall(r"`log:(\w+)`", WATCHING)
    assert len(named) > 20
    logged = re.findall(r'\.(?:warning|error|critical|exception)\(\s*"(\w+)"', source)
    others = {"pbx_up", "database_unusable"}  # no warning; told through a table
    assert all(f'"{name}"' in source for name in others)
    assert set(named) - set(logged) == others
    assert {event for _, event in WATCHED_EVENTS} <= set(named) & set(logged)
