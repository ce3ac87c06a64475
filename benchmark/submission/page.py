"""``results/LEADERBOARD.md``: the tables of all submitted runs, and the published ones, as one page.

The page is a function of the files in ``results/runs/`` and ``results/published/``, so that a test can tell whether it
is up to date.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from vpbench.analysis.comparable import table_of
from vpbench.analysis.leaderboard import build_leaderboard
from vpbench.errors import UsageError
from vpbench.escape import markdown
from vpbench.predictors.seen import seen_of
from vpbench.results.published_tables import read_published
from vpbench.runs.run import Run
from vpbench.submission.submit import check_committed
from vpbench.tables.published import render_published
from vpbench.tables.render import render

_HEAD = """\
# Leaderboard

*This page is made by `vpbench standings` from the runs in [runs/](runs) and the published rows in
[published/](published); change those, not this page.*

A run is added by `vpbench submit`, see [docs/examples](../docs/examples/README.md). Anybody can check one with
`vpbench verify results/runs/SPLIT/PROTOCOL/LABEL`.
"""

_SEEN = {
    "no": "test clips were not seen",
    "tuned": "a choice was made with an eye on test clips",
    "yes": "test clips were seen",
}


def committed_runs(root: Path) -> list[Run]:
    """The submitted runs, by split, protocol and label.

    Raises:
        UsageError: a run lies less deep than ``SPLIT/PROTOCOL/LABEL``, so that this is not the folder that was meant.
        VpbenchError: one is wrong (:func:`vpbench.submission.submit.check_committed`).
    """
    for above in ("", "[!.]*/", "[!.]*/[!.]*/"):
        for path in sorted(root.glob(f"{above}manifest.json")):
            raise UsageError(
                f"{path.parent} is a run, and submitted ones are at RUNS/SPLIT/PROTOCOL/LABEL. Name the folder RUNS, "
                "results/runs in a checkout."
            )
    folders = sorted(path.parent for path in root.glob("[!.]*/[!.]*/[!.]*/manifest.json"))
    runs = [check_committed(folder, root) for folder in folders]
    return sorted(runs, key=lambda run: (*table_of(run), run.label))


def page(root: Path) -> str:
    """The page, in Markdown.

    Args:
        root: the folder of submitted runs.

    Raises:
        VpbenchError: a run is wrong.
    """
    parts = [_HEAD, "## Measured\n"]
    runs = committed_runs(root)
    if not runs:
        parts.append("No runs yet.\n")
    for (split, protocol, *_), group in groupby(runs, key=table_of):
        members = list(group)
        parts.append(f"### {markdown(split)}, {markdown(protocol)}\n")
        parts.append(render(build_leaderboard(members), "markdown", all_notes=True) + "\n")
        parts.append("Submitted:\n")
        parts.append("\n".join(map(_item, members)) + "\n")
    parts.append("## Published\n")
    parts.append(
        "The numbers as printed in the papers; where protocol and split are ours, they stand above too.\n"
    )
    for table in read_published():
        if table.rows:
            parts.append(f"### {markdown(table.source.short)}, {markdown(table.place)}\n")
            parts.append(render_published(table, "markdown") + "\n")
    return "\n".join(parts)


def _item(run: Run) -> str:
    """What the submission of a run says, as an item of a list."""
    submission = run.manifest.submission
    assert submission is not None  # noqa: S101 -- check_committed requires it
    training = submission.training_data
    parts = [
        submission.method,
        "not trained" if training.lower() == "none" else f"trained on {training}",
        _SEEN[seen_of(submission.test_clips_seen)],
        *([submission.code_url] if submission.code_url else []),
    ]
    return f"- {markdown(run.label)}: {'; '.join(map(markdown, parts))}."
