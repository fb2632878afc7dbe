"""recipes/rewards.yaml plays every reward there is."""

from pathlib import Path

import pytest

from pipelines.recipe import load
from pipelines.recipe_stages import builtin
from schemas.contracts import Reward

ROOT = Path(__file__).parents[2]


def test_the_recipe_of_rewards_names_every_one_in_order(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    named = [reward.import_path() for reward in load(ROOT / "recipes" / "rewards.yaml").rewards]
    assert named == sorted(reward.import_path() for reward in builtin(Reward))
