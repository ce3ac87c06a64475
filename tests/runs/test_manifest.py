"""A manifest is read once, into frozen objects: what is refused, what is written again, and what may be shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from runs import make_run

from vpbench.errors import VpbenchError
from vpbench.escape import plain
from vpbench.runs.environment import LAST_BITS, OF_PREDICTIONS, RESUMED_WITH
from vpbench.runs.harmless import harmless
from vpbench.runs.manifest import Environment, check_manifest, definition_of, manifest_data
from vpbench.runs.run import read_run
from vpbench.scoring.built_in import BUILT_IN
from vpbench.scoring.protocol import Protocol

COMMITTED = sorted((Path(__file__).parents[2] / "results" / "runs").glob("*/*/*/manifest.json"))
SAID = ("predictor", "description")
EVIL = "a\x1b[31mb\x1b]0;title\x07c\nd\u202ee\x00\u2028f"


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Any]:
    """The manifest of a run, with all that only some runs have."""
    manifest = json.loads((make_run(tmp_path / "run") / "manifest.json").read_text())
    manifest["predictor"] |= {
        "sha256": "f" * 64,
        "options": {"weights": "w"},
        "description": {
            "marks": ["m", "n"],
            "training_data": "t",
            "method": "x",
            "seed": 1,
            "test_clips_seen": "tuned",
            "deep": [{"a": "b"}],
        },
    }
    manifest["cost"] |= {"multiply_adds": 7, "frame_size": [240, 320]}
    manifest["environment"] |= {"commit": "c", "scipy": "1", "platform": "p", "torch": "2"}
    manifest["protocol"]["definition"]["metrics"]["psnr"]["parameters"] = {"border": "zero"}
    return manifest | {
        "samples": {"count": 2, "seed": 5, "scored": "best"},
        "submission": {
            "method": "m",
            "citation": "c",
            "training_data": "t",
            "test_clips_seen": False,
            "code_url": "https://example.org",
            "submitted": "2026-01-01",
        },
    }


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """All texts in JSON data, keys of tables left out, and where they are."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from texts(inner, (*path, number))


def put(data: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


def test_a_hostile_text_in_any_field_is_harmless_where_it_is_shown(data: dict[str, Any]) -> None:
    chosen = (("kind",), ("status",), ("samples", "scored"), (*SAID, "test_clips_seen"))
    places = [path for path, _ in texts(data) if path not in chosen]
    assert len(places) > 50
    for path in places:
        hostile = json.loads(json.dumps(data))
        put(hostile, path, EVIL)
        recorded = check_manifest(hostile, "x")
        shown = dict(texts(manifest_data(harmless(recorded))))
        assert {where: text for where, text in shown.items() if text == "abc de f"} == {path: "abc de f"}
        assert all(plain(text) == text for text in shown.values())
        assert EVIL in dict(texts(manifest_data(recorded))).values(), "what is compared is what the file has"


@pytest.mark.parametrize("table", ["options", "description"])
def test_hostile_keys_are_harmless_too(data: dict[str, Any], table: str) -> None:
    data["predictor"][table] = {EVIL: 1}
    assert getattr(harmless(check_manifest(data, "x")).predictor, table) == {"abc de f": 1}


def test_an_empty_text_is_no_name(data: dict[str, Any]) -> None:
    data["label"] = data["submission"]["training_data"] = ""
    shown = harmless(check_manifest(data, "x"))
    assert (shown.label, shown.submission and shown.submission.training_data) == ("(no name)", "")


def test_what_is_read_is_written_as_it_was(data: dict[str, Any]) -> None:
    data["submission"]["partial"] = False
    assert json.loads(json.dumps(manifest_data(check_manifest(data, "x")))) == data
    for key in ("samples", "submission"):
        del data[key]
    for key in ("sha256", "class", "distribution"):
        del data["predictor"][key]
    del data["environment"]["torch"]
    assert json.loads(json.dumps(manifest_data(check_manifest(data, "x")))) == data


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: "/".join(path.parts[-4:-1]))
def test_committed_manifests_hold_nothing_else(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    assert json.loads(json.dumps(manifest_data(check_manifest(data, f"{path}")))) == data


@pytest.mark.parametrize("protocol", BUILT_IN.values(), ids=list(BUILT_IN))
def test_a_definition_is_the_whole_of_a_protocol(protocol: Protocol) -> None:
    made = msgspec.to_builtins(definition_of(protocol))
    if made["scored_as"] is None:
        del made["scored_as"]
    assert json.dumps(made) == json.dumps(protocol.definition())


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("label", None, "'label' must be a text, not nothing"),
        ("status", "done", "'status' cannot be 'done'"),
        ("split", [], "'split' must be a table, not a list"),
        ("split.total", "3", "split: 'total' must be a whole number, not a text"),
        ("split.total", -1, "split: 'total' must be a whole number of at least 0"),
        ("split.total", 2**64, "split: 'total' must be a whole number of at most 9223372036854775807"),
        ("split.hash", ..., "split: 'hash' is missing"),
        ("protocol.version", True, "protocol: 'version' must be a whole number, not true or false"),
        (
            "protocol.definition.targets",
            2.0,
            "protocol, definition: 'targets' must be a whole number, not a number",
        ),
        (
            "protocol.definition.mask.max_motion",
            "x",
            "protocol, definition, mask: 'max_motion' cannot be 'x'",
        ),
        ("protocol.definition.mask.kind", 3, "protocol, definition, mask: 'kind' must be a text"),
        (
            "protocol.definition.metrics",
            {"clip": {"metric": "psnr", "masking": "none"}},
            "'clip' cannot be a column",
        ),
        (
            "protocol.definition.metrics",
            {EVIL.replace("\0", ""): {"metric": "psnr", "masking": "none"}},
            "'abc de f' cannot be a column",
        ),
        ("predictor.options", [], "predictor: 'options' must be a table, not a list"),
        ("predictor.description", {"marks": "m"}, "predictor: 'marks' must be a list of texts"),
        (
            "predictor.description",
            {"test_clips_seen": "perhaps"},
            "predictor: 'test_clips_seen' must be no, tuned or yes",
        ),
        ("predictor.description", {"test_clips_seen": ["no"]}, "must be no, tuned or yes"),
        ("submission.test_clips_seen", "perhaps", "submission: 'test_clips_seen' cannot be 'perhaps'"),
        ("submission.test_clips_seen", 1, "submission: 'test_clips_seen' must be"),
        ("predictor.description", {"marks": ["m"] * 21}, "predictor: 'marks' are 21; at most 20 may be"),
        ("prepared.clips", {"one": "x"}, "prepared: 'clips' has a key of the wrong form"),
        ("prepared.clips", {"01": "x"}, "prepared: 'clips' has a key of the wrong form"),
        ("prepared.clips", {"1": 7}, "prepared, clips: '1' must be a text, not a whole number"),
        ("predictor.options", {EVIL: 1}, r"predictor: 'options' has a key that holds U\+0000"),
        ("predictor.name", "a\ud800", r"predictor: 'name' holds U\+D800, which no text has"),
        ("predictor.name", "a" * 20_001, "predictor: 'name' has 20001 characters; at most 20000 may be"),
        ("split.total", 10**30, "split: 'total' must be a number of at most 2⁶⁴"),
        ("cost.ms_per_frame", float("nan"), "cost: 'ms_per_frame' must be"),
        ("cost.parameters", 1.5, "cost: 'parameters' must be a whole number or nothing, not a number"),
        ("samples.scored", "worst", r"'samples' must have count, seed and scored \(best or mean\)"),
        ("submission.citation", ..., "submission: 'citation' is missing"),
        ("environment.vpbench", ..., "environment: 'vpbench' is missing"),
    ],
)
def test_a_wrong_field_is_named(
    data: dict[str, Any], tmp_path: Path, path: str, value: Any, message: str
) -> None:
    *parents, last = path.split(".")
    table = data
    for key in parents:
        table = table[key]
    if value is ...:
        del table[last]
    else:
        table[last] = value
    file = tmp_path / "run" / "manifest.json"
    file.write_text(json.dumps(data))
    with pytest.raises(VpbenchError, match=f"{file} is damaged: .*{message}"):
        read_run(file.parent)


@pytest.mark.parametrize("depth", [100, 400, 900, 990, 100_000])
def test_nesting_is_no_trap(tmp_path: Path, depth: int) -> None:
    file = make_run(tmp_path / "run") / "manifest.json"
    text = file.read_text().replace(
        '"description": {}', f'"description": {{"x": {"[" * depth}{"]" * depth}}}'
    )
    file.write_text(text)
    with pytest.raises(VpbenchError, match=r"manifest\.json is damaged: .*nest|recursion"):
        read_run(file.parent)


def test_the_last_bits_depend_on_what_a_manifest_records() -> None:
    assert {*LAST_BITS} == {*Environment.__struct_fields__} - {"commit"}
    assert {*RESUMED_WITH, *OF_PREDICTIONS} <= {*LAST_BITS}
