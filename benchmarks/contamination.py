"""Are evaluation items found that were planted in dialogues, and are people's own dialogues left alone? How fast?

    python benchmarks/contamination.py [--corpora DIR] [--each 300] [--seed 7]

Planted: items of a set (GSM8K, ambiguous building instructions) put into messages of real dialogues: as they are, in
capitals without stops, cut to their first half, every eighth word changed, and with every number changed. False alarms:
real dialogues that have nothing to do with the set; maths lessons share its subject. Intervals are Wilson's, 95%.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import pyarrow.parquet as pq  # noqa: E402

from pipelines.overlap import Index  # noqa: E402
from schemas.identity import rng  # noqa: E402
from schemas.judgement import Interval, shown  # noqa: E402

SETS = ("gsm8k_sample", "ambiguous_instructions")
UNRELATED = ("open_domain__chitchat", "task_oriented__star", "recommendation__redial", "negotiation__casino")
NEAR = ("pedagogy__bridge", "pedagogy__cima")
COPIES: Mapping[str, Callable[[str, Random], str]] = {
    "as it is": lambda text, _: text,
    "capitals, no stops": lambda text, _: re.sub(r"[^\w\s]", " ", text).upper(),
    "first half": lambda text, _: " ".join(text.split()[: (len(text.split()) + 1) // 2]),
    "every 8th word changed": lambda text, _: " ".join("so" if n % 8 == 7 else w for n, w in enumerate(text.split())),
    "other numbers": lambda text, draw: re.sub(r"\d+", lambda _: str(draw.randint(2, 99)), text),
}


def questions(folder: Path, name: str) -> list[str]:
    rows = pq.read_table(folder / f"problems__{name}.parquet", columns=["split", "question"]).to_pylist()
    return list(dict.fromkeys(row["question"] for row in rows if row["split"] == "test"))


def dialogues(folder: Path, corpus: str) -> Iterator[list[str]]:
    for row in pq.read_table(folder / f"{corpus}.parquet", columns=["turns"]).to_pylist():
        yield [turn["text"] or "" for turn in row["turns"]]


def share(hits: int, n: int) -> str:
    return f"{shown(Interval.of_share(hits / n, n), 3)} (n {n})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora")
    parser.add_argument("--each", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    carriers = [said for said in dialogues(given.corpora, UNRELATED[0]) if said]
    for name in SETS:
        items = questions(given.corpora, name)
        began = time.perf_counter()
        index = Index(enumerate(items))
        built = time.perf_counter() - began
        size = f"{index.nbytes / len(items):.0f} bytes an item, {built:.2f} s to build"
        print(f"\n{name}: {len(items)} items, {index.too_short} too short to look for; {size}")
        for copy, change in COPIES.items():
            draw = rng(given.seed, name, copy)
            hits = 0
            for item in draw.sample(range(len(items)), min(given.each, len(items))):
                said = draw.choice(draw.choice(carriers))
                hits += any(hit.item == item for hit in index.hits(f"{said} {change(items[item], draw)} {said}"))
            print(f"  found, {copy:24} {share(hits, min(given.each, len(items)))}")
        for corpus in (*UNRELATED, *NEAR):
            began, hit, seen, turns = time.perf_counter(), 0, 0, 0
            for said in dialogues(given.corpora, corpus):
                seen += 1
                turns += len(said)
                hit += any(index.hits(text) for text in said)
            rate = turns / (time.perf_counter() - began)
            print(f"  alarms, {corpus:32} {share(hit, seen)}  {rate:,.0f} messages/s")


if __name__ == "__main__":
    main()
