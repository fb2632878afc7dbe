"""Do shares of intents come nearer the truth when the tagger's errors are taken out (methods §26.6)?

    python benchmarks/intent_shares.py [--splits 10] [--corpora FOLDER]

By reference: of a random third of the dialogues with hand labels these are the truth; from the others the second tagger
learns, and they say out of fold how it errs. Prints how far raw and corrected shares lie from that truth (total
variation, mean over the splits with its 95% interval), and how often a label's interval holds it. Splits overlap, so
the intervals over them are too narrow; it is the sign that counts. Needs the corpora (default: ../shared/corpora).
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from intent_tagger import ROOT, Example, examples
from intents_detected import Stored

from discriminators.confusion import corrected
from discriminators.intents import Said
from pipelines.intent_shares import LEAST, Labelled, fit_tagging
from schemas.contracts import EmbedTexts
from schemas.identity import rng

SEED = 7
HELD = 3
"""Of so many dialogues one is asked about."""


class Found(NamedTuple):
    raw: float
    corrected: float
    """Total variation to the truth; so `raw`."""
    covered: float
    """Share of the labels whose interval holds the truth."""
    width: float
    """Of those intervals, mean."""
    agreed: float


def one(some: Sequence[Example], number: int, embed: EmbedTexts) -> Found | None:
    names = sorted({label.dialogue_id for label, _ in some})
    rng(SEED, "split", number).shuffle(names)
    held = set(names[: len(names) // HELD])
    tagging = fit_tagging([Labelled(*e) for e in some if e[0].dialogue_id not in held], embed)
    asked = [e for e in some if e[0].dialogue_id in held]
    if tagging is None:
        return None
    tagged = [tagging.names[name] for name in tagging.tagger.tag([Said.of(*m) for _, m in asked])]
    by_hand = [tagging.names[str(label.first)] for label, _ in asked]
    labels = tagging.labels
    predicted = np.array([[found == name for name in labels] for found in tagged], float)
    truth = np.array([by_hand.count(name) for name in labels]) / len(by_hand)
    found = corrected(predicted, tagging.confusion, SEED)
    if found is None:
        return None
    kept = [i.low <= share <= i.high for i, share in zip(found.intervals, truth, strict=True)]
    return Found(
        float(np.abs(predicted.mean(axis=0) - truth).sum() / 2),
        float(np.abs(found.shares - truth).sum() / 2),
        float(np.mean(kept)),
        float(np.mean([i.high - i.low for i in found.intervals])),
        float(np.mean([true == name for true, name in zip(by_hand, tagged, strict=True)])),
    )


def rows(some: Sequence[Example], splits: int, embed: EmbedTexts) -> Iterator[str]:
    for name in sorted({label.reference for label, _ in some}):
        mine = [e for e in some if e[0].reference == name]
        found = [f for number in range(splits) if (f := one(mine, number, embed)) is not None]
        if not found:
            yield f"| {name} | {len(mine)} | only one intent has {LEAST} labels | | | | |"
            continue
        values = np.array(found)
        half = 1.96 * values.std(axis=0, ddof=1) / len(found) ** 0.5
        told = [f"{m:.3f} ± {h:.3f}" for m, h in zip(values.mean(axis=0)[:2], half[:2], strict=True)]
        gain, spread = values[:, 0] - values[:, 1], (values[:, 0] - values[:, 1]).std(ddof=1)
        told.append(f"{gain.mean():+.3f} ± {1.96 * spread / len(found) ** 0.5:.3f}")
        told += [f"{m:.2f}" for m in values.mean(axis=0)[2:]]
        yield f"| {name} | {len(mine)} | {' | '.join(told)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--corpora", default=ROOT.parent / "shared" / "corpora")
    wanted = parser.parse_args()
    began = time.monotonic()
    train, dev = examples(wanted.corpora)
    print("| reference | hand labels | raw | corrected | gain | intervals that hold | mean width | tagged alike |")
    print("|---|---|---|---|---|---|---|---|")
    for line in rows([*train, *dev], wanted.splits, Stored()):
        print(line, flush=True)
    print(f"\n{wanted.splits} splits, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
