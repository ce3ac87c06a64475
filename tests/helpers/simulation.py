"""Tables of rows that do not differ, and how often the statistics tell them apart all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vpbench.analysis.bootstrap import draw_resamples, half_widths
from vpbench.analysis.columns import clip_scores
from vpbench.analysis.intervals import ratio_means
from vpbench.analysis.pairs import compare_rows
from vpbench.analysis.rows import group_by_seed
from vpbench.runs.run import find_runs, read_run

LEVEL = 0.95
RUNS = Path(__file__).parents[2] / "results" / "runs" / "ucf101-every10th" / "mathieu2016"

# Draws scores ``(rows, clusters)`` whose means are 0.
Population = Callable[[np.random.Generator, int, int], NDArray[np.float64]]


def normal(rng: np.random.Generator, rows: int, clusters: int) -> NDArray[np.float64]:
    """Clips of unequal difficulty, and normal noise of one size."""
    return rng.normal(0, 6, clusters) + rng.normal(0, 1, (rows, clusters))


def heavy_tails(rng: np.random.Generator, rows: int, clusters: int) -> NDArray[np.float64]:
    """Some clips on which all rows differ much more than on others, and noise of Student's t with 4 degrees."""
    return rng.normal(0, 6, clusters) + rng.lognormal(0, 0.8, clusters) * rng.standard_t(4, (rows, clusters))


def skewed(rng: np.random.Generator, rows: int, clusters: int) -> NDArray[np.float64]:
    """Rows that are a little worse on most clips and much better on a few, from 0.2 to 2 times as much."""
    noise = np.linspace(0.2, 2, rows)[:, np.newaxis] * (rng.exponential(1, (rows, clusters)) - 1)
    return rng.normal(0, 6, clusters) + rng.lognormal(0, 0.5, clusters) * noise


class Measured:
    """PSNRs of the committed runs on the test split, each row shifted to a mean of 0; clips are drawn from theirs.

    Of several trainings of a row, the first.
    """

    def __init__(self) -> None:
        runs = [read_run(folder) for folder in find_runs(RUNS)]
        scores = [clip_scores(runs[members[0]]) for members in group_by_seed(runs)]
        kept = np.logical_and.reduce([one.compared for one in scores])[:, 0]
        psnr = np.stack([one.capped("psnr")[kept, 0] for one in scores])
        self.psnr = psnr - psnr.mean(axis=1, keepdims=True)

    def __call__(self, rng: np.random.Generator, rows: int, clusters: int) -> NDArray[np.float64]:
        return self.psnr[:rows, rng.integers(self.psnr.shape[1], size=clusters)]


@dataclass
class Rates:
    """Shares of what should not be: tables or pairs that are told apart, and intervals that miss.

    Attributes:
        tables: tables of rows that do not differ in which any two are told apart by the ranks' test.
        pairs: pairs that are told apart by the interval of their difference, which is not corrected.
        means: means whose interval misses what they estimate.
        percentile_pairs: pairs that a percentile interval over clips tells apart.
        percentile_tables: tables in which it tells any two apart.
    """

    tables: float = 0.0
    pairs: float = 0.0
    means: float = 0.0
    percentile_pairs: float = 0.0
    percentile_tables: float = 0.0


def error_rates(
    population: Population,
    clips: int,
    *,
    rows: int = 14,
    per_cluster: int = 1,
    tables: int = 200,
    percentile: bool = False,
    seed: int = 0,
) -> Rates:
    """Make tables of rows that do not differ, and count what goes wrong.

    Args:
        population: of scores.
        clips: of a table.
        rows: of a table.
        per_cluster: mean number of clips of a cluster; half of their noise they have in common.
        tables: how many.
        percentile: count what percentile intervals over clips would say, too.
        seed: of the tables.
    """
    rng = np.random.default_rng(seed)
    sums = Rates()
    for _ in range(tables):
        values, clusters = _table(rng, population, rows, clips, per_cluster)
        found = _one(values, clusters, percentile)
        for field in fields(Rates):
            setattr(sums, field.name, getattr(sums, field.name) + getattr(found, field.name) / tables)
    return sums


def _table(
    rng: np.random.Generator, population: Population, rows: int, clips: int, per_cluster: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Scores ``(rows, clips, 1)`` and the cluster of each clip: sizes vary as with clips thrown into clusters."""
    if per_cluster == 1:
        return population(rng, rows, clips)[:, :, np.newaxis], np.arange(clips)
    number = clips // per_cluster
    clusters = np.concatenate([np.arange(number), rng.integers(number, size=clips - number)])
    shared = population(rng, rows, number)[:, clusters]
    return ((shared + population(rng, rows, clips)) / np.sqrt(2))[:, :, np.newaxis], clusters


def _one(values: NDArray[np.float64], clusters: NDArray[np.int64], percentile: bool) -> Rates:
    counted = np.ones(values.shape, bool)
    times = draw_resamples(int(clusters.max()) + 1)
    first, second = np.triu_indices(len(values), 1)
    better = compare_rows(values, counted[0], clusters, times).better(LEVEL, True)
    pairs = _missed(values[first] - values[second], clusters, times)
    means = _missed(values, clusters, times)
    found = Rates(tables=float(better.any()), pairs=float(pairs.mean()), means=float(means.mean()))
    if percentile:
        told = _percentile(values[first, :, 0] - values[second, :, 0])
        found.percentile_pairs, found.percentile_tables = float(told.mean()), float(told.any())
    return found


def _missed(values: NDArray[np.float64], clusters: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray:
    """Which intervals of means do not contain 0."""
    means, residuals, counts = ratio_means(values, np.ones(values.shape, bool), clusters)
    return np.abs(means) > half_widths(residuals, counts, times, LEVEL)


def _percentile(differences: NDArray[np.float64]) -> NDArray:
    """Which percentile intervals over clips do not contain 0."""
    resampled = differences @ draw_resamples(differences.shape[1]).T
    tail = int(resampled.shape[1] * (1 - LEVEL) / 2)
    ordered = np.sort(resampled, axis=1)
    return (ordered[:, tail] > 0) | (ordered[:, -1 - tail] < 0)
