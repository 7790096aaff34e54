"""A month of calls whose truth is known, judged from what the PBX wrote down of it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from benchmarks.months import (
    BY_CDR,
    LINES,
    ZONE,
    MadeCall,
    Month,
    Truth,
    busy_month,
    shapes,
    truth,
)
from pbx_bridge.backtest import Outcome, backtest
from pbx_bridge.config import defaults
from pbx_bridge.core.limits import Budget, Limits
from pbx_bridge.core.office import LineRules, Rules
from pbx_bridge.core.pricing import PriceList
from pbx_bridge.core.quiet import QuietHours
from pbx_bridge.core.review import Figures
from pbx_bridge.core.tracker import Inbound
from pbx_bridge.past import PastProblem, Places

#: In these weeks the clocks of New York are set back.
FIRST = datetime(2026, 10, 19, 16, tzinfo=UTC)
INBOUND = Inbound(trunks=frozenset({"trunk"}))
UTC_ZONE = ZoneInfo("UTC")
COOLDOWN, DELAY = timedelta(hours=4), timedelta(seconds=20)
#: Today's rules without the limits: what they hold back is another test's.
RULES = replace(
    defaults(), zone=ZONE, quiet=None, burst=None, limits=Limits(), min_ring=timedelta(0),
    max_per_hour=10**9, max_per_day=10**9, prices={"console": PriceList(7900)},
    min_conversation=timedelta(0),  # the recorded ones last a second or two
)  # fmt: skip
ANN = "+12125550142"


async def judged(places: Places, rules: Rules = RULES, since: datetime | None = None) -> Outcome:
    since = since or FIRST - timedelta(days=1)
    until = FIRST + timedelta(days=40)
    return await backtest(places, rules, INBOUND, since=since, until=until)


@pytest.fixture(scope="module")
def month() -> Month:
    return busy_month(400, seed=7, first=FIRST)


@pytest.fixture(scope="module")
def files(month: Month, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return month.write(tmp_path_factory.mktemp("month"))


@pytest.fixture(scope="module")
def true(month: Month) -> Truth:
    return truth(month.calls, cooldown=COOLDOWN, delay=DELAY)


@pytest.fixture(scope="module")
def by_cel(files: tuple[Path, Path]) -> Figures:
    return asyncio.run(judged(Places(cel=[files[0]], timezone=UTC_ZONE))).figures


@pytest.fixture(scope="module")
def by_cdr(files: tuple[Path, Path]) -> Figures:
    return asyncio.run(judged(Places(cdr=[files[1]], timezone=UTC_ZONE))).figures


@pytest.mark.parametrize("source", ["by_cel", "by_cdr"])
def test_what_is_told_of_the_month_is_true(
    source: str, true: Truth, request: pytest.FixtureRequest
) -> None:
    told: Figures = request.getfixturevalue(source)
    assert (told.inbound, told.missed, told.unknown) == (true.inbound, true.missed, 0)
    assert told.answered == true.inbound - true.missed
    assert told.callers == true.callers
    hours = {
        (day, hour): count
        for day, counts in enumerate(told.by_weekday_hour)
        for hour, count in enumerate(counts)
        if count
    }
    assert hours == true.by_weekday_hour
    assert (told.afterwards.judged, told.afterwards.not_called_back) == (
        true.judged,
        true.not_called_back,
    )
    assert 0 < true.not_called_back < true.judged


def test_channel_events_tell_the_line_and_how_each_call_was_missed(
    by_cel: Figures, true: Truth
) -> None:
    lines = {
        (line, hour): count
        for line, counts in by_cel.by_line_hour.items()
        for hour, count in enumerate(counts)
        if count
    }
    assert lines == true.by_line_hour
    assert {str(reason): n for reason, (n, _) in by_cel.by_reason.items()} == true.by_reason


def test_texts_are_those_that_would_have_gone_out(by_cel: Figures, true: Truth) -> None:
    assert by_cel.texted == by_cel.texts == true.texted
    rest = {name: n for name, n in by_cel.outcomes.items() if name != "texted"}
    assert sum(rest.values()) == true.missed - true.texted
    assert rest.get("spoken_since", 0) == true.spoken_before
    assert by_cel.cost_micros == 7900 * by_cel.segments >= 7900 * by_cel.texts


def test_details_tell_what_they_can(by_cdr: Figures, true: Truth) -> None:
    """Not who gave up, and in this office's dialplan not the line."""
    merged: dict[str, int] = {}
    for reason, count in true.by_reason.items():
        name = BY_CDR.get(reason, reason)
        merged[name] = merged.get(name, 0) + count
    assert {str(reason): n for reason, (n, _) in by_cdr.by_reason.items()} == merged
    assert list(by_cdr.by_line_hour) == ["no line"]


def one_by_one(*calls: tuple[float, str], line: str = LINES[0]) -> Month:
    """Make a month of single calls: so many minutes after its beginning, of such a kind."""
    month = Month()
    for minutes, kind in calls:
        shape = {"out": "2125550702", "missed": "+12125551067", "answered": "+12125551069"}[kind]
        month.add(shapes()[shape], FIRST + timedelta(minutes=minutes), ANN, line, kind)
    return month


async def told(month: Month, folder: Path, rules: Rules = RULES) -> Figures:
    cel, _ = month.write(folder)
    return (await judged(Places(cel=[cel], timezone=UTC_ZONE), rules)).figures


@pytest.mark.parametrize(
    ("story", "calls", "outcomes"),
    [
        ("missed", [(0, "missed")], {"texted": 1}),
        ("got through before it was due", [(0, "missed"), (0.3, "answered")], {"spoken_since": 1}),
        ("got through just after", [(0, "missed"), (0.6, "answered")], {"texted": 1}),
        ("was rung back before it was due", [(0, "missed"), (0.2, "out")], {"spoken_since": 1}),
        ("was rung back later", [(0, "missed"), (5, "out")], {"texted": 1}),
        ("missed again soon", [(0, "missed"), (60, "missed")], {"texted": 1, "cooling_down": 1}),
        ("missed again later", [(0, "missed"), (241, "missed")], {"texted": 2}),
    ],
)
async def test_what_happens_meanwhile_counts_as_it_would_have(
    story: str, calls: list[tuple[float, str]], outcomes: dict[str, int], tmp_path: Path
) -> None:
    assert (await told(one_by_one(*calls), tmp_path)).outcomes == outcomes, story


async def test_a_caller_who_rings_again_just_then_is_not_texted(tmp_path: Path) -> None:
    """The text is due while the second call rings; that one is then answered, after 30 seconds."""
    month = one_by_one((0, "missed"))
    (first,) = month.calls
    ringing = slowed(month, first.ended + timedelta(seconds=15), seconds=30)
    assert (await told(ringing, tmp_path)).outcomes == {"spoken_since": 1}


def slowed(month: Month, at: datetime, seconds: float) -> Month:
    """Add an answered call that rings longer than the recorded one."""
    before = len(month.cel)
    month.add(shapes()["+12125551069"], at, ANN, LINES[0], "answered")
    new = month.cel[before:]
    ring_ends = next(stamp for stamp, row in new if row.startswith('"ANSWER"'))
    month.cel[before:] = [
        (stamp, row)
        if stamp < ring_ends
        else (stamp + seconds, row.replace(f"{stamp:.6f}", f"{stamp + seconds:.6f}"))
        for stamp, row in new
    ]
    return month


async def test_quiet_hours_are_those_of_the_caller_at_that_time(tmp_path: Path) -> None:
    night = replace(RULES, quiet=QuietHours(defaults().quiet.window, timedelta(0)))  # type: ignore[union-attr]
    late = one_by_one((13 * 60, "missed"))  # one in the morning
    assert (await told(late, tmp_path, night)).outcomes == {"quiet_hours": 1}
    assert (await told(one_by_one((0, "missed")), tmp_path, night)).outcomes == {"texted": 1}


async def test_spending_counts_by_the_price_list(tmp_path: Path) -> None:
    poor = replace(RULES, budget=Budget(per_day=2 * 7900), cooldown=timedelta(0))
    calls = [(n * 10.0, "missed") for n in range(5)]
    found = await told(one_by_one(*calls), tmp_path, poor)
    assert found.outcomes == {"daily_spending": 3, "texted": 2}
    assert found.cost_micros == 2 * 7900


async def test_caps_count_what_would_have_gone_out_before_the_time(tmp_path: Path) -> None:
    capped = replace(RULES, limits=Limits(per_number_per_week=1), cooldown=timedelta(0))
    month = one_by_one((0, "missed"), (24 * 60, "missed"))
    cel, _ = month.write(tmp_path)
    places = Places(cel=[cel], timezone=UTC_ZONE)
    found = await judged(places, capped, FIRST + timedelta(hours=12))
    assert (found.figures.missed, found.figures.outcomes) == (1, {"number_weekly_cap": 1})


async def test_lines_are_called_what_the_office_calls_them(tmp_path: Path) -> None:
    named = replace(RULES, lines={LINES[0]: LineRules(name="Sales", route=("console",))})
    month = one_by_one((0, "missed"))
    month.add(shapes()["+12125551067"], FIRST, "+12125550143", LINES[1], "missed")
    assert set((await told(month, tmp_path, named)).by_line_hour) == {"Sales", LINES[1]}


async def test_the_rules_need_not_be_in_shadow_mode_and_nothing_is_sent(tmp_path: Path) -> None:
    cel, _ = one_by_one((0, "missed")).write(tmp_path)
    live = replace(RULES, shadow=False)
    found = await judged(Places(cel=[cel], timezone=UTC_ZONE), live)
    assert found.figures.outcomes == {"texted": 1}
    assert found.example.startswith("Hello, this is the office.")


async def test_how_far_the_reading_is_can_be_heard(files: tuple[Path, Path]) -> None:
    heard: list[int] = []
    places = Places(cdr=[files[1]], timezone=UTC_ZONE)
    until = FIRST + timedelta(days=40)
    await backtest(places, RULES, INBOUND, since=FIRST, until=until, tell=heard.append)
    assert sum(heard) == places.size()


async def test_a_past_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(PastProblem, match="No such file"):
        await judged(Places(cel=[tmp_path / "none"], timezone=UTC_ZONE))


def test_the_truth_is_not_trivial(true: Truth, month: Month) -> None:
    assert len(true.by_reason) == 8
    assert any(call.outbound for call in month.calls)
    assert isinstance(month.calls[0], MadeCall)
    assert true.missed > true.callers > 50
