"""A picture of missed calls: a heat map of the week's hours, and bars by line.

One SVG file that needs nothing besides, with a ground of its own so that it reads in light and
dark, and with every number written out. All text in it is escaped.
"""

from collections.abc import Iterator, Sequence
from html import escape

from pbx_bridge.core.charts import shade
from pbx_bridge.core.outcomes import TEXTED, words
from pbx_bridge.core.review import DAYS, HOURS, Figures
from pbx_bridge.core.text import clean

_WIDTH, _MARGIN = 960, 32
_CELL_WIDTH, _CELL_HEIGHT = 34, 30
_LEFT = 72  #: where the heat map begins, beside the names of the days
_LABEL = 400  #: where the bars begin, beside what they are of
_BAR_HEIGHT = 26
_MOST_BARS = 12
_LONGEST_LABEL = 52
_GROUND, _INK, _FAINT, _EMPTY, _BAR, _GOOD = (
    "#ffffff", "#1f2933", "#616e7c", "#f1f4f8", "#c2410c", "#15803d",
)  # fmt: skip
#: From few to many; dark ones carry white numbers.
_SHADES = ("#fde8d8", "#fbc9a4", "#f69d63", "#e06c2b", "#b34a10", "#7c2d06")
_DARK_FROM = 4


def picture(figures: Figures, title: str, lines: Sequence[str]) -> str:
    """Draw the figures; `lines` say below the title what they are of."""
    outcomes = list(figures.outcomes.items())
    parts = [
        *_head(title, lines),
        *_heat_map(figures, top := 76 + 20 * len(lines)),
        *_bars(
            "By line",
            [(line, sum(hours), _BAR) for line, hours in figures.by_line_hour.items()],
            top := top + 62 + _CELL_HEIGHT * len(DAYS) + 40,
        ),
        *_bars(
            "What would have been done",
            [(words(name), n, _GOOD if name == TEXTED else _BAR) for name, n in outcomes],
            top := top + _bars_height(len(figures.by_line_hour)),
        ),
    ]
    height = top + _bars_height(len(outcomes))
    summary = f"{figures.missed} missed of {figures.inbound} calls. {' '.join(lines)}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" role="img" aria-labelledby="title desc"'
        ' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">'
    )
    return "\n".join(
        (
            head,
            f'<title id="title">{_safe(title)}</title>',
            f'<desc id="desc">{_safe(summary)}</desc>',
            f'<rect width="{_WIDTH}" height="{height}" fill="{_GROUND}"/>',
            *parts,
            "</svg>\n",
        )
    )


def _head(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield _text(_MARGIN, 46, title, size=24, weight=600)
    for n, line in enumerate(lines):
        yield _text(_MARGIN, 76 + 20 * n, line, size=14, fill=_FAINT)


def _heat_map(figures: Figures, top: int) -> Iterator[str]:
    yield _text(_MARGIN, top + 24, "Missed calls by weekday and hour", size=17, weight=600)
    top += 40
    most = max(map(max, figures.by_weekday_hour))
    for hour in range(HOURS):
        middle = _LEFT + hour * _CELL_WIDTH + _CELL_WIDTH // 2
        yield _text(middle, top + 14, f"{hour}", size=12, fill=_FAINT, anchor="middle")
    for day, hours in enumerate(figures.by_weekday_hour):
        y = top + 22 + day * _CELL_HEIGHT
        yield _text(_MARGIN, y + 20, DAYS[day], size=13)
        for hour, count in enumerate(hours):
            x = _LEFT + hour * _CELL_WIDTH
            dark = shade(count, most)
            fill = _SHADES[dark - 1] if dark else _EMPTY
            yield (
                f'<rect x="{x}" y="{y}" width="{_CELL_WIDTH - 2}" height="{_CELL_HEIGHT - 2}"'
                f' rx="3" fill="{fill}"><title>{DAYS[day]} {hour}:00 to {hour + 1}:00:'
                f" {count} missed</title></rect>"
            )
            if count:
                ink = _GROUND if dark > _DARK_FROM else _INK
                middle = x + (_CELL_WIDTH - 2) // 2
                yield _text(middle, y + 19, f"{count}", size=12, fill=ink, anchor="middle")


def _bars(heading: str, bars: Sequence[tuple[str, int, str]], top: int) -> Iterator[str]:
    yield _text(_MARGIN, top + 20, heading, size=17, weight=600)
    shown, rest = bars[:_MOST_BARS], bars[_MOST_BARS:]
    most = max((count for _, count, _ in bars), default=1)
    room = _WIDTH - _LABEL - _MARGIN - 60
    for n, (label, count, colour) in enumerate(shown):
        y = top + 34 + n * _BAR_HEIGHT
        width = max(2, round(room * count / most))
        yield _text(_LABEL - 10, y + 17, _short(label), size=13, anchor="end")
        yield (
            f'<rect x="{_LABEL}" y="{y + 3}" width="{width}" height="{_BAR_HEIGHT - 8}" rx="3"'
            f' fill="{colour}"/>'
        )
        yield _text(_LABEL + width + 8, y + 17, f"{count}", size=13)
    if rest:
        text = f"and {len(rest)} more, with {sum(count for _, count, _ in rest)}"
        y = top + 34 + len(shown) * _BAR_HEIGHT
        yield _text(_LABEL - 10, y + 17, text, size=13, fill=_FAINT, anchor="end")
    if not bars:
        yield _text(_LABEL, top + 51, "none", size=13, fill=_FAINT)


def _bars_height(bars: int) -> int:
    return 34 + _BAR_HEIGHT * max(1, min(bars, _MOST_BARS + 1)) + 28


def _text(  # noqa: PLR0913 - how it looks
    x: int,
    y: int,
    text: str,
    *,
    size: int,
    fill: str = _INK,
    weight: int = 400,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}"'
        f' text-anchor="{anchor}">{_safe(text)}</text>'
    )


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"


def _safe(text: str) -> str:
    """Escape; what XML has no place for, and what steers a terminal or the eye, is taken out."""
    line = clean(text).replace("\n", " ")
    return escape("".join(character for character in line if character.isprintable()))
