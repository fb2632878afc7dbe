"""`overture diff`: recipe, versions, counts, figures and dialogues of two runs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dialogue_samples import branch, conversation, dialogue_id, many
from published_samples import published_run

from outputs.manifest import Measure, RewardSummary
from pipelines.derived import given
from pipelines.differing import Difference, difference
from schemas.judgement import RewardValue

Overture = Callable[..., tuple[int, str, str]]
LESSONS = many(8)


def success(mean: float, low: float, high: float) -> RewardSummary:
    return RewardSummary(name="success", policy="proactive", family="tutoring", mean=mean, low=low, high=high, n=40)


def realism(value: float, low: float | None, high: float | None) -> Measure:
    return Measure(family="tutoring", name="ngram", value=value, low=low, high=high, n=30)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """B lacks lesson 0, has a chat, another round and reward for lesson 3, and another mind about lesson 5."""
    folder = tmp_path_factory.mktemp("runs")
    shared = {"heads": (), "policies": (), "status": "complete"}
    a = published_run(
        folder / "a",
        [*LESSONS, branch(LESSONS[1], 0)],
        rewards=(success(0.5, 0.4, 0.6),),
        realism=(realism(0.7, 0.65, 0.75),),
        **shared,
    )
    more = (*LESSONS[3].rewards, RewardValue(name="new", value=1.0))
    other = [*LESSONS[1:3], LESSONS[3].model_copy(update={"round": 2, "rewards": more}), *LESSONS[4:], conversation(40)]
    b = published_run(
        folder / "b",
        other,
        [dialogue_id(5)],
        versions={"overture": "0.2.0", "pyarrow": "26.0.1"},
        rewards=(success(0.8, 0.7, 0.9),),
        realism=(realism(0.72, 0.66, 0.78),),
        **shared,
    )
    config = (
        "target: 9\nfamilies:\n- use: generators.families.chat\n- use: generators.families.tutoring\n  share: 0.5\n"
    )
    (b / "config.resolved.yaml").write_text(config)
    return a, b


@pytest.fixture(scope="module")
def found(runs: tuple[Path, Path]) -> Difference:
    a, b = given(list(runs))
    return difference(a, b)


def test_recipe_keys_versions_and_counts_are_told_by_name(found: Difference):
    assert {c.key: (c.first, c.second) for c in found.recipe} == {
        "target": (8, 9),
        "families.tutoring.share": (None, 0.5),
        "families.chat": (None, {"use": "generators.families.chat"}),
    }
    assert [(c.key, c.first, c.second) for c in found.versions] == [("overture", "0.1.0", "0.2.0")]
    assert not found.fingerprints
    assert {c.key for c in found.counts} >= {"published.train"}


def test_figures_stand_side_by_side_and_it_is_said_whether_their_intervals_overlap(found: Difference):
    figures = {f.name: f for f in found.figures}
    assert figures["tutoring: reward success, proactive"].overlap is False
    assert figures["tutoring: reward success, proactive"].second == (0.8, 0.7, 0.9, 40)
    assert figures["tutoring: ngram"].overlap is True
    assert len(figures) == 2


def test_dialogues_of_one_alone_and_those_with_other_rows_are_told_with_the_columns(found: Difference):
    data = next(r for r in found.rows if r.folder == "data")
    assert (data.first_only, data.second_only, data.same, data.other) == (2, 1, 5, 1)
    assert data.columns == {"round": 1, "rewards": 1}
    assert data.examples["other"] == (dialogue_id(3),) and data.examples["second_only"] == (dialogue_id(40),)
    assert {r.folder: (r.first_only, r.second_only) for r in found.rows} == {
        "data": (2, 1),
        "rejected": (0, 1),
        "branches": (1, 0),
    }


def test_the_terminal_and_json_tell_the_same(runs: tuple[Path, Path], found: Difference, overture: Overture):
    code, told, _ = overture("diff", *runs)
    assert code == 0 and "target: 8 -> 9" in told and "overture: 0.1.0 -> 0.2.0" in told
    assert "1 apart, 1 overlap, 0 of one run alone" in told
    assert "reward success, proactive: 0.5 (0.4 to 0.6, n 40) -> 0.8 (0.7 to 0.9, n 40)" in told
    assert "5 the same in both, 1 with other rows, 2 in A alone, 1 in B alone" in told
    assert "they differ in round (1), rewards (1)" in told
    code, told, _ = overture("diff", *runs, "--json")
    assert code == 0 and Difference.model_validate(json.loads(told)) == found


def test_a_run_and_its_copy_do_not_differ(runs: tuple[Path, Path], tmp_path: Path, overture: Overture):
    shutil.copytree(runs[0], tmp_path / "copy")
    code, told, _ = overture("diff", runs[0], tmp_path / "copy")
    assert code == 0 and "Nothing differs." in told and "8 the same in both, 0 with other rows" in told


def test_what_is_no_run_is_one_message(runs: tuple[Path, Path], tmp_path: Path, overture: Overture):
    code, _, told = overture("diff", runs[0], tmp_path)
    assert code == 2 and "no manifest; give a run directory" in told
