"""The footnotes of a table's rows: contamination, clips that were prepared differently, marks of predictors.

What a table must say of a row, however little it has room for, has a sign; what explains a row has a letter.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, product
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vpbench.results.published_tables import TUNED_MARK, UNVERIFIED, UNVERIFIED_MARK

if TYPE_CHECKING:
    from pathlib import Path

    from vpbench.results.published_tables import PublishedRow, PublishedTable
    from vpbench.runs.manifest import PreparedRecord
    from vpbench.runs.run import Run


TUNED = "tuned on test clips: a choice was made with an eye on them; no rank"
SEEN = "trained on clips of this test set (contaminated); no rank"
BEST_OF_SAMPLES = "the best of several samples, which takes the truth to know; no rank"
INCOMPLETE = "run not complete"
CORRUPTED = "predicted from corrupted inputs"
OTHER_CLIPS = "scored on clips that were prepared differently from the other rows'"
_SIGNS = {
    SEEN: "§",
    TUNED: TUNED_MARK,
    BEST_OF_SAMPLES: "#",
    CORRUPTED: "•",
    INCOMPLETE: "¶",
    OTHER_CLIPS: "‖",
}


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
            mark = next(letter for letter in self.letters if letter not in self.texts)
        self.texts[mark] = text
        return mark


def entry_marks(runs: Sequence[Run], differences: Mapping[Path, str], footnotes: Footnotes) -> list[str]:
    """The footnote marks of a measured row.

    Args:
        runs: the runs of the row.
        differences: of :func:`preparation_differences`.
        footnotes: where the marks' texts are put.
    """
    texts = [mark for run in runs for mark in run.marks if mark not in _SIGNS]
    texts += [differences[run.folder] for run in runs if run.folder in differences]
    if len(runs) > 1:
        texts.append(
            f"mean ± standard deviation of {len(runs)} trainings (seeds {', '.join(str(run.seed) for run in runs)}); n "
            "is the smallest; an interval is that of the mean, over clips and not over seeds"
        )
    signs = [footnotes.add(text, _SIGNS[text]) for text in row_warnings(runs, differences)]
    return [*dict.fromkeys(map(footnotes.add, texts)), *signs]


def row_warnings(runs: Sequence[Run], differences: Mapping[Path, str] = MappingProxyType({})) -> list[str]:
    """What must be said of a row of runs: why it has no rank, or is not to be compared."""
    found = {
        SEEN: any(run.test_clips_seen == "yes" for run in runs),
        TUNED: any(run.test_clips_seen == "tuned" for run in runs),
        BEST_OF_SAMPLES: any(run.best_of_samples for run in runs),
        CORRUPTED: any(run.manifest.predictor.corrupted for run in runs),
        INCOMPLETE: not all(run.manifest.complete for run in runs),
        OTHER_CLIPS: any(run.folder in differences for run in runs),
    }
    return [text for text, holds in found.items() if holds]


def published_marks(table: PublishedTable, row: PublishedRow, footnotes: Footnotes) -> list[str]:
    """The footnote marks of a published row."""
    marks = [footnotes.add(table.marks[mark], mark) for mark in row.marks]
    return marks if row.verified else [*marks, footnotes.add(UNVERIFIED, UNVERIFIED_MARK)]


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
        f"prepared clips: hash {record.hash} instead of {usual.hash}{f', {clips} clips differ' if clips else ''}; "
        f"{'; '.join(changes) if changes else 'same decoder and flow, other source files'}. Small differences "
        "between these rows may come from that"
    )


def _changes(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The keys whose values differ, with both values."""
    for key in {**first, **second}:
        if first.get(key) != second.get(key):
            yield key, first.get(key, "none"), second.get(key, "none")
