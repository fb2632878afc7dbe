"""Does a selection choose by reward, beyond what users do? It should not (methods §26.5)."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters.pool import Groups, left_over, read_groups
from schemas.judgement import Interval, Selection, Z

_LEAST = 20
"""Groups beyond the number of labels, below which nothing is told."""
_NOTHING = 1e-9
"""Share of a variance that is none but for rounding."""


class RewardCorrelation(NamedTuple):
    found: Interval | None
    """Its n counts groups."""
    reason: str = ""
    """Why there is none."""

    @property
    def bound(self) -> float | None:
        """No larger, either way, with 97.5% confidence."""
        return None if self.found is None else max(-self.found.low, self.found.high)


def reward_correlation(sketches: pa.Table, chosen: Mapping[str, Selection]) -> RewardCorrelation:
    """Partial correlation of inclusion (its probability where every selection has one, else whether it was kept) and
    success, over groups, given the residuals of users' turns and the learner's acts. `sketches`: DistributionMatch's.
    """
    if not sketches.num_rows:
        return RewardCorrelation(None, "too_few_groups")
    groups = read_groups(sketches)
    known = groups.success >= 0
    success = groups.success[known]
    if not len(success) or np.ptp(success) == 0:
        return RewardCorrelation(None, "one_outcome" if len(success) else "no_outcome")
    labels = groups.pool.residuals[known, : groups.labels]
    return partial_correlation(_inclusion(sketches, groups, chosen)[known], success, labels)


def _inclusion(sketches: pa.Table, groups: Groups, chosen: Mapping[str, Selection]) -> np.ndarray:
    found = [chosen[name] for name in sketches["dialogue_id"].to_pylist()]
    sure = all(selection.pi is not None for selection in found)
    values = [s.pi if sure and s.pi is not None else float(s.keep) for s in found]
    return np.bincount(groups.of, values) / np.bincount(groups.of)


def partial_correlation(one: np.ndarray, other: np.ndarray, given: np.ndarray) -> RewardCorrelation:
    """Of what linear regression on `given` [n, dims] leaves of either.

    The interval is that of the correlation's influence function, which holds whatever the two are distributed like;
    the degrees of freedom that regression took are counted.
    """
    left, rank = left_over(np.column_stack([one, other]).astype(np.float64), given)
    n, free = len(one), len(one) - rank - 1
    if free < _LEAST:
        return RewardCorrelation(None, "too_few_groups")
    squares = np.square(left).sum(axis=0)
    if squares[0] <= _NOTHING * n * max(float(np.var(one)), _NOTHING):
        return RewardCorrelation(None, "same_inclusion")
    if squares[1] <= _NOTHING * n * float(np.var(other)):
        return RewardCorrelation(None, "labels_tell_the_outcome")
    unit = left / np.sqrt(squares / n)
    r = float(np.mean(unit[:, 0] * unit[:, 1]))
    influence = unit[:, 0] * unit[:, 1] - r * np.square(unit).mean(axis=1)
    half = Z * float(np.sqrt(np.square(influence).sum() / (n * free)))
    return RewardCorrelation(Interval(r, max(-1.0, r - half), min(1.0, r + half), n))
