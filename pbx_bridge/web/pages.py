"""Templates to HTML: nothing that a caller, customer or program says can be more than text."""

import gettext as catalogues
import io
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, dates, negotiate_locale, numbers, units
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from pbx_bridge.core import number
from pbx_bridge.core.text import clean
from pbx_bridge.web.telling import Telling, names_of_languages
from pbx_bridge.web.words import REASONS

if TYPE_CHECKING:
    from pbx_bridge.web.frame import Visit

#: What the page's own words are written in.
ENGLISH = "en"
LOCALES = Path(__file__).parent / "locale"
#: Of what the service says, in catalogues of their own: their grammar is another's.
SERVICE = LOCALES / "service"
#: Seconds of each, and the name in Unicode's CLDR.
_DURATIONS = (
    (86400, "duration-day"),
    (3600, "duration-hour"),
    (60, "duration-minute"),
    (1, "duration-second"),
)


class Pages:
    """The templates in every language there is; `asset` gives the name of a static file."""

    def __init__(self, asset: Callable[[str], str]) -> None:
        self._catalogues = {ENGLISH: catalogues.NullTranslations()} | {
            path.stem: _catalogue(path) for path in sorted(LOCALES.glob("*.po"))
        }
        self.languages = tuple(self._catalogues)
        self._tellings = {path.stem: self._telling(path) for path in sorted(SERVICE.glob("*.po"))}
        self._environments = {code: self._environment(code, asset) for code in self.languages}

    def render(self, language: str, template: str, facts: Mapping[str, Any]) -> str:
        """Fill a template in a language that `language` gave."""
        return self._environments[language].get_template(template).render(**facts)

    def language(self, wanted: str, accepted: str) -> str:
        """Choose what we speak: `wanted` first, then what a browser's Accept-Language lists."""
        if wanted in self.languages:
            return wanted
        preferred = [part.partition(";")[0].strip() for part in accepted.split(",")]
        return negotiate_locale(preferred, self.languages, sep="-") or ENGLISH

    def zone(self, name: str) -> ZoneInfo | None:
        """Give the zone of that name; None if there is none."""
        return ZoneInfo(name) if name in _zones() else None

    def gettext(self, language: str, message: str) -> str:
        return self._catalogues[language].gettext(message)

    def ngettext(self, language: str, one: str, many: str, n: int) -> str:
        return self._catalogues[language].ngettext(one, many, n)

    def told(self, language: str, said: str | None) -> str:
        """Say in a language what the service said in English, now or when it was written down."""
        telling = self._tellings.get(language)
        return (said or "") if telling is None or not said else telling.tell(said)

    def ours(self, language: str, said: str) -> str | Markup:
        """Say what is the service's own for certain; marked as English if that is all there is."""
        told = self.told(language, said)
        if language == ENGLISH or told != said:
            return told
        return Markup('<span lang="en">{}</span>').format(clean(said))

    def _telling(self, path: Path) -> Telling:
        names: dict[str, Mapping[str, str]] = {
            "reason": {
                reason.value: self.gettext(path.stem, said) for reason, said in REASONS.items()
            },
            "language": names_of_languages(path.stem),
        }
        with path.open("rb") as file:
            catalogue = read_po(file, locale=path.stem)
        return Telling(
            catalogue, _catalogue(path), lambda place, name: names.get(place, {}).get(name)
        )

    def _environment(self, code: str, asset: Callable[[str], str]) -> Environment:
        environment = Environment(
            loader=PackageLoader("pbx_bridge.web"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_inert,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        catalogue = self._catalogues[code]
        environment.install_gettext_callables(  # type: ignore[attr-defined]
            catalogue.gettext, catalogue.ngettext, newstyle=True
        )
        words: dict[str, Any] = environment.globals
        words |= {name: _of_inert(words[name]) for name in ("gettext", "ngettext")}
        environment.policies["ext.i18n.trimmed"] = True
        words |= {"asset": asset, "locale": code, "url": _url}
        environment.filters |= {
            "time": _time,
            "moment": _moment,
            "day": _day,
            "ago": _ago,
            "lasting": _lasting,
            "clock": _clock,
            "clock_time": _clock_time,
            "number": _number,
            "money": _money,
            "decimal": _decimal,
            "told": partial(self.told, code),
            "ours": partial(self.ours, code),
        }
        return environment


def _catalogue(path: Path) -> catalogues.NullTranslations:
    """Read a catalogue as translators write it: there is no compiled one that could be older."""
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=path.stem))
    compiled.seek(0)
    return catalogues.GNUTranslations(compiled)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _inert(value: Any) -> Any:
    """Take what steers a terminal or turns the reading direction out of every text shown."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return "" if value is None else value
    return clean(value)


def _of_inert(translate: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of templates that translates a text, and puts inert values into it.

    What it gives is markup, which nobody looks into afterwards.
    """

    @pass_context
    def translated(context: Context, /, *texts: Any, **values: Any) -> Any:
        inert = {name: _inert(value) for name, value in values.items()}
        return translate(context, *texts, **inert)

    return translated


def _visit(context: Context) -> "Visit":
    visit: Visit = context["visit"]
    return visit


def _locale(context: Context) -> Locale:
    return Locale.parse(context["locale"])


@pass_context
def _url(context: Context, path: str) -> str:
    """Give a path of ours as the browser is to call it."""
    return _visit(context).url(path)


@pass_context
def _time(context: Context, at: datetime | None) -> Markup:
    """Show an instant as briefly as can be, in the viewer's zone; whole on pointing at it."""
    if at is None:
        return Markup("")
    visit, locale = _visit(context), _locale(context)
    local, today = at.astimezone(visit.zone), visit.now.astimezone(visit.zone)
    if local.date() == today.date():
        brief = dates.format_time(local, "short", locale=locale)
    elif abs(today - local) < timedelta(days=300):
        brief = dates.format_skeleton("MMMd", local, locale=locale)
        brief += " " + dates.format_time(local, "short", locale=locale)
    else:
        brief = dates.format_date(local, "medium", locale=locale)
    return _tagged(at, local, locale, brief)


@pass_context
def _clock_time(context: Context, at: datetime | None) -> Markup:
    """Show an instant to the second; with its date if that is not today."""
    if at is None:
        return Markup("")
    visit, locale = _visit(context), _locale(context)
    local, today = at.astimezone(visit.zone), visit.now.astimezone(visit.zone)
    if local.date() == today.date():
        said = dates.format_time(local, "medium", locale=locale)
    else:
        said = dates.format_datetime(local, "medium", locale=locale)
    return _tagged(at, local, locale, said)


def _clock(length: timedelta) -> str:
    """Write how long something lasts as a clock shows it: `0:07`, `1:02:03`."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@pass_context
def _moment(context: Context, at: datetime | None) -> Markup:
    """Show an instant to the second, with its date."""
    if at is None:
        return Markup("")
    locale = _locale(context)
    local = at.astimezone(_visit(context).zone)
    return _tagged(at, local, locale, dates.format_datetime(local, "medium", locale=locale))


@pass_context
def _day(context: Context, at: date) -> str:
    """Show the day of an instant, or a day."""
    zone = _visit(context).zone
    day = at.astimezone(zone).date() if isinstance(at, datetime) else at
    return str(dates.format_date(day, "full", locale=_locale(context)))


@pass_context
def _ago(context: Context, at: datetime | None) -> Markup:
    """Show how long ago an instant is; whole on pointing at it."""
    if at is None:
        return Markup("")
    visit, locale = _visit(context), _locale(context)
    said = dates.format_timedelta(at - visit.now, add_direction=True, locale=locale)
    return _tagged(at, at.astimezone(visit.zone), locale, said)


@pass_context
def _lasting(context: Context, length: timedelta | float | None) -> str:
    """Show how long something took: 7 s, 3 min 20 s, 2 h 5 min, 3 days."""
    if length is None:
        return ""
    seconds = round(length.total_seconds() if isinstance(length, timedelta) else length)
    said: list[str] = []
    for unit, name in _DURATIONS:
        if seconds >= unit and len(said) < 2:  # noqa: PLR2004 - two units say enough
            count, seconds = divmod(seconds, unit)
            said.append(_count_of(count, name, context))
        elif said:
            break
    return " ".join(said) or _count_of(0, "duration-second", context)


def _count_of(count: int, unit: str, context: Context) -> str:
    """Write a count with its unit, briefly: `7 sec`."""
    return str(units.format_unit(count, unit, "short", locale=_locale(context)))


def _number(e164: str | None) -> Markup:
    """Show a number as people read it; what is none stays as it is."""
    return Markup('<bdi class="number">{}</bdi>').format(clean(number.spaced(e164 or "")))


@pass_context
def _money(context: Context, amount: float, currency: str) -> str:
    return str(numbers.format_currency(amount, currency, locale=_locale(context)))


@pass_context
def _decimal(context: Context, amount: float) -> str:
    return str(numbers.format_decimal(amount, locale=_locale(context)))


def _tagged(at: datetime, local: datetime, locale: Locale, brief: str) -> Markup:
    whole = dates.format_datetime(local, "full", locale=locale)
    exact = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, whole, escape(brief))
