"""Do fitted transitions say more of a message's intent than its frequency, or than the message before it?

    python benchmarks/turn_intents.py [REFERENCE...]      (default: pypi:chitchat-dataset)

Fitted on the fit split, measured on the test split: log-likelihood per message (nats) with 95% intervals, bootstrapped
over dialogues. Intents are the tagger's on both splits.
"""

import random
import sys
from collections.abc import Sequence
from pathlib import Path

from generators.latents.intents import START, Step, TurnIntents, fit_intents, steps_of
from inference.weights import cache_folder
from pipelines.reference import Split, load_reference

DRAWS = 2000


def marginal(step: Step) -> Step:
    return step._replace(previous=START, act="start", turn=0)


def previous_only(step: Step) -> Step:
    return step._replace(act="start", turn=0)


def whole(step: Step) -> Step:
    return step


MODELS = {"frequency alone": marginal, "previous intent alone": previous_only, "previous, act, place": whole}


def interval(values: Sequence[Sequence[float]]) -> str:
    """Mean over messages; resampled by dialogue."""
    draws = random.Random(7)
    sums = [(sum(v), len(v)) for v in values]
    means: list[float] = []
    for _ in range(DRAWS):
        drawn = draws.choices(sums, k=len(sums))
        means.append(sum(s for s, _ in drawn) / sum(n for _, n in drawn))
    means.sort()
    mean = sum(s for s, _ in sums) / sum(n for _, n in sums)
    return f"{mean:.3f} [{means[DRAWS // 40]:.3f}, {means[-DRAWS // 40 - 1]:.3f}]"


def main() -> None:
    print(
        "| reference | dialogues, messages | model | nats a message | gain of the whole model |\n|---|---|---|---|---|"
    )
    for spec in sys.argv[1:] or ["pypi:chitchat-dataset"]:
        reference = load_reference(spec, cache_folder())

        def steps(split: Split, reference=reference) -> list[list[Step]]:
            return [found for d in reference.dialogues(split) if (found := list(steps_of(d)))]

        train, test = steps("fit"), steps("test")
        scored: dict[str, list[list[float]]] = {}
        for name, seen in MODELS.items():
            fitted: TurnIntents = fit_intents(seen(s) for dialogue in train for s in dialogue)
            scored[name] = [[fitted.log_likelihood(seen(s)) for s in dialogue] for dialogue in test]
        best = scored["previous, act, place"]
        shown = Path(spec).stem if spec.startswith("path:") else spec
        for name, values in scored.items():
            gains = [[b - v for b, v in zip(x, y, strict=True)] for x, y in zip(best, values, strict=True)]
            gain = "-" if values is best else interval(gains)
            print(f"| {shown} | {len(test)}, {sum(map(len, test))} | {name} | {interval(values)} | {gain} |")


if __name__ == "__main__":
    main()
