"""How often the intervals of human judging hold the truth, where raters and trials differ: docs/human-judging.md.

Answers are drawn from logit(rate) = base + rater + trial with normal raters and trials; the truth is the mean rate of
such raters on such trials. Minutes on one core.
"""

import time

import numpy as np

from discriminators.two_alternative import two_alternative
from schemas.judgement import Interval
from schemas.trial import Answer, Key

DRAWS = 200
SIZES = ((2, 60), (3, 60), (5, 60), (10, 60), (20, 100))
SPREADS = ((0.0, 0.0), (0.3, 0.8), (0.8, 0.8))
"""Standard deviations of raters and of trials, in logits."""


def main() -> None:
    began = time.monotonic()
    print("| rate | raters differ | trials differ | raters x trials | holds, n | width | trials alone hold | width |")
    print("|---|---|---|---|---|---|---|---|")
    for base in (0.0, -1.0):
        for spread in SPREADS:
            for raters, trials in SIZES:
                print(_line(base, spread, raters, trials), flush=True)
    print(f"{time.monotonic() - began:.0f} s")


def _line(base: float, spread: tuple[float, float], raters: int, trials: int) -> str:
    generator = np.random.default_rng(1)
    keys = [Key(trial=str(t), kind="test", synthetic="left", left="a", right="b") for t in range(trials)]
    truth = float(_rates(base + np.random.default_rng(0).normal(0, np.hypot(*spread), 400_000)).mean())
    found: list[tuple[Interval, Interval]] = []
    for _ in range(DRAWS):
        logits = base + generator.normal(0, spread[0], (raters, 1)) + generator.normal(0, spread[1], (1, trials))
        fooled = generator.random((raters, trials)) < _rates(logits)
        told = two_alternative(
            [
                Answer(rater=str(r), trial=str(t), choice="left" if fooled[r, t] else "right")
                for r in range(raters)
                for t in range(trials)
            ],
            keys,
        )
        assert told.fool_rate.interval is not None and told.these_raters.interval is not None
        found.append((told.fool_rate.interval, told.these_raters.interval))
    cells = [f"{truth:.2f}", *(f"{s:.1f}" for s in spread), f"{raters} x {trials}"]
    for side in zip(*found, strict=True):
        held = Interval.of_share(sum(i.low <= truth <= i.high for i in side) / DRAWS, DRAWS)
        cells.append(f"{held.value:.3f} [{held.low:.2f}, {held.high:.2f}]")
        cells.append(f"{np.mean([i.high - i.low for i in side]):.2f}")
    return f"| {' | '.join(cells)} |"


def _rates(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


if __name__ == "__main__":
    main()
