"""What selection lacked becomes what the next round draws more often."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from run_driver import Nobody
from scripted_server import ScriptedProcess
from steered_world import FITTED, HABITS, REAL, World, recipe, reference

from outputs.manifest import Manifest
from pipelines.recipe import Recipe, load
from pipelines.run import build
from pipelines.rundir import RunDir
from pipelines.scenarios import group
from pipelines.steered import AS_FITTED, Steering, case_rng, sample
from pipelines.steering import Observed, divergence, steer

TESTS = Path(__file__).parents[1]
_ANY = {"use": "remote", "base_url": "http://127.0.0.1:1/v1", "model": "m"}
ANY_MODEL = {"models": {"default": _ANY}, "embedder": _ANY}


def test_a_case_as_fitted_is_what_its_family_samples():
    assert sample(World(), 7, 3, AS_FITTED) == World().sample(case_rng(7, "steered_world", 3, 0))


def test_a_value_comes_as_often_as_its_weight_says_and_its_case_can_be_drawn_again():
    weights = {"True": REAL / FITTED, "False": (1 - REAL) / (1 - FITTED)}
    steering = Steering(traits={"asks": weights}, intents={"share": 2.0})
    cases = [sample(World(), 7, n, steering) for n in range(1500)]
    share = sum(case.session_latents["asks"] for case in cases) / len(cases)
    assert abs(share - REAL) < 0.04  # 3 standard errors
    assert abs(sum(case.session_latents["thanks"] for case in cases) / len(cases) - FITTED) < 0.04
    for n, case in enumerate(cases[:50]):
        again = World().sample(case_rng(7, "steered_world", n, case.plan.get("draw", 0)))
        assert again.session_latents == case.session_latents
        assert case.plan["intent_weights"] == {"share": 2.0}


def test_who_is_drawn_otherwise_is_somebody_else():
    entry = Recipe.model_validate(
        {"target": 2, "name": "w", "families": [{"use": "steered_world.World", "reference": None}], **ANY_MODEL}
    ).families[0]
    often = Steering(traits={"asks": {"True": 3.0, "False": 0.5}})
    plain, again, steered = (group(entry, 5, 7, "f", s) for s in (AS_FITTED, Steering(), often))
    assert plain == again
    assert not {s.dialogue_id for s in plain} & {s.dialogue_id for s in steered}
    assert plain[0].group_id != steered[0].group_id


def observed(effects: dict[str, float], lacking: float, groups: int = 600) -> Observed:
    """Users whose one label `h=x` follows the habits by so much, and is `lacking` too rare; `h2=y` follows nothing."""
    seen = Observed(World(), ("h=x", "h2=y", "fourier 0"))
    draws, noise = Random(5), np.random.default_rng(5)
    for n in range(groups):
        traits = {name: str(draws.random() < FITTED) for name in HABITS}
        label = sum(effects.get(name, 0.0) * ((traits[name] == "True") - FITTED) for name in HABITS) - lacking
        seen.groups.append(f"g{n // 2}")
        seen.turns.append(4)
        seen.residuals.append(4 * np.array([label, -lacking, 0.0]) + noise.normal(0, 0.4, 3))
        seen.traits.append(traits)
        seen.intents.append(Counter())
    return seen


def test_only_the_latent_that_moves_what_is_lacking_is_moved_and_what_none_moves_is_named():
    found = steer(observed({"asks": 0.8}, 0.2), AS_FITTED, 3, 1.0)
    assert found is not None
    cells = {(cell.latent, cell.value): cell for cell in found.cells}
    assert cells["asks", "True"].status == "moved" and cells["asks", "True"].feature == "h=x"
    assert abs(cells["asks", "True"].drawn - (FITTED + 0.2 / 0.8)) < 0.1  # 600 persons
    effect = cells["asks", "True"].effect
    assert effect is not None and effect.low < 0.8 * (1 - FITTED) < effect.high
    assert cells["thanks", "True"].status == "no_effect" and "thanks" not in found.steering.traits
    assert found.uncontrolled == ("h2",)


@pytest.mark.parametrize("bound", [0.02, 0.1, 0.5])
def test_the_latents_stay_within_the_bound_and_use_it_where_they_need_it(bound: float):
    found = steer(observed({"asks": 0.8, "thanks": 0.4}, 0.6), AS_FITTED, 3, bound)
    assert found is not None and 0.3 * bound < found.divergence <= bound
    shares = {n: np.array([c.drawn for c in found.cells if c.latent == n]) for n in HABITS}
    fitted = {n: np.array([c.fitted for c in found.cells if c.latent == n]) for n in HABITS}
    assert abs(sum(divergence(shares[n], fitted[n]) for n in HABITS) - found.divergence) < 1e-9


def test_nothing_moves_without_need_without_a_bound_or_without_dialogues():
    enough = steer(observed({"asks": 0.8}, 0.0), AS_FITTED, 3, 1.0)
    assert enough is not None and enough.steering.idle and enough.divergence == 0
    assert steer(observed({"asks": 0.8}, 0.2), AS_FITTED, 3, 0.0) is None
    assert steer(Observed(World()), AS_FITTED, 3, 1.0) is None
    few = steer(observed({"asks": 0.8}, 0.2, groups=20), AS_FITTED, 3, 1.0)
    assert few is not None and few.steering.idle and {cell.status for cell in few.cells} == {"too_few"}


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedProcess]:
    with ScriptedProcess("--reply", "steered_world:follows") as process:
        yield process


def whole_run(folder: Path, url: str, groups: int, **changes: Any) -> Manifest:
    if not (real := folder / "real.parquet").exists():
        reference(real, 1200)
    path = recipe(folder, url, groups, **changes)
    return build(load(path), RunDir(folder / f"run{groups}"), "if-possible", "test", Nobody()).manifest


@pytest.mark.parametrize("groups", [1, 16])
def test_exactly_as_many_groups_come_out_as_are_wanted(
    tmp_path: Path, server: ScriptedProcess, monkeypatch: pytest.MonkeyPatch, groups: int
):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    found = whole_run(tmp_path, server.base_url, groups)
    assert (found.status, found.accepted) == ("complete", 2 * groups)


def test_a_loop_learns_what_is_missing(tmp_path: Path, server: ScriptedProcess, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    found = whole_run(tmp_path, server.base_url, 220, max_rounds=3)
    assert (found.status, found.accepted) == ("complete", 440)
    first, second = found.rounds[:2]
    assert first.made == 110 and first.acceptance is not None and second.acceptance is not None
    assert second.acceptance > first.acceptance
    moved = {(cell.latent, cell.value) for cell in found.moved if cell.status == "moved" and cell.drawn > cell.fitted}
    assert moved == {("asks", "True"), ("thanks", "True")}
    assert 0 < found.divergence["steered_world"] <= 1.0
    assert "typing" in found.uncontrolled["steered_world"]
    run = tmp_path / "run220"
    files = {p: p.read_bytes() for folder in ("plans", "data", "rejected") for p in (run / folder).rglob("*.*")}
    for lost in (run / "manifest.json", max((run / "plans").glob("s*.json"))):
        lost.unlink()
    whole_run(tmp_path, server.base_url, 220, max_rounds=3)  # goes on after the last round, and decides the same
    assert {p: p.read_bytes() for p in files} == files
