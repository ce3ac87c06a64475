"""The tables of README.md and docs/training.md that are made of the runs in results/runs and of the weights' registry.

``python docs/tables.py`` writes them anew, each between two comments that name it; a test
says whether they are in step.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from vpbench.analysis.footnotes import TUNED
from vpbench.analysis.leaderboard import Leaderboard, LeaderboardOptions, build_leaderboard
from vpbench.models.weights.registry import Shipped, read_registry
from vpbench.results.published_tables import TUNED_MARK, UNVERIFIED, UNVERIFIED_MARK, Frame, PublishedRow
from vpbench.runs.run import find_runs, read_run
from vpbench.tables.cells import ordinal

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "results" / "runs" / "ucf101-every10th"

# Rows of the paper's Table 2, by our names.
PAPER = (
    "last_frame",
    "optical_flow",
    "single_scale_l2",
    "l2",
    "l1",
    "gdl_l1",
    "gdl_l1_64",
    "adv",
    "adv_gdl",
    "adv_gdl_finetuned",
)
BEYOND = ("gdl_l2", "adv_gdl_continued", "optical_flow_refined", "gdl_l1_flow", "adv_gdl_flow")
GUIDED = "adv_gdl_flow"
BASELINES = ("last_frame", "optical_flow", "optical_flow_refined")
ORDER = (*PAPER, *BEYOND, "multi_frame")

# What every row is compared with, and the pairs of rows that differ in one thing; what docs/training.md claims is said
# by these.
AGAINST = ("last_frame", "single_scale_l2", "optical_flow", "optical_flow_refined")
STEPS = (
    ("l2", "single_scale_l2"),
    ("l1", "l2"),
    ("gdl_l1", "l1"),
    ("gdl_l2", "l2"),
    ("gdl_l1_64", "gdl_l1"),
    ("adv", "l2"),
    ("adv_gdl", "gdl_l1"),
    ("adv_gdl", "gdl_l1_64"),
    ("adv_gdl_finetuned", "adv_gdl_continued"),
    ("gdl_l1_flow", "gdl_l1"),
    ("adv_gdl_flow", "gdl_l1_flow"),
)
FRAMES_8TO8 = (1, 2, 3, 4, 5, 6, 7, 8, "all")
PAIRS_8TO8 = (("multi_frame", "last_frame"), ("multi_frame", "optical_flow"))


@cache
def board(protocol: str = "mathieu2016", against: str | None = None) -> Leaderboard:
    """The leaderboard of the committed runs: trainings of a row from several seeds are one row of it."""
    runs = [read_run(folder) for folder in find_runs(RUNS / protocol)]
    return build_leaderboard(runs, LeaderboardOptions(against=against))


def measured(protocol: str = "mathieu2016", against: str | None = None) -> dict[str, dict[str, Any]]:
    """Its measured rows by the name of the predictor, in the order of the tables.

    Args:
        protocol: under which protocol.
        against: the predictor that ``<column>_<frame>_difference`` is to.
    """
    label = None if against is None else str(measured(protocol)[against]["label"])
    rows = {str(row["predictor"]): row for row in board(protocol, label).measured.to_dict("records")}
    return {name: rows[name] for name in ORDER if name in rows}


def published() -> dict[str, PublishedRow]:
    """The paper's rows by our names."""
    rows = {row.predictor: row for _, row in board().published}
    return {name: rows[name] for name in PAPER}


def code(name: str, row: dict[str, Any] | None = None) -> str:
    """A row's name, with the mark of rows that were tuned on test clips."""
    tuned = row is not None and row["test_clips_seen"] == "tuned"
    return f"`{name}`{' ‡' if tuned else ''}"


def three(
    row: dict[str, Any], frame: Frame, decimals: Sequence[int] = (2, 3, 2), spreads: bool = True
) -> str:
    """PSNR / SSIM / sharpness of a measured row; after ± the standard deviation over seeds."""
    parts = []
    for column, digits in zip(("psnr", "ssim", "sharpness"), decimals, strict=True):
        spread = row.get(f"{column}_{frame}_sd", math.nan)
        after = f" ± {spread:.{digits}f}" if spreads and math.isfinite(spread) else ""
        parts.append(f"{row[f'{column}_{frame}']:.{digits}f}{after}")
    return " / ".join(parts)


def narrow(cell: str) -> str:
    """A cell without spaces, so that the README's table fits a page."""
    return cell.replace(" ", "")


def printed(row: PublishedRow | None, frame: int) -> str:
    """The same of a published row."""
    if row is None:
        return "–"
    psnr, ssim, sharpness = (row.scores[column][frame] for column in ("psnr", "ssim", "sharpness"))
    return f"{psnr:.1f} / {ssim:.2f} / {sharpness:.1f}"


def signed(number: float) -> str:
    return f"{round(number, 2) + 0.0:+.2f}".replace("-", "−")


@dataclass(frozen=True)
class Gap:
    """A mean paired difference in PSNR, first minus second, and its interval."""

    mean: float
    low: float
    high: float

    @property
    def interval(self) -> str:
        low, high = (f"{round(end, 2) + 0.0:.2f}".replace("-", "−") for end in (self.low, self.high))
        return f"{low} to {high}"

    @property
    def significant(self) -> bool:
        return self.low > 0 or self.high < 0

    @property
    def short(self) -> str:
        """The mean, in bold where the interval leaves out 0."""
        return f"**{signed(self.mean)}**" if self.significant else signed(self.mean)

    def __str__(self) -> str:
        return f"{self.short} ({self.interval})"


def gap(first: str, second: str, frame: Frame, protocol: str = "mathieu2016") -> Gap:
    """By how much a row is above another."""
    row, key = measured(protocol, second)[first], f"psnr_{frame}_difference"
    return Gap(row[key], row[f"{key}_low"], row[f"{key}_high"])


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def paper_table() -> str:
    """Table 2: the paper's rows beside ours, and ours beyond it."""
    theirs, rows = published(), []
    for name, row in measured().items():
        marks = "".join(rf" \{mark}" for mark in theirs[name].marks) if name in theirs else ""
        cells = []
        for n in (1, 2):
            cells += [three(row, n, (1, 2, 1), spreads=False), printed(theirs.get(name), n)]
        ahead_of_flow = "" if name == "optical_flow" else gap(name, "optical_flow", 1).short
        rows.append([code(name, row) + marks, *map(narrow, cells), ahead_of_flow])
    there = "the paper" + (f" {UNVERIFIED_MARK}" if any(not row.verified for row in theirs.values()) else "")
    header = ["", "1st frame, here", there, "2nd frame, here", there, "− flow"]
    return "\n".join([markdown(header, rows), "", caption(), "", meaning()])


def caption() -> str:
    made, theirs = board(), published().values()
    counted = [int(row[f"frames_counted_{frame}"]) for row in measured().values() for frame in (1, 2)]
    marks = [f"{UNVERIFIED_MARK} {UNVERIFIED}"] if any(not row.verified for row in theirs) else []
    if any(row["test_clips_seen"] == "tuned" for row in measured().values()):
        marks.append(f"{TUNED_MARK} {TUNED}")
    marks += [
        rf"\{mark} {text}"
        for table in {id(t): t for t, _ in made.published}.values()
        for mark, text in table.marks.items()
    ]
    return (
        f"<sub>PSNR (dB) / SSIM / sharpness (dB), `{made.protocol.name}` version {made.protocol.version} "
        f"({made.protocol.hash}). **Measured on the {made.clips} of the paper's {made.split.total} test clips that "
        f"were at hand, not on the whole list**: compare rows within a column. {min(counted)} to {max(counted)} frames "
        "count in a mean; those on which a row reaches 50 dB are left out, so a better row may have a lower mean. "
        "− flow: PSNR of the first frame minus that of `optical_flow` on the same frames, **bold** where significant. "
        f"{'. '.join(marks)}.</sub>"
    )


def meaning() -> str:
    """What the table means, in two sentences."""
    ours, theirs = measured(), published()
    without = [name for name in PAPER if name in ours and name not in BASELINES]
    best = max(without, key=lambda name: ours[name]["psnr_1"])
    lead = max(theirs[name].scores["psnr"][1] for name in without) - theirs["optical_flow"].scores["psnr"][1]
    return (
        "On the first frame the best of the paper's own models, here small and trained on a CPU, is "
        f"{placed(best)}; in the paper the best is {lead:.1f} dB above it. Flow estimated with more care, without "
        f"learning anything, is {placed('optical_flow_refined')}; a network guided by flow is {placed(GUIDED)}."
    )


def placed(name: str) -> str:
    """``0.44 dB above optical flow (`adv_gdl_flow`, 0.09 to 0.83)``."""
    found = gap(name, "optical_flow", 1)
    if not found.significant:
        return f"level with optical flow (`{name}`, {signed(found.mean)} dB, {found.interval})"
    word = "above" if found.mean > 0 else "below"
    return f"{abs(found.mean):.2f} dB {word} optical flow (`{name}`, {found.interval})"


def weights_table() -> str:
    """The weights that ship, from their registry."""
    entries = sorted(read_registry().values(), key=lambda entry: (ORDER.index(entry.name), entry.seed))
    several = {entry.name for entry in entries if entry.seed != 1}
    columns: dict[str, Callable[[Shipped], str]] = {
        "row": lambda e: f"`{e.name}`{f', seed {e.seed}' if e.name in several else ''}",
        "steps": lambda e: f"{e.steps:,}",
        "hours": lambda e: f"{e.hours:.2f}",
        "parameters": lambda e: f"{e.parameters:,}",
        "PSNR, 1st / 2nd": lambda e: f"{e.scores['psnr_1']:.2f} / {e.scores['psnr_2']:.2f}",
        "− `last_frame`": lambda e: " / ".join(
            signed(e.scores[f"psnr_{n}"] - e.scores[f"copy_psnr_{n}"]) for n in (1, 2)
        ),
        "− `optical_flow`": lambda e: ahead(e.scores, "to_flow"),
        "− `optical_flow_refined`": lambda e: ahead(e.scores, "to_refined"),
        "SSIM, 1st / 2nd": lambda e: f"{e.scores['ssim_1']:.4f} / {e.scores['ssim_2']:.4f}",
    }
    shown = {heading: cell for heading, cell in columns.items() if any(map(cell, entries))}
    return markdown(list(shown), [[cell(entry) for cell in shown.values()] for entry in entries])


def ahead(scores: dict[str, float | int], to: str) -> str:
    """The differences to a baseline on the first and the second frame, with standard errors."""
    if f"{to}_1" not in scores:
        return ""
    return " / ".join(f"{signed(scores[f'{to}_{n}'])} ± {scores[f'{to}_se_{n}']:.2f}" for n in (1, 2))


def means_table() -> str:
    """The test clips: means as the protocol has them."""
    rows = []
    for name, row in measured().items():
        cells = [cell for n in (1, 2) for cell in (three(row, n), str(row[f"frames_counted_{n}"]))]
        rows.append([code(name, row), *cells])
    return markdown(["", "1st frame", "n", "2nd frame", "n"], rows)


def against_table(frame: int) -> str:
    """Each row minus the rows that every row is compared with."""
    others = [other for other in AGAINST if other in measured()]
    rows = []
    for name, row in measured().items():
        if name != "last_frame":
            cells = ["" if other == name else str(gap(name, other, frame)) for other in others]
            rows.append([code(name, row), *cells])
    return markdown([f"{ordinal(frame)} frame, dB", *(f"− `{other}`" for other in others)], rows)


def steps_table() -> str:
    """First minus second of the pairs that differ in one thing."""
    return pairs_table(STEPS, (1, 2), "mathieu2016")


def eight_table() -> str:
    """The rows of the second configuration, frame by frame."""
    return pairs_table(PAIRS_8TO8, FRAMES_8TO8, "ucf101-8to8")


def pairs_table(pairs: Sequence[tuple[str, str]], frames: Sequence[Frame], protocol: str) -> str:
    rows = []
    for first, second in pairs:
        cells = [str(gap(first, second, frame, protocol)) for frame in frames]
        rows.append([f"`{first}` − `{second}`", *cells])
    header = ["dB", *(f"{ordinal(n)} frame" if isinstance(n, int) else "all" for n in frames)]
    return markdown(header, rows)


# Page, name of the table on it, and what makes it.
TABLES: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("README.md", "paper", paper_table),
    ("docs/training.md", "weights", weights_table),
    ("docs/training.md", "means", means_table),
    ("docs/training.md", "against-1", partial(against_table, 1)),
    ("docs/training.md", "against-2", partial(against_table, 2)),
    ("docs/training.md", "steps", steps_table),
    ("docs/training.md", "8to8", eight_table),
)


def made() -> dict[Path, str]:
    """The pages, with their tables made anew."""
    pages: dict[Path, str] = {}
    for page, name, table in TABLES:
        path = ROOT / page
        text = pages.get(path) or path.read_text(encoding="utf-8")
        start, end = f"<!-- table: {name} -->\n", "\n<!-- end of table -->"
        before, found, rest = text.partition(start)
        _, ends, after = rest.partition(end)
        if not (found and ends):
            sys.exit(f"{page} has no '{start.strip()}' … '{end.strip()}'.")
        pages[path] = before + start + table() + end + after
    return pages


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(ROOT)} is written.")
