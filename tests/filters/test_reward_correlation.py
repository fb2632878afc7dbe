"""Inclusion must not follow reward, given what users do: ours does not, and who does is found."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binom

from filters.distribution_match import DistributionMatch
from filters.reward_correlation import partial_correlation, reward_correlation
from schemas.judgement import Selection


def pool(groups: int, seed: int = 0, siblings: int = 1) -> pa.Table:
    """Users refuse more often than real ones; who refuses fails more often. The ratios speak against refusing, too."""
    draws = np.random.default_rng(seed)
    n = groups * siblings
    labels = (draws.normal(size=(n, 12)) > 0.5).astype(np.float32) - 0.31
    success = draws.random(n) < 1 / (1 + np.exp(0.7 * labels[:, 0] - 0.7 * labels[:, 1]))
    labels[:, :4] += 0.15
    return pa.table(
        {
            "dialogue_id": [f"d{i:05d}" for i in range(n)],
            "group_id": [f"g{i // siblings:05d}" for i in range(n)],
            "logw": (-0.7 * labels[:, 0] + draws.normal(0, 0.3, n)).tolist(),
            "stratum": ["None"] * n,
            "success": success.astype(float).tolist(),
            "residuals": [row.tobytes() for row in labels],
            "answered": pa.nulls(n),
        }
    )


def matched(table: pa.Table) -> dict[str, Selection]:
    return dict(DistributionMatch().select(table, table.num_rows // 3, 0).each)


def drawn(table: pa.Table, share: Callable[[float], float], seed: int = 0) -> dict[str, Selection]:
    """Kept with a chance that is `share` of its success."""
    draws = np.random.default_rng(seed)
    rows = zip(table["dialogue_id"].to_pylist(), table["success"].to_pylist(), strict=True)
    return {name: Selection(keep=bool(draws.random() < share(success))) for name, success in rows}


@pytest.mark.parametrize("siblings", [1, 2])
def test_our_selection_is_shown_not_to_choose_by_reward(siblings: int):
    table = pool(6000, siblings=siblings)
    found = reward_correlation(table, matched(table))
    assert found.found is not None and found.found.n == 6000
    assert found.bound is not None and found.bound <= 0.05


def test_a_selection_that_chooses_by_reward_is_found_at_two_thousand_dialogues():
    table = pool(2000)
    for share in (lambda success: 0.28 + 0.12 * success, lambda success: 0.4 - 0.12 * success):
        found = reward_correlation(table, drawn(table, share)).found
        assert found is not None and min(abs(found.low), abs(found.high)) > 0.05 and found.low * found.high > 0


def test_one_that_hides_behind_the_right_total_is_found_too():
    """As many as ours, with our probabilities, but for every fifth failure a success was put in."""
    table, success = pool(4000), dict[str, float]()
    success.update(zip(table["dialogue_id"].to_pylist(), table["success"].to_pylist(), strict=True))
    ours = {name: s.keep for name, s in matched(table).items()}
    out = [name for name, kept in ours.items() if kept and not success[name]][::5]
    into = [name for name, kept in ours.items() if not kept and success[name]][: len(out)]
    changed = ours | dict.fromkeys(out, False) | dict.fromkeys(into, True)
    found = reward_correlation(table, {name: Selection(keep=kept) for name, kept in changed.items()}).found
    assert found is not None and found.low > 0.05 and sum(changed.values()) == sum(ours.values())


def test_what_labels_explain_counts_for_nothing():
    """Dropping refusals drops failures: that is what users do, not what they reached."""
    draws = np.random.default_rng(1)
    refuses = draws.random(3000) < 0.4
    success = draws.random(3000) < np.where(refuses, 0.2, 0.8)
    kept = draws.random(3000) < np.where(refuses, 0.1, 0.6)
    given = partial_correlation(kept, success, refuses[:, None].astype(np.float32)).found
    without = partial_correlation(kept, success, np.zeros((3000, 0), np.float32)).found
    assert given is not None and given.low < 0 < given.high
    assert without is not None and without.low > 0.2


def test_the_interval_covers_nothing_as_often_as_it_says_where_spreads_differ():
    alarms = 0
    for seed in range(400):
        draws = np.random.default_rng(seed)
        label = draws.integers(0, 2, (300, 6)).astype(np.float32)
        spread = 0.2 + label[:, 0]
        inclusion = np.clip(0.5 + 0.2 * spread * draws.normal(size=300), 0, 1)
        success = draws.random(300) < 0.2 + 0.5 * label[:, 0]
        found = partial_correlation(inclusion, success, label).found
        assert found is not None
        alarms += not found.low <= 0 <= found.high
    low, high = binom.ppf([0.005, 0.995], 400, 0.05)
    assert low <= alarms <= high


def test_the_value_is_the_correlation_of_what_regression_leaves():
    draws = np.random.default_rng(3)
    given = draws.normal(size=(500, 4))
    one, other = (given @ draws.normal(size=4) + draws.normal(size=500) for _ in range(2))
    design = np.column_stack([np.ones(500), given])
    left = [v - design @ np.linalg.lstsq(design, v)[0] for v in (one, other)]
    found = partial_correlation(one, other, given).found
    assert found is not None and found.value == pytest.approx(np.corrcoef(left)[0, 1])


@pytest.mark.parametrize(
    ("success", "keep", "groups", "reason"),
    [
        (None, 0.5, 100, "no_outcome"),
        (1.0, 0.5, 100, "one_outcome"),
        ("mixed", 1.0, 100, "same_inclusion"),
        ("mixed", 0.5, 12, "too_few_groups"),
        ("mixed", 0.5, 0, "too_few_groups"),
    ],
)
def test_what_cannot_be_told_has_a_reason(success: object, keep: float, groups: int, reason: str):
    table = pool(max(groups, 1))
    if success != "mixed":
        column = pa.array([success] * groups, pa.float64() if success else None)
        table = table.set_column(table.schema.get_field_index("success"), "success", column)
    table = table.slice(0, groups)
    found = reward_correlation(table, drawn(table, lambda _: keep))
    assert (found.found, found.bound, found.reason) == (None, None, reason)


def test_an_outcome_that_the_labels_tell_leaves_nothing_to_choose_by():
    label = np.repeat([0.0, 1.0], 50)
    found = partial_correlation(np.random.default_rng(0).random(100), label, label[:, None].astype(np.float32))
    assert found.reason == "labels_tell_the_outcome"
