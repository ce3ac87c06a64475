"""``vpbench submit``: a run put under ``results/runs/``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from vpbench.cli.options import FOLDER, RUN
from vpbench.cli.output import say
from vpbench.errors import UsageError
from vpbench.predictors.seen import SEEN, Seen, most_seen, seen_by

if TYPE_CHECKING:
    from vpbench.runs.run import Run

# option: (question on a terminal, what it is)
_QUESTIONS = {
    "method": ("Name of the method", "Name of the method."),
    "citation": ("BibTeX file, or a text to cite", "A BibTeX file, or a text to cite."),
    "training_data": ("Trained on (none, if nothing)", "What it was trained on; `none` if nothing."),
    "test_clips_seen": (
        "Were clips of the test split, or their videos, trained on (yes), or looked at for a choice (tuned)",
        "Whether clips of the test split, or their videos, were trained on (yes), or only looked at for a choice, "
        "such as a rate or the form of a network (tuned).",
    ),
}
_LONGEST_FILE = 20_000


@click.command()
@click.argument("run", type=RUN)
@click.option("--method", metavar="TEXT", help=_QUESTIONS["method"][1])
@click.option("--citation", metavar="FILE.bib|TEXT", help=_QUESTIONS["citation"][1])
@click.option("--training-data", metavar="TEXT", help=_QUESTIONS["training_data"][1])
@click.option("--test-clips-seen", type=click.Choice(SEEN), help=_QUESTIONS["test_clips_seen"][1])
@click.option("--code-url", metavar="URL", help="Where the code is.")
@click.option("--partial", is_flag=True, help="Accept a run of a part of the split; it will be marked so.")
@click.option(
    "--to",
    "root",
    type=FOLDER,
    default=Path("results/runs"),
    show_default=True,
    help="Folder of submitted runs.",
)
@click.option("--force", is_flag=True, help="Replace an entry that is there.")
def submit(
    run: Path, code_url: str | None, partial: bool, root: Path, force: bool, **given: str | None
) -> None:
    """Check RUN, a folder, and put its manifest and scores under results/runs.

    What is not given as an option is asked for on a terminal. Predictions are not copied.
    """
    from datetime import UTC, datetime

    from vpbench.runs.manifest import Submission
    from vpbench.runs.untrusted import check_run, read_untrusted
    from vpbench.submission.submit import submit as put

    read = read_untrusted(run)
    check_run(read, partial=partial)
    split = read.manifest.split
    answers = _ask({key: given[key] for key in _QUESTIONS}, read)
    submission = Submission(
        method=answers["method"],
        citation=_citation(answers["citation"]),
        training_data=answers["training_data"],
        test_clips_seen=cast(Seen, answers["test_clips_seen"]),
        code_url=code_url,
        partial=split.scored < split.total,
        submitted=datetime.now(UTC).date().isoformat(),
    )
    folder = put(read, submission, root, force=force)
    say(f"{folder} is written. Next: vpbench standings {root}")


def _ask(given: dict[str, str | None], run: Run) -> dict[str, str]:
    """What was given, and the answers to questions about the rest.

    Raises:
        UsageError: something is missing and there is no terminal; names the options.
    """
    known = {key: value for key, value in given.items() if value is not None}
    described = run.recorded.predictor.description
    if isinstance(described.get("training_data"), str):
        known.setdefault("training_data", described["training_data"])
    said = seen_by(described)
    answer = cast(Seen, known.get("test_clips_seen", said))
    if most_seen(said, answer) != answer:
        raise UsageError(f"--test-clips-seen {answer}: the run's manifest says '{said}'.")
    if said != "no":
        known["test_clips_seen"] = answer
    missing = [key for key in _QUESTIONS if key not in known]
    if missing and not sys.stdin.isatty():
        options = ", ".join("--" + key.replace("_", "-") for key in missing)
        raise UsageError(f"A submission needs more: give {options}.")
    for key in missing:
        kind = click.Choice(SEEN) if key == "test_clips_seen" else str
        known[key] = str(click.prompt(_QUESTIONS[key][0], type=kind, err=True))
    return known


def _citation(text: str) -> str:
    """The text, or what the file of that name holds."""
    path = Path(text)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # too long, or holding characters that no path has
        is_file = False
    if not is_file:
        if text.endswith(".bib"):
            raise UsageError(f"--citation {text}: there is no such file.")
        return text
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.read(_LONGEST_FILE + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--citation {text}: cannot be read as UTF-8 text: {error}.") from None
