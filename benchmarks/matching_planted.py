"""Selecting from pools with a planted bias: ours beside random, top-m, rejection, DSIR, OBRS and over-generation.

    python benchmarks/matching_planted.py [--seeds 10] [--pool 700] [--keep 150] [--corpora NAME ...] [--results DIR]

A pool is made of real dialogues: four heads skewed, a shift of meaning (in latent semantics of words, which nothing
else sees), 30% near-duplicates, 5% leaks (see planted_pools.py). All but `random` choose from what the leak filter and
the near-duplicate selector leave; `over-generation` at random from it, which is what as many model calls give without
matching. What is selected with: n-grams, MiniLM's embeddings, and all heads but three. What is measured with, on the
reference's test split, users given the act they answer: total variation of the raked heads and of the three that
nothing raked, MMD and a forest's AUC on latent semantics of character n-grams. Means over seeds with 95% t-intervals;
the differences are paired by seed. `real` is another real sample of the same size: the floor.
"""

import atexit
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from planted_pools import Planted, planted, windows
from seeds import Measure, Measured, Study, main
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline

from discriminators.crossfit import cross_fit
from discriminators.embedding import EmbeddingLogistic, RememberedEmbed
from discriminators.given import Given, fit_given
from discriminators.heads import MATCHED
from discriminators.ngram import NgramLogistic
from discriminators.turn_scores import weighted
from discriminators.user_turns import Sample
from filters.balancing import balance
from filters.distribution_match import DistributionMatch
from filters.feasibility import tolerance
from filters.near_duplicate import NearDuplicate
from filters.pool import read_groups
from filters.private_leak import PrivateLeak
from filters.sampling import draw
from pipelines.engines import local_embedder
from schemas.contracts import EmbedTexts
from schemas.dialogue import Dialogue
from schemas.judgement import Judged, Realism, UserTurn

NAMES = ("task_oriented__sgd", "task_oriented__star", "open_domain__chitchat")
UNRAKED = ("sentiment", "opening", "topic")
RAKED = tuple(head for head in MATCHED if head not in (*UNRAKED, "ends", "sentiment_change"))
METRICS = ("raked TV", "unraked TV", "MMD", "AUC")


class Encoder:
    """Latent semantics of n-grams; rows of unit length."""

    def __init__(self, texts: Sequence[str], analyzer: str, ngrams: tuple[int, int], dims: int):
        counts = TfidfVectorizer(
            analyzer=analyzer, ngram_range=ngrams, min_df=3, max_features=20_000, sublinear_tf=True
        )
        self._fitted: Pipeline = make_pipeline(counts, TruncatedSVD(dims, random_state=0)).fit(texts)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        found = self._fitted.transform(texts).astype(np.float32)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


class Candidates(NamedTuple):
    """What the filters left of a pool."""

    ids: list[str]
    sketches: pa.Table
    given: Given

    @property
    def logw(self) -> np.ndarray:
        return self.sketches["logw"].to_numpy()


def lines(dialogues: Sequence[Dialogue]) -> list[str]:
    return [turn.text for d in dialogues for turn in Sample.of(d).turns]


def candidates(made: Planted, samples: Mapping[str, Sample], embed: EmbedTexts, seed: int) -> Candidates:
    clean = [d for d in made.pool if PrivateLeak().judge(d).keep]
    rows = [_row(d, NearDuplicate().sketch(Judged(d, Realism(), {}))) for d in clean]
    left = {name for name, s in NearDuplicate().select(pa.Table.from_pylist(rows), len(rows), seed).each if s.keep}
    kept = [d for d in clean if d.id in left]
    real, synthetic = ([samples[d.id] for d in side] for side in (made.fit, kept))
    families = {"ngram": NgramLogistic(), "embedding": EmbeddingLogistic()}
    realism = cross_fit(families, real, synthetic, embed, seed).scores(synthetic)
    given = fit_given(real, embed, seed, RAKED)
    sketch = DistributionMatch().sketch
    found = [
        _row(d, sketch(Judged(d, r, {}, residuals, Counter(t.given for t in s.turns))))
        for d, s, r, residuals in zip(kept, synthetic, realism, given.residuals(synthetic), strict=True)
    ]
    return Candidates([d.id for d in kept], pa.Table.from_pylist(found), given)


def _row(dialogue: Dialogue, sketch: Mapping[str, object]) -> dict[str, object]:
    return {"dialogue_id": dialogue.id, "group_id": dialogue.scenario.group_id, **sketch}


def choices(made: Planted, found: Candidates, keep: int, seed: int) -> dict[str, list[str]]:
    """Method -> ids kept."""
    generator = np.random.default_rng(seed)
    ids, logw = np.array(found.ids), found.logw
    rejected = generator.permutation(np.flatnonzero(generator.random(len(ids)) < np.exp(logw - logw.max())))
    ours = {
        name for name, s in DistributionMatch().select(found.sketches, keep, seed, found.given.errors).each if s.keep
    }
    every = np.array([d.id for d in made.pool])
    return {
        "random": generator.choice(every, keep, replace=False).tolist(),
        "over-generation": generator.choice(ids, keep, replace=False).tolist(),
        "top-m": ids[np.argsort(-logw)[:keep]].tolist(),
        "rejection": ids[rejected[:keep]].tolist(),
        "DSIR": ids[np.argsort(-(logw + generator.gumbel(size=len(ids))))[:keep]].tolist(),
        "OBRS": obrs(found.sketches, keep, seed),
        "ours": sorted(ours),
    }


def obrs(sketches: pa.Table, keep: int, seed: int) -> list[str]:
    """`min(1, c w)` without balancing."""
    groups = read_groups(sketches)
    pool = groups.pool._replace(residuals=groups.pool.residuals[:, :0], strata=[slice(0, len(groups.ids))])
    pi = balance(pool, [float(keep)], tolerance(keep, groups.errors[:0])).pi
    kept = draw(pool.sizes, pi, np.argsort(pool.logw, kind="stable"), keep, seed)
    return [name for name, k in zip(groups.ids, kept, strict=True) if k]


def measured(real: Sequence[Sample], chosen: Sequence[Sample], encode: EmbedTexts) -> dict[str, float]:
    sides = [[turn for sample in side for turn in sample.turns] for side in (real, chosen)]
    weights = weighted([s.turns for s in real], [s.turns for s in chosen]).weights
    parts = weights[: len(sides[0])], weights[len(sides[0]) :]
    vectors = [encode([turn.text for turn in side]) for side in sides]
    return {
        "raked TV": float(np.mean([tv(h, sides, parts) for h in RAKED])),
        "unraked TV": float(np.mean([tv(h, sides, parts) for h in UNRAKED])),
        "MMD": mmd(vectors, parts),
        "AUC": auc(vectors, parts, [s.group for side in (real, chosen) for s in side for _ in s.turns]),
    }


def tv(head: str, sides: Sequence[Sequence[UserTurn]], weights: Sequence[np.ndarray]) -> float:
    """Between the labels given the act: the real side weighted to the mix of acts of the other."""
    shares: list[dict[str, float]] = []
    for turns, weight in zip(sides, weights, strict=True):
        total: dict[str, float] = defaultdict(float)
        for turn, w in zip(turns, weight.tolist(), strict=True):
            if head in turn.labels:
                total[turn.labels[head]] += w
        whole = sum(total.values()) or 1.0
        shares.append({label: w / whole for label, w in total.items()})
    return sum(abs(shares[0].get(x, 0.0) - shares[1].get(x, 0.0)) for x in {*shares[0], *shares[1]}) / 2


def mmd(vectors: Sequence[np.ndarray], weights: Sequence[np.ndarray]) -> float:
    """Root of the biased squared estimate, Gaussian kernel of the median distance."""
    both, signed = np.vstack(vectors), np.concatenate([weights[0] / weights[0].sum(), -weights[1] / weights[1].sum()])
    squared = np.maximum(2 - 2 * both @ both.T, 0)
    kernel = np.exp(-squared / np.median(squared[::7, ::7]))
    return float(np.sqrt(max(0.0, signed @ kernel @ signed)))


def auc(vectors: Sequence[np.ndarray], weights: Sequence[np.ndarray], groups: Sequence[str]) -> float:
    """Of a forest over turns, cross-fitted by dialogue."""
    both, weight = np.vstack(vectors), np.concatenate(weights)
    labels = np.repeat([1, 0], [len(v) for v in vectors])
    forest = ExtraTreesClassifier(60, min_samples_leaf=5, class_weight="balanced", random_state=0)
    scores = cross_val_predict(forest, both, labels, groups=groups, cv=GroupKFold(3), method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, scores, sample_weight=weight))


def prepare(name: str) -> Measure:
    dialogues = windows(name, 2500)
    texts = lines(dialogues)
    embed, other = minilm(), RememberedEmbed(Encoder(texts, "char_wb", (2, 4), 48))
    topics = Encoder(texts, "word", (1, 1), 64)
    known = {d.id: Sample.of(d) for d in dialogues}
    users = np.stack([topics([t.text for t in known[d.id].turns] or [""]).mean(axis=0) for d in dialogues])
    axis = np.linalg.svd(users - users.mean(axis=0), full_matrices=False)[2][0]
    meaning = (users - users.mean(axis=0)) @ axis

    def measure(seed: int, size: int, keep: int) -> Measured:
        made = planted(dialogues, known, meaning / meaning.std(), size, seed)
        changed = {d.id: Sample.of(d) for d in made.pool if d.id in made.leaks or d.id in made.twins}
        samples = {**known, **changed}
        pool = candidates(made, samples, embed, seed)
        test = [samples[d.id] for d in made.test]
        figures: dict[str, dict[str, float]] = {}
        for method, ids in choices(made, pool, keep, seed).items():
            kept = set(ids)
            twins = sum(a in kept and b in kept for a, b in made.twins.items())
            counts = {"n": len(ids), "twins": twins, "leaks": len(kept & made.leaks)}
            figures[method] = {**counts, **measured(test, [samples[i] for i in ids], other)}
        figures["real"] = measured(test[: len(test) // 2], test[len(test) // 2 :][:keep], other)
        return Measured(figures, "" if seed else infeasible(pool))

    return measure


def minilm() -> EmbedTexts:
    """The product's embedder with its cache on disk; its server, if it needs one, ends with this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return RememberedEmbed(stack.enter_context(local_embedder()))


def infeasible(pool: Candidates) -> str:
    """What is said when nearly all are wanted."""
    wanted = round(0.9 * len(pool.ids))
    found = DistributionMatch().select(pool.sketches, wanted, 0, pool.given.errors).feasibility
    if found is None:
        return ""
    lacking = sorted(found.lacking.items(), key=lambda item: -item[1])[:6]
    quotas = ", ".join(f"{pool.given.names[i]} {turns:.0f}" for i, turns in lacking if "=" in pool.given.names[i])
    return (
        f"\n{wanted} of {len(pool.ids)} wanted: {found.status}; at the most {found.single} by the hardest head, "
        f"{found.joint} by all, effective size {found.effective}; turns to generate more of: {quotas or 'none'}"
    )


if __name__ == "__main__":
    main(Study(__doc__, NAMES, prepare, ("n", "twins", "leaks"), METRICS, "ours", 700, 150))
