"""The files of a site: every page, its style and script, and the pictures, made before any of them is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from vpbench.escape import plain, visible
from vpbench.evaluation.replay import Replay
from vpbench.report.costs import cost_charts
from vpbench.report.steps import step_charts
from vpbench.report.table import PageRow, PageTable, cost_columns, page_table
from vpbench.report.web import environment, resource
from vpbench.scoring.built_in import find_built_in
from vpbench.scoring.metrics import get_metric
from vpbench.scoring.wording import as_toml, scoring_in_words
from vpbench.site import facts
from vpbench.site.frames import Pictures, frames_of_runs, strip_of_board
from vpbench.site.pages import plan
from vpbench.tables import notes

if TYPE_CHECKING:
    from jinja2 import Environment

    from vpbench.runs.run import Run
    from vpbench.site.frames import Shown
    from vpbench.site.pages import BoardPage, ProtocolPage, RunPage, Site

TITLE = "vpbench leaderboard"
_FIRST_ROWS = 5
# From so many rows a table scrolls in a box of its own, so that its head stays in sight.
_LONG = 30


@dataclass(frozen=True)
class SiteOptions:
    """What a site says and shows.

    Attributes:
        title: its title.
        docs: address of a documentation to link to, as seen from the site's front page; ``None``: no link.
        replay: whether predictors are run again for frames that runs did not save.
    """

    title: str = TITLE
    docs: str | None = None
    replay: Replay = field(default_factory=Replay)


@dataclass(frozen=True)
class MadeSite:
    """A site, not yet written.

    Attributes:
        files: name below its folder to content.
        boards: number of leaderboards.
        runs: number of runs.
        remarks: what its maker should know about frames, each with the number of runs that it is on.
    """

    files: dict[str, bytes]
    boards: int
    runs: int
    remarks: dict[str, int]


def make_site(runs: Sequence[Run], options: SiteOptions = SiteOptions()) -> MadeSite:
    """Make the pages of runs.

    Raises:
        UsageError: there are no runs, one is not complete, or runs contradict each other.
        VpbenchError: a metric is not installed.
    """
    site, pictures = plan(runs), Pictures()
    everywhere = {"title": plain(options.title), "docs": options.docs, "version": version("vpbench")}
    writer = _Writer(environment("vpbench.site"), everywhere)
    remarks: Counter[str] = Counter()
    highlight = _highlight(site, options.replay, pictures)
    for board in site.boards:
        writer.page(board.address, "board.html", **_board(site, board))
        shared = _runs(site, board)
        frames = frames_of_runs(board, options.replay, pictures)
        tables = (facts.scores_of(board.alone), facts.costs_of(board.alone), facts.strata_of(board.alone))
        for run, shown, *own in zip(board.runs, frames, *tables, strict=True):
            numbers = dict(zip(("scores", "costs", "strata"), own, strict=True))
            writer.page(run.address, "run.html", **shared, **numbers, **_run(board, run), shown=shown)
            remarks.update(shown.remarks)
    for protocol in site.protocols:
        writer.page(protocol.address, "protocol.html", **_protocol(protocol))
    writer.page(
        "index.html",
        "index.html",
        boards=[(board, _first_rows(board)) for board in site.boards],
        protocols=site.protocols,
        highlight=highlight,
    )
    made = {name: (visible(text).rstrip("\n") + "\n").encode() for name, text in writer.texts.items()}
    made |= {
        "site.css": (resource("page.css") + resource("site.css", __package__)).encode(),
        "site.js": (resource("table.js") + resource("site.js", __package__)).encode(),
    }
    count = sum(len(board.runs) for board in site.boards)
    return MadeSite(made | pictures.files, len(site.boards), count, dict(remarks))


class _Writer:
    """Renders pages, each with the way from it back to the site's folder."""

    def __init__(self, templates: Environment, shared: dict[str, Any]) -> None:
        self._templates, self._shared = templates, shared
        self.texts: dict[str, str] = {}

    def page(self, address: str, template: str, **content: Any) -> None:
        root = "../" * address.count("/")
        self.texts[address] = self._templates.get_template(template).render(
            root=root, **self._shared, **content
        )


def _highlight(site: Site, replay: Replay, pictures: Pictures) -> tuple[BoardPage, Shown] | None:
    """The strip of the front page: of the first leaderboard whose frames may be shown and are found."""
    for board in site.boards:
        shown = strip_of_board(board, replay, pictures)
        if shown is not None:
            return board, shown
    return None


def _board(site: Site, page: BoardPage) -> dict[str, Any]:
    board = page.board
    links = {row: page.runs_of(row) for row in range(len(board.measured))}
    table = _linked(page, page_table(board), "../")
    rows = board.measured.to_dict("records")
    return {
        "page": page,
        "table": table,
        "long": len(table.rows) > _LONG,
        "trainings": sorted({facts.training_of(row["training_data"]) for row in rows}),
        "seen": {
            key: words for key, words in facts.SEEN.items() if key in set(board.measured["test_clips_seen"])
        },
        "costs": [
            column for column in cost_columns(board) if any(cell.value is not None for cell in column.cells)
        ],
        "charts": cost_charts(board, {row: f"../{runs[0].address}" for row, runs in links.items()}),
        "steps": step_charts(board),
        "protocol": site.protocol_of(page),
        "notes": notes.notes(board, intervals=True),
        "further": notes.further(board),
    }


def _linked(page: BoardPage, table: PageTable, root: str) -> PageTable:
    """The table with links from its rows to the pages of their runs, and with what a script filters by."""
    measured = page.board.measured.to_dict("records")
    rows: list[PageRow] = []
    for n, row in enumerate(table.rows):
        if row.published:
            rows.append(row)
            continue
        own = measured[n]
        rows.append(
            replace(
                row,
                links=tuple(f"{root}{run.address}" for run in page.runs_of(n)),
                attributes={
                    "data-training": facts.training_of(own["training_data"]),
                    "data-seen": own["test_clips_seen"],
                },
            )
        )
    return replace(table, rows=rows)


def _first_rows(page: BoardPage) -> PageTable:
    """The rank and the scores of the first frames of the best rows."""
    table = _linked(page, page_table(page.board), "")
    groups = [group for group in table.groups if group[0] != "difference"][: 1 + page.board.ranked]
    width = sum(len(columns) for _, columns in groups)
    rows = [
        replace(row, cells=row.cells[:width], about="", marks=()) for row in table.rows if not row.published
    ]
    return PageTable(groups, rows[:_FIRST_ROWS], [])


def _runs(site: Site, page: BoardPage) -> dict[str, Any]:
    """What the pages of all runs of a leaderboard say."""
    return {
        "page": page,
        "protocol": site.protocol_of(page),
        "notes": [facts.reading_of(page.alone)],
        "further": notes.further(page.alone),
    }


def _run(page: BoardPage, run: RunPage) -> dict[str, Any]:
    return {
        "run": run,
        "summary": facts.summary_of(page, run),
        "marks": facts.marks_of(page.alone, run.row),
        "provenance": facts.provenance_of(run.run),
        "citation": facts.citation_of(run.run),
    }


def _protocol(page: ProtocolPage) -> dict[str, Any]:
    """What a protocol's page says, from what the runs say of it: it need not be one of vpbench's."""
    record = page.protocol
    known = find_built_in(record.name)
    definition = to_builtins(record.definition)
    return {
        "page": page,
        "summary": known.summary if known is not None and known.hash == record.hash else "",
        "words": scoring_in_words(record.definition),
        "metrics": [
            (key, use, get_metric(use.metric), ", ".join(f"{k} {v}" for k, v in use.parameters.items()))
            for key, use in record.definition.metrics.items()
        ],
        "toml": as_toml(definition),
    }
