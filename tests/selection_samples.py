"""What selection did in the run of `manifest_samples`: a pool too small for one label, three rounds, latents moved."""

from outputs.manifest import (
    LABEL_DISTANCES,
    Feasible,
    HeadMarginal,
    Lacking,
    Measure,
    Moved,
    Round,
    SelectionReward,
)
from schemas.judgement import Interval

FAMILY = "conversation"


def _head(
    head: str,
    label: str,
    shares: tuple[float, float, float],
    matched: bool = True,
    corrected: tuple[float, float] | None = None,
) -> HeadMarginal:
    real, before, after = shares
    floor, made, kept = (Interval.of_share(share, n) for share, n in ((real, 300), (before, 400), (after, 240)))
    marginal = HeadMarginal(
        family=FAMILY,
        head=head,
        label=label,
        real=real,
        synthetic_before=before,
        synthetic_after=after,
        n_real=400,
        n_before=18,
        n_after=12,
        matched=matched,
        before_low=made.low,
        before_high=made.high,
        after_low=kept.low,
        after_high=kept.high,
        floor_low=floor.low,
        floor_high=floor.high,
    )
    if corrected is None:
        return marginal
    one, other = (Interval(share, max(0, share - 0.12), share + 0.12, 240) for share in corrected)
    changed = {"real_corrected": one, "after_corrected": other, "requested": 0.5, "n_before": 0}
    missing = {"synthetic_before": None, "before_low": None, "before_high": None, "note": "150 hand labels"}
    return marginal.model_copy(update=changed | missing)


HEADS = (
    _head("length", "1-3", (0.42, 0.18, 0.33)),
    _head("length", "4-6", (0.38, 0.44, 0.4)),
    _head("length", "7-10", (0.2, 0.38, 0.27)),
    _head("pushback", "none", (0.9, 0.99, 0.97)),
    _head("pushback", "refuses", (0.1, 0.01, 0.03)),
    _head("question", "asks", (0.3, 0.12, 0.24)),
    _head("question", "none", (0.7, 0.88, 0.76)),
    _head("wish", "wishes", (0.16, 0.14, 0.15)),
    _head("wish", "none", (0.84, 0.86, 0.85)),
    _head("topic", "film", (0.55, 0.9, 0.8), matched=False),
    _head("topic", "food", (0.45, 0.1, 0.2), matched=False),
    _head("intent", "ask", (0.3, 0.2, 0.25), False, (0.33, 0.28)),
    _head("intent", "share", (0.7, 0.8, 0.75), False, (0.67, 0.72)),
)


def _distance(head: str, before: float, after: float, floor: float) -> Measure:
    return Measure(
        family=FAMILY,
        name=head,
        group=LABEL_DISTANCES,
        value=after,
        low=max(0, after - 0.06),
        high=after + 0.05,
        n=12,
        floor_high=floor,
        before=Interval(before, max(0, before - 0.05), before + 0.05, 18),
    )


DISTANCES = (
    _distance("wish", 0.02, 0.01, 0.05),
    _distance("length", 0.24, 0.09, 0.08),
    _distance("pushback", 0.09, 0.07, 0.04),
    _distance("question", 0.18, 0.06, 0.06),
    _distance("topic", 0.35, 0.25, 0.09),
)
FEASIBLE = (
    Feasible(
        family=FAMILY,
        wanted=12,
        single=9,
        joint=8,
        effective=11,
        status="infeasible_for_size",
        lacking=(
            Lacking(head="act_change", label="refusal", turns=0.4, tolerances=1.2),
            Lacking(head="pushback", label="refuses", turns=39.2, tolerances=3.1),
        ),
    ),
    Feasible(family="tutoring", wanted=6, single=12, joint=10, effective=9, status="ok"),
)
ROUNDS = (
    Round(number=2, family=FAMILY, groups=4, made=8, valid=7, matched=8, accepted=12, acceptance=0.625),
    Round(number=1, family=FAMILY, groups=8, made=16, valid=11, matched=3, accepted=9, acceptance=0.1875),
    Round(number=3, family=FAMILY, groups=0, made=0, valid=0, matched=8, accepted=12, acceptance=None),
)


def _moved(value: str, status: str, drawn: float, detected: Interval | None) -> Moved:
    return Moved.model_validate(
        {
            "family": FAMILY,
            "latent": "patience",
            "value": value,
            "fitted": 0.2,
            "drawn": drawn,
            "detected": detected,
            "status": status,
            "head": "pushback",
            "label": "refuses",
        }
    )


MOVED = (
    _moved("low", "moved", 0.4, Interval(0.15, 0.05, 0.25, 16)),
    _moved("none", "at_the_bound", 0.3, Interval(0.3, 0.1, 0.5, 9)),
    _moved("high", "no_effect", 0.2, Interval(0.0, -0.05, 0.05, 20)),
    _moved("odd", "too_few", 0.2, None),
    _moved("mild", "not_needed", 0.2, Interval(0.1, 0.02, 0.2, 14)),
)
SELECTION_REWARD = (
    SelectionReward(family=FAMILY, value=0.01, low=-0.03, high=0.04, n=900),
    SelectionReward(family="tutoring", value=None, note="no_outcome"),
)
