"""Where the report's marks go: figures as percent of a plot's width, so that drawings scale and texts do not."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from outputs.manifest import FunnelStep, Manifest, Measure, PolicyPair, RewardSummary


@dataclass(frozen=True, slots=True)
class Axis:
    low: float
    high: float
    step: float

    def at(self, value: float) -> float:
        """Percent of the width, kept inside the plot."""
        return round(100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low))), 3)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """(percent, label)."""
        count = round((self.high - self.low) / self.step)
        values = [self.low + self.step * k for k in range(count + 1)]
        return [(self.at(v), f"{round(v, 10):g}") for v in values]


def axis_over(values: Iterable[float | None], *always: float) -> Axis:
    """A round axis that holds every value and `always`."""
    known = [v for v in values if v is not None and math.isfinite(v)] + list(always)
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / 5
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough * 0.999)
    return Axis(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step)


@dataclass(frozen=True, slots=True)
class Span:
    """A dot with its interval; the interval is None where it is not known."""

    dot: float
    low: float | None
    high: float | None

    @property
    def width(self) -> float:
        return 0.0 if self.low is None or self.high is None else round(self.high - self.low, 3)


def span(axis: Axis, value: float | None, low: float | None, high: float | None) -> Span | None:
    if value is None:
        return None
    if low is None or high is None:
        return Span(axis.at(value), None, None)
    return Span(axis.at(value), axis.at(low), axis.at(high))


@dataclass(frozen=True, slots=True)
class FunnelBar:
    step: FunnelStep
    share: float
    """Percent of the first step."""
    reasons: list[tuple[str, int, float]]
    """(reason, count, percent of the first step), commonest first."""


def funnel_bars(manifest: Manifest) -> list[FunnelBar]:
    steps = manifest.totals
    first = max((s.count for s in steps), default=0) or 1
    return [
        FunnelBar(
            step,
            round(100 * step.count / first, 3),
            [
                (reason, n, round(100 * n / first, 3))
                for reason, n in sorted(step.reasons.items(), key=lambda i: (-i[1], i[0]))
            ],
        )
        for step in steps
    ]


@dataclass(frozen=True, slots=True)
class FunnelTable:
    """Counts by family and policy."""

    steps: list[str]
    rows: list[tuple[str, str, list[int | None]]]


def funnel_table(manifest: Manifest) -> FunnelTable:
    parts = [s for s in manifest.funnel if s.family is not None or s.policy is not None]
    steps = list(dict.fromkeys(s.name for s in parts))
    cells = {(s.family or "all", s.policy or "all", s.name): s.count for s in parts}
    keys = list(dict.fromkeys((s.family or "all", s.policy or "all") for s in parts))
    return FunnelTable(steps, [(f, p, [cells.get((f, p, step)) for step in steps]) for f, p in keys])


@dataclass(frozen=True, slots=True)
class RealismPanel:
    title: str
    axis: Axis
    rows: list[tuple[Measure, Span | None, Span | None]]
    """(measure, synthetic, real against real)."""


def realism_panels(measures: Sequence[Measure]) -> list[RealismPanel]:
    panels: list[RealismPanel] = []
    for group in dict.fromkeys(m.group for m in measures):
        rows = [m for m in measures if m.group == group]
        axis = axis_over(figure for m in rows for figure in figures(m))
        panels.append(
            RealismPanel(
                group,
                axis,
                [(m, span(axis, m.value, m.low, m.high), floor_span(axis, m)) for m in rows],
            )
        )
    return panels


def figures(m: Measure) -> tuple[float | None, ...]:
    return (m.value, m.low, m.high, m.floor_value, m.floor_low, m.floor_high)


def floor_span(axis: Axis, measure: Measure) -> Span | None:
    """Real against real; where only its upper bound is known, everything up to it."""
    if measure.floor_value is None and measure.floor_high is not None:
        bound = axis.at(measure.floor_high)
        return Span(bound, 0.0 if measure.floor_low is None else axis.at(measure.floor_low), bound)
    return span(axis, measure.floor_value, measure.floor_low, measure.floor_high)


@dataclass(frozen=True, slots=True)
class HistogramBar:
    x: float
    width: float
    height: float
    """All three in percent."""
    count: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RewardPanel:
    name: str
    axis: Axis
    rows: list[tuple[RewardSummary, Span | None, list[HistogramBar]]]


def reward_panels(rewards: Sequence[RewardSummary]) -> list[RewardPanel]:
    panels: list[RewardPanel] = []
    for name in dict.fromkeys(r.name for r in rewards):
        rows = [r for r in rewards if r.name == name]
        axis = axis_over(v for r in rows for v in (r.mean, r.low, r.high, *r.edges))
        panels.append(
            RewardPanel(name, axis, [(r, span(axis, r.mean, r.low, r.high), histogram(axis, r)) for r in rows])
        )
    return panels


def histogram(axis: Axis, reward: RewardSummary) -> list[HistogramBar]:
    tallest = max(reward.counts, default=0) or 1
    return [
        HistogramBar(axis.at(low), round(axis.at(high) - axis.at(low), 3), round(100 * n / tallest, 3), n, low, high)
        for (low, high), n in zip(pairwise(reward.edges), reward.counts, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class PairPanel:
    measure: str
    means: Axis
    differences: Axis
    rows: list[tuple[PolicyPair, float | None, float | None, Span | None]]
    """(pair, first mean, second mean, difference): the means on the first axis, the difference on the second."""


def pair_panels(pairs: Sequence[PolicyPair]) -> list[PairPanel]:
    panels: list[PairPanel] = []
    for measure in dict.fromkeys(p.measure for p in pairs):
        rows = [p for p in pairs if p.measure == measure]
        means = axis_over((v for p in rows for v in (p.first_mean, p.second_mean)), 0.0)
        differences = axis_over((v for p in rows for v in (p.difference, p.low, p.high)), 0.0)
        panels.append(
            PairPanel(
                measure,
                means,
                differences,
                [
                    (
                        p,
                        None if p.first_mean is None else means.at(p.first_mean),
                        None if p.second_mean is None else means.at(p.second_mean),
                        span(differences, p.difference, p.low, p.high),
                    )
                    for p in rows
                ],
            )
        )
    return panels
