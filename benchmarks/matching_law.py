"""The law of matching, and what is lost without it: users are matched given the assistant.

    python benchmarks/matching_law.py [--seeds 10] [--pool 1000] [--keep 400] [--corpora NAME ...] [--results DIR]

Half of a pool's dialogues are reactive: their assistant's acts and the number of turns are those of real dialogues. The
other half are proactive: four times the odds of an offer, or of a question beside something told, and about half of the
turns. Every user turn of both is a real one that answered the same act: users are real-like given the assistant. In 30%
of the dialogues of either half they are not (turns without questions and with politeness are drawn more often), which
selection should mend. `proactive kept`: their share of what is kept; `turns saved`: the turns of a reactive dialogue
less the mean of all. Both should stay as before where users are matched given the act; unconditional user heads and
turn counts, raked to the real logs, lose them. TV: of the users' heads to other real dialogues, given the act, and
unconditionally. Means over seeds with 95% t-intervals; `less before` is paired by seed.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from matching_planted import Encoder, tv
from seeds import Measure, Measured, Study, main

from discriminators.crossfit import cross_fit
from discriminators.embedding import RememberedEmbed
from discriminators.given import fit_given
from discriminators.head_logistic import HeadLogistic
from discriminators.heads import MATCHED
from discriminators.ngram import NgramLogistic
from discriminators.turn_scores import weighted
from discriminators.user_turns import Sample
from filters.distribution_match import DistributionMatch
from pipelines.dialogue_files import read_dialogues
from schemas.contracts import EmbedTexts
from schemas.judgement import UserTurn

CORPORA = Path(__file__).parents[1].parent / "shared" / "corpora"
NAMES = ("task_oriented__sgd", "task_oriented__star", "task_oriented__multiwoz")
INITIATIVE = ("offer", "told_and_asked")
ODDS, SHORTER, UNREAL = 4.0, 0.55, 0.3
HEADS = tuple(head for head in MATCHED if head != "ends")
METRICS = ("proactive kept", "turns saved", "TV given the act", "TV")


class Synthetic(NamedTuple):
    sample: Sample
    proactive: bool


def pool(source: Sequence[Sample], size: int, rng: Random) -> list[Synthetic]:
    by_act: dict[str, list[UserTurn]] = defaultdict(list)
    for turn in chain.from_iterable(s.turns for s in source):
        by_act[turn.given].append(turn)
    acts = [turn.given for s in source for turn in s.turns if turn.given != "start"]
    forward = [ODDS if act in INITIATIVE else 1.0 for act in acts]
    made: list[Synthetic] = []
    for number in range(size):
        proactive = number % 2 == 1
        length = len(rng.choice(source).turns)
        length = max(2, round(SHORTER * length)) if proactive else length
        given = ["start", *rng.choices(acts, forward if proactive else None, k=length - 1)]
        unreal = rng.random() < UNREAL
        turns = tuple(_drawn(by_act[act], unreal, rng) for act in given if by_act[act])
        made.append(Synthetic(Sample(f"s{number}", turns), proactive))
    return made


def _drawn(turns: Sequence[UserTurn], unreal: bool, rng: Random) -> UserTurn:
    some = rng.choices(turns, k=4 if unreal else 1)
    return max(some, key=lambda t: (t.labels["question"] == "none") + (t.labels["politeness"] != "none"))


def without_acts(samples: Sequence[Sample]) -> list[Sample]:
    """As if every turn answered the same: unconditional."""
    return [s._replace(turns=tuple(t._replace(given="any") for t in s.turns)) for s in samples]


def counts(samples: Sequence[Sample], real: Sequence[Sample]) -> np.ndarray:
    """[dialogues, buckets]: the bucket of a dialogue's turns, less the real share of it."""
    bounds = np.unique(np.quantile([len(s.turns) for s in real], [0.2, 0.4, 0.6, 0.8]))
    hot = [np.eye(len(bounds) + 1)[np.searchsorted(bounds, [len(s.turns) for s in side])] for side in (samples, real)]
    return hot[0] - hot[1].mean(axis=0)


def sketches(samples: Sequence[Sample], logw: np.ndarray, residuals: np.ndarray, acts: bool) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "dialogue_id": s.group,
                "group_id": s.group,
                "logw": float(w),
                "stratum": "",
                "success": None,
                "residuals": r.astype(np.float32).tobytes(),
                "answered": dict(Counter(t.given for t in s.turns)) if acts else None,
            }
            for s, w, r in zip(samples, logw, residuals, strict=True)
        ]
    )


def matched(
    real: Sequence[Sample], made: Sequence[Sample], embed: EmbedTexts, seed: int
) -> tuple[np.ndarray, np.ndarray, Mapping[str, np.ndarray]]:
    """Log density ratios, residuals and their errors, given whatever acts the samples have."""
    families = {"ngram": NgramLogistic(), "heads": HeadLogistic()}
    scores = cross_fit(families, real, made, embed, seed).scores(made)
    given = fit_given(real, embed, seed, HEADS)
    return np.array([r.combined for r in scores], dtype=float), np.stack(list(given.residuals(made))), given.errors


def choices(
    real: Sequence[Sample], made: Sequence[Sample], embed: EmbedTexts, keep: int, seed: int
) -> dict[str, set[str]]:
    logw, residuals, errors = matched(real, made, embed, seed)
    free_logw, free, _ = matched(without_acts(real), without_acts(made), embed, seed)
    lengths, none = counts(made, real), np.zeros(len(made))
    tables = {
        "ours: given the act, acts as in the pool": sketches(made, logw, residuals, True),
        "given the act alone": sketches(made, logw, residuals, False),
        "turn counts alone": sketches(made, none, lengths, False),
        "unconditional user heads": sketches(made, free_logw, free, False),
        "unconditional heads and turn counts": sketches(made, free_logw, np.hstack([free, lengths]), False),
    }
    stage = DistributionMatch()
    kept = {
        name: {i for i, s in stage.select(table, keep, seed, errors).each if s.keep} for name, table in tables.items()
    }
    return {"before": {s.group for s in made}, **kept}


def measured(test: Sequence[Sample], made: Sequence[Synthetic], kept: set[str]) -> dict[str, float]:
    chosen = [m for m in made if m.sample.group in kept]
    turns = {
        side: float(np.mean([len(m.sample.turns) for m in chosen if m.proactive is side] or [np.nan]))
        for side in (True, False)
    }
    mean = float(np.mean([len(m.sample.turns) for m in chosen]))
    sides = [[t for s in test for t in s.turns], [t for m in chosen for t in m.sample.turns]]
    weights = weighted([s.turns for s in test], [m.sample.turns for m in chosen]).weights
    parts = weights[: len(sides[0])], weights[len(sides[0]) :]
    flat = [np.ones(len(side)) for side in sides]
    return {
        "proactive kept": float(np.mean([m.proactive for m in chosen])),
        "turns saved": turns[False] - mean,
        "TV given the act": float(np.mean([tv(head, sides, parts) for head in HEADS])),
        "TV": float(np.mean([tv(head, sides, flat) for head in HEADS])),
    }


def prepare(name: str) -> Measure:
    real = [s for r in read_dialogues(CORPORA / f"{name}.parquet") if len((s := Sample.of(r.dialogue)).turns) > 1]
    embed = RememberedEmbed(Encoder([t.text for s in real[:2000] for t in s.turns], "word", (1, 1), 64))
    part = min(800, len(real) // 3)

    def measure(seed: int, size: int, keep: int) -> Measured:
        order = Random(seed).sample(real, 3 * part)
        fit, source, test = order[:part], order[part : 2 * part], order[2 * part :]
        made = pool(source, size, Random(seed))
        kept = choices(fit, [m.sample for m in made], embed, keep, seed)
        return Measured({method: measured(test, made, ids) for method, ids in kept.items()})

    return measure


if __name__ == "__main__":
    main(Study(__doc__, NAMES, prepare, (), METRICS, "before", 1000, 400))
