"""Are the rates of `overture forecast` what they are said to be? Scripted, in a world whose probabilities are known.

    python benchmarks/forecast_calibration.py [--n 1200] [--rollouts 60]

A shopper is patient or not, answers warmly with a probability that depends on it, and buys with one that does, too
(`tests/forecast_world.py`). Each of `n` dialogues is cut at a random turn and rolled on as the command does. Beside the
two rates: the constant base rate, and what a reader should believe by Bayes' rule. Calibration is told twice: on
outcomes, where chance alone makes an error (see the row of Bayes), and on what Bayes' rule says of the same dialogues,
where it makes none. Intervals are bootstrapped over dialogues, which are independent here; the base rate is that of as
many other dialogues.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # the world is the tests'

from forecast_world import Shop, believed  # noqa: E402
from played import services  # noqa: E402

from generators.play import UNWATCHED, play  # noqa: E402
from generators.resampling import prior  # noqa: E402
from pipelines.calibration import (  # noqa: E402
    aurc,
    bias,
    bootstrapped,
    brier,
    brier_skill,
    expected_calibration_error,
    reliability,
    selective_brier,
)
from pipelines.forecast import cut_turns  # noqa: E402
from pipelines.forecast_rows import Cut, abstention  # noqa: E402
from pipelines.recipe_families import FamilyEntry  # noqa: E402
from pipelines.rolling import Roller  # noqa: E402
from schemas.identity import rng  # noqa: E402
from schemas.judgement import Interval, shown  # noqa: E402
from schemas.record import Record  # noqa: E402

SEED = 11
BINS = 10
PRIOR_DRAWS = 400
"""Of four base cases: a hundred candidates each."""
SHOP = Shop()
NOBODY = services(lambda request: "")
"""No model is asked."""


class Found(NamedTuple):
    forecasts: Mapping[str, np.ndarray]
    """By who forecasts, float [n]; NaN where there is no rate."""
    happened: np.ndarray
    labels: Mapping[str, list[str]]
    """abstain_gold by `mc_public`, and what it would be by `mc_privileged`."""
    ess: np.ndarray


async def dialogue(number: int) -> Record:
    case = SHOP.sample(rng(SEED, "case", number))
    scenario = case.model_copy(update={"seed": number, "dialogue_id": f"d{number}", "group_id": f"g{number}"})
    return Record(dialogue=await play(SHOP, SHOP.speakers, scenario, NOBODY))


async def found(n: int, rollouts: int) -> Found:
    entry = FamilyEntry.model_validate({"use": "forecast_world.Shop"})
    roller = Roller(
        entry=entry,
        prior=prior(SHOP, SEED, PRIOR_DRAWS),
        seed=SEED,
        case=lambda scenario: rng(SEED, "case", scenario.seed),
        speakers=SHOP.speakers,
        watch=UNWATCHED,
        services=lambda _: NOBODY,
        rollouts=rollouts,
    )
    others = [(await dialogue(-1 - number)).dialogue.outcome["success"] for number in range(n)]
    rows: list[tuple[float, float, float]] = []
    happened, ess = list[bool](), list[float]()
    labels: dict[str, list[str]] = {"mc_public": [], "mc_privileged": []}
    for number in range(n):
        record = await dialogue(number)
        [turn] = cut_turns(record, SEED, 1)
        cut = Cut(record, turn)
        public, privileged = (await roller.public(cut)).rate, (await roller.privileged(cut)).rate
        values = (public.p, privileged.p)
        rows.append((*(np.nan if p is None else p for p in values), believed(cut.seen.turns)))
        happened.append(record.dialogue.outcome["success"])
        ess.append(public.ess or 0.0)
        for name, rate in (("mc_public", public), ("mc_privileged", privileged)):
            labels[name].append(abstention(rate.interval, 0.5) or "none")
    columns = np.array(rows).T
    names = ("mc_public", "mc_privileged", "Bayes")
    forecasts = {"base rate": np.full(n, np.mean(others)), **dict(zip(names, columns, strict=True))}
    return Found(forecasts, np.array(happened, float), labels, np.array(ess))


def report(of: Found) -> None:
    n, y, base = len(of.happened), of.happened, of.forecasts["base rate"]
    groups, truth = [str(i) for i in range(n)], of.forecasts["Bayes"]
    known = ~np.isnan(of.forecasts["mc_public"])
    median = f"effective cases: median {np.median(of.ess):.0f}"
    print(f"## scripted: {n} dialogues, {int(known.sum())} with a forecast; {median}\n")
    print("| forecast | Brier | skill | ECE on outcomes | ECE on Bayes | bias | from Bayes | AURC | Brier at 80% |")
    print("|" + "---|" * 9)
    for name, p in of.forecasts.items():
        keep = np.flatnonzero(known & ~np.isnan(p))
        forecast, mine = (p[keep], y[keep], base[keep]), [groups[i] for i in keep]
        skill = bootstrapped(lambda i, f=forecast: brier_skill(*(part[i] for part in f)), mine, SEED)
        ece, sharp = (
            bootstrapped(lambda i, p=p[keep], o=o[keep]: expected_calibration_error(p[i], o[i], BINS), mine, SEED)
            for o in (y, truth)
        )
        far = float(np.abs(p - truth)[keep].mean())
        rest = (bias(p[keep], y[keep]), far, aurc(*forecast), selective_brier(*forecast))
        told = (shown(skill, 3), shown(ece, 3), shown(sharp, 3), *(f"{value:.3f}" for value in rest))
        print(f"| {name} | {brier(p[keep], y[keep]):.3f} | {' | '.join(told)} |")
    print("\n| mc_public | n | mean forecast | happened | 95% |\n|" + "---|" * 5)
    for b in reliability(of.forecasts["mc_public"][known], y[known], BINS):
        _, low, high, _ = Interval.of_share(b.observed, b.n)
        print(f"| | {b.n} | {b.forecast:.3f} | {b.observed:.3f} | [{low:.3f}, {high:.3f}] |")
    for name, labels in of.labels.items():
        told = {label: labels.count(label) for label in ("yes", "no", "undecided", "none")}
        sure = [(label == "yes") == (t > 0.5) for label, t in zip(labels, truth, strict=True) if label in ("yes", "no")]
        print(f"\nabstain_gold by {name}: {told}; on the side of Bayes: {np.mean(sure):.3f} of {len(sure)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=1200)
    parser.add_argument("--rollouts", type=int, default=60)
    given = parser.parse_args()
    began = time.perf_counter()
    report(asyncio.run(found(given.n, given.rollouts)))
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
