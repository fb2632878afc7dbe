"""Do the ratings of covert thoughts use their scale, and does the learner speak when its thoughts say so (methods §14)?

    python benchmarks/thought_scores.py RUN_DIR...

Of the reward `intrinsic_motivation` in the rows of runs: how many raw scores lie in each half point, the share in the
middle (3.0 to 4.0, where small models put them all), decisions that do not follow from the stored thoughts (none may),
and the share of turns at which the decision is what the learner did, beside who always speaks. Intervals are 95%,
bootstrapped over groups.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from outputs.store import read_records
from rewards.motives import HIGH, LOW, Scored, Thresholds, adjusted, decide
from schemas.errors import InputError

SEED, DRAWS, BIN = 7, 1000, 0.5
MIDDLE = (3.0, 4.0)
Shares = dict[str, list[float]]
"""Group -> 1 or 0 of each of its turns or thoughts."""


def stored(folder: Path) -> Iterator[tuple[str, Mapping[str, Any] | None, str | None]]:
    """Group, parts and reason of each turn that the reward looked at."""
    files = sorted((folder / "data").glob("*.parquet"))
    if not files:
        raise InputError(f"{folder}: holds no data/*.parquet; give the directory of a run that has published")
    for record in read_records(files):
        for value in record.rewards:
            if value.name == "intrinsic_motivation" and value.reason != "not_drawn":
                parts = value.parts if value.value is not None else None
                yield record.dialogue.scenario.group_id, parts, value.reason


def follows(parts: Mapping[str, Any]) -> bool:
    """Whether the decision is that of the thresholds."""
    thoughts = [Scored(t["type"], adjusted(t["score_raw"], parts["turns_silent"])) for t in parts["thoughts"]]
    decision, chosen = decide(thoughts, parts["floor"], parts["draw"], Thresholds(**parts["thresholds"]))
    selected = [n for n, t in enumerate(parts["thoughts"]) if t["selected"]]
    return decision == parts["decision"] and selected == ([] if chosen is None else [chosen])


def shown(name: str, shares: Shares) -> str:
    groups = [np.array(values, float) for values in shares.values()]
    sums, sizes = (np.array([f(g) for g in groups], float) for f in (np.sum, len))
    drawn = np.random.default_rng(SEED).integers(0, len(groups), (DRAWS, len(groups)))
    low, high = np.percentile(sums[drawn].sum(1) / sizes[drawn].sum(1), (2.5, 97.5))
    return f"| {name} | {sums.sum() / sizes.sum():.2f} [{low:.2f}, {high:.2f}] | {int(sizes.sum())} in {len(groups)} |"


def report(folder: Path) -> None:
    scores, missing, decisions = Counter[float](), Counter[str](), Counter[str]()
    middle, agrees, speaks = (defaultdict[str, list[float]](list) for _ in range(3))
    odd = 0
    for group, parts, reason in stored(folder):
        if parts is None:
            missing[reason or "unknown"] += 1
            continue
        for thought in parts["thoughts"]:
            raw = float(thought["score_raw"])
            scores[min(HIGH - BIN, LOW + BIN * int((raw - LOW) / BIN))] += 1
            middle[group].append(float(MIDDLE[0] <= raw <= MIDDLE[1]))
        odd += not follows(parts)
        decisions[f"{parts['decision']}, {'spoke' if parts['spoke'] else 'silent'}"] += 1
        agrees[group].append(float((parts["decision"] != "silent") == parts["spoke"]))
        speaks[group].append(float(parts["spoke"]))
    print(f"\n## {folder.name}\n\nwithout a value: {dict(missing) or 'none'}; decisions that do not follow: {odd}\n")
    if not scores:
        return
    print("| raw score from | thoughts |\n|---|---|")
    for step in np.arange(LOW, HIGH, BIN):
        print(f"| {step:.1f} | {scores[float(step)]} |")
    print("\n| share | 95% interval | n, groups |\n|---|---|---|")
    print(shown(f"raw scores from {MIDDLE[0]} to {MIDDLE[1]}", middle))
    print(shown("decided as it did", agrees))
    print(shown("spoke (who always speaks agrees so often)", speaks))
    print(f"\ndecision, what it did: {dict(decisions.most_common())}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR")
    for folder in parser.parse_args().runs:
        report(folder)


if __name__ == "__main__":
    main()
