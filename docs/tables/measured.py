"""The committed runs as rows by predictor, and their paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from vpbench.analysis.leaderboard import Leaderboard, LeaderboardOptions, build_leaderboard
from vpbench.results.published_tables import TUNED_MARK, Frame
from vpbench.runs.run import find_runs, read_run
from vpbench.tables.matrix import pair_rows

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "results" / "runs" / "ucf101-every10th"

# The rows in the order of the tables: those of the paper's Table 2, then those beyond it.
ORDER = (
    *("last_frame", "optical_flow", "single_scale_l2", "l2", "l1", "gdl_l1", "gdl_l1_64"),
    *("adv", "adv_gdl", "adv_gdl_finetuned"),
    *("gdl_l2", "adv_gdl_continued", "ranzato2014", "srivastava2015"),
    *("dynamic_atoms", "optical_flow_refined", "motion", "multi_frame"),
)
BASELINES = ("last_frame", "optical_flow", "optical_flow_refined")
GUIDED = "motion"
CORRECTED_MARK = " •"
DIGITS = {"psnr": 2, "ssim": 3, "sharpness": 2}


@cache
def board(protocol: str = "mathieu2016", against: str | None = None, rank_by: str = "psnr_1") -> Leaderboard:
    """The leaderboard of the committed runs: trainings of a row from several seeds are one row of it.

    Args:
        protocol: under which protocol.
        against: label of the row that ``<column>_<frame>_difference`` is to.
        rank_by: ``<column>_<frame>``.
    """
    runs = [read_run(folder) for folder in find_runs(RUNS / protocol)]
    return build_leaderboard(runs, LeaderboardOptions(against=against, rank_by=rank_by))


def measured(protocol: str = "mathieu2016", against: str | None = None) -> dict[str, dict[str, Any]]:
    """Its measured rows by the name of the predictor, in the order of the tables.

    Args:
        protocol: under which protocol.
        against: the predictor that ``<column>_<frame>_difference`` is to.
    """
    rows = by_predictor(board(protocol, None if against is None else label(against, protocol)).measured)
    return {name: rows[name] for name in ORDER if name in rows}


def by_predictor(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {str(row["predictor"]): row for row in rows.to_dict("records")}


def label(name: str, protocol: str = "mathieu2016") -> str:
    """The label of a predictor's row, which for several seeds is the method's name."""
    return str(by_predictor(board(protocol).measured)[name]["label"])


@cache
def told_apart(protocol: str, score: str) -> set[frozenset[str]]:
    """The pairs of labels whose score differs significantly, corrected for the number of pairs (``--matrix``)."""
    pairs = pair_rows(board(protocol, None, score))
    return {frozenset(pair) for pair in pairs[pairs["better"].notna()][["a", "b"]].itertuples(index=False)}


def code(name: str, row: dict[str, Any]) -> str:
    """A row's name, with how often it was trained, and the mark of rows that were tuned on test clips."""
    times = f" ×{row['seeds']}" if row["seeds"] > 1 else ""
    return f"`{name}`{times}{f' {TUNED_MARK}' if row['test_clips_seen'] == 'tuned' else ''}"


def three(
    row: dict[str, Any],
    frame: Frame,
    decimals: Sequence[int] = tuple(DIGITS.values()),
    spreads: bool = True,
) -> str:
    """PSNR / SSIM / sharpness of a measured row; after ± the standard deviation over seeds."""
    parts = []
    for column, digits in zip(DIGITS, decimals, strict=True):
        spread = row.get(f"{column}_{frame}_sd", math.nan)
        after = f" ± {spread:.{digits}f}" if spreads and math.isfinite(spread) else ""
        parts.append(f"{row[f'{column}_{frame}']:.{digits}f}{after}")
    return " / ".join(parts)


def signed(number: float, digits: int = 2) -> str:
    return f"{round(number, digits) + 0.0:+.{digits}f}".replace("-", "−")


@dataclass(frozen=True)
class Gap:
    """A mean paired difference, first minus second, and its interval.

    Attributes:
        mean: in the metric's unit.
        low: the lower end.
        high: the upper end.
        corrected: whether the two rows are told apart with a correction for all pairs of the table.
        digits: decimals that are shown.
    """

    mean: float
    low: float
    high: float
    corrected: bool = False
    digits: int = 2

    @property
    def interval(self) -> str:
        low, high = (signed(end, self.digits).removeprefix("+") for end in (self.low, self.high))
        return f"{low} to {high}"

    @property
    def significant(self) -> bool:
        return self.low > 0 or self.high < 0

    @property
    def short(self) -> str:
        """The mean, in bold where the interval leaves out 0."""
        mean = signed(self.mean, self.digits)
        return f"**{mean}**" if self.significant else mean

    def __str__(self) -> str:
        return f"{self.short}{CORRECTED_MARK if self.corrected else ''} ({self.interval})"


def gap(first: str, second: str, frame: Frame, protocol: str = "mathieu2016", column: str = "psnr") -> Gap:
    """By how much a row is above another."""
    row, apart = measured(protocol, second)[first], told_apart(protocol, f"{column}_{frame}")
    corrected = frozenset([label(first, protocol), label(second, protocol)]) in apart
    return gap_of(row, frame, corrected, column)


def gap_of(row: dict[str, Any], frame: Frame, corrected: bool = False, column: str = "psnr") -> Gap:
    key = f"{column}_{frame}_difference"
    return Gap(row[key], row[f"{key}_low"], row[f"{key}_high"], corrected, DIGITS[column])


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
