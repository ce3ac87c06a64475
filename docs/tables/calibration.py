"""The tables of docs/protocols.md: what other rules for the moving area make of the baselines, from docs/evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from measured import ROOT, markdown
from numpy.typing import NDArray

from vpbench.analysis.intervals import ratio_means
from vpbench.results.published_tables import read_published
from vpbench.scoring.built_in import MATHIEU2016
from vpbench.splits import SplitClip

FOLDER = ROOT / "docs" / "evidence"
COLUMNS = ("psnr", "ssim", "sharpness")
ROWS = ("last_frame", "optical_flow")  # those of the paper
NAMES = {"frame": "0.8 of the frame's largest", "previous": "0.8 px, flow of the pair before"}


@cache
def lines(name: str) -> pd.DataFrame:
    """The lines of a data file."""
    return pd.read_csv(FOLDER / f"{name}.csv", dtype={"rule": str})


@cache
def published() -> dict[str, dict[int, tuple[float, ...]]]:
    """The paper's PSNR, SSIM and sharpness of its two rows without training, by frame."""
    (table,) = [table for table in read_published() if table.full_name == "mathieu2016/table2"]
    rows = {str(row.predictor): row.scores for row in table.rows}
    return {name: {n: tuple(rows[name][c][n] for c in COLUMNS) for n in (1, 2)} for name in ROWS}


@dataclass(frozen=True)
class Means:
    """The means of a predictor's scores over its counted frames.

    Attributes:
        means: of PSNR, SSIM and sharpness, ``(3,)``.
        parts: how far each cluster of clips moves them, ``(3, clusters)``; the squares sum up to that of the error.
        frames: how many are counted.
    """

    means: NDArray[np.float64]
    parts: NDArray[np.float64]
    frames: int

    @property
    def errors(self) -> NDArray[np.float64]:
        """The standard errors of the means, ``(3,)``."""
        return np.asarray(np.sqrt((self.parts**2).sum(axis=1)))


def means(part: pd.DataFrame, predictor: str) -> Means:
    """The means of a predictor.

    Args:
        part: the lines of one rule and frame.
        predictor: which.
    """
    rule = MATHIEU2016.exclude
    assert rule is not None
    counted = (part[f"{rule.column}_{predictor}"] < rule.at_least).to_numpy()
    values = part[[f"{column}_{predictor}" for column in COLUMNS]].to_numpy().T[..., np.newaxis]
    names = [SplitClip(0, f"{video}.avi").cluster for video in part["video"]]
    clusters = np.unique(names, return_inverse=True)[1].astype(np.int64)
    every = np.broadcast_to(counted[:, np.newaxis], values.shape)
    averages, residuals, counts = ratio_means(values, every, clusters)
    return Means(averages, residuals / counts.sum(axis=1, keepdims=True), int(counted.sum()))


def calibration_table(name: str) -> str:
    """The rules of a data file, one below the other, and how far each is from the published numbers."""
    data, errors = lines(name), []
    copy, flow = (published()[row][1] for row in ROWS)
    rows = [["published", "", "", three(copy), three(flow), f"{flow[0] - copy[0]:+.1f}", "", "", ""]]
    for rule in data["rule"].unique():
        parts = {n: data[(data["rule"] == rule) & (data["frame"] == n)] for n in (1, 2)}
        first = {predictor: means(parts[1], predictor) for predictor in (*ROWS, "flow_back")}
        errors += [first[row].errors for row in ROWS]
        rows.append(
            [
                named(rule),
                f"{100 * parts[1]['moving'].mean():.0f} %",
                str(first["last_frame"].frames),
                *(three(first[row].means) for row in ROWS),
                lead(first["optical_flow"], first["last_frame"]),
                *(distance(parts[n], n) for n in (1, 2)),
                three(first["flow_back"].means),
            ]
        )
    header = [
        "",
        "moving",
        "n",
        "last input",
        "optical flow",
        "flow − last",
        "off, 1st",
        "off, 2nd",
        "flow back",
    ]
    least, most = np.min(errors, axis=0), np.max(errors, axis=0)
    return "\n".join(
        [
            markdown(header, rows),
            "",
            f"<sub>First frames of {data['video'].nunique()} clips; n: those that count for the last input. "
            f"Standard errors of the means: PSNR {least[0]:.1f} to {most[0]:.1f} dB, SSIM {least[1]:.3f} to "
            f"{most[1]:.3f}, sharpness {least[2]:.1f} to {most[2]:.1f} dB.</sub>",
        ]
    )


def named(rule: str) -> str:
    """A rule in words, in bold the protocol's own."""
    return "**0.8 px**" if rule == "0.8" else NAMES.get(rule, f"{rule} px")


def three(scores: Sequence[float] | NDArray[np.float64]) -> str:
    """PSNR, SSIM and sharpness without spaces, so that a row of the table is a line of the page."""
    return f"{scores[0]:.1f}/{scores[1]:.2f}/{scores[2]:.1f}"


def lead(flow: Means, copy: Means) -> str:
    """The difference in mean PSNR, each over its own frames as the published one is, and its standard error."""
    error = math.sqrt(((flow.parts[0] - copy.parts[0]) ** 2).sum())
    return f"{flow.means[0] - copy.means[0]:+.1f}±{error:.1f}"


def distance(part: pd.DataFrame, frame: int) -> str:
    """The distance of means from what is published, in standard errors: of PSNR and SSIM, and of sharpness."""
    measured = {row: means(part, row) for row in ROWS}
    off = [(one.means - published()[row][frame]) / one.errors for row, one in measured.items()]
    squares = np.square(off)
    return f"{math.sqrt(squares[:, :2].mean()):.1f}/{math.sqrt(squares[:, 2].mean()):.1f}"
