"""Recipes: those that ship, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vpbench.errors import UsageError
from vpbench.models.networks.build import make_generator
from vpbench.models.networks.motion import Motion
from vpbench.models.predictors import ROWS
from vpbench.models.recipes.files import load_recipe, recipe_from, recipe_names
from vpbench.models.recipes.recipe import Network, Phase

GOOD = """
name = "mine"
kind = "own"
summary = "a test"

[network]
type = "multi_scale"
width = 0.0625

[[phases]]
steps = 10
loss = { l2 = 1.0 }
"""


# What rows branch from.
NOT_ROWS = {"compact/trunk"}


def test_every_row_has_its_recipes() -> None:
    named = {f"{kind}/{cls.row}" for cls in ROWS for kind in cls.recipes}
    assert set(recipe_names()) == named | NOT_ROWS


@pytest.mark.parametrize("name", sorted(set(recipe_names()) - NOT_ROWS))
def test_recipes_that_ship(name: str) -> None:
    recipe = load_recipe(name)
    assert f"{recipe.kind}/{recipe.name}" == name
    assert recipe.deviations
    assert recipe.expect
    assert recipe_from(recipe.definition(), "again") == recipe
    row = {cls.row: cls for cls in ROWS}[recipe.name]
    assert (recipe.network.inputs, recipe.network.targets) == (row.min_inputs, row.targets_at_once)
    assert recipe.network.type in row.networks
    if recipe.kind == "compact":
        make_generator(recipe.network)


@pytest.mark.parametrize("name", [f"paper/{cls.row}" for cls in ROWS if "paper" in cls.recipes])
def test_paper_recipes_are_the_papers(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.network.width == 1
    assert not recipe.network.starts_as_copy
    for phase in recipe.phases:
        assert phase.optimiser == "sgd"
        assert phase.batch == (8 if phase.adversarial else 4)
        assert phase.rate_d == (0.02, 0.02)
    assert recipe.phases[0].rate == (0.04, 0.005)


def test_fine_tuning_goes_on_from_adv_gdl_and_so_does_its_control() -> None:
    for kind in ("paper", "compact"):
        start, tuned, control = (
            load_recipe(f"{kind}/{name}") for name in ("adv_gdl", "adv_gdl_finetuned", "adv_gdl_continued")
        )
        assert tuned.same_until(start, start.steps)
        assert control.same_until(start, start.steps)
        assert tuned.steps == control.steps > start.steps
        last, before = control.phases[-1], control.phases[-2]
        assert (last.loss, last.patch, last.batch) == (before.loss, before.patch, before.batch)
        assert last.rate[0] == before.rate[1]


CONTINUES = """
name = "gdl_l1"
kind = "own"
summary = "a test"
continues = "compact/gdl_l1"
deviations = ["on other footage"]

[[phases]]
steps = 10
loss = { l2 = 1.0 }
restart = true
"""


def test_a_recipe_that_continues_another_begins_with_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(CONTINUES)
    mine, begun = load_recipe(str(tmp_path / "mine.toml")), load_recipe("compact/gdl_l1")
    assert mine.phases[:-1] == begun.phases
    assert mine.phases[-1] == Phase(steps=10, loss={"l2": 1.0}, restart=True)
    assert mine.deviations == (*begun.deviations, "on other footage")
    assert (mine.kind, mine.expect) == ("own", "")
    assert mine.same_until(begun, begun.steps)
    assert mine.restarts_at(begun.steps)
    assert not mine.restarts_at(begun.steps + 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("continues", "follows"), "'network' is missing, or 'continues'"),
        (("compact/gdl_l1", "compact/gdl_l3"), "'continues': Unknown recipe .*Did you mean compact/gdl"),
        (('"compact/gdl_l1"', "3"), "'continues': "),
        (('continues = "c', 'seed = 2\ncontinues = "c'), "'seed' is that of compact/gdl_l1, .*leave it out"),
        (
            ("[[phases]]", '[network]\ntype = "multi_scale"\n[[phases]]'),
            "'network' is that of compact/gdl_l1",
        ),
        (("steps = 10", "step = 10"), "phases: entry [0-9]+ has no key 'step'"),
        (('["on other footage"]', "3"), "'deviations' must be a list"),
    ],
)
def test_what_a_recipe_that_continues_another_cannot_say(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    (tmp_path / "mine.toml").write_text(CONTINUES.replace(*change))
    with pytest.raises(UsageError, match=message):
        load_recipe(str(tmp_path / "mine.toml"))


def test_the_timeline_counts_batches(tmp_path: Path) -> None:
    text = (
        GOOD
        + "[[phases]]\nsteps = 5\nloss = { l2 = 1.0, adv = 0.05 }\n[[phases]]\nsteps = 1\nloss = { l1 = 1 }\n"
    )
    (tmp_path / "mine.toml").write_text(text)
    recipe = load_recipe(str(tmp_path / "mine.toml"))
    assert [(step, batch) for step, batch, _ in recipe.timeline()] == [(0, 0), (10, 10), (15, 20)]
    assert recipe.steps == 16


def test_same_until_compares_what_was_begun() -> None:
    start, other = load_recipe("compact/l2"), load_recipe("compact/l1")
    shared = start.phases[0].steps
    assert start.same_until(other, shared)
    assert not start.same_until(other, start.steps)
    assert not start.same_until(load_recipe("compact/single_scale_l2"), 1)


def test_same_until_asks_for_what_the_steps_depend_on() -> None:
    trunk = load_recipe("compact/trunk")
    first, second = trunk.phases
    row = replace(
        trunk, name="row", phases=(first, replace(second, steps=50), replace(second, rate=(1e-4, 0)))
    )
    assert row.same_until(trunk, first.steps + 50)
    assert trunk.same_until(row, first.steps + 10)
    assert not row.same_until(trunk, first.steps + 51)
    assert replace(row, network=replace(row.network, width_d=0.5)).same_until(trunk, first.steps)
    for changed in (
        replace(row, average=0.99),
        replace(row, data=replace(row.data, reverse=False)),
        replace(row, network=replace(row.network, widths=(1.0, 1.0, 0.25, 0.25))),
        replace(row, phases=(first, replace(second, steps=50, weigh="frame"), second)),
        replace(row, phases=(replace(first, rate=(5e-4, 3e-4)), replace(second, steps=50))),
    ):
        assert not changed.same_until(trunk, first.steps + 50)


def test_cosine() -> None:
    phase = Phase(steps=101, loss={"l2": 1}, rate=(0.04, 0.01), schedule="cosine")
    rates = [phase.rate_at(index, phase.rate) for index in (0, 25, 50, 100)]
    assert rates == pytest.approx([0.04, 0.025 + 0.015 * 2**-0.5, 0.025, 0.01])


def test_rates() -> None:
    phase = Phase(steps=101, loss={"l2": 1}, rate=(0.04, 0.01), warmup=10)
    assert phase.rate_at(100, phase.rate) == pytest.approx(0.01)
    assert phase.rate_at(50, phase.rate) == pytest.approx(0.02)
    assert phase.rate_at(0, phase.rate) == pytest.approx(0.004)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("steps = 10", "step = 10"), "phases: entry 1 has no key 'step'. Did you mean steps"),
        (("summary", "sumary"), "it has no key 'sumary'. Did you mean summary"),
        (("width", "widht"), "'network' has no key 'widht'. Did you mean width"),
        (
            ('"multi_scale"', '"multiscale"'),
            "network: 'type' cannot be 'multiscale'. Did you mean multi_scale",
        ),
        (("l2 = 1.0", "l3 = 1.0"), "'loss' has no key 'l3'. Did you mean l2"),
        (("steps = 10", "steps = 0"), "at least 1"),
        (("steps = 10", "steps = 10\npatch = 33"), "multiple of 8"),
        (("steps = 10", 'steps = 10\noptimiser = "lion"'), "'optimiser' cannot be 'lion'. Known: adam, sgd"),
        (("steps = 10", "steps = 10\nrate = [1, 2, 3]"), "'rate' must be a list of 2, not 3"),
        (("width = 0.0625", "width = 0"), "'width' must be a number above 0"),
        (("width = 0.0625", "widths = [1, 1, 0.25]"), "'widths' must be 4, one for each scale"),
        (("width = 0.0625", "widths = [1, 1, 0.25, 8]"), "widths: entry 4 must be a number of at most 4"),
        (("width = 0.0625", "leak = 1"), "'leak' must be a number below 1"),
        (("kind", "average = 1.0\nkind"), "'average' must be a number below 1"),
        (("steps = 10", 'steps = 10\nmoves = "all"'), "'moves' cannot be 'all'. Known: every_pair"),
        (
            ("steps = 10", 'steps = 10\nschedule = "linear"'),
            "'schedule' cannot be 'linear'. Did you mean cosine",
        ),
        (
            ("steps = 10", 'steps = 10\nweigh = "clip"'),
            "'weigh' cannot be 'clip'. Known: frame, patch, refined",
        ),
        (("steps = 10", "steps = 10\nfrozen_g = true"), "'frozen_g' is for adversarial phases"),
        (("width = 0.0625", 'init = "zero"'), "'init' cannot be 'zero'. Known: default"),
        (("width = 0.0625", "inputs = 8"), "shorter than 8 inputs"),
        (("[[phases]]", "[other]"), "it has no key 'other'"),
        (("name =", "name ="), None),
        (("loss = { l2 = 1.0 }", "loss = 1"), "'loss' must be a table, not a whole number"),
        (("kind", "kind ="), "not TOML"),
        (("steps = 10", 'steps = "10"'), "'steps' must be a whole number, not a text"),
        (("steps = 10", "steps = true"), "'steps' must be a whole number, not true or false"),
        (("steps = 10", "steps = 10_000_000_000"), "'steps' must be a whole number of at most 1000000000"),
        (("steps = 10", f"steps = {'9' * 5_000}"), "line 11: a number has more than 20 digits"),
        (("steps = 10", "steps = 10\nbatch = inf"), "phases, entry 1: 'batch' must be a finite number"),
        (("steps = 10", "steps = 10\nrate = -1"), "rate: entry 1 must be a number above 0"),
        (("steps = 10", "steps = 10\nrate = true"), "rate: entry 1 must be a number, not true or false"),
        (("steps = 10", "steps = 10\npatch = 1_000_000"), "'patch' must be a whole number of at most 2048"),
        (("width = 0.0625", "width = []"), "network: 'width' must be a number, not a list"),
        (("width = 0.0625", "width = nan"), "network: 'width' must be a finite number, not nan"),
        (("width = 0.0625", "inputs = 150_000_000"), "'inputs' must be a whole number of at most 100"),
        (('"mine"', "nan"), "'name' must be a finite number"),
        (('"mine"', '"../mine"'), "'name' must be a name: at most 100 letters, digits and _ . "),
        (('"own"', '"other"'), "'kind' cannot be 'other'. Known: compact, own, paper"),
        (('"a test"', '"a\\u0000test"'), r"'summary' holds U\+0000"),
        (('"a test"', f'"{"x" * 5_001}"'), "'summary' must be a text of at most 5000 characters"),
        (("loss = {", f"x = {'[' * 5_000}{']' * 5_000}\nloss = {{"), "it is nested too deeply"),
        (("loss = { l2 = 1.0 }", "loss = {}"), "'loss' must be a table with a length of at least 1"),
        (
            ("loss = { l2 = 1.0 }", "loss = { l2 = -1.0 }"),
            "phases, entry 1, loss: 'l2' must be a number of at least 0",
        ),
    ],
)
def test_recipes_that_are_refused(tmp_path: Path, change: tuple[str, str], message: str | None) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(*change))
    if message is None:
        assert load_recipe(str(path)).name == "mine"
        return
    with pytest.raises(UsageError, match=message) as caught:
        load_recipe(str(path))
    assert str(path) in str(caught.value)


def test_unknown_recipe() -> None:
    with pytest.raises(UsageError, match="Did you mean compact/adv_gdl"):
        load_recipe("compact/adv_gld")
    with pytest.raises(UsageError, match="No such file"):
        load_recipe("mine.toml")


MOTION = GOOD.replace('"multi_scale"', '"motion"')


def test_the_motion_recipe_is_complete() -> None:
    recipe = load_recipe("own/motion")
    assert recipe.deviations
    assert isinstance(make_generator(recipe.network), Motion)
    assert recipe_from(recipe.definition(), "again") == recipe


def test_the_second_frame_is_learnt_in_a_share_of_the_steps() -> None:
    phase = Phase(steps=10, loss={"l2": 1.0}, further=0.3)
    targets = [phase.targets_at(index, Network("motion")) for index in range(100)]
    assert targets.count(2) == 30
    assert targets.count(1) == 70
    assert "1111" not in "".join(map(str, targets))
    assert {Phase(steps=1, loss={"l2": 1.0}).targets_at(i, Network("motion")) for i in range(9)} == {1}


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (MOTION + "further = 1.5", "'further' must be a number of at most 1"),
        (GOOD + "further = 0.5", "'further' is for networks of types 'motion'"),
        (MOTION.replace("l2 = 1.0", "l2 = 1.0, adv = 0.05") + "further = 0.5", "without 'adv'"),
        (GOOD + 'weigh = "refined"', "take 'frame'"),
        (MOTION + "[data]\nreverse = true", "flows are known forwards only"),
    ],
)
def test_what_is_for_motion_alone(recipe: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(recipe)
    with pytest.raises(UsageError, match=message):
        load_recipe(str(path))


@pytest.mark.parametrize("change", ["targets = 2", "starts_as_copy = true", "inputs = 8"])
def test_what_a_motion_network_cannot_be(change: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MOTION.replace("width = 0.0625", f"width = 0.0625\n{change}") + "[data]\nlength = 12")
    with pytest.raises(UsageError, match="Network type 'motion'"):
        make_generator(load_recipe(str(path)).network)
