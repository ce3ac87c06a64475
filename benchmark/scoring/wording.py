"""What a protocol scores, in words for captions and notes."""

from __future__ import annotations

from typing import Any

from vpbench.escape import plain
from vpbench.scoring.protocol import COLOUR_THRESHOLD


def mask_in_words(definition: dict[str, Any], flow: str | None = None) -> str:
    """The moving area of a protocol's definition, and what each metric does with it, in words.

    Args:
        definition: of the protocol.
        flow: the flow that the clips really have (``exact`` for synthetic ones); by default the protocol's.
    """
    mask, uses = definition["mask"], definition["metrics"]
    saturated = 1 - COLOUR_THRESHOLD / 255
    motion = mask.get("max_motion")
    if mask["kind"] == "none" or all(use["masking"] == "none" for use in uses.values()):
        return "whole frames"
    limit = (
        f"{saturated:g} of the frame's largest"
        if motion == "frame"
        else f"{saturated * float(motion or 1):g} px"
    )
    flow = plain(flow or definition["flow"])
    area = {
        "colour": f"moving area where the {flow} flow exceeds {limit}",
        "as-printed": f"area where the {flow} flow does not exceed {limit} (the paper's footnote 2 "
        "taken literally)",
        "magnitude": f"moving area where the {flow} flow exceeds {plain(mask.get('tau'))} px",
        "archive": "moving area from the flow images that came with the clips",
    }.get(mask["kind"], f"mask {plain(mask['kind'])}")
    keys = {
        way: [key for key, use in uses.items() if use["masking"] == way]
        for way in ("inside", "black", "none")
    }
    named = {way: " and ".join(map(plain, those)) for way, those in keys.items() if those}
    if len(named) == 1:
        return f"{area}, {'all else set to black' if 'black' in named else 'scores averaged inside it'}"
    ways = {"inside": "averaged inside it", "black": "with all else set to black", "none": "of whole frames"}
    return ", ".join([area, *(f"{what} {ways[way]}" for way, what in named.items())])
