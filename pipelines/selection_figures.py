"""What a selection could reach and did: for the manifest, and in words for `overture match`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt

import pyarrow as pa

from discriminators.given import Given
from filters.reward_correlation import reward_correlation
from outputs.manifest import Feasible, Lacking, SelectionReward
from schemas.judgement import SURE, Feasibility, Selection

LEVEL = 0.05
"""A selection whose correlation with reward is shown to be beyond this chooses by reward."""
_MOST = 8
"""Labels that are named."""


def feasible(family: str, found: Feasibility, given: Given | None) -> Feasible:
    """`given`: what the residuals were fitted on; without it nothing is known by name."""
    lacking = () if given is None else tuple(sorted(_lacking(found, given), key=lambda x: (-x.turns, x.head, x.label)))
    return Feasible(
        family=family,
        wanted=found.wanted,
        single=found.single,
        joint=found.joint,
        effective=found.effective,
        status=found.status,
        lacking=lacking,
    )


def _lacking(found: Feasibility, given: Given) -> Iterator[Lacking]:
    """A head's last label is no feature: it lacks what the others have too many."""
    many: dict[str, list[tuple[float, float]]] = {}
    for name, excess, tolerances in zip(given.names, found.excess.tolist(), found.tolerances.tolist(), strict=True):
        head, _, label = name.partition("=")
        if not label:
            continue
        many.setdefault(head, []).append((excess, excess / tolerances if tolerances else 0.0))
        if tolerances < -SURE:
            yield Lacking(head=head, label=label, turns=-excess, tolerances=-tolerances)
    for head, others in many.items():
        turns, unknown = sum(excess for excess, _ in others), sqrt(sum(one * one for _, one in others))
        if turns > SURE * unknown > 0:
            yield Lacking(head=head, label=[*given.heads[head].labels][-1], turns=turns, tolerances=turns / unknown)


def selection_reward(family: str, sketches: pa.Table, chosen: Mapping[str, Selection]) -> SelectionReward:
    """`sketches`: DistributionMatch's; `chosen`: what a selector made of them."""
    found, reason = reward_correlation(sketches, chosen)
    if found is None:
        return SelectionReward(family=family, value=None, note=reason)
    return SelectionReward(family=family, value=found.value, low=found.low, high=found.high, n=found.n)


def in_words(found: Feasible) -> Iterator[str]:
    sizes = f"{found.single} with the hardest label balanced, {found.joint} with all"
    told = f"Feasibility: {found.wanted} wanted; at the most {sizes}; effective sample size {found.effective}"
    if found.status == "ok":
        yield f"{told}. The pool can give that many."
        return
    yield f"{told}. The pool cannot give that many as real users are (infeasible_for_size): the kept are the closest."
    named = [f"{lack.head}={lack.label} {lack.turns:.0f}" for lack in found.lacking[:_MOST]]
    more = f" and {len(found.lacking) - _MOST} labels more" if len(found.lacking) > _MOST else ""
    if named:
        yield f"Lacking, turns of users to generate more of: {', '.join(named)}{more}"
    elif found.effective < found.wanted:
        yield "No label is lacking: what users say is unlike real words, which few dialogues make up for."


def strata_in_words(sketches: pa.Table, chosen: Mapping[str, Selection]) -> Iterator[str]:
    """How many were kept of each cell of initiative, and of successes and failures."""
    rows = zip(sketches["stratum"].to_pylist(), sketches["success"].to_pylist(), strict=True)
    strata = [_named(cell, success) for cell, success in rows]
    made = Counter(strata)
    kept = Counter(s for s, name in zip(strata, sketches["dialogue_id"].to_pylist(), strict=True) if chosen[name].keep)
    if len(made) > 1:
        yield f"Kept: {'; '.join(f'{s} {kept[s]} of {n} ({kept[s] / n:.0%})' for s, n in sorted(made.items()))}"


def _named(cell: str, success: float | None) -> str:
    outcome = "no outcome" if success is None else "success" if success else "failure"
    return outcome if cell == "None" else f"{cell}, {outcome}"


def reward_in_words(found: SelectionReward) -> Iterator[str]:
    what = "Inclusion and success given the labels, partial correlation"
    if found.value is None or found.low is None or found.high is None:
        if found.note != "no_outcome":
            yield f"{what}: none ({found.note})"
        return
    bound = max(-found.low, found.high)
    if min(abs(found.low), abs(found.high)) > LEVEL and found.low * found.high > 0:
        says = f"beyond {LEVEL}: what was kept was chosen by reward"
    elif bound <= LEVEL:
        says = f"at most {bound:.3f}: not chosen by reward"
    else:
        says = f"up to {bound:.3f} is not excluded: that nothing was chosen by reward is not shown"
    yield f"{what}: {found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}], {found.n} groups; {says}"


def told(found: Feasible | None, sketches: pa.Table, chosen: Mapping[str, Selection]) -> Sequence[str]:
    """All of it, in lines."""
    sizes = () if found is None else in_words(found)
    return [*sizes, *strata_in_words(sketches, chosen), *reward_in_words(selection_reward("", sketches, chosen))]
