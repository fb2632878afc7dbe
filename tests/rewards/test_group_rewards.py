"""Advantages within samples of one policy, contrasts across policies; by hand, and of a whole run by its rows."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from run_driver import Nobody
from scripted_server import ScriptedProcess
from talks import talk

from outputs.store import read_records
from pipelines.recipe import load
from pipelines.run import build
from pipelines.rundir import RunDir
from pipelines.scenarios import group
from pipelines.worker import compared
from rewards.group_advantage import GroupAdvantage
from rewards.policy_contrast import PolicyContrast
from schemas.dialogue import Turn
from schemas.judgement import RewardValue, Selection
from schemas.record import Record
from schemas.scenario import Policy

ADVANTAGE, CONTRAST = GroupAdvantage(), PolicyContrast()


def sample(policy: Policy, worth: float | None, sibling: int = 0, form: int = 0, **labels: Any) -> Record:
    dialogue = talk(("user", "Go on."), Turn(role="assistant", text="All right.", labels=labels), name=f"d{sibling}")
    known = {"policy": policy, "sibling": sibling, "seed": sibling, "plan": {"form": form}}
    dialogue = dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update=known)})
    value = RewardValue(name="success", value=worth, reason=None if worth is not None else "fault")
    return Record(dialogue=dialogue, rewards=(value,))


def found(values: Sequence[RewardValue]) -> list[float | str | None]:
    return [v.reason if v.value is None else round(v.value, 6) for v in values]


def test_an_advantage_counts_the_standard_deviations_from_the_mean_of_its_own_policys_samples():
    mine = [sample("proactive", r) for r in (1, 0, 0, 0)]
    third = 1 / 3**0.5  # mean .25, deviation sqrt(.1875): (1-.25)/.433 = 1.732, (0-.25)/.433 = -.577
    assert found(ADVANTAGE.compare([*mine, sample("reactive", 1), sample("reactive", 0)])) == [
        *(round(x, 6) for x in (3**0.5, -third, -third, -third)),
        1.0,
        -1.0,
    ]
    assert ADVANTAGE.compare(mine)[0].parts == {"of": "success", "value": 1, "mean": 0.25, "std": 0.1875**0.5}


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ([sample("proactive", 1), sample("reactive", 0)], ["too_few_samples", "too_few_samples"]),
        ([sample("proactive", 0.1 + 0.2), sample("proactive", 0.1 + 0.2)], ["no_spread", "no_spread"]),
        ([sample("proactive", 1), sample("proactive", None), sample("proactive", 0)], [1.0, "fault", -1.0]),
        (
            [sample("proactive", 1), sample("proactive", 0), sample("proactive", 0, question_substituted=True)],
            [1.0, -1.0, "off_policy"],
        ),
        ([sample("privileged", 1, clairvoyant=True), sample("privileged", 0)], ["off_policy", "too_few_samples"]),
        ([sample("proactive", 1), sample("proactive", 0, form=1)], ["too_few_samples", "too_few_samples"]),
    ],
)
def test_where_there_is_no_advantage_its_reason_says_why(group: list[Record], expected: list[float | str]):
    assert found(ADVANTAGE.compare(group)) == expected


def test_a_reward_that_was_never_given_is_named():
    assert found(GroupAdvantage(of="volunteering").compare([sample("proactive", 1)])) == ["no_volunteering"]


def test_a_contrast_is_against_each_other_policys_mean_and_needs_one():
    group = [sample("proactive", 1), sample("reactive", 0), sample("reactive", 1), sample("privileged", 1)]
    values = CONTRAST.compare(group)
    assert found(values) == [0.25, -1.0, 0.0, 0.25]  # 1 - (.5 + 1)/2, 0 - (1 + 1)/2, 1 - 1, 1 - (1 + .5)/2
    assert values[0].parts["others"] == {"privileged": 1, "reactive": 0.5} and values[0].name == "policy_contrast"
    assert found(CONTRAST.compare([sample("proactive", 1), sample("proactive", 0)])) == ["one_policy", "one_policy"]
    primed = sample("reactive", 0, question_substituted=True)
    assert found(CONTRAST.compare([sample("proactive", 1), primed])) == ["one_policy", "off_policy"]


def test_an_invalid_dialogue_is_compared_with_none_and_stays_in_its_place():
    bad = sample("proactive", 0, 1).model_copy(
        update={"selection": Selection(keep=False, reason="echo"), "rewards": ()}
    )
    group = compared([sample("proactive", 0, 2), bad, sample("proactive", 1, 0)], [ADVANTAGE])
    assert [r.dialogue.scenario.sibling for r in group] == [0, 1, 2]
    assert [[v.value for v in r.rewards] for r in group] == [[1, 1.0], [], [0, -1.0]]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four samples of the reactive student and two of the proactive one a case."""
    folder = tmp_path_factory.mktemp("samples")
    model = {"use": "remote", "base_url": "http://127.0.0.1:1/v1", "model": "scripted"}
    rewards = ["success.Success", "group_advantage.GroupAdvantage", "policy_contrast.PolicyContrast"]
    data = {
        "target": 24,
        "seed": 1,
        "families": [
            {"use": "generators.families.tutoring.Tutoring", "policies": ["reactive"] * 4 + ["proactive"] * 2}
        ],
        "models": {"default": model},
        "embedder": model,
        "rewards": [f"rewards.{name}" for name in rewards],
    }
    path = folder / "samples.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_samples_of_one_policy_share_the_case_and_no_seed(recipe: Path):
    entry = load(recipe).families[0]
    siblings = group(entry, 3, 7, "f")
    assert len({s.seed for s in siblings if s.policy == "reactive"}) == 4
    first = {s.policy: s.seed for s in reversed(siblings)}
    assert (
        first["reactive"] == first["proactive"] and len({s.model_dump_json(include={"views"}) for s in siblings}) == 1
    )


def test_advantages_recomputed_from_the_rows_of_a_run_are_the_stored_ones(recipe: Path, tmp_path: Path):
    with ScriptedProcess("--reply", "scripted_players:obey") as server:
        address = f"models.default.base_url={server.base_url}"
        wanted = load(recipe, [address, f"embedder.base_url={server.base_url}"])
        build(wanted, RunDir(tmp_path / "run"), "if-possible", "test", Nobody())
    rows = list(read_records(sorted((tmp_path / "run" / "data").glob("*.parquet"))))
    groups: dict[str, list[Record]] = defaultdict(list)
    for row in rows:
        groups[row.dialogue.scenario.group_id].append(row)
    assert len(rows) == 24 and {len(g) for g in groups.values()} == {6}
    seen: Counter[str] = Counter()
    for members in groups.values():
        worth = {r.dialogue.id: float(bool(r.dialogue.outcome["success"])) for r in members}
        for row in members:
            peers = [
                worth[r.dialogue.id] for r in members if r.dialogue.scenario.policy == row.dialogue.scenario.policy
            ]
            (stored,) = (v for v in row.rewards if v.name == "group_advantage")
            seen[stored.reason or "value"] += 1
            if np.std(peers) > 0:
                assert stored.value == pytest.approx((worth[row.dialogue.id] - np.mean(peers)) / np.std(peers))
            else:
                assert (stored.value, stored.reason) == (None, "no_spread")
    assert seen["value"] and sum(seen.values()) == 24  # a run without any spread would show nothing
