"""``vpbench site``: leaderboards as static pages."""

from __future__ import annotations

from pathlib import Path

import click

from vpbench.cli.options import FOLDER, read_runs, runs_argument
from vpbench.cli.output import say
from vpbench.errors import UsageError


@click.command()
@runs_argument
@click.option("--out", type=FOLDER, required=True, help="Folder of the site.")
@click.option("--title", help="Title of the site.  [default: vpbench leaderboard]")
@click.option(
    "--docs", metavar="ADDRESS", help="Link to a documentation, at this address as seen from the front page."
)
@click.option("--saved-only", is_flag=True, help="Do not run predictors again that saved no frames.")
def site(runs: tuple[Path, ...], out: Path, title: str | None, docs: str | None, saved_only: bool) -> None:
    """Write leaderboards as static pages that need no network: OUT/index.html and what it leads to.

    RUN… are folders of runs, or folders that hold some. Runs of another split or protocol have a leaderboard of their
    own. There is a page for each leaderboard, run and protocol. Frames are shown of clips of `demo` and `synthetic`
    only. OUT is replaced as a whole if an earlier call wrote it, and must be empty otherwise.
    """
    from vpbench.evaluation.replay import Replay
    from vpbench.site.folder import check_folder, write_folder
    from vpbench.site.render import TITLE, SiteOptions, make_site

    check_folder(out)
    if docs is not None and not _is_address(docs):
        raise UsageError(f"--docs {docs}: give a relative address such as ../index.html, or one of the web.")
    made = make_site(read_runs(runs), SiteOptions(title or TITLE, docs, Replay(rerun=not saved_only)))
    write_folder(out, made.files)
    for remark, count in made.remarks.items():
        say(f"Note: {count} run{'s' if count > 1 else ''}: {remark}", err=True)
    boards = f"{made.boards} leaderboard{'s' if made.boards > 1 else ''}"
    say(f"{out / 'index.html'}: {boards}, {made.runs} run{'s' if made.runs > 1 else ''}.")


def _is_address(text: str) -> bool:
    """Whether a link may lead there: a file, or a page of the web, and no script."""
    import re

    return re.fullmatch(r"(https?://)?[\w./~#?=&%+-]+", text) is not None
