"""Can the wording alone tell a flawed problem from its control? Then a set teaches the wording, not the flaw.

    python benchmarks/flawed_text_only.py [--problems FILE.parquet] [--sets FILE.parquet]

A classifier of words, characters and length (logistic regression), cross-fitted so that all forms of one problem lie in
one fold, scores every text; AUC with a 95% interval bootstrapped over problems. For pairs made from
built-in templates and from worked problems, by kind of flaw, and for loaded sets of flawed problems, by source and as
the family draws them. Default: the corpora beside the repository.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow.parquet as pq
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from generators.tasks import flawed_sets
from generators.tasks.flawed import KINDS, Flaw
from generators.tasks.flawed_sets import Case, built_in, of_file
from schemas.identity import rng

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
SEED, FOLDS, DRAWS = 7, 5, 1000
BAR = 0.60
FEWEST = 10
"""Problems, or pairs of problems, that an interval can be drawn from."""


class Text(NamedTuple):
    text: str
    flawed: bool
    source: str
    """The problem, or the pair of problems, that it was made from."""


def lengths(texts: Sequence[str]) -> np.ndarray:
    return np.array([[len(t), len(t.split()), sum(c.isdigit() for c in t)] for t in texts], float)


def auc(texts: Sequence[Text]) -> tuple[float, float, float]:
    """Cross-fitted, with the bounds of its interval."""
    words, flawed = [t.text for t in texts], np.array([t.flawed for t in texts])
    sources = np.array([t.source for t in texts])
    scores = np.zeros(len(texts))
    for train, test in GroupKFold(FOLDS, shuffle=True, random_state=SEED).split(words, flawed, sources):
        model = make_pipeline(
            make_union(
                TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
                TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=2),
                make_pipeline(FunctionTransformer(lengths), StandardScaler()),
            ),
            LogisticRegression(C=4.0, solver="liblinear"),
        )
        model.fit([words[i] for i in train], flawed[train])
        scores[test] = model.decision_function([words[i] for i in test])
    rows = defaultdict(list)
    for n, source in enumerate(sources):
        rows[source].append(n)
    groups, draws = list(rows.values()), np.random.default_rng(SEED)
    drawn = []
    for _ in range(DRAWS):
        at = np.concatenate([groups[g] for g in draws.integers(len(groups), size=len(groups))])
        if len(set(flawed[at])) == 2:
            drawn.append(roc_auc_score(flawed[at], scores[at]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(roc_auc_score(flawed, scores)), float(low), float(high)


def made(draw: Callable[[Mapping[Flaw, float], Random], Case], kind: Flaw, n: int) -> list[Text]:
    """Of `n` cases as the family draws them, both forms."""
    cases = [draw({kind: 1.0}, rng(SEED, kind, number)) for number in range(n)]
    return both(cases)


def both(cases: Sequence[Case]) -> list[Text]:
    forms = ((case, form) for case in cases for form in (case.flawed, case.control))
    return [Text(form.question, form is case.flawed, case.base_case_id) for case, form in forms]


def loaded(path: Path) -> dict[str, list[Text]]:
    """By source, of those with controls; a variant belongs to the problem that it names."""
    texts: dict[str, list[Text]] = defaultdict(list)
    for row in pq.read_table(path).to_pylist():
        meta = orjson.loads(row["meta"])
        source = meta.get("original_problem_id") or row["problem_id"]
        texts[row["source"]].append(Text(row["question"], not row["answerable"], source))
    return {source: found for source, found in texts.items() if len({t.flawed for t in found}) == 2}


def show(name: str, texts: Sequence[Text]) -> None:
    sources = len({t.source for t in texts})
    if sources < FEWEST:
        print(f"| {name} | of {sources} problems | too few | not shown |", flush=True)
        return
    value, low, high = auc(texts)
    verdict = "met" if high <= BAR else "not met" if low > BAR else "not shown"
    flawed = sum(t.flawed for t in texts)
    print(
        f"| {name} | {flawed} + {len(texts) - flawed} of {sources} | {value:.2f} [{low:.2f}, {high:.2f}] | {verdict} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=Path, default=CORPORA / "problems__gsm8k_sample.parquet")
    parser.add_argument("--n", type=int, default=1000, help="cases of each kind")
    parser.add_argument("--sets", type=Path, default=CORPORA / "problems__flawed_math.parquet")
    given = parser.parse_args()
    began = time.monotonic()
    print(f"| set | flawed + control | AUC by wording | upper bound <= {BAR} |\n|---|---|---|---|")
    for kind in KINDS:
        show(f"built in: {kind}", made(built_in, kind, given.n))
    for kind in KINDS:
        show(f"worked problems: {kind}", made(partial(of_file, given.problems), kind, given.n))
    for source, texts in loaded(given.sets).items():
        show(f"loaded: {source}", texts)
    show("loaded: all, beside the controls that there are", both(flawed_sets.loaded(given.sets).cases))
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
