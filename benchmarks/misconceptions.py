"""What students get wrong: the errors experts saw in MathDial's openings, and which misconceptions problems allow.

    python benchmarks/misconceptions.py [--corpora ../shared/corpora]

Statistics and mechanics, no model. Shares of errors have 95% bootstrap intervals over maths questions (one question is
opened by several students). The weights of `generators.tasks.misconceptions.KINDS` are those of the train split.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import orjson
import pyarrow.parquet as pq

from generators.tasks import catalog, external
from generators.tasks.misconceptions import KINDS, MisconceptionKind
from generators.tasks.problem import Problem
from schemas.identity import rng

CATEGORIES: Mapping[str, Mapping[MisconceptionKind, float]] = {
    "Misunderstanding of a question": {"operator_exchanged": 0.5, "first_number": 0.5},
    "Extra quantity or Missing quantity": {"step_forgotten": 1.0},
    "Missing / Wrong factual knowledge": {"unit_slip": 1.0},
    "Unit conversion error": {"unit_slip": 1.0},
}
"""What a kind stands for; the other categories are slips, or name nothing that could be computed."""
Counts = Mapping[str, Counter[str]]


def errors(corpora: Path, split: str) -> Counts:
    """By question: how often each category was seen."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in pq.read_table(corpora / "pedagogy__mathdial_openings.parquet").to_pylist():
        meta = orjson.loads(row["meta"])
        if row["split"] == split:
            found[meta["question"]][meta["error_category"]] += 1
    return found


def share(counts: Counts, category: str) -> str:
    table = np.array([[of[category], of.total()] for of in counts.values()])
    draws = np.random.default_rng(7)
    again = (table[draws.integers(len(table), size=len(table))].sum(axis=0) for _ in range(1000))
    low, high = np.percentile([hits / n for hits, n in again], [2.5, 97.5])
    return f"{table[:, 0].sum()} | {table[:, 0].sum() / table[:, 1].sum():.2f} ({low:.2f} to {high:.2f})"


def weights(counts: Counts) -> dict[MisconceptionKind, float]:
    seen = sum(counts.values(), Counter[str]())
    stands_for = sum(seen[category] for category in CATEGORIES)
    return {k: sum(seen[c] * kinds.get(k, 0) for c, kinds in CATEGORIES.items()) / stands_for for k in KINDS}


def allowed(name: str, problems: Sequence[Problem]) -> str:
    """How many of the problems with a number for an answer allow each kind, and any."""
    kinds = [{m.kind for m in p.misconceptions} for p in problems if p.verifier.kind == "number"]
    cells = [sum(kind in of for of in kinds) / len(kinds) for kind in KINDS]
    return (
        f"| {name}, n = {len(kinds)} | {' | '.join(f'{c:.2f}' for c in (*cells, sum(map(bool, kinds)) / len(kinds)))} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    corpora = parser.parse_args().corpora
    train, test = errors(corpora, "train"), errors(corpora, "test")
    print(f"| error, {len(train)} and {len(test)} questions | train | share | test | share |\n|{'---|' * 5}")
    for category, _ in sum(train.values(), Counter[str]()).most_common():
        print(f"| {category} | {share(train, category)} | {share(test, category)} |")
    print(f"\n| kind | weight | train | test |\n|{'---|' * 4}")
    for kind, weight in KINDS.items():
        print(f"| {kind} | {weight:.2f} | {weights(train)[kind]:.3f} | {weights(test)[kind]:.3f} |")
    print(f"\n| problems | {' | '.join(KINDS)} | any |\n|{'---|' * (len(KINDS) + 2)}")
    print(allowed("built-in templates", [t.make(rng(0, t.id), withhold=0) for t in catalog.ALL]))
    print(allowed("gsm8k sample", external.load(corpora / "problems__gsm8k_sample.parquet").problems))


if __name__ == "__main__":
    main()
