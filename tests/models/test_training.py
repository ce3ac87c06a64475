"""The trainer: what it leaves behind, and that it resumes bit for bit."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from footage import write_footage
from trainings import ADVERSARIAL, PLAIN, RECIPE, TINY, options, same

import vpbench
from vpbench.errors import UsageError
from vpbench.models.networks.build import make_generator
from vpbench.models.recipes.files import load_recipe
from vpbench.models.recipes.recipe import Network
from vpbench.models.training.command import train as command
from vpbench.models.training.settings import Settings
from vpbench.models.training.trainer import CHECKPOINT, WEIGHTS, train
from vpbench.models.weights.checkpoint import load_checkpoint
from vpbench.models.weights.registry import find_shipped

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric")]


def test_what_a_training_leaves(settings: Settings) -> None:
    lines: list[str] = []
    weights = train(RECIPE, replace(settings, report=lines.append))
    assert weights == settings.out / WEIGHTS
    loaded = load_checkpoint(weights)
    assert (loaded.step, loaded.recipe) == (10, RECIPE)
    assert {name.split(".")[0] for name in loaded.tensors} == {"g"}
    assert loaded.info.training_data == "UCF101 groups 8–21, 3 videos"
    assert loaded.info.contaminated is False
    assert loaded.info.validation["clips"] == 2
    with (settings.out / "training.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["2", "4", "6", "8", "10"]
    assert rows[0]["loss_d"] == ""
    assert float(rows[-1]["loss_d"]) > 0
    assert 0 < float(rows[-1]["active"]) <= 1
    with (settings.out / "validation.csv").open(newline="") as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["6", "10"]
    assert list((settings.out / "tensorboard").iterdir())
    assert (settings.out / "samples" / "0000010.png").stat().st_size > 1000
    assert any("left 0:0" in line and "steps/s" in line and "active" in line for line in lines)


def test_twenty_steps_of_todays_recipe_are_the_same_twice_and_interrupted(settings: Settings) -> None:
    """Steps, averaged weights, Adam's moments and the log, bit for bit."""
    trunk = load_recipe("compact/trunk")
    network = replace(trunk.network, widths=(1 / 16, 1 / 16, 1 / 32, 1 / 32))
    first, second = (replace(phase, movement=0.0) for phase in trunk.phases)
    phases = (replace(first, steps=8, batch=2, warmup=4), replace(second, steps=12, batch=1))
    recipe = replace(trunk, network=network, data=replace(trunk.data, length=8), phases=phases)
    logs = []
    for name, stops in (("once", [20]), ("twice", [20]), ("interrupted", [5, 13, 20])):
        place = replace(settings, out=settings.out.parent / name)
        for stop in stops:
            train(recipe, replace(place, steps=stop, resume=stop != stops[0], validate_every=0))
        same(settings.out.parent / "once" / CHECKPOINT, place.out / CHECKPOINT)
        with (place.out / "training.csv").open(newline="") as stream:
            logs.append([(row["step"], row["error"]) for row in csv.DictReader(stream)])
    # A log interval that an interruption cut is averaged over what was left of it.
    assert logs[0] == logs[1]
    assert [step for step, _ in logs[2]] == [step for step, _ in logs[0]]


def test_averaged_weights_by_hand(settings: Settings) -> None:
    recipe = replace(RECIPE, average=0.5, phases=(PLAIN,))
    mean: dict[str, torch.Tensor] = {}
    for step in range(1, 5):
        train(recipe, replace(settings, steps=step, resume=step > 1))
        loaded = load_checkpoint(settings.out / CHECKPOINT)
        decay = min(0.5, step / (9 + step))
        if step == 1:
            torch.manual_seed(recipe.seed)
            mean = dict(make_generator(recipe.network).state_dict())
        mean = {name: decay * mean[name] + (1 - decay) * now for name, now in loaded.part("g").items()}
        for name, tensor in loaded.part("average").items():
            torch.testing.assert_close(tensor, mean[name], rtol=1e-5, atol=1e-7)
    shipped = load_checkpoint(settings.out / WEIGHTS).part("g")
    assert all(torch.equal(shipped[name], tensor) for name, tensor in loaded.part("average").items())
    assert not all(torch.equal(shipped[name], tensor) for name, tensor in loaded.part("g").items())


def test_adams_moments_are_kept_from_phase_to_phase(settings: Settings) -> None:
    """Two phases that differ in nothing are one phase."""
    halves = replace(PLAIN, steps=3, rate=(1e-3, 1e-3))
    train(replace(RECIPE, phases=(replace(halves, steps=6),)), settings)
    parts = replace(settings, out=settings.out.parent / "parts")
    train(replace(RECIPE, phases=(halves, halves)), parts)
    same(settings.out / CHECKPOINT, parts.out / CHECKPOINT)


def test_d_begins_on_a_frozen_g(settings: Settings) -> None:
    frozen = replace(ADVERSARIAL, steps=4, frozen_g=True)
    recipe = replace(RECIPE, network=replace(TINY, width_d=1 / 16), phases=(PLAIN, frozen, ADVERSARIAL))
    train(recipe, replace(settings, steps=6))
    before = load_checkpoint(settings.out / CHECKPOINT)
    train(recipe, replace(settings, steps=10, resume=True))
    after = load_checkpoint(settings.out / CHECKPOINT)
    assert not before.part("d")
    assert after.part("d")["judges.0.convolutions.0.weight"].shape[0] == 4
    for name, tensor in before.part("g").items():
        assert torch.equal(tensor, after.part("g")[name])
    train(recipe, replace(settings, resume=True))
    with (settings.out / "training.csv").open(newline="") as stream:
        rows = {int(row["step"]): row for row in csv.DictReader(stream)}
    assert rows[8]["loss_g"] == ""
    assert rows[12]["loss_g"] != ""
    assert all(0 <= float(rows[step]["right_real"]) <= 1 for step in (8, 10, 12))
    assert rows[6]["right_generated"] == ""
    assert {phase.batches_per_step for phase in (frozen, PLAIN)} == {1}


def test_a_row_branches_from_a_trunk_at_any_step(settings: Settings) -> None:
    constant = replace(PLAIN, steps=100, rate=(1e-3, 1e-3))
    trunk = replace(RECIPE, name="trunk", phases=(constant,))
    train(trunk, replace(settings, steps=4))
    own = replace(PLAIN, steps=3, schedule="cosine")
    row = replace(RECIPE, name="row", phases=(replace(constant, steps=4), own))
    branch = replace(settings, out=settings.out.parent / "row", start_from=settings.out / CHECKPOINT)
    train(row, branch)
    alone = replace(settings, out=settings.out.parent / "alone")
    train(row, alone)
    same(alone.out / CHECKPOINT, branch.out / CHECKPOINT)
    falling = replace(row, phases=(replace(PLAIN, steps=4), own))
    with pytest.raises(UsageError, match="not the first steps"):
        train(falling, replace(branch, out=settings.out.parent / "falling"))


NETWORKS = {
    "plain": TINY,
    "published form": Network("multi_scale", width=1 / 32),
}


# One place to stop is enough for the other networks.
@pytest.mark.parametrize(
    ("kind", "stop"),
    [("plain", 3), ("plain", 6), ("plain", 8), ("published form", 8)],
)
def test_resuming_goes_on_bit_for_bit(settings: Settings, kind: str, stop: int) -> None:
    recipe = replace(RECIPE, network=NETWORKS[kind])
    settings = replace(settings, validation_clips=1)
    train(recipe, settings)
    parts = replace(settings, out=settings.out.parent / "parts")
    train(recipe, replace(parts, steps=stop))
    train(recipe, replace(parts, resume=True))
    same(settings.out / CHECKPOINT, parts.out / CHECKPOINT)
    with (parts.out / "training.csv").open(newline="") as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["2", "4", "6", "8", "10"]


def test_a_shared_start_need_not_be_repeated(settings: Settings) -> None:
    longer = replace(RECIPE, name="longer", phases=(*RECIPE.phases, PLAIN))
    train(longer, settings)
    start = replace(settings, out=settings.out.parent / "start")
    train(RECIPE, start)
    rest = replace(settings, out=settings.out.parent / "rest", start_from=start.out / CHECKPOINT)
    train(longer, rest)
    same(settings.out / CHECKPOINT, rest.out / CHECKPOINT)
    other = replace(longer, seed=2)
    with pytest.raises(UsageError, match="not the first steps"):
        train(other, replace(rest, out=settings.out.parent / "other"))


def test_a_phase_that_restarts_may_begin_with_weights_alone(settings: Settings) -> None:
    """From the start, from a checkpoint and from weights the same, bit for bit; D and all moments are new."""
    begun = replace(RECIPE, average=0.9)
    weights = train(begun, settings)
    own = (replace(ADVERSARIAL, restart=True, frozen_g=True, steps=3), replace(ADVERSARIAL, steps=3))
    longer = replace(begun, name="longer", phases=(*begun.phases, *own))
    places = {}
    for name, start in {"alone": None, "checkpoint": settings.out / CHECKPOINT, "weights": weights}.items():
        places[name] = replace(settings, out=settings.out.parent / name, start_from=start)
        train(longer, places[name])
        same(places["alone"].out / CHECKPOINT, places[name].out / CHECKPOINT)
    parts = replace(places["weights"], out=settings.out.parent / "parts")
    for stop in (11, 14, None):
        train(longer, replace(parts, steps=stop, resume=True))
    same(places["alone"].out / CHECKPOINT, parts.out / CHECKPOINT)
    # D learns to judge the weights that the phase begins with, which are the averaged ones.
    train(longer, replace(settings, out=settings.out.parent / "frozen", start_from=weights, steps=13))
    frozen = load_checkpoint(settings.out.parent / "frozen" / CHECKPOINT)
    for name, tensor in load_checkpoint(weights).part("g").items():
        assert torch.equal(frozen.part("g")[name], tensor)
    going_on = replace(longer, phases=(*begun.phases, replace(PLAIN, steps=3)))
    with pytest.raises(UsageError, match=r"holds weights alone, .* 'own/longer' has none at step 10"):
        train(going_on, replace(settings, out=settings.out.parent / "none", start_from=weights))


def test_forced_test_groups_are_marked(settings: Settings, tmp_path: Path) -> None:
    folder = write_footage(tmp_path / "videos")
    (folder / "v_Drift_g08_c01.avi").rename(folder / "v_Drift_g01_c01.avi")
    settings = replace(settings, data=folder, cache=tmp_path / "cache", steps=1)
    train(RECIPE, settings)
    assert load_checkpoint(settings.out / WEIGHTS).info.contaminated is False
    forced = replace(settings, out=tmp_path / "forced", include_test=True)
    train(RECIPE, forced)
    loaded = load_checkpoint(forced.out / WEIGHTS)
    assert loaded.info.contaminated is True
    assert "test groups" in loaded.info.training_data
    # The mark stays when training goes on without them.
    rest = replace(settings, out=tmp_path / "rest", start_from=forced.out / CHECKPOINT, steps=2)
    train(RECIPE, rest)
    assert load_checkpoint(rest.out / WEIGHTS).info.contaminated is True


def test_trainings_from_three_seeds_are_one_row(settings: Settings, tmp_path: Path) -> None:
    runs = []
    for seed in (None, 2, 3):
        place = replace(settings, out=tmp_path / f"seed{seed}", seed=seed, steps=2, validate_every=0)
        path = train(RECIPE, place)
        loaded = load_checkpoint(path)
        assert loaded.recipe == replace(RECIPE, seed=seed or 1)
        model = f"adv_gdl,weights={path}"
        runs.append(vpbench.evaluate(model, "synthetic", limit=1, out=tmp_path, label=f"s{seed}"))
    assert [run.seed for run in runs] == [1, 2, 3]
    assert len({float(run.scores["psnr"][0]) for run in runs}) == 3
    board = vpbench.build_leaderboard(runs)
    assert board.rows["label"].tolist() == ["adv_gdl"]
    assert board.rows["seeds"].tolist() == [3]
    assert board.rows["psnr_1_sd"][0] > 0


def test_seeds_branch_from_a_shared_start(settings: Settings) -> None:
    """What follows a shared start has its own patches and D; what is resumed keeps its seeds."""
    train(replace(RECIPE, phases=(PLAIN,)), settings)
    shared = load_checkpoint(settings.out / CHECKPOINT)
    branch = replace(settings, start_from=settings.out / CHECKPOINT, validate_every=0)
    ends = []
    for seed in (1, 2, 3):
        place = replace(branch, out=settings.out.parent / f"seed{seed}", seed=seed)
        train(RECIPE, place)
        ends.append(load_checkpoint(place.out / CHECKPOINT))
    assert [(end.recipe.seed, end.recipe.last_seed) for end in ends] == [(1, 1), (1, 2), (1, 3)]
    assert all(end.recipe.same_until(shared.recipe, shared.step) for end in ends)
    for part in ("g", "d"):
        assert len({float(next(iter(end.part(part).values())).sum()) for end in ends}) == 3
    alone = replace(settings, out=settings.out.parent / "alone")
    train(RECIPE, alone)
    same(alone.out / CHECKPOINT, settings.out.parent / "seed1" / CHECKPOINT)

    parts = replace(branch, out=settings.out.parent / "parts")
    train(RECIPE, replace(parts, seed=2, steps=8))
    with pytest.raises(UsageError, match=r"--seed 3: .* was begun with seed 2"):
        train(RECIPE, replace(parts, resume=True, seed=3))
    train(RECIPE, replace(parts, resume=True))
    same(settings.out.parent / "seed2" / CHECKPOINT, parts.out / CHECKPOINT)
    with pytest.raises(UsageError, match="no phase is left to begin with it"):
        train(
            RECIPE,
            replace(parts, out=settings.out.parent / "late", seed=4, start_from=parts.out / CHECKPOINT),
        )


def test_the_command(tmp_path: Path, footage: Path) -> None:
    arguments = options(tmp_path, footage, "out", "--steps", "3", "--width", "0.0625", "--seed", "7")
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "Trained. Weights:" in result.output
    loaded = load_checkpoint(tmp_path / "out" / WEIGHTS)
    assert (loaded.step, loaded.recipe.network.width, loaded.recipe.seed) == (3, 0.0625, 7)
    assert "width 0.0625 instead of 0.03125" in loaded.recipe.deviations


def test_the_documented_fine_tuning_of_weights_that_ship(tmp_path: Path) -> None:
    """Two steps of the recipe, from the weights that ship."""
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    recipe = text.split("```toml\n# mine.toml\n")[1].split("```")[0].replace("steps = 2000", "steps = 2")
    folder = write_footage(tmp_path / "footage", videos=1, frames=44)
    arguments = options(tmp_path, folder, "out", "--start-from", "gdl_l1")
    (tmp_path / "mine.toml").write_text(recipe, encoding="utf-8")
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    loaded, begun = load_checkpoint(tmp_path / "out" / WEIGHTS), find_shipped("gdl_l1")
    assert loaded.step == begun.steps + 2
    elsewhere = [*arguments, "--out", str(tmp_path / "other"), "--start-from", "gdl_l7"]
    assert "gdl_l7" in str(CliRunner().invoke(command, elsewhere).exception)
