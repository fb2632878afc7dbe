"""Are the two-sample tests right? False alarms real against real, and what finds a tenth of foreign dialogues.

Null: 200 splits of each of three corpora (600 a row) into two disjoint sets of dialogues, at the level .05; once as
they are, once with turns thinned out by the act they answer, one way on one side and the other on the other, so that
the sides differ in the mix of acts and in length and in nothing else. The band is the 99% binomial one of 600 splits.
Below: tests that are not used, and why; made-up turns (normal, users alike) show what permuting groups does where
dialogues of one side are longer. Power: one side holds 10% of dialogues of another corpus.

    python benchmarks/two_sample_calibration.py [--splits 200] [--repeats 15]
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from math import sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_predict

from discriminators.learner_acts import ACTS
from discriminators.two_sample.c2st import c2st
from discriminators.two_sample.energy import energy
from discriminators.two_sample.heads import UNLABELLED, head_distance, holm
from discriminators.two_sample.kernel import by_group
from discriminators.two_sample.mmd import gaussians, mmd, squared_distances
from discriminators.two_sample.points import Points, side_by_side
from discriminators.two_sample.wording import wording
from discriminators.user_turns import Sample
from pipelines.dialogue_files import read_dialogues
from schemas.judgement import Interval, shown

CORPORA = Path(__file__).parents[1].parent / "shared" / "corpora"
NULL = ("negotiation__persuasion_for_good", "recommendation__redial", "open_domain__topical_chat")
FOREIGN = (("task_oriented__sgd", "task_oriented__star"), ("open_domain__topical_chat", "recommendation__redial"))
DIMS, A_SIDE, DRAWS, LEVEL = 50, 100, 500, 0.05
SIZES = (200, 400, 800)
KEPT = np.array([0.9, 0.35])
"""How often a thinned side keeps turns after acts of odd and of even number."""


class Turns(NamedTuple):
    """The user turns of some dialogues."""

    features: np.ndarray
    labels: Mapping[str, np.ndarray]
    """By head: int [turns]."""
    groups: np.ndarray
    given: np.ndarray

    def of(self, rows: np.ndarray) -> "Turns":
        labels = {head: codes[rows] for head, codes in self.labels.items()}
        return Turns(self.features[rows], labels, self.groups[rows], self.given[rows])

    def dialogues(self, names: np.ndarray) -> "Turns":
        return self.of(np.flatnonzero(np.isin(self.groups, names)))

    @property
    def points(self) -> Points:
        return Points(self.features, self.groups, self.given)

    def head(self, head: str) -> Points:
        return Points(self.labels[head], self.groups, self.given)


def read(*corpora: tuple[str, int]) -> list[Turns]:
    """The corpora on common features; each with the most dialogues to read."""
    samples = [[Sample.of(r.dialogue) for r in islice(read_dialogues(_file(c)), most)] for c, most in corpora]
    said = [(side, n, turn) for side, some in enumerate(samples) for n, s in enumerate(some) for turn in s.turns]
    features = wording([turn.text for _, _, turn in said], DIMS)
    heads = sorted({head for _, _, turn in said for head in turn.labels})
    codes: dict[str, np.ndarray] = {}
    for head in heads:
        names = sorted({turn.labels[head] for _, _, turn in said if head in turn.labels})
        place = {name: i for i, name in enumerate(names)}
        codes[head] = np.array([place.get(turn.labels.get(head, ""), UNLABELLED) for _, _, turn in said])
    sides = np.array([side for side, _, _ in said])
    groups = np.array([side * 10**6 + n for side, n, _ in said])
    given = np.array([ACTS.index(turn.given) for _, _, turn in said])
    whole = Turns(features, codes, groups, given)
    return [whole.of(np.flatnonzero(sides == side)) for side in range(len(corpora))]


def _file(corpus: str) -> Path:
    return CORPORA / f"{corpus}.parquet"


# What is run on two sides: by name of the test, p


def used(real: Turns, synthetic: Turns, seed: int) -> dict[str, list[float]]:
    both = side_by_side(real.points, synthetic.points)
    heads = [head_distance(real.head(h), synthetic.head(h), seed, DRAWS).p for h in real.labels]
    known = [p for p in heads if p is not None]
    found = {
        "MMD": [mmd(both, seed, DRAWS).p],
        "energy distance": [energy(both, seed, DRAWS).p],
        "C2ST, held out": [c2st(real.points, synthetic.points, seed, 0, DRAWS).compared.p],
        "each head's TV": known,
        "any head, Holm": [min(holm(known), default=None)],
    }
    return {name: [p for p in some if p is not None] for name, some in found.items()}


def unused(real: Turns, synthetic: Turns, seed: int) -> dict[str, list[float]]:
    everything = [Points(s.features, s.groups, np.zeros_like(s.given)) for s in (real, synthetic)]
    anyway = mmd(side_by_side(*everything), seed, DRAWS).p
    return {
        "MMD, whatever the act": [] if anyway is None else [anyway],
        "MMD, groups permuted": [permuted_mmd(real, synthetic, seed)],
        "C2ST, cross-fitted, z of 1/(4n)": [crossfitted(real, synthetic, seed, by_dialogue=True)],
        "the same, turns as the unit": [crossfitted(real, synthetic, seed, by_dialogue=False)],
    }


def permuted_mmd(real: Turns, synthetic: Turns, seed: int) -> float:
    """The same statistic, its p by permuting which groups are whose."""
    both = side_by_side(real.points, synthetic.points)
    generator = np.random.default_rng(seed)
    features = np.concatenate([act.features for act in both.acts])
    some = features[generator.permutation(len(features))[:1000]]
    kernel = gaussians(float(np.median(squared_distances(some, some))))
    groups = both.real + both.synthetic
    ways = np.stack([both.is_real, *(generator.permutation(both.is_real) for _ in range(DRAWS))]).astype(float)
    total = np.zeros(len(ways))
    for act in both.acts:
        sums = by_group(kernel, act, groups)
        np.fill_diagonal(sums, 0.0)
        counts = np.bincount(act.owners, minlength=groups).astype(float)
        for side, other in ((ways, 1 - ways), (1 - ways, ways)):
            turns = side @ counts
            within = ((side @ sums) * side).sum(axis=1) / np.maximum(turns**2 - side @ counts**2, 1e-9)
            between = ((side @ sums) * other).sum(axis=1) / np.maximum(turns * (other @ counts), 1e-9)
            total += act.share * (within - between)
    return float(np.mean(total[1:] >= total[0]))


def crossfitted(real: Turns, synthetic: Turns, seed: int, by_dialogue: bool) -> float:
    """One-sided z-test of five-fold accuracy with variance 1/(4n)."""
    sides = [_means(side) if by_dialogue else side.features for side in (real, synthetic)]
    n = min(map(len, sides))
    features = np.concatenate([side[:n] for side in sides])
    labels = np.repeat([1, 0], n)
    folds = KFold(5, shuffle=True, random_state=seed)
    says = cross_val_predict(LogisticRegression(C=10.0, max_iter=500), features, labels, cv=folds)
    z = (float(np.mean(says == labels)) - 0.5) * 2 * sqrt(2 * n)
    return float(0.5 * (1 - np.tanh(z * 0.7988 * (1 + 0.04417 * z * z))))  # the normal's upper tail, to .0002


def _means(side: Turns) -> np.ndarray:
    _, owners = np.unique(side.groups, return_inverse=True)
    return np.stack([side.features[owners == i].mean(axis=0) for i in range(owners.max() + 1)])


# The two parts


def null(corpus: Turns, splits: int, thinned: bool) -> Iterator[tuple[Turns, Turns, int]]:
    names = np.unique(corpus.groups)
    for seed in range(splits):
        generator = np.random.default_rng(seed)
        order = generator.permutation(names)
        sides = [corpus.dialogues(order[:A_SIDE]), corpus.dialogues(order[A_SIDE : 2 * A_SIDE])]
        if thinned:
            kept = [generator.random(len(s.given)) < KEPT[(s.given + i) % 2] for i, s in enumerate(sides)]
            sides = [side.of(np.flatnonzero(keep)) for side, keep in zip(sides, kept, strict=True)]
        yield sides[0], sides[1], seed


def false_alarms(corpora: Sequence[Turns], splits: int) -> None:
    low, high = (binom.ppf([0.005, 0.995], 3 * splits, LEVEL) / (3 * splits)).tolist()
    print(f"\nFalse alarms at .05; {A_SIDE} dialogues a side, 3 x {splits} splits; band [{low:.3f}, {high:.3f}]")
    print(f"{'test':34s}{'as they are':>24s}{'other mixes of acts':>24s}  inside")
    rows: dict[str, list[list[float]]] = defaultdict(lambda: [[], []])
    for column, thinned in enumerate((False, True)):
        for corpus in corpora:
            for real, synthetic, seed in null(corpus, splits, thinned):
                for name, some in {**used(real, synthetic, seed), **unused(real, synthetic, seed)}.items():
                    rows[name][column] += some
    for name, columns in rows.items():
        shares = [_share(some, 3 * splits) for some in columns]
        fine = all(low <= share.value <= high for share in shares)
        print(f"{name:34s}" + "".join(f"{shown(share, 3):>24s}" for share in shares) + f"  {'yes' if fine else 'NO'}")


def lengths(repeats: int) -> None:
    """What permuting groups does where the dialogues of one side are longer, on made-up turns."""
    print(f"\nFalse alarms of MMD at .05 where dialogues differ in length; made-up turns, {repeats} repeats")
    print(f"{'dialogues x turns, real and synthetic':40s}{'signs flipped':>24s}{'groups permuted':>24s}")
    for real, synthetic in (((60, 15), (60, 3)), ((100, 12), (50, 2)), ((50, 12), (100, 2))):
        alarms: list[list[float]] = [[], []]
        for seed in range(repeats):
            generator = np.random.default_rng(seed)
            sides = [_made_up(*size, generator) for size in (real, synthetic)]
            flipped = mmd(side_by_side(sides[0].points, sides[1].points), seed, DRAWS).p
            alarms[0] += [] if flipped is None else [flipped]
            alarms[1].append(permuted_mmd(*sides, seed))
        name = f"{real[0]} x {real[1]}, {synthetic[0]} x {synthetic[1]}"
        print(f"{name:40s}" + "".join(f"{shown(_share(some, repeats), 3):>24s}" for some in alarms))


def _made_up(dialogues: int, turns: int, generator: np.random.Generator) -> Turns:
    owners = np.repeat(np.arange(dialogues), turns)
    said = 0.3 * generator.normal(size=(dialogues, 8))[owners] + generator.normal(size=(len(owners), 8))
    return Turns(said.astype(np.float32), {}, owners, np.zeros(len(owners), dtype=int))


def power(pairs: Sequence[tuple[Turns, Turns]], repeats: int) -> None:
    print(f"\nPower at .05: a tenth of one side is foreign; {len(pairs)} pairs of corpora x {repeats} repeats")
    print(f"{'test':34s}" + "".join(f"{f'{n} dialogues a side':>26s}" for n in SIZES))
    rows: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in SIZES])
    for column, n in enumerate(SIZES):
        for home, foreign in pairs:
            for seed in range(repeats):
                for name, some in used(*_mixed(home, foreign, n, seed), seed).items():
                    rows[name][column] += some
    for name, columns in rows.items():
        shares = (shown(_share(some, len(pairs) * repeats), 3) for some in columns)
        print(f"{name:34s}" + "".join(f"{share:>26s}" for share in shares))


def _mixed(home: Turns, foreign: Turns, n: int, seed: int) -> tuple[Turns, Turns]:
    generator = np.random.default_rng(seed)
    own, other = (generator.permutation(np.unique(side.groups)) for side in (home, foreign))
    some, few = home.dialogues(own[n : 2 * n - n // 10]), foreign.dialogues(other[: n // 10])
    labels = {head: np.concatenate([some.labels[head], few.labels[head]]) for head in some.labels}
    parts = (np.concatenate([getattr(some, x), getattr(few, x)]) for x in ("features", "groups", "given"))
    features, groups, given = parts
    return home.dialogues(own[:n]), Turns(features, labels, groups, given)


def _share(some: Sequence[float], splits: int) -> Interval:
    """`splits`: the independent units; several p-values of one split are none."""
    return Interval.of_share(float(np.mean(np.array(some) < LEVEL)) if some else 0.0, min(splits, max(1, len(some))))


def timed(what: str, run: Callable[[], None]) -> None:
    began = time.perf_counter()
    run()
    print(f"{what}: {time.perf_counter() - began:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    timed("null", lambda: false_alarms([read((c, 1000))[0] for c in NULL], args.splits))
    timed("lengths", lambda: lengths(2 * args.splits))
    pairs = [(home, foreign) for home, foreign in (read((h, 2000), (f, 300)) for h, f in FOREIGN)]
    timed("power", lambda: power(pairs, args.repeats))


if __name__ == "__main__":
    main()
