"""Score against cost: a drawing with a dot for each measured row, laid out here, so that it needs no script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from vpbench import escape
from vpbench.report.axes import BOTTOM, HEIGHT, LARGEST, LEFT, TOP, WIDTH, Drawing, linear, logarithmic
from vpbench.tables.cells import decimals, frame_in_words, number, short, values_of
from vpbench.tables.leaderboard import COSTS

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard

# What the axis of each of COSTS says.
_AXES = (
    "learnt parameters",
    "multiply-adds a predicted frame (MACs)",
    "ms a predicted frame, on the machine of each run",
    "memory of the process, MiB",
)
_NAMES = ("parameters", "multiply-adds", "time", "memory")
_CHARACTER, _LINE = 6.4, 14  # about the size of a character of a label, pixels
_DOT = 5
_MOST_NAMED = 6


class Text(NamedTuple):
    """Where a dot's label stands."""

    x: float
    y: float
    anchor: str


@dataclass(frozen=True)
class Dot:
    """A row.

    Attributes:
        x: pixels.
        y: pixels.
        label: the row's.
        says: label, score and cost in words.
        eligible: whether the row may have a rank.
        text: where the label stands; ``None`` where there is no room for it.
        href: the page of its run, empty for none.
    """

    x: float
    y: float
    label: str
    says: str
    eligible: bool
    text: Text | None
    href: str


@dataclass(frozen=True, kw_only=True)
class Chart(Drawing):
    """The drawing of one cost; its key is of :data:`vpbench.tables.leaderboard.COSTS`, its x axis logarithmic.

    Attributes:
        dots: the rows that have this cost.
        front: points of the line through the rows that may have a rank and that no other such row beats at less cost.
        missing: which measured rows do not have this cost.
    """

    dots: list[Dot]
    front: str
    missing: str

    @property
    def summary(self) -> str:
        """The drawing in words."""
        best = [dot.says for dot in self.dots if dot.text is not None][:3]
        return f"{self.y_title} against {self.x_title}, {len(self.dots)} rows; for example {'; '.join(best)}."


class _Point(NamedTuple):
    row: int
    cost: float
    score: float
    eligible: bool


def cost_charts(board: Leaderboard, links: Mapping[int, str] | None = None) -> list[Chart]:
    """The drawings of the costs that at least two measured rows have, in the order of multiply-adds, time, and so on.

    The score is the one that ranks.

    Args:
        board: the leaderboard.
        links: row number to the address of the page of its run.
    """
    order = (1, 2, 0, 3)
    charts = (_chart(board, COSTS[n], _NAMES[n], _AXES[n], links or {}) for n in order)
    return [chart for chart in charts if chart is not None]


def _chart(board: Leaderboard, key: str, name: str, axis: str, links: Mapping[int, str]) -> Chart | None:
    statistics = board.ranking.statistics
    column = statistics.column
    scores = values_of(board.rows, f"{column.key}_{statistics.frame}")
    costs, labels = values_of(board.rows, key), list(board.measured["label"])
    measured = range(len(labels))
    points = [
        _Point(row, costs[row], scores[row], board.eligible[row])
        for row in measured
        if 1 / LARGEST < costs[row] < LARGEST and abs(scores[row]) < LARGEST
    ]
    if len(points) < 2:
        return None
    front = _front(points, column.higher_is_better)
    x, xs = logarithmic([point.cost for point in points])
    y, ys = linear([point.score for point in points])
    # The best rows choose the places of their labels first.
    first = sorted(points, key=lambda p: (p not in front, -p.score if column.higher_is_better else p.score))
    places = _labels([(labels[p.row], x(p.cost), y(p.score)) for p in first])
    texts = {point.row: text for point, text in zip(first, places, strict=True)}
    in_unit = f" {column.unit}" if column.unit else ""
    digits = decimals(column)
    return Chart(
        key=key,
        name=name,
        x_title=axis,
        y_title=f"{column.label} of {frame_in_words(statistics.frame, board.steps, article=True)}"
        + (f",{in_unit}" if in_unit else ""),
        xs=xs,
        ys=ys,
        dots=[
            Dot(
                x=x(p.cost),
                y=y(p.score),
                label=labels[p.row],
                says=f"{labels[p.row]}: {number(p.score, digits)}{in_unit}, {_said(key, p.cost)}",
                eligible=p.eligible,
                text=texts[p.row],
                href=links.get(p.row, ""),
            )
            for p in points
        ],
        front=" ".join(f"{x(p.cost):.1f},{y(p.score):.1f}" for p in front) if len(front) > 1 else "",
        missing=_some([labels[row] for row in measured if row not in texts]),
    )


def _some(labels: Sequence[str]) -> str:
    further = len(labels) - _MOST_NAMED
    return ", ".join(labels[:_MOST_NAMED]) + (f" and {further} others" if further > 0 else "")


def _said(key: str, cost: float) -> str:
    units = dict(zip(COSTS, ("parameters", "multiply-adds", "ms", "MiB"), strict=True))
    return f"{short(cost) if cost >= 1000 else f'{cost:.3g}'} {units[key]}"


def _front(points: Sequence[_Point], higher: bool) -> list[_Point]:
    """The eligible points that no other eligible one beats at less cost, the cheapest first."""
    found: list[_Point] = []
    sign = 1 if higher else -1
    for point in sorted((p for p in points if p.eligible), key=lambda p: (p.cost, -sign * p.score)):
        if not found or sign * point.score > sign * found[-1].score:
            found.append(point)
    return found


def _labels(dots: Sequence[tuple[str, float, float]]) -> Iterator[Text | None]:
    """A place for the label of each dot, beside it, where no other label and no dot is; ``None``: there is none."""
    taken = [(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for _, x, y in dots]
    for label, x, y in dots:
        width = _CHARACTER * escape.width(label)
        for text, left in (
            (Text(x + 9, y + 4, "start"), x + 9),
            (Text(x - 9, y + 4, "end"), x - 9 - width),
            (Text(x, y - 10, "middle"), x - width / 2),
            (Text(x, y + 19, "middle"), x - width / 2),
        ):
            box = (left, text.y - _LINE + 4, left + width, text.y + 3)
            inside = box[0] > LEFT and box[2] < WIDTH - 2 and box[1] > TOP - 8 and box[3] < HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                yield text
                break
        else:
            yield None


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
