"""What telling a problem in pieces costs: success by setting, of a run of the family `gradual` (methods §17).

    python benchmarks/gradual_settings.py RUN_DIR [--policy reactive]

Reads what was kept and what was not; dialogues that ended as a fault are counted and in no rate. Prints for each policy
and setting the success with Wilson's 95% interval, at the size that is left when dialogues of one base case count as
one another's neighbours; premature attempts; shards told a turn; and how each setting stands to full (concat below .8
means that the shards lost something). Where a base case was played more than once by
one policy in one setting: aptitude A90, the 90th percentile of its mean scores over samples, and unreliability,
P90 - P10. Last, which of the five properties of a valid sharding the stored shards have.

A run to measure has `settings: {full: 1, concat: 1, sharded: 1, recap: 1, snowball: 1}`, `cells: {given: 1}`,
`paired: true`.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from pathlib import Path

import numpy as np

from generators.piecing import SETTINGS
from generators.tasks.sharding import checks
from pipelines.dialogue_files import read_dialogues
from schemas.dialogue import Dialogue
from schemas.judgement import Interval, shown

CHECKS = ("preserved", "clear_intent", "order_free", "maximal", "minimal")
LEAST_CONCAT = 0.8
"""Of full (methods §17)."""


def dialogues_of(run: Path) -> Iterator[Dialogue]:
    """Of a run that was not finished, of its shards."""
    for name in ("data", "rejected") if (run / "data").is_dir() else ("shards",):
        if any((run / name).glob("*.parquet")):
            found = (record.dialogue for record in read_dialogues(run / name))
            yield from (d for d in found if d.scenario.family == "gradual" and d.origin is None)


def scores(played: Iterable[Dialogue]) -> dict[str, list[float]]:
    """Of each base case: its dialogues' success."""
    found: dict[str, list[float]] = defaultdict(list)
    for d in played:
        found[d.scenario.base_case_id].append(float(bool(d.outcome["success"])))
    return found


def success(played: Sequence[Dialogue]) -> Interval | None:
    """Wilson's interval, at the effective number of dialogues (design effect of base cases, at least 1)."""
    if not played:
        return None
    groups, n = scores(played), len(played)
    share = sum(map(sum, groups.values())) / n
    between, plain = sum((sum(g) - share * len(g)) ** 2 for g in groups.values()), n * share * (1 - share)
    effective = max(1, round(n / max(1.0, between / plain))) if plain else n
    return Interval.of_share(share, effective)


def ratio(first: Sequence[Dialogue], second: Sequence[Dialogue]) -> Interval | None:
    """Success of the first by that of the second, with an interval from both of theirs (MOVER-R, Donner and Zou 2012).
    It takes the two as independent: paired ones are nearer to each other. None: the second may be nothing.
    """
    ours, theirs = success(first), success(second)
    if ours is None or theirs is None:
        return None
    (p, low, high, n), (q, least, most, m) = ours, theirs
    below, above = most * (2 * q - most), least * (2 * q - least)
    if below <= 0 or above <= 0:
        return None
    bottom = (p * q - sqrt(max(0.0, (p * q) ** 2 - low * (2 * p - low) * below))) / below
    top = (p * q + sqrt(max(0.0, (p * q) ** 2 - high * (2 * p - high) * above))) / above
    return Interval(p / q, bottom, top, min(n, m))


def told_a_turn(played: Iterable[Dialogue]) -> Counter[int]:
    """Shards that a turn of the user tells, after the first."""
    return Counter(len(t.facts_disclosed) for d in played for n, t in enumerate(d.turns) if n and t.role == d.partner)


def repeated(played: Sequence[Dialogue]) -> str:
    """Aptitude and unreliability over repeats of one base case, in points of 100: (n cases) A90, U."""
    runs = [g for g in scores(played).values() if len(g) > 1]
    if not runs:
        return "- | -"
    spread = [np.percentile(g, 90) - np.percentile(g, 10) for g in runs]
    best = [np.percentile(g, 90) for g in runs]
    return f"{100 * np.mean(best):.1f} ({len(runs)}) | {100 * np.mean(spread):.1f}"


def settings_table(played: Sequence[Dialogue]) -> None:
    print("| setting | n | success | clean | premature attempts | most shards a turn | A90 (cases) | unreliability |")
    print("|---|---:|" + "---|" * 6)
    for setting in SETTINGS:
        some = [d for d in played if d.outcome["setting"] == setting]
        if not some:
            continue
        early = [d.outcome["premature_attempts"] for d in some]
        clean = sum(bool(d.outcome["success"]) and not n for d, n in zip(some, early, strict=True)) / len(some)
        most = max(told_a_turn(some), default=0)
        cells = (
            shown(success(some), 3),
            shown(Interval.of_share(clean, len(some)), 3),
            f"{np.mean(early):.2f}",
            str(most),
        )
        print(f"| {setting} | {len(some)} | {' | '.join(cells)} | {repeated(some)} |")


def against_full(played: Sequence[Dialogue]) -> None:
    full = [d for d in played if d.outcome["setting"] == "full"]
    for setting in SETTINGS[1:]:
        found = ratio([d for d in played if d.outcome["setting"] == setting], full)
        met = ""
        if setting == "concat" and found is not None:
            met = ": met" if found.low >= LEAST_CONCAT else ": missed" if found.high < LEAST_CONCAT else ": not shown"
        print(f"{setting} / full: {shown(found, 3)}{met}")


def shards_table(played: Sequence[Dialogue]) -> None:
    """Of each problem once; one of which a shard was taken away has another text."""
    problems = {
        (d.scenario.plan["full"], d.scenario.plan["first"]): [f.text for f in d.scenario.views["user"].facts]
        for d in played
        if d.outcome["cell"] != "impossible"
    }
    found = [list(checks(full, first, shards)) for (full, first), shards in problems.items()]
    print("\n| property of the shards | holds | n |\n|---|---|---:|")
    for n, name in enumerate(CHECKS):
        held = [row[n].valid for row in found]
        share = Interval.of_share(sum(held) / len(held), len(held)) if held else None
        print(f"| {name} | {shown(share, 3)} | {len(held)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN_DIR")
    parser.add_argument("--policy", help="one policy alone")
    given = parser.parse_args()
    everything = list(dialogues_of(given.run))
    faults = Counter(f"{d.scenario.policy}: {d.ending.detail}" for d in everything if d.ending.reason == "fault")
    sound = [d for d in everything if d.ending.reason != "fault"]
    print(f"{given.run}: {len(everything)} dialogues; faults: {dict(faults.most_common())}")
    for policy in sorted({d.scenario.policy for d in sound if given.policy in (None, d.scenario.policy)}):
        played = [d for d in sound if d.scenario.policy == policy]
        possible = [d for d in played if d.outcome["cell"] != "impossible"]
        print(
            f"\n## {policy} ({len(played)}; of these {len(played) - len(possible)} cannot succeed and are left out)\n"
        )
        settings_table(possible)
        against_full(possible)
    kinds = Counter(
        str(t.labels.get("response_type")) for d in sound for t in d.turns if t.role == d.learner and t.text
    )
    print(f"\nresponse types: {dict(kinds.most_common())}")
    sharded = [d for d in sound if d.outcome["setting"] == "sharded"]
    a_turn = told_a_turn(sharded)
    if turns := sum(a_turn.values()):
        print(
            f"sharded, at most one shard a turn: {shown(Interval.of_share((a_turn[0] + a_turn[1]) / turns, turns), 3)}"
        )
    shards_table(sound)


if __name__ == "__main__":
    main()
