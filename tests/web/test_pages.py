"""What templates can do with times, numbers and languages."""

from datetime import UTC, datetime, timedelta

import pytest
from jinja2 import UndefinedError

from pbx_bridge.web.assets import Assets
from pbx_bridge.web.pages import Pages

NOW = datetime(2026, 11, 28, 18, 3, 5, tzinfo=UTC)
PAGES = Pages(Assets().name)


class Viewer:
    """What a filter asks of a visit."""

    now = NOW
    zone = PAGES.zone("America/New_York")


def shown(template: str, **facts: object) -> str:
    environment = PAGES._environments["en"]
    return environment.from_string(template).render(visit=Viewer(), **facts)


@pytest.mark.parametrize(
    ("at", "brief"),
    [
        (NOW, "1:03\u202fPM"),
        (NOW - timedelta(days=2), "Nov 26 1:03\u202fPM"),
        (NOW - timedelta(days=900), "Jun 11, 2024"),
    ],
)
def test_a_time_is_brief_and_whole_on_pointing(at: datetime, brief: str) -> None:
    text = shown("{{ at | time }}", at=at)
    assert f">{brief}</time>" in text
    assert at.strftime('datetime="%Y-%m-%dT%H:%M:%SZ"') in text
    assert "Eastern" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 sec"),
        (59.6, "1 min"),
        (200, "3 min 20 sec"),
        (7500, "2 hr 5 min"),
        (90000, "1 day 1 hr"),
    ],
)
def test_lengths(seconds: float, words: str) -> None:
    assert shown("{{ s | lasting }}", s=seconds) == words


def test_numbers_are_spaced_and_what_is_none_is_not_believed() -> None:
    assert ">+1 212-555-0142<" in shown("{{ n | number }}", n="+12125550142")
    assert "&lt;b&gt;" in shown("{{ n | number }}", n="<b>\u202e")
    assert "\u202e" not in shown("{{ n | number }}", n="<b>\u202e")


@pytest.mark.parametrize(
    "template",
    [
        "{{ _('To %(who)s', who=who) }}",
        "{{ gettext('To %(who)s', who=who) }}",
        "{{ ngettext('%(num)s to %(who)s', '%(num)s to %(who)s', 2, who=who) }}",
        "{% trans who=who %}To {{ who }}{% endtrans %}",
        "{% trans who=who, n=2 %}o{% pluralize n %}{{ n }} to {{ who }}{% endtrans %}",
    ],
)
def test_what_is_put_into_a_translated_text_is_inert_too(template: str) -> None:
    said = shown(template, who="<b>\u202egnp\x1b[2J")
    assert said.endswith("o &lt;b&gt;gnp[2J")


def test_a_name_that_is_missing_is_a_mistake() -> None:
    with pytest.raises(UndefinedError):
        shown("{{ nothing }}")


def test_the_visitors_choice_beats_the_browsers() -> None:
    assert PAGES.language("", "xx, en-GB;q=0.8") == "en"
    assert PAGES.language("", "") == "en"
    assert PAGES.language("en", "de") == "en"
    assert PAGES.language("../../etc", "") == "en"


def test_zones_are_those_there_are() -> None:
    assert PAGES.zone("Europe/Berlin") is not None
    assert PAGES.zone("../../etc/passwd") is None


@pytest.mark.parametrize(
    ("seconds", "shows"), [(0, "0:00"), (7.9, "0:07"), (754, "12:34"), (3723, "1:02:03")]
)
def test_a_length_as_a_clock_shows_it(seconds: float, shows: str) -> None:
    assert shown("{{ s | clock }}", s=timedelta(seconds=seconds)) == shows


def test_the_time_to_the_second_has_its_date_if_that_is_not_today() -> None:
    assert ">1:03:05\u202fPM</time>" in shown("{{ at | clock_time }}", at=NOW)
    yesterday = shown("{{ at | clock_time }}", at=NOW - timedelta(days=1))
    assert ">Nov 27, 2026, 1:03:05\u202fPM</time>" in yesterday
    assert shown("{{ at | clock_time }}", at=None) == ""
