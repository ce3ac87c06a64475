"""The footnotes of a table's rows: marks of predictors, contamination, clips that were prepared differently."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, product
from typing import TYPE_CHECKING, Any

from vpbench.results.published_tables import TUNED_MARK, UNVERIFIED, UNVERIFIED_MARK

if TYPE_CHECKING:
    from pathlib import Path

    from vpbench.results.published_tables import PublishedRow, PublishedTable
    from vpbench.runs.manifest import PreparedRecord
    from vpbench.runs.run import Run


TUNED = "tuned on test clips: a choice was made with an eye on them; no rank"


@dataclass
class Footnotes:
    """Footnotes in the order of their first use; equal texts share a mark."""

    texts: dict[str, str] = field(default_factory=dict)
    letters: Iterator[str] = field(
        default_factory=lambda: (
            "".join(mark) for length in count(1) for mark in product(string.ascii_lowercase, repeat=length)
        )
    )

    def add(self, text: str, mark: str | None = None) -> str:
        """The mark of ``text``: its own, or ``mark`` where that is free, or the next letter."""
        for used, known in self.texts.items():
            if known == text:
                return used
        if mark is None or mark in self.texts:
            mark = next(self.letters)
        self.texts[mark] = text
        return mark


def entry_marks(runs: Sequence[Run], differences: Mapping[Path, str], footnotes: Footnotes) -> list[str]:
    """The footnote marks of a measured row.

    Args:
        runs: the runs of the row.
        differences: of :func:`preparation_differences`.
        footnotes: where the marks' texts are put.
    """
    texts = [text for run in runs for text in _run_texts(run, differences)]
    if len(runs) > 1:
        texts.append(
            f"mean ± standard deviation of {len(runs)} trainings (seeds {', '.join(str(run.seed) for run in runs)}); n "
            "is the smallest; an interval is that of the mean, over clips and not over seeds"
        )
    marks = list(dict.fromkeys(map(footnotes.add, texts)))
    tuned = any(run.test_clips_seen == "tuned" for run in runs)
    return [*marks, footnotes.add(TUNED, TUNED_MARK)] if tuned else marks


def published_marks(table: PublishedTable, row: PublishedRow, footnotes: Footnotes) -> list[str]:
    """The footnote marks of a published row."""
    marks = [footnotes.add(table.marks[mark], mark) for mark in row.marks]
    return marks if row.verified else [*marks, footnotes.add(UNVERIFIED, UNVERIFIED_MARK)]


def _run_texts(run: Run, differences: Mapping[Path, str]) -> Iterator[str]:
    yield from run.marks
    if run.test_clips_seen == "yes":
        yield "trained on clips of this test set (contaminated)"
    if not run.manifest.complete:
        yield "run not complete"
    if run.folder in differences:
        yield differences[run.folder]


def preparation_differences(runs: Sequence[Run]) -> dict[Path, str]:
    """How prepared clips differ from those of most runs: folder to text, without the runs that do not differ."""
    prepared = {run.folder: run.manifest.prepared for run in runs}
    usual_hash = Counter(record.hash for record in prepared.values()).most_common(1)[0][0]
    usual = next(record for record in prepared.values() if record.hash == usual_hash)
    return {
        folder: _difference(record, usual)
        for folder, record in prepared.items()
        if record.hash != usual_hash and _content(record) != _content(usual)
    }


def _content(prepared: PreparedRecord) -> Any:
    """What a table depends on; the hash may be that of more clips."""
    return prepared.clips, prepared.decoder, prepared.flow


def _difference(record: PreparedRecord, usual: PreparedRecord) -> str:
    clips = sum(1 for _ in _changes(record.clips, usual.clips))
    changes = [
        f"decoder {key} {value} instead of {other}"
        for key, value, other in _changes(record.decoder, usual.decoder)
    ]
    changes += [
        f"flow {key} {value} instead of {other}" for key, value, other in _changes(record.flow, usual.flow)
    ]
    return (
        f"scored on clips that were prepared differently from the other rows' (hash {record.hash} instead of "
        f"{usual.hash}{f', {clips} clips differ' if clips else ''}): "
        f"{'; '.join(changes) if changes else 'same decoder and flow, other source files'}. Small differences "
        "between these rows may come from that"
    )


def _changes(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The keys whose values differ, with both values."""
    for key in {**first, **second}:
        if first.get(key) != second.get(key):
            yield key, first.get(key, "none"), second.get(key, "none")
