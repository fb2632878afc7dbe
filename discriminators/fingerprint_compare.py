"""Two fingerprints side by side: every feature with its interval and with what two real samples differ by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from discriminators.fingerprint import Fingerprint, fingerprint
from schemas.dialogue import Dialogue
from schemas.identity import derive
from schemas.judgement import Interval


@dataclass(frozen=True, slots=True)
class FeatureDifference:
    """One feature on two sides. Means are over the dialogues that have it."""

    feature: str
    real: float | None
    synthetic: float | None
    difference: Interval | None
    """Synthetic mean less real mean in standard deviations (root of the mean of both variances), with a bootstrap over
    groups (`n`: of the side with fewer; below 30 too narrow). None with fewer than 2 groups, or no spread at all.
    """
    floor: float | None
    """95th percentile of the same figure, without its sign, between two disjoint real samples of groups: halves, the
    smaller with no more groups than the synthetic side has.
    """
    n_real: int
    """Dialogues that have the feature; so for `n_synthetic`."""
    n_synthetic: int

    @property
    def floors_away(self) -> float | None:
        return abs(self.difference.value) / self.floor if self.difference and self.floor else None


def compare(
    real: Iterable[Dialogue], synthetic: Iterable[Dialogue], seed: int, *, draws: int = 1000, splits: int = 200
) -> list[FeatureDifference]:
    """Every feature, in the order of `Fingerprint`. Reads one dialogue at a time and keeps its numbers only.

    A group is a base case. `draws`: of the bootstrap; `splits`: of the real side, for the floor.
    """
    generator = np.random.default_rng(derive(seed, "fingerprint"))
    left, right = _Side.of(real), _Side.of(synthetic)
    drawn = np.array([_distance(left.resample(generator), right.resample(generator)) for _ in range(draws)])
    value = _distance(left.sums.sum(axis=0), right.sums.sum(axis=0))
    apart = np.abs([_distance(*left.split(generator, len(right.sums))) for _ in range(splits)])
    return [
        FeatureDifference(
            feature=name,
            real=_mean_of(left, i),
            synthetic=_mean_of(right, i),
            difference=_interval(float(value[i]), drawn[:, i], min(left.groups_with(i), right.groups_with(i))),
            floor=_percentile(apart[:, i], 95) if left.groups_with(i) >= 4 else None,
            n_real=int(left.sums[:, 0, i].sum()),
            n_synthetic=int(right.sums[:, 0, i].sum()),
        )
        for i, name in enumerate(Fingerprint._fields)
    ]


def markdown(rows: Sequence[FeatureDifference]) -> str:
    """A table with a row a feature; a dash for what cannot be told."""
    lines = [
        "| feature | real | simulated | difference | 95% | floor | floors away | n real | n simulated |",
        "|---|---:|---:|---:|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        gap = row.difference
        between = f"{gap.low:+.2f} to {gap.high:+.2f}" if gap else "-"
        figures = (row.real, row.synthetic, gap and gap.value, row.floor, row.floors_away)
        real, synthetic, value, floor, away = ("-" if x is None else f"{x:.3g}" for x in figures)
        lines.append(
            f"| {row.feature} | {real} | {synthetic} | {value} | {between} | {floor} | {away} "
            f"| {row.n_real} | {row.n_synthetic} |"
        )
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Side:
    sums: np.ndarray
    """float64 [groups, 3, features]: number, sum and sum of squares of what is known."""

    @classmethod
    def of(cls, dialogues: Iterable[Dialogue]) -> "_Side":
        groups: dict[str, np.ndarray] = {}
        for dialogue in dialogues:
            values = np.array(fingerprint(dialogue), dtype=np.float64)
            there = ~np.isnan(values)
            values[~there] = 0.0
            sums = groups.setdefault(dialogue.scenario.base_case_id, np.zeros((3, len(values))))
            sums += np.stack([there, values, values * values])
        return cls(np.stack(list(groups.values())) if groups else np.zeros((0, 3, len(Fingerprint._fields))))

    def groups_with(self, feature: int) -> int:
        return int(np.count_nonzero(self.sums[:, 0, feature]))

    def resample(self, generator: np.random.Generator) -> np.ndarray:
        """[3, features]"""
        n = len(self.sums)
        times = np.bincount(generator.integers(n, size=n), minlength=n) if n else np.zeros(0)
        return np.tensordot(times, self.sums, axes=1)

    def split(self, generator: np.random.Generator, groups: int) -> tuple[np.ndarray, np.ndarray]:
        """Two disjoint samples, the first with half the groups, or `groups` if these are fewer."""
        order = generator.permutation(len(self.sums))
        half = len(order) // 2
        size = min(half, groups)
        return self.sums[order[:size]].sum(axis=0), self.sums[order[half:]].sum(axis=0)


def _distance(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """Standardised differences of the means, [features]; NaN where a side is empty or nothing varies."""
    with np.errstate(divide="ignore", invalid="ignore"):
        means = [side[1] / side[0] for side in (real, synthetic)]
        spread = [side[2] / side[0] - mean**2 for side, mean in zip((real, synthetic), means, strict=True)]
        variance = (spread[0] + spread[1]) / 2
        gap = means[1] - means[0]
        return np.where(variance > 1e-12, gap / np.sqrt(variance), np.where(np.abs(gap) < 1e-12, 0.0, np.nan))


def _mean_of(side: _Side, feature: int) -> float | None:
    count, total, _ = side.sums[:, :, feature].sum(axis=0)
    return float(total / count) if count else None


def _percentile(values: np.ndarray, q: float) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.percentile(known, q)) if len(known) else None


def _interval(value: float, drawn: np.ndarray, groups: int) -> Interval | None:
    low, high = _percentile(drawn, 2.5), _percentile(drawn, 97.5)
    if groups < 2 or np.isnan(value) or low is None or high is None:
        return None
    return Interval(value, min(low, value), max(high, value), groups)
