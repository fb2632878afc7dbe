from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from talks import talk

from filters.distribution_match import DistributionMatch
from schemas.errors import DataError
from schemas.judgement import Judged, Realism, Selection

LOGW = st.floats(-30, 30, allow_nan=False)


def pool(
    logw: Sequence[float | None],
    *,
    strata: Sequence[str] | None = None,
    success: Sequence[float | None] | None = None,
    residuals: np.ndarray | None = None,
    answered: Sequence[dict[str, int] | None] | None = None,
    siblings: int = 1,
) -> pa.Table:
    n = len(logw)
    rows: list[dict[str, Any]] = [
        {
            "dialogue_id": f"d{i:04d}",
            "group_id": f"g{i // siblings:04d}",
            "logw": logw[i],
            "stratum": strata[i] if strata else "needed",
            "success": success[i] if success else None,
            "residuals": None if residuals is None else residuals[i].astype(np.float32).tobytes(),
            "answered": None if answered is None else answered[i],
        }
        for i in range(n)
    ]
    return pa.Table.from_pylist(rows)


def decide(table: pa.Table, target: int, minimum: int = 0, seed: int = 0) -> dict[str, Selection]:
    return dict(DistributionMatch(minimum=minimum).select(table, target, seed).each)


def kept(selections: dict[str, Selection]) -> list[int]:
    return [int(name[1:]) for name, s in selections.items() if s.keep]


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(0, 3))
def test_the_kept_size_is_exact_for_every_multiple_of_the_group_size(data: st.DataObject, siblings: int, seed: int):
    groups = data.draw(st.integers(1, 40))
    logw = data.draw(st.lists(st.none() | LOGW, min_size=groups * siblings, max_size=groups * siblings))
    target = data.draw(st.integers(0, groups)) * siblings
    strata = [f"{i % 3}/True" for i in range(len(logw))]
    chosen = kept(decide(pool(logw, strata=strata, siblings=siblings), target, seed=seed))
    assert len(chosen) == target
    assert set(Counter(i // siblings for i in chosen).values()) <= {siblings}


@given(st.permutations(list(range(12))))
@settings(deadline=None, max_examples=20)
def test_the_order_of_the_rows_changes_nothing(order: list[int]):
    residuals = np.random.default_rng(0).normal(size=(12, 2))
    table = pool([i / 5 for i in range(12)], strata=[f"{i % 2}" for i in range(12)], residuals=residuals, siblings=2)
    assert decide(table.take(order), 6) == decide(table, 6)


def test_what_is_twice_too_frequent_by_the_ratios_is_evened_out():
    logw = np.log([0.75] * 200 + [1.5] * 100).tolist()
    chosen = kept(decide(pool(logw), 120))
    assert Counter(i < 200 for i in chosen) == {True: 60, False: 60}


def test_residuals_that_the_ratios_missed_are_balanced():
    asks = np.repeat([1.0, 0.0], [400, 200])
    residuals = asks[:, None] - 0.5  # real users ask half of the time, given what they answer
    chosen = kept(decide(pool([0.0] * 600, residuals=residuals), 300))
    assert abs(np.mean(asks[chosen]) - 0.5) <= 0.02


def test_a_groups_residual_is_the_sum_of_its_members():
    one, other = np.array([[2.0], [-2.0]]), np.array([[1.0], [1.0]])
    residuals = np.vstack([one] * 100 + [other] * 100 + [-other] * 100)
    selections = decide(pool([0.0] * 600, residuals=residuals, siblings=2), 300)
    balanced = {round(s.pi or 0, 6) for s in list(selections.values())[:200]}
    assert len(balanced) == 1


def test_every_stratum_keeps_its_share_though_the_ratios_speak_against_it():
    strata = ["needed"] * 300 + ["refuses"] * 100
    logw = [1.0] * 300 + [-3.0] * 100
    chosen = kept(decide(pool(logw, strata=strata), 200))
    assert Counter(strata[i] for i in chosen) == {"needed": 150, "refuses": 50}


def test_a_groups_stratum_is_the_set_of_its_members():
    logw = [1.0, 1.0] * 90 + [-3.0, -3.0] * 30
    strata = ["needed", "needed"] * 90 + ["refuses", "needed"] * 30
    chosen = kept(decide(pool(logw, strata=strata, siblings=2), 80))
    assert sum(strata[i] == "refuses" for i in chosen) == 10


def test_failures_stay_though_the_ratios_speak_against_them():
    success = [1.0, 1.0] * 90 + [0.0, 1.0] * 30
    logw = [1.0, 1.0] * 90 + [-3.0, -3.0] * 30
    chosen = kept(decide(pool(logw, success=success, siblings=2), 80))
    assert sum(success[i] == 0 for i in chosen) == pytest.approx(10, abs=1)


def test_failures_go_as_far_as_what_their_users_do_is_too_frequent():
    refuses = np.repeat([1.0, 0.0], [400, 200])
    success = np.where(np.arange(600) % 4 < np.where(refuses, 1, 3), 1.0, 0.0)
    chosen = kept(decide(pool([0.0] * 600, success=success.tolist(), residuals=refuses[:, None] - 0.5), 240))
    for side in (1.0, 0.0):
        mine = [i for i in chosen if refuses[i] == side]
        assert len(mine) == pytest.approx(120, abs=5)
        assert np.mean(success[mine]) == pytest.approx(0.25 if side else 0.75, abs=0.03)


def test_the_learners_acts_stay_as_frequent_as_in_the_pool():
    offers = [{"offer": 1, "question": 0} if i % 2 else {"offer": 0, "question": 1} for i in range(600)]
    logw = [0.5 if i % 2 else -0.5 for i in range(600)]
    free = kept(decide(pool(logw), 200))
    held = kept(decide(pool(logw, answered=offers), 200))
    assert sum(i % 2 for i in free) > 130
    assert abs(sum(i % 2 for i in held) - 100) <= 5


def test_what_is_dropped_says_why_and_carries_its_probability():
    selections = decide(pool([-1.0] * 60 + [1.0] * 60), 60)
    dropped = [s for s in selections.values() if not s.keep]
    assert {s.reason for s in dropped} == {"over_represented"}
    assert all(s.pi is not None and 0 < s.pi < 1 for s in dropped)
    assert sum(s.logw == -1.0 for s in dropped) > 40


def test_a_size_the_pool_cannot_give_is_said_and_the_least_divergent_choice_is_kept():
    asks = np.repeat([1.0, 0.0], [550, 50])
    table = pool([0.0] * 600, residuals=asks[:, None] - 0.5)
    selections = decide(table, 400)
    assert Counter((s.keep, s.reason) for s in selections.values()) == {
        (True, "infeasible_for_size"): 400,
        (False, "over_represented"): 200,
    }
    assert all(s.pi == pytest.approx(1.0, abs=0.05) for s in list(selections.values())[550:])
    found = DistributionMatch().select(table, 400, 0).feasibility
    assert found is not None
    assert found.status == "infeasible_for_size"
    assert 100 <= found.joint <= 130
    assert found.excess[0] == pytest.approx(150, abs=8)


def test_what_the_reference_knows_badly_is_no_obstacle_where_users_answer_it():
    table = pool(
        [0.0] * 600,
        residuals=np.random.default_rng(0).normal(0.4, 1, (600, 1)),
        answered=[{"offer": 2, "question": i % 2} for i in range(600)],
    )

    def status(errors: dict[str, float]) -> str:
        known = {act: np.array([error], np.float32) for act, error in errors.items()}
        found = DistributionMatch().select(table, 590, 0, known).feasibility
        return "none" if found is None else found.status

    exact, rough, elsewhere, half = {}, {"offer": 0.2}, {"closing": 9.0}, {"offer": 0.05}
    assert [status(errors) for errors in (exact, rough, elsewhere, half)] == [
        "infeasible_for_size",
        "ok",
        "infeasible_for_size",
        "infeasible_for_size",
    ]


def test_below_the_minimum_nothing_is_matched_and_the_surplus_goes():
    table = pool([float(i) for i in range(12)])
    assert Counter((s.keep, s.reason) for s in decide(table, 8, minimum=100).values()) == {
        (True, "too_few_to_match"): 8,
        (False, "over_target"): 4,
    }
    assert DistributionMatch().select(table, 8, 0).feasibility is None


def test_without_any_score_or_residual_nothing_is_matched():
    assert Counter((s.keep, s.reason, s.pi) for s in decide(pool([None] * 120), 100, minimum=100).values()) == {
        (True, "no_reference", None): 100,
        (False, "over_target", None): 20,
    }


def test_residuals_alone_are_enough_to_match():
    selections = decide(pool([None] * 120, residuals=np.tile([[1.0], [-1.0]], (60, 1))), 60, minimum=100)
    assert {s.reason for s in selections.values()} == {"ok", "over_represented"}
    assert {s.logw for s in selections.values()} == {None}


def test_a_target_beyond_the_pool_keeps_all_of_it():
    assert all(s.keep and s.pi == 1.0 for s in decide(pool([-3.0, 0.0, 3.0]), 10).values())


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("size", [1, 5])
def test_tiny_pools_are_decided(size: int, target: int):
    table = pool([0.5] * size, residuals=np.ones((size, 3)))
    assert sum(s.keep for s in decide(table, target).values()) == target


def test_an_empty_pool_is_decided_without_a_row():
    assert decide(pa.table({}), 5) == {}
    assert DistributionMatch().select(pa.table({}), 5, 0).feasibility is None


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_residuals_without_spread_are_no_obstacle(value: float):
    selections = decide(pool([0.1 * (i % 7) for i in range(140)], residuals=np.full((140, 2), value)), 70)
    assert sum(s.keep for s in selections.values()) == 70
    assert all(s.pi is not None and np.isfinite(s.pi) for s in selections.values())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused_by_the_name_of_its_dialogue(value: float):
    scores = pool([0.0, value, 0.0])
    residuals = pool([0.0] * 3, residuals=np.array([[0.0], [value], [0.0]]))
    for table, what in ((scores, "realism score"), (residuals, "residual")):
        with pytest.raises(DataError, match=f"dialogue 'd0001': its {what} is not a number; judge it again"):
            decide(table, 2)


def test_residuals_of_two_references_are_refused():
    table = pa.concat_tables([pool([0.0], residuals=np.ones((1, n))).drop_columns(["answered"]) for n in (2, 3)])
    with pytest.raises(DataError, match="residuals of 2 and 3 dimensions in one pool; judge all of its dialogues"):
        decide(table.append_column("answered", pa.nulls(2)), 1)


def test_a_sketch_holds_no_text():
    dialogue = talk(("assistant", "Shall we?"), ("user", "Yes, on Monday."))
    dialogue = dialogue.model_copy(
        update={
            "outcome": {"success": False},
            "scenario": dialogue.scenario.model_copy(update={"session_latents": {"cell": "refuses"}}),
        }
    )
    judged = Judged(dialogue, Realism(combined=0.5), {}, np.array([0.5, -1.0], np.float32), {"offer": 1})
    assert DistributionMatch().sketch(judged) == {
        "logw": 0.5,
        "stratum": "refuses",
        "success": 0.0,
        "residuals": np.array([0.5, -1.0], np.float32).tobytes(),
        "answered": {"offer": 1},
    }


def test_a_rare_label_that_no_group_has_is_no_obstacle_and_a_frequent_one_is():
    def status(share: float) -> str:
        found = DistributionMatch().select(pool([0.0] * 300, residuals=np.full((300, 1), -share)), 150, 0).feasibility
        return "none" if found is None else found.status

    assert (status(0.001), status(0.2)) == ("ok", "infeasible_for_size")
