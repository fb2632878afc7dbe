"""Can the wording alone tell a flawed problem from its control? Then a set teaches the wording, not the flaw.

    python benchmarks/flawed_text_only.py [--problems FILE.parquet] [--sets FILE.parquet]

A classifier of words, characters and length (logistic regression), cross-fitted so that all forms of one problem lie in
one fold, scores every text; AUC with a 95% interval bootstrapped over problems. For pairs made from worked problems, by
kind of flaw, and for loaded sets of flawed problems, by source. Default: the corpora beside the repository.
"""

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
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

from generators.tasks.executable import Executable, Unreadable, executable
from generators.tasks.flawed import KINDS, Flaw, pair, strangers

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
SEED, FOLDS, DRAWS = 7, 5, 1000
BAR = 0.60


class Text(NamedTuple):
    text: str
    flawed: bool
    source: str
    """The problem it was made from."""


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
    groups, rng = list(rows.values()), np.random.default_rng(SEED)
    drawn = []
    for _ in range(DRAWS):
        at = np.concatenate([groups[g] for g in rng.integers(len(groups), size=len(groups))])
        if len(set(flawed[at])) == 2:
            drawn.append(roc_auc_score(flawed[at], scores[at]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(roc_auc_score(flawed, scores)), float(low), float(high)


def worked(path: Path) -> list[tuple[str, Executable]]:
    """(problem id, executable form) of every problem that has one."""
    found: list[tuple[str, Executable]] = []
    refused: Counter[str] = Counter()
    for row in pq.read_table(path).to_pylist():
        try:
            answer = Fraction(row["answer"].rsplit("####", 1)[-1].strip().replace(",", ""))
            found.append((row["problem_id"], executable(row["question"], row["answer"], answer)))
        except Unreadable as error:
            refused[str(error)] += 1
        except ValueError:
            refused["no_number"] += 1
    print(f"{len(found)} of {len(found) + refused.total()} problems are programs; refused: {dict(refused)}\n")
    return found


def made(problems: Sequence[tuple[str, Executable]], kind: Flaw) -> list[Text]:
    """With strangers from every second problem, each once: no sentence is known from elsewhere."""
    rng = Random(SEED)
    joining = [stranger for _, problem in problems[1::2] for stranger in strangers(problem)]
    texts: list[Text] = []
    for source, problem in problems if kind == "missing" else problems[::2]:
        if found := pair(problem, kind, joining, rng):
            *variants, stranger = found
            texts += [Text(v.question, v.flawed, source) for v in variants]
            joining = [j for j in joining if j != stranger]
    return texts


def loaded(path: Path) -> dict[str, list[Text]]:
    """By source, of those with controls; a variant belongs to the problem that it names."""
    texts: dict[str, list[Text]] = defaultdict(list)
    for row in pq.read_table(path).to_pylist():
        meta = orjson.loads(row["meta"])
        source = meta.get("original_problem_id") or row["problem_id"]
        texts[row["source"]].append(Text(row["question"], not row["answerable"], source))
    return {source: found for source, found in texts.items() if len({t.flawed for t in found}) == 2}


def show(name: str, texts: Sequence[Text]) -> None:
    value, low, high = auc(texts)
    verdict = "met" if high <= BAR else "not met" if low > BAR else "not shown"
    flawed = sum(t.flawed for t in texts)
    print(
        f"| {name} | {flawed} + {len(texts) - flawed} | {value:.2f} [{low:.2f}, {high:.2f}] | {verdict} |", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=Path, default=CORPORA / "problems__gsm8k_sample.parquet")
    parser.add_argument("--sets", type=Path, default=CORPORA / "problems__flawed_math.parquet")
    given = parser.parse_args()
    began = time.monotonic()
    problems = worked(given.problems)
    print(f"| set | flawed + control | AUC by wording | upper bound <= {BAR} |\n|---|---|---|---|")
    for kind in KINDS:
        show(f"made: {kind}", made(problems, kind))
    for source, texts in loaded(given.sets).items():
        show(f"loaded: {source}", texts)
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
