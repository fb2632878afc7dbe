"""How well messages' intents are found: against two labellers who worked by hand, with the labellers' own agreement.

    python benchmarks/intent_tagger.py [--write] [--corpora FOLDER]

Trains the linear tagger of `generators.latents.tagger` on the labelled messages of the references' fit splits, measures
it on those of the dev splits (150 a reference, two labellers), and with --write stores its weights. Needs the reference
corpora (default: ../shared/corpora); a reference whose file is absent is left out.
"""

import argparse
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from generators.latents.hand_labels import HandLabel, Message, kappa, labelled
from generators.latents.tagger import INTENTS, features
from pipelines.reference import load_reference

ROOT = Path(__file__).parents[1]
FILES = {
    "ccpe": "recommendation__ccpe",
    "redial": "recommendation__redial",
    "persuasion_for_good": "negotiation__persuasion_for_good",
    "casino": "negotiation__casino",
}
LEAST = 3
"""A feature counts from so many messages on."""
SMALL = 0.06
"""Weights below this in every class are not stored."""
STRENGTH = 0.3
"""Of the l2 penalty, as scikit-learn's C; chosen by cross-validation on the training messages."""

Example = tuple[HandLabel, Message]


def examples(corpora: Path) -> tuple[list[Example], list[Example]]:
    """(train, dev), each in the order of the references."""
    train: list[Example] = []
    dev: list[Example] = []
    with tempfile.TemporaryDirectory() as cache:
        for name in ("chitchat", *FILES):
            spec = "pypi:chitchat-dataset" if name == "chitchat" else f"path:{corpora / FILES[name]}.parquet"
            if name != "chitchat" and not (corpora / f"{FILES[name]}.parquet").exists():
                print(f"{name}: no file in {corpora}, left out")
                continue
            reference = load_reference(spec, Path(cache))
            train += labelled(reference.dialogues("fit"), "train")
            dev += labelled(reference.dialogues("dev"), "dev")
    return train, dev


def trained(train: Sequence[Example]) -> tuple[DictVectorizer, LogisticRegression]:
    rows = [features(*message) for _, message in train]
    seen = Counter(name for row in rows for name in row)
    rows = [{name: value for name, value in row.items() if seen[name] >= LEAST} for row in rows]
    vectorizer = DictVectorizer()
    matrix = vectorizer.fit_transform(rows)
    return vectorizer, LogisticRegression(C=STRENGTH, max_iter=1000).fit(matrix, [label.first for label, _ in train])


def write(vectorizer: DictVectorizer, model: LogisticRegression, path: Path) -> None:
    """Integers: hundredths."""
    place = {name: n for n, name in enumerate(model.classes_)}
    order = [place[name] for name in INTENTS]
    weights = {
        str(name): [round(100 * float(model.coef_[k][n])) for k in order]
        for n, name in enumerate(vectorizer.get_feature_names_out())
        if max(abs(float(model.coef_[k][n])) for k in order) >= SMALL
    }
    bias = [round(100 * float(model.intercept_[k])) for k in order]
    path.write_bytes(orjson.dumps({"intents": INTENTS, "bias": bias, "weights": weights}) + b"\n")
    print(f"wrote {path.relative_to(ROOT)}: {len(weights)} features, {path.stat().st_size / 1e3:.0f} kB")


def interval(pairs: Sequence[tuple[str, str]], statistic: Callable[[Sequence[tuple[str, str]]], float | None]) -> str:
    """The statistic with its bootstrapped 95% interval (1,000 draws of messages)."""
    draws = random.Random(7)
    found = sorted(k for _ in range(1000) if (k := statistic(draws.choices(pairs, k=len(pairs)))) is not None)
    return f"{statistic(pairs):.2f} [{found[25]:.2f}, {found[974]:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="store the weights")
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora")
    wanted = parser.parse_args()
    train, dev = examples(wanted.corpora)
    vectorizer, model = trained(train)
    if wanted.write:
        write(vectorizer, model, ROOT / "generators" / "latents" / "tagger.json")
    found = model.predict(vectorizer.transform([features(*message) for _, message in dev]))
    by_reference: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for (label, _), tagged in zip(dev, found, strict=True):
        by_reference[label.reference].append((label.first, label.second or "", str(tagged)))
    print(f"\ntrained on {len(train)} messages\n")
    print(
        "| reference | n | labeller 1 - 2 | tagger - 1 | tagger - 2 | most frequent intent |\n|---|---|---|---|---|---|"
    )
    for name, rows in by_reference.items():
        pairs = ([(a, b) for a, b, _ in rows], [(a, t) for a, _, t in rows], [(b, t) for _, b, t in rows])
        told = [interval(p, lambda p: kappa([a for a, _ in p], [b for _, b in p])) for p in pairs]
        top, count = Counter(a for a, *_ in rows).most_common(1)[0]
        print(f"| {name} | {len(rows)} | {' | '.join(told)} | {top} {count / len(rows):.0%} |")


if __name__ == "__main__":
    main()
