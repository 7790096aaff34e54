"""Where the parts of a picture of figures go: columns side by side, and lines of points.

Nothing here draws. Places are whole units of the picture's own measure, from its upper left corner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

#: From few to many.
SHADES = 6
_WIDTH, _HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 24
_PLOT_WIDTH, _PLOT_HEIGHT = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_WIDEST_COLUMN = 48
#: Of the room that a column has, so much is left between it and the next.
_GAP = 0.25
#: A label below the picture needs as much room.
_LABEL_WIDTH = 64
_FEWEST_STEPS = 4


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across the picture, and the number that it stands for."""

    y: int
    value: float


@dataclass(frozen=True, slots=True)
class Label:
    """What stands below a place."""

    x: int
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a column."""

    x: int
    y: int
    width: int
    height: int
    column: int  #: which column it is of, counted from 0
    part: int  #: which part of it, counted from 0


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int
    column: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What columns and lines have in common: the room, its scale and the labels below."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int  #: where the lowest value lies
    ticks: tuple[Tick, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    frame: Frame
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """For each series its pieces: a place without a value is left open, not drawn through."""

    frame: Frame
    series: tuple[tuple[tuple[Point, ...], ...], ...]


def columns(labels: Sequence[str], parts: Sequence[Sequence[int]]) -> Columns:
    """Lay out a column for each label; its parts stand upon each other, none of them negative."""
    steps = _steps(max((sum(column) for column in parts), default=0), whole=True)
    blocks: list[Block] = []
    room = _PLOT_WIDTH / max(1, len(parts))
    width = max(1, min(_WIDEST_COLUMN, round(room * (1 - _GAP))))
    for n, column in enumerate(parts):
        x = round(_middle(n, len(parts)) - width / 2)
        below = 0
        for part, value in enumerate(column):
            lower, upper = _y(below, steps), _y(below + value, steps)
            if value:
                # However few, they are to be seen.
                blocks.append(
                    Block(x, min(upper, lower - 1), width, max(1, lower - upper), n, part)
                )
            below += value
    return Columns(_frame(labels, steps), tuple(blocks))


def lines(labels: Sequence[str], series: Sequence[Sequence[float | None]]) -> Lines:
    """Lay out a line for each series, with a value or None for each label."""
    most = max((value for one in series for value in one if value is not None), default=0)
    steps = _steps(most, whole=False)
    return Lines(
        _frame(labels, steps), tuple(tuple(_pieces(one, len(labels), steps)) for one in series)
    )


def shade(count: int, most: int) -> int:
    """Give how dark a cell of a heat map is, from 1 to `SHADES`; 0 for none."""
    if count <= 0 or most <= 0:
        return 0
    return 1 + min(SHADES - 1, (count * SHADES - 1) // most)


def share_of(value: int, most: int, whole: int) -> int:
    """Give how long a bar is whose longest fellow has the length `whole`; none is none."""
    return max(1, round(whole * value / most)) if value > 0 and most > 0 else 0


def _pieces(
    values: Sequence[float | None], count: int, steps: Sequence[float]
) -> list[tuple[Point, ...]]:
    pieces: list[list[Point]] = [[]]
    for n, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(Point(round(_middle(n, count)), _y(value, steps), n))
    return [tuple(piece) for piece in pieces if piece]


def _frame(labels: Sequence[str], steps: Sequence[float]) -> Frame:
    fit = max(1, _PLOT_WIDTH // _LABEL_WIDTH)
    every = max(1, ceil(len(labels) / fit))
    return Frame(
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=_WIDTH - _RIGHT,
        top=_TOP,
        bottom=_TOP + _PLOT_HEIGHT,
        ticks=tuple(Tick(_y(value, steps), value) for value in steps),
        labels=tuple(
            Label(round(_middle(n, len(labels))), text)
            for n, text in enumerate(labels)
            if n % every == 0
        ),
    )


def _middle(n: int, count: int) -> float:
    return _LEFT + _PLOT_WIDTH * (n + 0.5) / max(1, count)


def _y(value: float, steps: Sequence[float]) -> int:
    return _TOP + round(_PLOT_HEIGHT * (1 - value / steps[-1]))


def _steps(most: float, *, whole: bool) -> list[float]:
    """Give round numbers from 0 up to `most` or just above it: ones, twos or fives of a ten."""
    if most <= 0:
        return [0, 1]
    power = 10.0 ** floor(log10(most / _FEWEST_STEPS))
    step = next(
        s for s in (power, 2 * power, 5 * power, 10 * power) if most / s <= _FEWEST_STEPS + 1
    )
    if whole:
        step = max(1, round(step))
    return [round(step * n, 9) for n in range(ceil(most / step) + 1)]
