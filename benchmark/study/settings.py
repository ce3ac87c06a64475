"""The settings of a study: protocols, masks and details that are varied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from vpbench.clips.manifest import Geometry
from vpbench.clips.opening import ClipRequest
from vpbench.scoring.built_in import BUILT_IN, MATHIEU2016
from vpbench.scoring.protocol import NO_FLOW, MaskRule, MetricUse, Protocol, ScoredAs
from vpbench.splits import DATA_SETS
from vpbench.study.quirks import quirks

PROTOCOLS = "built-in protocols"
MASKS = "other moving areas"
DETAILS = "other details"
QUIRKS = "others' code"
SHARPENED = "sharpened predictions"


@dataclass(frozen=True)
class Setting:
    """One way of scoring.

    Attributes:
        group: heading under which it is listed.
        label: what differs.
        protocol: how frames are scored.
        change: what is done to predictions first, a key of :data:`vpbench.study.sharpening.CHANGES`, or nothing.
    """

    group: str
    label: str
    protocol: Protocol
    change: str | None = None


def settings_for(base: Protocol = MATHIEU2016) -> tuple[Setting, ...]:
    """The settings of a study.

    They are: the built-in protocols that predict the same frame; the base's measures under other mask rules;
    the base with one detail changed; with a setting of others' code (:mod:`vpbench.study.quirks`); and sharpened
    predictions under the base.

    Args:
        base: ``mathieu2016``; or ``mathieu2016-archive`` for clips that have flow images only. Mask rules that
            need flow vectors are then left out, and so is every other geometry. Or the protocol of a data set, beside
            which there are no others, and no moving areas.
    """
    archive, own = base.mask.kind == "archive", base.flow == NO_FLOW
    first = base.first_frame + base.inputs
    built_in = [
        p
        for p in BUILT_IN.values()
        if p != base and not own and p.first_frame + p.inputs == first and p.name not in DATA_SETS
    ]
    if archive:
        built_in = [
            p
            for p in built_in
            if Geometry.of(base).holds(Geometry.of(p)) and p.mask.kind in ("none", "archive")
        ]
    else:  # in prepared clips the flow images hold the base's own rule
        built_in = [p for p in built_in if p.mask.kind != "archive"]
    found = [Setting(PROTOCOLS, p.name, p) for p in (base, *built_in)]
    rules = () if own else _mask_rules(archive)
    found += [Setting(MASKS, label, _derived(base, label, mask=rule)) for label, rule in rules]
    found += [Setting(DETAILS, label, protocol) for label, protocol in _details(base)]
    found += [Setting(QUIRKS, label, _derived(base, label, **changes)) for label, changes in quirks(base)]
    found.append(Setting(SHARPENED, "unsharp mask", base, "unsharp"))
    found.append(Setting(SHARPENED, "Richardson–Lucy", base, "richardson-lucy"))
    return tuple(found)


def settings_for_clips(request: ClipRequest) -> tuple[Setting, ...]:
    """The settings that clips can serve, with their flow.

    A folder of prepared clips, an archive, and flows from files have one geometry only.

    Raises:
        UsageError: a flow is chosen for an archive, which has flow images only.
    """
    base = BUILT_IN["mathieu2016-archive" if request.kind == "archive" else request.protocol]
    request.adapt(base)
    settings = settings_for(base)
    if request.kind != "videos" or request.flow_files is not None:
        settings = tuple(s for s in settings if Geometry.of(base).holds(Geometry.of(s.protocol)))
    if request.flow is None:
        return settings
    return tuple(
        replace(s, protocol=request.adapt(s.protocol)) if s.protocol.mask.needs_vectors else s
        for s in settings
    )


def _mask_rules(archive: bool) -> list[tuple[str, MaskRule]]:
    whole = [("no mask", MaskRule("none"))]
    if archive:
        return whole
    return [
        *((f"flow above {tau:g} px", MaskRule("magnitude", tau=tau)) for tau in (0.2, 0.5, 1.0, 2.0)),
        *whole,
        ("as printed", MaskRule("as-printed", max_motion=1.0)),
        ("printed, frame max", MaskRule("as-printed", max_motion="frame")),
    ]


def _details(base: Protocol) -> Iterator[tuple[str, Protocol]]:
    """The base with one detail of its measures changed."""
    uses = base.metrics

    def changed(label: str, **columns: MetricUse) -> tuple[str, Protocol]:
        return label, _derived(base, label, metrics={**uses, **columns})

    if base.mask.kind != "none":
        yield changed(
            "means inside mask", **{key: replace(use, masking="inside") for key, use in uses.items()}
        )
    if base.exclude is not None:
        yield "every frame counted", _derived(base, "every frame counted", exclude=None)
    # At 100 dB, as in the protocols that have a standard PSNR.
    cap = BUILT_IN["full-frame"].metrics["psnr"].parameters
    if uses["psnr"].metric != "psnr":
        yield changed("PSNR standard", psnr=replace(uses["psnr"], metric="psnr", parameters=cap))
    how = base.scored_as or ScoredAs()
    if how.colour != "luma":
        yield changed("PSNR of luma", psnr=replace(uses["psnr"], metric="psnr-luma", parameters=cap))
    for border, label in (("valid", "SSIM border left out"), ("replicate", "SSIM border copied")):
        if uses["ssim"].parameters["border"] != border:
            yield changed(label, ssim=replace(uses["ssim"], parameters={"border": border}))
    if "sharpness" in uses:
        yield changed("sharpness, printed", sharpness=replace(uses["sharpness"], metric="sharpness-printed"))
        yield changed("sharpness of luma", sharpness=replace(uses["sharpness"], metric="sharpness-luma"))
    yield "8-bit predictions", _derived(base, "8-bit predictions", scored_as=replace(how, rounding="nearest"))


def _derived(base: Protocol, label: str, **changes: Any) -> Protocol:
    name = f"{base.name}+{label.lower().replace(',', '').replace(' ', '-')}"
    return replace(base, name=name, summary=f"{base.name}, but: {label}", **changes)
