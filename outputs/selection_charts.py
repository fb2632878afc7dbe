"""What selection did, family by family, as the report draws it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from outputs.charts import Axis, Span, axis_over, figures, floor_span, span
from outputs.label_words import doing
from outputs.manifest import (
    LABEL_DISTANCES,
    Feasible,
    HeadMarginal,
    Lacking,
    Manifest,
    Measure,
    Moved,
    Round,
    SelectionReward,
)

OPEN = 3
"""Heads whose labels are shown unfolded: those furthest beyond chance."""
UNRELATED = 0.05
"""A correlation with success that is shown to be no larger is none, one that is shown to be larger is one."""
STATUS = {
    "no_effect": "left as fitted: users do not act otherwise with it",
    "not_needed": "left as fitted: nothing is lacking that it brings",
    "too_few": "left as fitted: too few turns tell what it does",
}


@dataclass(frozen=True, slots=True)
class DistancePanel:
    """Total variation to real users, by head, before and after."""

    axis: Axis
    rows: list[tuple[Measure, Span | None, Span | None, Span | None]]
    """(measure, before, after, real against real)."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    share: HeadMarginal
    floor: Span | None
    """About the real share."""
    before: Span | None
    after: Span | None
    real_corrected: Span | None
    after_corrected: Span | None


@dataclass(frozen=True, slots=True)
class HeadChart:
    head: str
    matched: bool
    axis: Axis
    rows: list[LabelRow]
    distance_before: float | None
    """Total variation to the real shares; None where a share is missing."""
    distance_after: float | None
    open: bool
    corrected: bool
    note: str


@dataclass(frozen=True, slots=True)
class SizePanel:
    """How many dialogues could be kept."""

    feasible: Feasible
    most: int
    wanted: float
    """Percent, as the bars."""
    bars: list[tuple[str, int, float]]
    lacking: list[tuple[str, Lacking, int]]
    """(what real users do more often, the label, turns to make)."""


@dataclass(frozen=True, slots=True)
class RoundPanel:
    axis: Axis
    wanted: float | None
    """Percent; None where it is not known."""
    rows: list[tuple[Round, list[tuple[str, str, int, float]]]]
    """(round, [(name, style, count, percent)])."""


@dataclass(frozen=True, slots=True)
class DriftPanel:
    axis: Axis
    moved: list[tuple[Moved, float, float, str]]
    """(latent, fitted and drawn in percent of the plot, what was done)."""
    left: list[tuple[Moved, float, float, str]]
    """As fitted."""
    divergence: float | None
    bound: float | None
    uncontrolled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RewardRow:
    found: SelectionReward
    axis: Axis
    place: Span | None
    verdict: str


@dataclass(frozen=True, slots=True)
class FamilySelection:
    family: str
    distances: DistancePanel | None
    heads: list[HeadChart]
    sizes: SizePanel | None
    rounds: RoundPanel | None
    drift: DriftPanel | None
    dropped: list[tuple[str, int, float]]
    """(reason, dialogues, percent of those made)."""
    reward: RewardRow | None


def selections(manifest: Manifest) -> list[FamilySelection]:
    """Families in the manifest's order. One of which nothing is known is absent."""
    known = [*manifest.families, *(v.family for v in (*manifest.heads, *manifest.feasible, *manifest.rounds))]
    found = [_family(manifest, family) for family in dict.fromkeys(known)]
    return [f for f in found if f.distances or f.heads or f.sizes or f.rounds or f.drift or f.dropped or f.reward]


def _family(manifest: Manifest, family: str) -> FamilySelection:
    measures = [m for m in manifest.realism if m.family == family and m.group == LABEL_DISTANCES]
    feasible = next((f for f in manifest.feasible if f.family == family), None)
    reward = next((r for r in manifest.selection_reward if r.family == family), None)
    return FamilySelection(
        family,
        _distances(measures) if measures else None,
        head_charts([h for h in manifest.heads if h.family == family], measures),
        _sizes(feasible) if feasible else None,
        _rounds([r for r in manifest.rounds if r.family == family], feasible),
        _drift([m for m in manifest.moved if m.family == family], manifest, family),
        _dropped(manifest, family),
        _reward(reward) if reward else None,
    )


def _distances(measures: Sequence[Measure]) -> DistancePanel:
    """The furthest beyond its floor first."""
    axis = axis_over([v for m in measures for v in (*figures(m), *(m.before or ())[:3])], 0.0)
    rows = sorted(measures, key=lambda m: -_beyond(m))
    return DistancePanel(
        axis,
        [
            (
                m,
                span(axis, *m.before[:3]) if m.before else None,
                span(axis, m.value, m.low, m.high),
                floor_span(axis, m),
            )
            for m in rows
        ],
    )


def _beyond(measure: Measure) -> float:
    return -1.0 if measure.value is None else measure.value - (measure.floor_high or 0.0)


def head_charts(heads: Sequence[HeadMarginal], measures: Sequence[Measure] = ()) -> list[HeadChart]:
    """Of one family; the first `OPEN` by `measures` are unfolded, or all where there are none."""
    order = {m.name: place for place, m in enumerate(sorted(measures, key=lambda m: -_beyond(m)))}
    names = sorted(dict.fromkeys(h.head for h in heads), key=lambda name: order.get(name, len(order)))
    charts: list[HeadChart] = []
    for place, name in enumerate(names):
        labels = [h for h in heads if h.head == name]
        real = [h.real for h in labels]
        axis = axis_over((v for h in labels for v in _shares(h)), 0.0)
        corrected = any(h.real_corrected or h.after_corrected for h in labels)
        charts.append(
            HeadChart(
                name,
                all(h.matched for h in labels),
                axis,
                [_label(axis, h) for h in labels],
                total_variation(real, [h.synthetic_before for h in labels]),
                total_variation(real, [h.synthetic_after for h in labels]),
                place < OPEN or corrected or not measures,
                corrected,
                next((h.note for h in labels if h.note), ""),
            )
        )
    return charts


def _shares(h: HeadMarginal) -> tuple[float | None, ...]:
    corrected = (*(h.real_corrected or ())[:3], *(h.after_corrected or ())[:3])
    ends = (h.before_low, h.before_high, h.after_low, h.after_high, h.floor_low, h.floor_high)
    return (h.real, h.synthetic_before, h.synthetic_after, *ends, *corrected)


def _label(axis: Axis, h: HeadMarginal) -> LabelRow:
    return LabelRow(
        h,
        span(axis, h.real, h.floor_low, h.floor_high),
        span(axis, h.synthetic_before, h.before_low, h.before_high),
        span(axis, h.synthetic_after, h.after_low, h.after_high),
        span(axis, *h.real_corrected[:3]) if h.real_corrected else None,
        span(axis, *h.after_corrected[:3]) if h.after_corrected else None,
    )


def total_variation(one: Sequence[float | None], other: Sequence[float | None]) -> float | None:
    """Half the sum of absolute differences; None when a share is missing."""
    gaps = [abs(a - b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    return sum(gaps) / 2 if gaps and len(gaps) == len(one) else None


def _sizes(feasible: Feasible) -> SizePanel:
    sizes = {
        "one label balanced": feasible.single,
        "all labels balanced": feasible.joint,
        "effective sample": feasible.effective,
    }
    axis = axis_over([float(n) for n in (*sizes.values(), feasible.wanted)], 0.0)
    lacking = sorted(feasible.lacking, key=lambda x: -x.tolerances)
    return SizePanel(
        feasible,
        min(feasible.joint, feasible.effective),
        axis.at(feasible.wanted),
        [(name, n, axis.at(n)) for name, n in sizes.items()],
        [(doing(x.head, x.label), x, ceil(x.turns)) for x in lacking],
    )


def _rounds(rounds: Sequence[Round], feasible: Feasible | None) -> RoundPanel | None:
    if not rounds:
        return None
    counts = [n for r in rounds for n in (r.made, r.valid, r.matched, r.accepted)]
    axis = axis_over([float(n) for n in (*counts, feasible.wanted if feasible else 0)], 0.0)
    rows = [
        (
            r,
            [
                (name, style, n, axis.at(n))
                for name, style, n in (
                    ("made", "real", r.made),
                    ("valid", "before", r.valid),
                    ("can be matched", "good", r.matched),
                    ("accepted", "after", r.accepted),
                )
            ],
        )
        for r in sorted(rounds, key=lambda r: r.number)
    ]
    return RoundPanel(axis, axis.at(feasible.wanted) if feasible else None, rows)


def _drift(moved: Sequence[Moved], manifest: Manifest, family: str) -> DriftPanel | None:
    divergence, uncontrolled = manifest.divergence.get(family), manifest.uncontrolled.get(family, ())
    if not moved and divergence is None and not uncontrolled:
        return None
    axis = axis_over((v for m in moved for v in (m.fitted, m.drawn)), 0.0)
    rows = [(m, axis.at(m.fitted), axis.at(m.drawn), _done(m)) for m in moved]
    changed = [row for row in rows if row[0].status not in STATUS]
    left = [row for row in rows if row[0].status in STATUS]
    return DriftPanel(axis, changed, left, divergence, manifest.divergence_bound, uncontrolled)


def _done(moved: Moved) -> str:
    if moved.status in STATUS:
        return STATUS[moved.status]
    way = "more" if moved.drawn > moved.fitted else "less"
    return f"drawn {way} often" + (", as far as the bound allows" if moved.status == "at_the_bound" else "")


def _dropped(manifest: Manifest, family: str) -> list[tuple[str, int, float]]:
    steps = [s for s in manifest.funnel if s.family == family]
    made = sum(s.count for s in steps if s.name == "made")
    lost: Counter[str] = Counter()
    for step in steps:
        lost.update(step.reasons)
    return [
        (reason, n, round(100 * n / max(made, n), 3)) for reason, n in sorted(lost.items(), key=lambda i: (-i[1], i[0]))
    ]


def _reward(found: SelectionReward) -> RewardRow:
    axis = axis_over((found.value, found.low, found.high), -2 * UNRELATED, 2 * UNRELATED)
    return RewardRow(found, axis, span(axis, found.value, found.low, found.high), _verdict(found))


def _verdict(found: SelectionReward) -> str:
    if found.low is None or found.high is None:
        return found.note
    if found.low > UNRELATED or found.high < -UNRELATED:
        return f"beyond {UNRELATED}: {'successes' if found.low > 0 else 'failures'} were chosen"
    most = max(abs(found.low), abs(found.high))
    if most <= UNRELATED:
        return f"at most {most:.2f}: success did not choose"
    return f"up to {most:.2f} is not excluded: that success did not choose is not shown"
