"""Which pages a site has, and where: a leaderboard for each table of runs, a page for each run and each protocol."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from vpbench.analysis.comparable import table_of
from vpbench.analysis.leaderboard import LeaderboardOptions, build_leaderboard

if TYPE_CHECKING:
    from vpbench.analysis.leaderboard import Leaderboard
    from vpbench.runs.manifest import ProtocolRecord
    from vpbench.runs.run import Run

_LONGEST = 80  # characters of the name of a file


class Addresses:
    """Gives out names of files of letters, digits, dots, hyphens and underscores, each once, whatever they are of.

    Names that differ only in upper and lower case are the same to some file systems, so all are lower.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, folder: str, *names: str) -> str:
        """``folder/NAME.html`` for a page about ``names``."""
        slugs = (re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._") for name in names)
        stem = "-".join(filter(None, slugs))[:_LONGEST].strip("-._") or "page"
        free, number = f"{folder}/{stem}.html", 2
        while free in self._taken:
            free, number = f"{folder}/{stem}-{number}.html", number + 1
        self._taken.add(free)
        return free


@dataclass(frozen=True)
class RunPage:
    """The page of a run.

    Attributes:
        run: the run.
        label: its label in the table of its runs.
        row: its row in :attr:`BoardPage.alone`.
        address: where the page is, below the site's folder.
    """

    run: Run
    label: str
    row: int
    address: str


@dataclass(frozen=True)
class BoardPage:
    """The page of a leaderboard.

    Attributes:
        board: the leaderboard, best first.
        alone: the same with a row for each run, also where several trainings of a method are one row of ``board``.
        runs: the pages of its runs, in the order of ``alone``.
        address: where the page is.
    """

    board: Leaderboard
    alone: Leaderboard
    runs: tuple[RunPage, ...]
    address: str

    @property
    def name(self) -> str:
        """Split and protocol."""
        return f"{self.board.split.name}, {self.board.protocol.name}"

    def runs_of(self, row: int) -> list[RunPage]:
        """The pages of the runs that a measured row of ``board`` is made of."""
        folders = [run.folder for run in self.board.entries[row].runs]
        return [page for page in self.runs if page.run.folder in folders]


@dataclass(frozen=True)
class ProtocolPage:
    """The page of a protocol: its record, the leaderboards under it, and where the page is."""

    protocol: ProtocolRecord
    boards: tuple[BoardPage, ...]
    address: str


@dataclass(frozen=True)
class Site:
    """All pages; the leaderboards with the most rows first."""

    boards: tuple[BoardPage, ...]
    protocols: tuple[ProtocolPage, ...]

    def protocol_of(self, board: BoardPage) -> ProtocolPage:
        """The page of a leaderboard's protocol."""
        return next(page for page in self.protocols if board in page.boards)


def plan(runs: Sequence[Run]) -> Site:
    """Plan the pages of runs; a folder that is given twice counts once.

    Raises:
        UsageError: a run is not complete, or runs contradict each other on what was the same for both.
        VpbenchError: a metric is not installed.
    """
    addresses = Addresses()
    once = {run.folder.resolve(): run for run in runs}.values()
    together = groupby(sorted(once, key=lambda run: (*table_of(run), run.label)), key=table_of)
    boards = [_board_page(list(members), addresses) for _, members in together]
    boards.sort(key=lambda page: -len(page.board.entries))
    by_hash: dict[str, list[BoardPage]] = {}
    for page in boards:
        by_hash.setdefault(page.board.protocol.hash, []).append(page)
    protocols = []
    for pages in by_hash.values():
        protocol = pages[0].board.protocol
        address = addresses.new("protocols", protocol.name, f"v{protocol.version}")
        protocols.append(ProtocolPage(protocol, tuple(pages), address))
    return Site(tuple(boards), tuple(protocols))


def _board_page(runs: Sequence[Run], addresses: Addresses) -> BoardPage:
    board = build_leaderboard(runs, LeaderboardOptions(sort="rank"))
    several = any(len(entry.runs) > 1 for entry in board.entries)
    alone = build_leaderboard(runs, LeaderboardOptions(sort="rank", group=False)) if several else board
    names = board.split.name, board.protocol.name
    pages = [
        RunPage(entry.runs[0], entry.label, row, addresses.new("runs", *names, entry.label))
        for row, entry in enumerate(alone.entries)
    ]
    return BoardPage(board, alone, tuple(pages), addresses.new("leaderboards", *names))
