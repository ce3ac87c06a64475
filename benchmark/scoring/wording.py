"""What a protocol scores, in words for captions and notes."""

from __future__ import annotations

import typing
from collections.abc import Mapping

from vpbench.scoring.protocol import COLOUR_THRESHOLD
from vpbench.video import flow_files


class _Use(typing.Protocol):
    @property
    def masking(self) -> str: ...


class _Mask(typing.Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def max_motion(self) -> float | str | None: ...
    @property
    def tau(self) -> float | None: ...


class _ScoredAs(typing.Protocol):
    @property
    def rounding(self) -> str | None: ...
    @property
    def size(self) -> typing.Any: ...
    @property
    def colour(self) -> str: ...


class _Rules(typing.Protocol):
    """What a protocol says about masks and frames, as a run's manifest does too."""

    @property
    def flow(self) -> str: ...
    @property
    def mask(self) -> _Mask: ...
    @property
    def metrics(self) -> Mapping[str, _Use]: ...
    @property
    def scored_as(self) -> _ScoredAs | None: ...


def scoring_in_words(protocol: _Rules, flow: str | None = None) -> str:
    """What of the frames a protocol scores: :func:`mask_in_words`, and what is done to them first."""
    how = protocol.scored_as
    if how is None:
        return mask_in_words(protocol, flow)
    steps = []
    if how.rounding is not None:
        steps.append(f"predictions rounded {'down ' if how.rounding == 'down' else ''}to 8 bits")
    if how.size is not None:
        steps.append(f"frames scaled to {how.size[1]}×{how.size[0]}")
    if how.colour != "rgb":
        steps.append({"bgr": "red taken for blue"}.get(how.colour, f"{how.colour} alone"))
    return ", ".join([mask_in_words(protocol, flow), *steps])


def as_toml(definition: Mapping[str, typing.Any]) -> str:
    """A protocol's definition in the TOML form in which users write their own, without an empty line."""
    import tomli_w

    return tomli_w.dumps(_without_empty(definition)).rstrip().replace("\n\n", "\n")


def _without_empty(table: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """A table without what is ``None`` or an empty table, at any depth."""
    kept = {key: _without_empty(value) if isinstance(value, dict) else value for key, value in table.items()}
    return {key: value for key, value in kept.items() if value not in (None, {})}


def mask_in_words(protocol: _Rules, flow: str | None = None) -> str:
    """The moving area of a protocol, and what each metric does with it, in words.

    Args:
        protocol: the protocol, or its definition in a manifest.
        flow: the flow that the clips actually have (``exact`` for synthetic ones); by default the protocol's.
    """
    mask, uses = protocol.mask, protocol.metrics
    saturated = 1 - COLOUR_THRESHOLD / 255
    motion = mask.max_motion
    if mask.kind == "none" or all(use.masking == "none" for use in uses.values()):
        return "whole frames"
    limit = (
        f"{saturated:g} of the frame's largest"
        if motion == "frame"
        else f"{saturated * float(motion or 1):g} px"
    )
    flow = flow or protocol.flow
    flow = "flow from files" if flow == flow_files.NAME else f"{flow} flow"
    area = {
        "colour": f"moving area where the {flow} exceeds {limit}",
        "as-printed": f"area where the {flow} does not exceed {limit} (the paper's footnote 2 taken literally)",
        "magnitude": f"moving area where the {flow} exceeds {mask.tau} px",
        "archive": "moving area from the flow images that came with the clips",
    }.get(mask.kind, f"mask {mask.kind}")
    keys = {
        way: [key for key, use in uses.items() if use.masking == way] for way in ("inside", "black", "none")
    }
    named = {way: " and ".join(columns) for way, columns in keys.items() if columns}
    if len(named) == 1:
        return f"{area}, {'all else set to black' if 'black' in named else 'scores averaged inside it'}"
    ways = {"inside": "averaged inside it", "black": "with all else set to black", "none": "of whole frames"}
    return ", ".join([area, *(f"{what} {ways[way]}" for way, what in named.items())])
