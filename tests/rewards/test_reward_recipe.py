"""recipes/rewards.yaml plays every reward there is, and what their answers cost stands beside their labels."""

from pathlib import Path

import pytest
from played import Embedder
from talks import talk

from pipelines.recipe import load
from pipelines.recipe_stages import builtin
from schemas.contracts import GroupReward, Reward, Services
from schemas.dialogue import Turn

ROOT = Path(__file__).parents[2]


def test_the_recipe_of_rewards_names_every_one_in_order(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    named = [reward.import_path() for reward in load(ROOT / "recipes" / "rewards.yaml").rewards]
    assert named == sorted(reward.import_path() for reward in builtin(Reward))


async def test_calls_are_counted_under_the_name_of_the_labels_they_are_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    lesson = talk(Turn(role="assistant", text="Is it three?"), Turn(role="user", text="No."))
    for reward in load(ROOT / "recipes" / "rewards.yaml").rewards:
        if not isinstance(reward, GroupReward):  # asks nobody
            values = await reward.annotate(lesson, Services(chat={}, embed=Embedder()))
            assert values[0].name == reward.label, reward.import_path()
