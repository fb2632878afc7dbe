"""Groups whose users are as real ones are given what the assistant did, exactly as many as wanted (methods §26.2-26.5).

Inclusion probabilities balance the density ratio of every group with the residuals of its users' turns
(`filters.balancing`); systematic sampling then draws exactly the target. The residuals are given the act a turn
answers, so what the assistant does is matched to nothing: its acts stay as frequent as in the pool. So does every
stratum, which is the cells of initiative of a group's dialogues: those where it is unwelcome stay.

Success is balanced, too, less what users' labels and the learner's acts tell of it (linearly): it sums to 0 over what
is kept, so that nothing is chosen by reward and failures stay. A stratum for success would keep its share whatever
users do, and so prefer failures among users who fail and talk like nobody (`filters.reward_correlation`: -.26 on
scripted people, where the bound is .05).

Residuals are summed over all siblings of a group, not taken from the reactive one: all of them are published, and given
the act the expectation of each is 0.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from filters.balancing import Balanced, balance
from filters.feasibility import feasibility, shares, tolerance
from filters.pool import Groups, read_groups
from filters.sampling import draw, draw_evenly
from schemas.contracts import Selector
from schemas.judgement import Choice, Feasibility, Judged, Selection


class DistributionMatch(Selector):
    """Keeps exactly `target` dialogues (as whole groups allow) whose users are distributed as real ones."""

    matches: ClassVar[bool] = True

    minimum: int = 100
    """Candidates below which nothing is matched: the estimates would be noise."""

    def sketch(self, judged: Judged) -> dict[str, Any]:
        success = judged.dialogue.outcome.get("success")
        cell = judged.dialogue.scenario.session_latents.get("cell")
        return {
            "logw": judged.realism.combined,
            "stratum": str(cell),
            "success": float(success) if isinstance(success, bool | int | float) else None,
            "residuals": None if judged.residuals is None else np.asarray(judged.residuals, np.float32).tobytes(),
            "answered": dict(judged.answered) or None,
        }

    def select(self, sketches: pa.Table, target: int, seed: int, errors: Mapping[str, np.ndarray] = {}) -> Choice:
        """Where the pool cannot give so many, the kept say `infeasible_for_size`: they are the least-divergent choice,
        and `feasibility` says what is lacking.
        """
        if sketches.num_rows == 0:
            return Choice(iter(()))
        groups = read_groups(sketches, errors)
        pi: np.ndarray | None = None
        limits: Feasibility | None = None
        lost = "over_target"
        if not groups.matchable or sketches.num_rows < self.minimum:
            reason = "too_few_to_match" if groups.matchable else "no_reference"
            kept = draw_evenly(groups.ids, groups.pool.sizes, target, seed)
        else:
            best = _best(groups, target)
            limits = feasibility(groups, target, best)
            reason, lost, pi = limits.status, "over_represented", best.pi
            kept = draw(groups.pool.sizes, pi, _order(groups), target, seed)
        return Choice(_each(sketches, groups, pi, kept, (reason, lost)), limits)


def _each(
    sketches: pa.Table, groups: Groups, pi: np.ndarray | None, kept: np.ndarray, reasons: tuple[str, str]
) -> Iterator[tuple[str, Selection]]:
    """`reasons`: of those that are kept, and of the others."""
    for name, group in zip(sketches["dialogue_id"].to_pylist(), groups.of.tolist(), strict=True):
        selection = Selection(
            logw=float(groups.pool.logw[group]) if groups.scored[group] else None,
            pi=None if pi is None else float(pi[group]),
            keep=bool(kept[group]),
            reason=reasons[0] if kept[group] else reasons[1],
        )
        yield name, selection


def _best(groups: Groups, target: int) -> Balanced:
    allowed = tolerance(max(target, 1), groups.errors)
    return balance(groups.pool, shares(groups.pool, target), allowed)


def _order(groups: Groups) -> np.ndarray:
    """By stratum, success, then score: neighbours are alike, and systematic sampling takes its share of each."""
    stratum = np.repeat(np.arange(len(groups.pool.strata)), [s.stop - s.start for s in groups.pool.strata])
    return np.lexsort((groups.pool.logw, groups.success, stratum))
