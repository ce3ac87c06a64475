"""Printing what an analysis made, in any format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpbench.analysis.leaderboard import Leaderboard
from vpbench.analysis.strata import Strata

if TYPE_CHECKING:
    from vpbench.analysis.comparison import Comparison


def render(
    table: Leaderboard | Strata | Comparison,
    form: str = "text",
    *,
    intervals: bool | None = None,
    facts: bool | None = None,
    precision: int | None = None,
    matrix: bool = False,
    all_notes: bool = False,
) -> str:
    """Print a leaderboard, one by strata, or a comparison; the text has no newline at its end.

    Args:
        table: what :func:`vpbench.build_leaderboard`, :func:`vpbench.analysis.strata.build_strata` or
            :func:`vpbench.compare` made.
        form: ``text``, ``markdown``, ``latex``, ``html``, ``csv`` or ``json``. The last two have every number in full
            precision; CSV of a comparison has only the differences.
        intervals: of a leaderboard, also by strata: print the intervals beneath the means; by default in HTML only.
        facts: of a leaderboard: print cost, moving area and training data; by default in HTML only.
        precision: digits after the point of scores (one more for scores in [0, 1]); by default the metrics' own.
        matrix: of a leaderboard: all pairs of its rows instead.
        all_notes: print all notes; by default at most four, without how ranks and intervals were found, how the frames
            were scored, and what explains a row. Marks of what makes a row unfair are always there.

    Raises:
        UsageError: unknown format.
    """
    if isinstance(table, Leaderboard) and matrix:
        from vpbench.tables.matrix import render_matrix

        return render_matrix(table, form, precision, all_notes)
    if isinstance(table, Leaderboard):
        from vpbench.tables.leaderboard import render_leaderboard

        return render_leaderboard(
            table, form, intervals=intervals, facts=facts, precision=precision, all_notes=all_notes
        )
    if isinstance(table, Strata):
        from vpbench.tables.strata import render_strata

        return render_strata(table, form, intervals=intervals, precision=precision, all_notes=all_notes)
    from vpbench.tables.comparison import render_comparison

    return render_comparison(table, form, precision, all_notes)
