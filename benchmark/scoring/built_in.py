"""The built-in protocols, and those of TOML files and manifests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from vpbench.errors import UsageError, unknown_name
from vpbench.reading import read_toml
from vpbench.records import to_record
from vpbench.scoring.protocol import NO_FLOW, Exclusion, MaskRule, MetricUse, Protocol, ScoredAs
from vpbench.video.flow_source import FLOW_NAMES


def from_definition(definition: dict[str, Any], where: str) -> Protocol:
    """The protocol of a definition (:meth:`Protocol.definition`), as a run's manifest has it.

    Raises:
        UsageError: it is not the definition of a protocol; the message begins with ``where``, and names the field.
    """
    return to_record({"summary": "", **definition}, Protocol, where, error=UsageError)


def load_protocol(path: Path) -> Protocol:
    """Read a protocol from a TOML file.

    Raises:
        UsageError: the file is missing, is not TOML, or a field is missing, unknown or out of range; its metrics are
            not installed or do not take their parameters; or its name is that of a built-in protocol.
    """
    from vpbench.scoring.score import check_metrics

    where = f"Protocol file {path}"
    table = read_toml(path, where)
    if "extends" in table:
        table = _extended(table, where)
    if table.get("exclude") == {}:
        table["exclude"] = None
    protocol = to_record(
        {"summary": "", "version": 1, **table}, Protocol, where, error=UsageError, remedy=_REMEDY
    )
    if find_built_in(protocol.name) is not None:
        raise UsageError(f"{where}: '{protocol.name}' is the name of a built-in protocol; choose another.")
    try:
        if protocol.flow not in (*FLOW_NAMES, NO_FLOW):
            raise unknown_name("flow", protocol.flow, [*FLOW_NAMES, NO_FLOW])
        check_metrics(protocol)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    return protocol


def _extended(table: dict[str, Any], where: str) -> dict[str, Any]:
    """The definition of the built-in protocol that a table extends, changed as the table says."""
    name = str(table["extends"])
    if name not in BUILT_IN:
        raise UsageError(f"{where}, extends: {unknown_name('built-in protocol', name, list(BUILT_IN))}")
    base = BUILT_IN[name]
    if table.get("name", base.name) == base.name:
        raise UsageError(f"{where}: a protocol that extends another needs a name of its own.")
    changes = {key: value for key, value in table.items() if key != "extends"}
    return {**base.definition(), "summary": base.summary, "version": 1, **changes}


def get_protocol(name: str) -> Protocol:
    """Return the built-in protocol ``name``, or read ``name`` as a TOML file if it ends in ``.toml``.

    Raises:
        UsageError: neither exists.
    """
    if name.endswith(".toml"):
        return load_protocol(Path(name))
    protocol = find_built_in(name)
    if protocol is None:
        raise unknown_name("protocol", name, list(BUILT_IN))
    return protocol


def find_built_in(name: str) -> Protocol | None:
    """The protocol of vpbench's that a name means, if any: a built-in one, or one :func:`with_flow` or with LPIPS."""
    if name.endswith(_WITH_LPIPS):
        plain = BUILT_IN.get(name.removesuffix(_WITH_LPIPS))
        return with_lpips(plain) if plain is not None and plain.mask.kind == "none" else None
    base, derived, flow = name.partition(_WITH_FLOW)
    protocol = BUILT_IN.get(base)
    if protocol is None or not derived:
        return protocol
    other = flow in FLOW_NAMES and flow != protocol.flow and protocol.mask.needs_vectors
    return with_flow(protocol, flow) if other else None


def with_flow(protocol: Protocol, flow: str) -> Protocol:
    """The protocol with moving areas from another flow, under a name that says so.

    Args:
        protocol: the protocol.
        flow: name of an estimator, or ``files`` for the user's own flows.

    Returns:
        The protocol itself if that is its flow, else ``NAME+flow-FLOW``, for example ``mathieu2016+flow-farneback``.
    """
    if flow == protocol.flow:
        return protocol
    name = f"{protocol.name}{_WITH_FLOW}{flow}"
    return replace(protocol, name=name, flow=flow, summary=f"{protocol.name}, but: flow '{flow}'")


def with_lpips(protocol: Protocol) -> Protocol:
    """The protocol with a column of LPIPS (AlexNet) for those who have its weights, under a name that says so.

    Args:
        protocol: one without moving areas.

    Returns:
        ``NAME+lpips``, for example ``kth-10to20+lpips``.
    """
    use = MetricUse("lpips", "none", {"net": "alex", "sha256": LPIPS_ALEXNET})
    return replace(
        protocol,
        name=protocol.name + _WITH_LPIPS,
        summary=f"{protocol.name}, and LPIPS by AlexNet",
        metrics={**protocol.metrics, "lpips": use},
    )


_REMEDY = "`vpbench list protocols` prints the built-in ones in this form."
_WITH_FLOW = "+flow-"
_WITH_LPIPS = "+lpips"
LPIPS_ALEXNET = (
    "7be5be79"  # of alexnet-owt-7be5be79.pth: torchvision names files by the first digits of their SHA-256
)
_RELEASED_SCRIPT = {
    "psnr": MetricUse("psnr-mathieu2016", "black"),
    "ssim": MetricUse("ssim", "black", {"border": "zero-full"}),
    "sharpness": MetricUse("sharpness-mathieu2016", "black"),
}


_NOT_AT_50_DB = Exclusion("psnr", 50.0)


# A standard PSNR is infinite for identical frames; means need a finite number, so it is capped here.
_STANDARD_PSNR = {"cap": 100.0}

# Of 8-bit frames of 256×256 pixels that differ at all, the PSNR is at most 10·log10(255²·3·256²) = 101.1 dB: this cap
# is what identical frames have, and only they.
_INFINITE_PSNR = 110.0


# What papers on a data set print, on whole frames: the standard PSNR, and SSIM as Wang et al. define it, on luma.
_WHOLE_FRAMES = {
    "psnr": MetricUse("psnr", "none", _STANDARD_PSNR),
    "ssim": MetricUse("ssim", "none", {"border": "valid"}),
}
# The same with SSIM and MS-SSIM as DMVFN's script takes them, channel by channel.
_DMVFN = {
    **_WHOLE_FRAMES,
    "ssim-rgb": MetricUse("ssim-rgb", "none", {"border": "valid"}),
    "ms-ssim": MetricUse("ms-ssim-rgb", "none"),
}


MATHIEU2016 = Protocol(
    name="mathieu2016",
    version=1,
    summary="the paper's Table 2 as its released script scores it; moving areas by a flow above 0.8 px",
    metrics=_RELEASED_SCRIPT,
    mask=MaskRule("colour", max_motion=1.0),
    exclude=_NOT_AT_50_DB,
)


BUILT_IN: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        MATHIEU2016,
        Protocol(
            name="mathieu2016-framemax",
            version=1,
            summary="mathieu2016 with each frame's flow colours normalised by its own largest motion",
            metrics=_RELEASED_SCRIPT,
            mask=MaskRule("colour", max_motion="frame"),
            exclude=_NOT_AT_50_DB,
        ),
        Protocol(
            name="mathieu2016-archive",
            version=1,
            summary="mathieu2016 with the moving areas taken from the flow images that came with the clips",
            metrics=_RELEASED_SCRIPT,
            mask=MaskRule("archive"),
            exclude=_NOT_AT_50_DB,
        ),
        Protocol(
            name="full-frame",
            version=1,
            summary="whole frames; standard PSNR (peak 255, capped at 100 dB) and Wang's SSIM",
            metrics={
                "psnr": MetricUse("psnr", "none", _STANDARD_PSNR),
                "ssim": MetricUse("ssim", "none", {"border": "valid"}),
                "sharpness": MetricUse("sharpness-mathieu2016", "none"),
            },
        ),
        Protocol(
            name="moving-pixels",
            version=1,
            summary="error and SSIM map averaged inside the moving area only (flow above 0.8 px)",
            metrics={
                "psnr": MetricUse("psnr", "inside", _STANDARD_PSNR),
                "ssim": MetricUse("ssim", "inside", {"border": "valid"}),
                "sharpness": MetricUse("sharpness-mathieu2016", "inside"),
            },
            mask=MaskRule("colour", max_motion=1.0),
            skip_empty=True,
        ),
        Protocol(
            name="dvf2017-like",
            version=2,
            summary="Deep Voxel Flow's extrapolation: frames 2 and 3 in, frame 4 out, 256×256, our masks",
            metrics={
                "psnr": MetricUse("psnr", "inside", {"cap": _INFINITE_PSNR}),
                "ssim": MetricUse("ssim", "black", {"border": "replicate"}),
            },
            inputs=2,
            targets=1,
            first_frame=2,
            size=(256, 256),
            mask=MaskRule("colour", max_motion=1.0),
            exclude=Exclusion("psnr", _INFINITE_PSNR),
            skip_empty=True,
            scored_as=ScoredAs(rounding="nearest"),
        ),
        Protocol(
            name="dyan2018-like",
            version=1,
            summary="DYAN's test: frames 0–3 in, frame 4 out, scaled to 256×256, mathieu2016's measures, our masks",
            metrics=_RELEASED_SCRIPT,
            targets=1,
            mask=MaskRule("colour", max_motion=1.0),
            exclude=_NOT_AT_50_DB,
            scored_as=ScoredAs(rounding="down", size=(256, 256)),
        ),
        Protocol(
            name="mcnet2017-like",
            version=1,
            summary="MCnet's test: frames 0–3 in, 4–10 out, whole 8-bit frames, standard PSNR and SSIM at each step",
            metrics={
                "psnr": MetricUse("psnr", "none", _STANDARD_PSNR),
                "ssim": MetricUse("ssim", "none", {"border": "symmetric"}),
            },
            targets=7,
            scored_as=ScoredAs(rounding="down"),
        ),
        Protocol(
            name="figure5-grey",
            version=1,
            summary="mathieu2016's PSNR and SSIM on luma: the paper's Figure 5, which compares with grey predictions",
            metrics={column: _RELEASED_SCRIPT[column] for column in ("psnr", "ssim")},
            mask=MaskRule("colour", max_motion=1.0),
            exclude=_NOT_AT_50_DB,
            scored_as=ScoredAs(colour="luma"),
        ),
        Protocol(
            name="ucf101-8to8",
            version=1,
            summary="the paper's second configuration: frames 0–7 in, 8–15 out, scored as mathieu2016",
            metrics=_RELEASED_SCRIPT,
            inputs=8,
            targets=8,
            mask=MaskRule("colour", max_motion=1.0),
            exclude=_NOT_AT_50_DB,
        ),
        # Of data sets, each with its split of the same name: docs/howto/datasets.md has the evidence.
        Protocol(
            name="moving-mnist-10to10",
            version=1,
            summary="Moving MNIST's published test sequences: frames 0–9 in, 10–19 out, grey, 64×64",
            metrics=_WHOLE_FRAMES,
            inputs=10,
            targets=10,
            flow=NO_FLOW,
            scored_as=ScoredAs(colour="luma"),
        ),
        Protocol(
            name="kth-10to20",
            version=1,
            summary="KTH actions: ten frames in, twenty out, grey, scaled to 128×128",
            metrics=_WHOLE_FRAMES,
            inputs=10,
            targets=20,
            size=(128, 128),
            flow=NO_FLOW,
            scored_as=ScoredAs(colour="luma"),
        ),
        Protocol(
            name="cityscapes-dmvfn",
            version=1,
            summary="DMVFN's test on Cityscapes: frames 2 and 3 in, 4–8 out, scaled to 512×1024",
            metrics=_DMVFN,
            inputs=2,
            targets=5,
            first_frame=2,
            size=(512, 1024),
            flow=NO_FLOW,
        ),
        Protocol(
            name="kitti-dmvfn",
            version=1,
            summary="DMVFN's test on KITTI: frames 2 and 3 of a window in, 4–8 out, scaled to 256×832",
            metrics=_DMVFN,
            inputs=2,
            targets=5,
            first_frame=2,
            size=(256, 832),
            flow=NO_FLOW,
        ),
        Protocol(
            name="davis-dmvfn",
            version=1,
            summary="DMVFN's test on DAVIS: frames 2 and 3 in, 4–8 out, as large as they are",
            metrics=_DMVFN,
            inputs=2,
            targets=5,
            first_frame=2,
            flow=NO_FLOW,
        ),
        Protocol(
            name="vimeo-2to1",
            version=1,
            summary="triplets of Vimeo-90K: two frames in, one out, as large as they are",
            metrics=_DMVFN,
            inputs=2,
            targets=1,
            flow=NO_FLOW,
        ),
    )
}
