"""Flawed problems with their controls, to be read: `docs/flawed_items_read.csv` has what a reader found of these.

    python benchmarks/flawed_items.py [--problems FILE.parquet] [--first 0] [--n 25]

The same items every time: number, kind and base case, the flawed text, its control, the answer.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from generators.tasks.flawed import KINDS, Flaw
from generators.tasks.flawed_sets import Case, built_in, of_file
from schemas.identity import rng

SEED = 29


def items(problems: Path | None, numbers: range) -> Iterator[tuple[int, Case]]:
    kinds: dict[Flaw, float] = dict.fromkeys(KINDS, 1.0)
    for number in numbers:
        draw = rng(SEED, "read", number)
        yield number, of_file(problems, kinds, draw) if problems else built_in(kinds, draw)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--n", type=int, default=25)
    given = parser.parse_args()
    for number, case in items(given.problems, range(given.first, given.first + given.n)):
        removed, right = case.flawed.removed, case.control.verifier
        print(f"\n{number} {case.rewriting} {case.base_case_id}\nflawed:  {case.flawed.question}")
        print(f"control: {case.control.question}")
        print(f"answer {right and right.answer}; told: {removed and removed.sentence}")


if __name__ == "__main__":
    main()
