"""Draws the map of the districts: ``python docs/pictures/districts.py`` writes ``districts.svg`` beside this file.

A test compares what is drawn with the order that ``tests/project/test_imports.py`` states.
"""

from html import escape
from pathlib import Path

# From the foundations up: a district imports from its left and from the rows below it.
ROWS = (
    (
        ("errors", "for users"),
        ("escape", "harmless"),
        ("signals", "Ctrl-C"),
        ("files", "whole files"),
        ("records", "typed"),
        ("reading", "any JSON"),
    ),
    (("video", "frames and motion out of files"),),
    (
        ("scoring", "the ruler: protocol, masks, metrics"),
        ("splits", "lists of clips"),
        ("parallel", "workers"),
    ),
    (("clips", "which clips, ready to be scored"), ("predictors", "the contract, how one is found")),
    (("runs", "what is kept on disk, checked as it is read"),),
    (("evaluation", "clips × predictor × protocol → run"), ("results", "published tables")),
    (("analysis", "runs → means, intervals, ranks, comparisons"),),
    (("tables", "numbers → printed tables"), ("figures", "frames → pictures")),
    (
        ("study", "every ruler"),
        ("suite", "many runs"),
        ("report", "to look at"),
        ("site", "to publish"),
        ("submission", "checked runs"),
    ),
    (("cli", "one file a command"),),
)
BESIDE = (("baselines", "predictors that learn nothing"), ("models", "the trained ones"))
# Within models, from the top down.
IN_MODELS = (
    ("atoms", "dynamic_atoms"),
    ("probe", "what is learnt"),
    ("training", "the trainer"),
    ("predictors", "one class a row"),
    ("learned_metrics", "LPIPS, DISTS, FVD"),
    ("weights", "what ships"),
    ("networks", "G and D"),
    ("footage", "patches, flows"),
    ("recipes", "TOML"),
)
# Row of the main part that an entry-point group leads to, from the foundations up.
GROUPS = (("vpbench.metrics", 2), ("vpbench.predictors", 3), ("vpbench.commands", 9))

WIDTH, TOP, ROW, GAP = 960, 20, 44, 10
LEFT, RIGHT = 72, 590
SIDE_LEFT, SIDE_RIGHT = 750, 940
HEIGHT = TOP + len(ROWS) * (ROW + GAP) + 12
FILL = (
    "#e8edf3",
    "#dcebf7",
    "#dcebf7",
    "#dff1e3",
    "#dff1e3",
    "#fdf0d5",
    "#fdf0d5",
    "#f8e0dc",
    "#f8e0dc",
    "#eae2f3",
)
INK, QUIET = "#1b1f24", "#57606a"


def text(x, y, words, size, colour=INK, anchor="middle", weight="normal"):
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )


def frame(x, y, width, height, fill):
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    return f'<rect {place} rx="5" fill="{fill}" stroke="{QUIET}"/>'


def box(x, y, width, height, name, words, fill):
    middle = x + width / 2
    return [
        frame(x, y, width, height, fill),
        text(middle, y + height / 2 - 3, name, 14, weight="bold"),
        text(middle, y + height / 2 + 13, words, 11, QUIET),
    ]


def row_top(number):
    return TOP + (len(ROWS) - 1 - number) * (ROW + GAP)


def arrow(x1, y1, x2, y2, dashed=False):
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<path d="M{x1:g} {y1:g} L{x2:g} {y2:g}" stroke="{QUIET}" stroke-width="1.5"{dash} '
        f'marker-end="url(#head)"/>'
    )


def main_part():
    for number, row in enumerate(ROWS):
        room = RIGHT - LEFT - GAP * (len(row) - 1)
        # A box is as wide as its words need, and the row is filled.
        needs = [max(len(words), 1.3 * len(name)) + 4 for name, words in row]
        x = LEFT
        for (name, words), need in zip(row, needs, strict=True):
            width = room * need / sum(needs)
            yield from box(x, row_top(number), width, ROW, name, words, FILL[number])
            x += width + GAP


def beside():
    (baselines, learn_nothing), (models, trained) = BESIDE
    left, width = SIDE_LEFT, SIDE_RIGHT - SIDE_LEFT
    top, bottom = row_top(9), row_top(1) + ROW
    yield frame(left, top, width, bottom - top, "#ffffff")
    yield text(left + width / 2, top + 19, models, 14, weight="bold")
    yield text(left + width / 2, top + 35, trained, 11, QUIET)
    step = (bottom - top - 50) / len(IN_MODELS)
    for number, (name, words) in enumerate(IN_MODELS):
        yield from box(left + 8, top + 46 + number * step, width - 16, step - 6, name, words, "#f6f8fa")
    yield from box(left, row_top(0), width, ROW, baselines, learn_nothing, "#ffffff")


def arrows():
    yield text(18, TOP + 4, "imports", 11, QUIET, "start")
    yield text(18, TOP + 18, "run", 11, QUIET, "start")
    yield text(18, TOP + 32, "down", 11, QUIET, "start")
    yield arrow(30, TOP + 42, 30, row_top(0) + ROW)
    for group, number in GROUPS:
        y = row_top(number) + ROW / 2
        yield arrow(RIGHT + 4, y, SIDE_LEFT - 6, y, dashed=True)
        yield text((RIGHT + SIDE_LEFT) / 2, y - 7, group, 12)
    y = row_top(6) + ROW / 2
    for line, words in enumerate(
        ("no import leads to the right:", "vpbench finds what is there", "by entry points")
    ):
        yield text((RIGHT + SIDE_LEFT) / 2, y + 14 * line - 14, words, 11, QUIET)


def drawing():
    parts = [*main_part(), *beside(), *arrows()]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            f'font-family="Helvetica, Arial, DejaVu Sans, sans-serif">',
            "<title>The districts of vpbench, and the way in which imports run</title>",
            f'<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{QUIET}"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    Path(__file__).with_name("districts.svg").write_text(drawing(), encoding="utf-8")
