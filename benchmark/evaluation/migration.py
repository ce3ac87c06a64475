"""Runs of schema 1 brought to the present one: what they do not say about their frames is computed from the clips.

Since schema 2 a run says of each frame what holds whoever predicts it (:mod:`vpbench.scoring.frame_facts`), and of each
clip its cluster. No score changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vpbench.clips.opening import ClipRequest, Warn, no_warning, open_clips
from vpbench.clips.prepared import PreparedClips, StoredClip
from vpbench.errors import VpbenchError
from vpbench.evaluation.replay import clips_of_run, protocol_of_run
from vpbench.files import lock_folder, write_atomic, write_json
from vpbench.parallel.execution import Execution, ProgressBar, Workers, no_progress_bar
from vpbench.parallel.processes import limit_threads, map_in_order
from vpbench.runs.manifest import SCHEMA
from vpbench.runs.run import Run, read_run, score_lines
from vpbench.runs.scores import score_line
from vpbench.scoring.frame_facts import frame_facts
from vpbench.scoring.protocol import Protocol


@dataclass(frozen=True)
class _Described:
    """What is said of clips: what holds of each of their frames, and their clusters."""

    facts: dict[int, list[dict[str, float | None]]]
    clusters: dict[int, str]


def migrate(
    runs: Sequence[Run],
    request: ClipRequest,
    workers: Workers,
    *,
    protocol: str | None = None,
    warn: Warn = no_warning,
    progress: ProgressBar = no_progress_bar,
) -> Iterator[Run]:
    """Bring runs of schema 1 to the present schema, in their folders.

    Runs of the present schema get the clusters of the split that the request names, if it names one; else they are
    left as they are.

    Args:
        runs: the runs.
        request: where their clips are; a built-in split need not be named.
        workers: who does the work.
        protocol: TOML file, if the runs' protocol is not one of vpbench's.
        warn: called with a warning for the user.
        progress: shows progress.

    Returns:
        Each run that was changed, once it is written.

    Raises:
        UsageError: a run's split, protocol or clips are not available.
        VpbenchError: the clips differ in pixels or flow from those that a run scored; or its folder cannot be written.
    """
    by_clips = defaultdict(list)
    for run in runs:
        if not run.has_frame_facts:
            by_clips[run.recorded.protocol.hash, run.recorded.split.name, run.recorded.split.hash].append(run)
        elif isinstance(request.split, str) and _set_clusters(run, run.split(request.split).clusters):
            yield read_run(run.folder)
    for members in by_clips.values():
        rules = protocol_of_run(members[0], protocol)
        wanted = {clip for run in members for clip in run.clips}
        with (
            open_clips(
                clips_of_run(members[0], request, wanted), rules, workers, warn=warn, progress=progress
            ) as opened,
            progress(f"Describing {opened.clips.split.name}", len(wanted)) as step,
        ):
            for run in members:
                _refuse_other_clips(run, opened.clips)
            described = _describe(opened.clips, rules, replace(opened.execution, progress=step))
        for run in members:
            yield _rewrite(run, described)


def _refuse_other_clips(run: Run, clips: PreparedClips) -> None:
    for index, content in run.clips.items():
        if clips.contents[index] != content:
            raise VpbenchError(
                f"{run.folder} cannot be migrated: clip {index} here differs in pixels or flow from what it "
                "scored (another decoder, another version of the flow, other files). Run it again."
            )


def _describe(clips: PreparedClips, protocol: Protocol, execution: Execution) -> _Described:
    tasks = [(replace(clip, folder=clip.folder.absolute()), protocol) for clip in clips]
    facts = {}
    found = map_in_order(execution.executor, _facts_of, tasks, execution.window)
    for (clip, _), of_clip in zip(tasks, found, strict=True):
        facts[clip.index] = of_clip
        execution.progress()
    return _Described(facts, clips.clusters)


def _facts_of(stored: StoredClip, protocol: Protocol) -> list[dict[str, float | None]]:
    """The facts of one clip, in a worker."""
    limit_threads()  # as when it is scored: facts must not depend on the number of workers
    return frame_facts(stored.load(protocol), protocol)


def _rewrite(old: Run, described: _Described) -> Run:
    """Write the run anew: the scores first, since a run of schema 1 may have what only one of schema 2 must have."""
    with lock_folder(old.folder, wait=False):
        run = read_run(old.folder)  # as it is now that nobody else writes
        if run.has_frame_facts:
            return run
        lines = (line | described.facts[line["clip"]][line["frame"] - 1] for line in score_lines(run))
        write_atomic(run.folder / "scores.jsonl", b"".join(map(score_line, lines)))
        _write_clusters(run, described.clusters)
        return read_run(run.folder)


def _set_clusters(run: Run, clusters: dict[int, str]) -> bool:
    """Give a run other clusters, if they are others."""
    if run.clusters == {index: clusters[index] for index in run.clips}:
        return False
    with lock_folder(run.folder, wait=False):
        _write_clusters(read_run(run.folder), clusters)
    return True


def _write_clusters(run: Run, clusters: dict[int, str]) -> None:
    split = {**run.data["split"], "clusters": {str(index): clusters[index] for index in run.clips}}
    write_json(run.folder / "manifest.json", {**run.data, "schema": SCHEMA, "split": split})
