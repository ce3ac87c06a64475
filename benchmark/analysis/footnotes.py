"""Footnotes of a table's rows, and what runs give reason for: marks of their predictors, other prepared clips."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpbench.runs.manifest import PreparedRecord
    from vpbench.runs.run import Run


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
        for known, known_text in self.texts.items():
            if known_text == text:
                return known
        if mark is None or mark in self.texts:
            mark = next(self.letters)
        self.texts[mark] = text
        return mark


def run_marks(run: Run, prepared: str | None, footnotes: Footnotes) -> list[str]:
    """The footnote marks of a run; ``prepared`` says how its clips differ from the other rows', if they do."""
    texts = run.marks
    if run.contaminated:
        texts.append("trained on clips of this test set (contaminated)")
    if not run.manifest.complete:
        texts.append("run not complete")
    return [footnotes.add(text) for text in [*texts, *([prepared] if prepared else [])]]


def preparations(runs: Sequence[Run]) -> list[str | None]:
    """For each run whose prepared clips are not those of most runs, how they differ."""
    prepared = [run.manifest.prepared for run in runs]
    base_hash = Counter(one.hash for one in prepared).most_common(1)[0][0]
    base = next(one for one in prepared if one.hash == base_hash)
    return [
        None if one.hash == base_hash or _content(one) == _content(base) else _preparation(one, base)
        for one in prepared
    ]


def _content(prepared: PreparedRecord) -> Any:
    """What of the prepared clips is in a table, which may be fewer than the hash is over."""
    return prepared.clips, prepared.decoder, prepared.flow


def _preparation(one: PreparedRecord, base: PreparedRecord) -> str:
    clips = sum(1 for _ in _changes(one.clips, base.clips))
    made = [
        f"{what} {key} {value} instead of {other}"
        for what, ours, theirs in (("decoder", one.decoder, base.decoder), ("flow", one.flow, base.flow))
        for key, value, other in _changes(ours, theirs)
    ]
    return (
        f"scored on clips that were prepared differently from the other rows' (hash {one.hash} instead of "
        f"{base.hash}{f', {clips} clips differ' if clips else ''}): "
        f"{'; '.join(made) if made else 'same decoder and flow, other source files'}. Small differences between "
        "these rows may come from that"
    )


def _changes(ours: Mapping[Any, Any], theirs: Mapping[Any, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key in {**ours, **theirs}:
        if ours.get(key) != theirs.get(key):
            yield key, ours.get(key, "none"), theirs.get(key, "none")
