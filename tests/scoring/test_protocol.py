"""Protocols: what the built-in ones fix, those of one's own, and when the identity changes."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from folders import SMALL_PROTOCOL

from vpbench.cli import list as listing
from vpbench.errors import UsageError
from vpbench.scoring.built_in import BUILT_IN, find_built_in, get_protocol, with_flow
from vpbench.scoring.metrics import get_metric
from vpbench.scoring.protocol import Exclusion, MaskRule, MetricUse, Protocol, ScoredAs


def load(tmp_path: Path, text: str) -> Protocol:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return get_protocol(str(path))


def test_mathieu2016_is_section_4():
    protocol = get_protocol("mathieu2016")
    assert (protocol.inputs, protocol.targets, protocol.first_frame, protocol.size) == (4, 2, 0, None)
    assert protocol.flow == "dis"
    assert protocol.mask == MaskRule("colour", max_motion=1.0)
    assert {c: (u.metric, u.masking, u.parameters) for c, u in protocol.metrics.items()} == {
        "psnr": ("psnr-mathieu2016", "black", {}),
        "ssim": ("ssim", "black", {"border": "zero-full"}),
        "sharpness": ("sharpness-mathieu2016", "black", {}),
    }
    assert protocol.exclude == Exclusion("psnr", 50.0)
    assert not protocol.skip_empty


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("mathieu2016-framemax", {"mask": MaskRule("colour", max_motion="frame"), "frames": 6}),
        ("mathieu2016-archive", {"mask": MaskRule("archive"), "frames": 6}),
        ("full-frame", {"mask": MaskRule("none"), "frames": 6, "exclude": None}),
        ("moving-pixels", {"mask": MaskRule("colour", max_motion=1.0), "skip_empty": True}),
        ("dvf2017-like", {"inputs": 2, "targets": 1, "first_frame": 2, "size": (256, 256), "frames": 5}),
        (
            "dvf2017-like",
            {"exclude": Exclusion("psnr", 110.0), "scored_as": ScoredAs("nearest"), "skip_empty": True},
        ),
        (
            "dyan2018-like",
            {
                **{
                    "inputs": 4,
                    "targets": 1,
                    "first_frame": 0,
                    "size": None,
                    "exclude": Exclusion("psnr", 50.0),
                },
                **{"metrics": BUILT_IN["mathieu2016"].metrics, "scored_as": ScoredAs("down", (256, 256))},
            },
        ),
        (
            "mcnet2017-like",
            {"inputs": 4, "targets": 7, "mask": MaskRule("none"), "exclude": None, "frames": 11},
        ),
        ("mcnet2017-like", {"scored_as": ScoredAs("down")}),
        ("figure5-grey", {"inputs": 4, "targets": 2, "scored_as": ScoredAs(colour="luma"), "frames": 6}),
        ("ucf101-8to8", {"inputs": 8, "targets": 8, "frames": 16}),
    ],
)
def test_the_other_built_in_protocols(name: str, facts: dict[str, Any]):
    protocol = get_protocol(name)
    assert {key: getattr(protocol, key) for key in facts} == facts


def test_every_built_in_metric_and_parameter_exists():
    import inspect

    for protocol in BUILT_IN.values():
        for use in protocol.metrics.values():
            assert set(use.parameters) <= set(inspect.signature(get_metric(use.metric).function).parameters)


def test_printed_definitions_are_complete(tmp_path: Path):
    """`vpbench list protocols` prints TOML that, under another name, defines the same protocol."""
    printed = listing.protocols()
    for part in printed.split("\n\n"):
        name = tomllib.loads(part)["name"]
        builtin = BUILT_IN[name]
        assert f"# {name}, version {builtin.version}, hash {builtin.hash}" in part
        assert builtin.summary in part
        mine = load(tmp_path, part.replace(f'name = "{name}"', 'name = "mine"', 1))
        assert mine.hash == dataclasses.replace(builtin, name="mine").hash
    assert [tomllib.loads(part)["name"] for part in printed.split("\n\n")] == list(BUILT_IN)


def test_a_protocol_of_ones_own(tmp_path: Path):
    protocol = load(tmp_path, SMALL_PROTOCOL)
    assert protocol.name == "small"
    assert (protocol.inputs, protocol.targets, protocol.version) == (2, 1, 1)
    assert protocol.mask == MaskRule("colour", 1.0)
    sized = load(tmp_path, "size = [64, 48]\n" + SMALL_PROTOCOL)
    assert sized.size == (64, 48)


def test_extending_a_built_in_protocol(tmp_path: Path):
    mine = load(tmp_path, 'extends = "mathieu2016"\nname = "mine"\nflow = "tvl1"\n')
    base = get_protocol("mathieu2016")
    assert mine == dataclasses.replace(base, name="mine", flow="tvl1")
    none = load(tmp_path, 'extends = "mathieu2016"\nname = "mine"\nexclude = {}\n[mask]\nkind = "none"\n')
    assert none.exclude is None
    assert none.mask == MaskRule("none")
    grey = load(tmp_path, 'extends = "figure5-grey"\nname = "mine"\nscored_as = { rounding = "down" }\n')
    assert grey.scored_as == ScoredAs("down")
    plain = load(tmp_path, 'extends = "figure5-grey"\nname = "mine"\nscored_as = {}\n')
    assert plain.scored_as is None
    assert "scored_as" not in plain.definition()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = [", "is not TOML"),
        (
            'name = "mathieu2016"\n' + SMALL_PROTOCOL.replace('name = "small"', ""),
            "is the name of a built-in",
        ),
        ('extends = "mathieu2016"\n', "needs a name of its own"),
        ('extends = "mathieu"\nname = "mine"\n', "Did you mean mathieu2016"),
        ('extends = "mine.toml"\nname = "mine"\n', "Unknown built-in protocol 'mine.toml'"),
        ('name = "mine"\n', "'metrics' is missing"),
        (SMALL_PROTOCOL.replace("inputs", "input"), "it has no key 'input'. Did you mean inputs?"),
        ("metrics = 3\nname = 'a'\n", "'metrics' must be a table, not a whole number"),
        (SMALL_PROTOCOL + "weight = 3\n", "metrics: 'psnr' has no key 'weight'"),
        (
            SMALL_PROTOCOL.replace("max_motion", "maximum"),
            "'mask' has no key 'maximum'. Known: kind, max_motion, tau.",
        ),
        (SMALL_PROTOCOL.replace("inputs = 2", "inputs = 0"), "'inputs' must be a whole number of at least 1"),
        (SMALL_PROTOCOL.replace("inputs = 2", "inputs = 2.0"), "'inputs' must be a whole number"),
        (SMALL_PROTOCOL.replace("targets = 1", "targets = true"), "'targets' must be a whole number"),
        (SMALL_PROTOCOL.replace("targets = 1", "first_frame = -1"), "'first_frame' must be a whole number"),
        (SMALL_PROTOCOL.replace("targets = 1", 'skip_empty = "no"'), "'skip_empty' must be true or false"),
        (
            SMALL_PROTOCOL.replace("targets = 1", "size = [8, 64]"),
            "size: entry 1 must be a whole number of at least 16",
        ),
        (SMALL_PROTOCOL.replace("targets = 1", "size = [64]"), "'size' must be a list of 2, not 1"),
        (
            SMALL_PROTOCOL.replace("targets = 1", 'size = ["a", "b"]'),
            "size: entry 1 must be a whole number, not a text",
        ),
        (SMALL_PROTOCOL.replace('"small"', '"../../up"'), "the name becomes a folder's"),
        (SMALL_PROTOCOL.replace('"small"', "5"), "'name' must be a text, not a whole number"),
        (SMALL_PROTOCOL.replace("max_motion = 1.0", "max_motion = 0"), "max_motion must be above 0"),
        (
            SMALL_PROTOCOL.replace("max_motion = 1.0", "max_motion = nan"),
            "mask: 'max_motion' must be a finite number",
        ),
        (
            SMALL_PROTOCOL.replace("max_motion = 1.0", 'max_motion = "max"'),
            "mask: 'max_motion' cannot be 'max'. Known: a number, frame.",
        ),
        (
            SMALL_PROTOCOL.replace("max_motion = 1.0", ""),
            "Mask rule of the kind 'colour': it needs max_motion.",
        ),
        (
            SMALL_PROTOCOL.replace("max_motion = 1.0", "max_motion = 1\ntau = 1"),
            "tau needs the kind 'magnitude'; 'kind' is 'colour'.",
        ),
        (
            SMALL_PROTOCOL.replace('kind = "colour"', ""),
            "max_motion needs the kind 'colour' or 'as-printed'; 'kind' is 'none', as it is where no kind is given.",
        ),
        (SMALL_PROTOCOL.replace('"colour"', '"color"'), "'color'. Did you mean colour?"),
        (SMALL_PROTOCOL.replace('"black"', '"blak"'), "'blak'. Did you mean black?"),
        (
            SMALL_PROTOCOL.replace("metrics.psnr", 'metrics."a\\nb"'),
            r"'a\nb' cannot be a metric's column name",
        ),
        (SMALL_PROTOCOL.replace('"dis"', '"dus"'), "Unknown flow 'dus'. Did you mean dis"),
        (SMALL_PROTOCOL.replace("metrics.psnr", "metrics.clip"), "'clip' cannot be a metric's column name"),
        (SMALL_PROTOCOL + '[exclude]\ncolumn = "ssim"\nat_least = 1\n', "'ssim', which is no metric"),
        (
            SMALL_PROTOCOL + '[scored_as]\nround = "down"\n',
            "'scored_as' has no key 'round'. Did you mean rounding",
        ),
        (
            SMALL_PROTOCOL + '[scored_as]\nrounding = "up"\n',
            "'rounding' cannot be 'up'. Known: down, nearest",
        ),
        (SMALL_PROTOCOL + '[scored_as]\ncolour = "gray"\n', "'colour' cannot be 'gray'"),
        (SMALL_PROTOCOL + "[scored_as]\nsize = [256]\n", "'size' must be a list of 2, not 1"),
        (SMALL_PROTOCOL + "[scored_as]\nsize = [256, 8]\n", "entry 2 must be a whole number of at least 16"),
        (
            SMALL_PROTOCOL + '[exclude]\ncolumn = "psnr"\nat_least = "50"\n',
            "exclude: 'at_least' must be a number, not a text",
        ),
    ],
)
def test_wrong_files_are_refused_by_name(tmp_path: Path, text: str, message: str):
    with pytest.raises(UsageError) as info:
        load(tmp_path, text)
    assert "mine.toml" in str(info.value)
    assert message in str(info.value)


def test_missing_and_unknown_protocols(cli, tmp_path: Path):
    with pytest.raises(UsageError, match=r"gone\.toml: No such file"):
        get_protocol(str(tmp_path / "gone.toml"))
    result = cli("run", "--model", "last_frame", "--protocol", "mathieu")
    assert result.exit_code == 2
    assert "Unknown protocol 'mathieu'. Did you mean mathieu2016" in result.stderr


def test_unknown_metrics_and_parameters_are_refused_before_anything_is_written(
    cli, tmp_path: Path, videos: Path
):
    (tmp_path / "mine.toml").write_text(SMALL_PROTOCOL.replace("psnr-mathieu2016", "psnr-mathieu"))
    common = (
        "run",
        "--model",
        "last_frame",
        "--split",
        videos,
        "--protocol",
        tmp_path / "mine.toml",
        "--workers",
        1,
    )
    result = cli(*common, "--out", tmp_path / "runs")
    assert result.exit_code == 2
    assert "Unknown metric 'psnr-mathieu'. Did you mean" in result.stderr
    (tmp_path / "mine.toml").write_text(SMALL_PROTOCOL + "[metrics.psnr.parameters]\nkap = 5\n")
    result = cli(*common, "--out", tmp_path / "runs")
    assert result.exit_code == 2
    assert "metric 'psnr-mathieu2016' has no parameter 'kap'" in result.stderr
    assert not (tmp_path / "runs").exists()


# Identity


def test_the_summary_is_no_part_of_the_identity():
    protocol = get_protocol("mathieu2016")
    assert dataclasses.replace(protocol, summary="another").hash == protocol.hash
    assert "summary" not in protocol.definition()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"version": 2},
        {"inputs": 3},
        {"targets": 1},
        {"first_frame": 1},
        {"size": (240, 320)},
        {"flow": "tvl1"},
        {"mask": MaskRule("colour", 2.0)},
        {"mask": MaskRule("colour", "frame")},
        {"mask": MaskRule("magnitude", tau=1.0)},
        {"exclude": None},
        {"exclude": Exclusion("psnr", 51.0)},
        {"skip_empty": True},
        {"scored_as": ScoredAs(rounding="down")},
        {"scored_as": ScoredAs(rounding="nearest")},
        {"scored_as": ScoredAs(size=(240, 320))},
        {"scored_as": ScoredAs(colour="luma")},
        {"metrics": {**BUILT_IN["mathieu2016"].metrics, "psnr": MetricUse("psnr", "black")}},
        {
            "metrics": {
                **BUILT_IN["mathieu2016"].metrics,
                "ssim": MetricUse("ssim", "black", {"border": "valid"}),
            }
        },
    ],
)
def test_every_field_is_part_of_the_identity(change: dict[str, Any]):
    protocol = get_protocol("mathieu2016")
    changed = dataclasses.replace(protocol, **change)
    assert changed.hash != protocol.hash
    assert (
        dataclasses.replace(changed, **{key: getattr(protocol, key) for key in change}).hash == protocol.hash
    )


def test_every_field_was_changed_above():
    fields = {field.name for field in dataclasses.fields(Protocol)} - {"summary"}
    assert fields == set(get_protocol("figure5-grey").definition())


def test_nothing_done_to_frames_is_no_part_of_a_definition():
    """Runs from before `scored_as` keep their hash."""
    protocol = get_protocol("mathieu2016")
    assert "scored_as" not in protocol.definition()
    assert dataclasses.replace(protocol, scored_as=ScoredAs()).definition() == protocol.definition()


def test_the_same_numbers_written_otherwise_are_the_same_protocol(tmp_path: Path):
    one = load(tmp_path, SMALL_PROTOCOL)
    other = load(tmp_path, SMALL_PROTOCOL.replace("max_motion = 1.0", "max_motion = 1"))
    assert one.hash == other.hash
    capped = SMALL_PROTOCOL.replace("psnr-mathieu2016", "psnr") + "[metrics.psnr.parameters]\ncap = {}\n"
    assert load(tmp_path, capped.format("100")).hash == load(tmp_path, capped.format("100.0")).hash
    assert load(tmp_path, capped.format("100")).hash != load(tmp_path, capped.format("99.5")).hash


def test_another_flow_makes_another_protocol_with_a_name_that_says_so():
    protocol = get_protocol("mathieu2016")
    other = get_protocol("mathieu2016+flow-files")
    assert other == with_flow(protocol, "files")
    assert other.hash != protocol.hash
    definition = protocol.definition()
    assert other.definition() == {**definition, "name": "mathieu2016+flow-files", "flow": "files"}
    assert with_flow(protocol, "dis") is protocol
    for name in (
        "mathieu2016+flow-dis",
        "mathieu2016+flow-raft",
        "full-frame+flow-files",
        "other+flow-files",
    ):
        assert find_built_in(name) is None
        with pytest.raises(UsageError, match="Unknown protocol"):
            get_protocol(name)


def test_a_protocol_of_ones_own_cannot_take_such_a_name(tmp_path: Path):
    with pytest.raises(UsageError, match="is the name of a built-in protocol"):
        load(tmp_path, SMALL_PROTOCOL.replace('"small"', '"mathieu2016+flow-farneback"'))


def test_definitions_survive_json():
    for protocol in BUILT_IN.values():
        assert json.loads(json.dumps(protocol.definition())) == protocol.definition()


def test_the_versions_and_hashes_stand():
    """Whoever changes a built-in protocol raises its version: stored runs name these."""
    assert {name: (protocol.version, protocol.hash) for name, protocol in BUILT_IN.items()} == HASHES


HASHES = {
    "mathieu2016": (1, "f8dbbf635245656e"),
    "mathieu2016-framemax": (1, "8f9b5f5f45b510ad"),
    "mathieu2016-archive": (1, "a1b89cdae00e1dae"),
    "full-frame": (1, "ab2206c922e06e21"),
    "moving-pixels": (1, "7f21c4817b14395c"),
    "dvf2017-like": (2, "581bae1dae092db3"),
    "dyan2018-like": (1, "0e729913244d24d5"),
    "mcnet2017-like": (1, "4b136ad77663e582"),
    "figure5-grey": (1, "ebf4e0234d96c4a4"),
    "ucf101-8to8": (1, "627c3a88cae39a99"),
    "moving-mnist-10to10": (1, "f2033aab24713835"),
    "kth-10to20": (1, "f0af82aad2ed036c"),
    "cityscapes-dmvfn": (1, "df20506e4f7deeda"),
    "kitti-dmvfn": (1, "2d8e1a0691f88173"),
    "davis-dmvfn": (1, "0eb47fe1c6785087"),
    "vimeo-2to1": (1, "5d3ad8e9ee93f405"),
}
