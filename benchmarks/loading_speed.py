"""How soon a trainer sees the first row of a large table.

    python benchmarks/loading_speed.py [--dialogues 120000] [--out FOLDER]

Scripted: 5,000 dialogues of eight turns of drawn words, repeated under other ids, laid out as `publish` does, views and
card beside them.
Every load is a process of its own, forked where torch and `datasets` are imported already: a trainer has them anyway,
and `datasets` imports torch when it streams; that is a line of its own. `n`: loads; medians with their 95% intervals by
order statistics.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import binom

from outputs.card import configs_of, write_card
from outputs.manifest import Manifest
from outputs.parquet import part_writer
from outputs.publish import ROWS_A_PART, SPLITS, split_of
from outputs.views.written import write_views
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.identity import stable_hash
from schemas.record import Record, to_row
from schemas.scenario import Scenario, View
from schemas.table import SCHEMA

SEED, TURNS, LOADS = 7, 8, 9
LIMIT_S = 2.0
WORDS = ("what", "price", "the", "a", "train", "book", "maybe", "later", "so", "I", "you", "would", "like", "two", "ok")
LOAD = """
import os, sys, time
def clocks():
    return time.perf_counter(), time.process_time()
def said(begin):
    print(*(now - then for then, now in zip(begin, clocks())), flush=True)
run, config, streaming, cache = sys.argv[1], sys.argv[2], sys.argv[3] == "stream", sys.argv[4]
begin = clocks()
import torch, datasets
said(begin)
datasets.disable_progress_bars()
for load in range(int(sys.argv[5])):
    child = os.fork()
    if not child:
        begin = clocks()
        kept = f"{cache}-{load}"
        rows = datasets.load_dataset(run, config, split="train", streaming=streaming, cache_dir=kept)
        next(iter(rows))
        said(begin)
        os._exit(0)
    os.waitpid(child, 0)
"""


class Times(NamedTuple):
    """Seconds, by the clock and of CPU."""

    wall: float
    cpu: float


def line(what: str, times: list[Times]) -> str:
    cells = [
        f"{median(v):.2f} [{low:.2f}, {high:.2f}]"
        for v in zip(*times, strict=True)
        for low, high in [order_interval(v)]
    ]
    return f"| {what} | {' | '.join(cells)} | {len(times)} |"


def order_interval(values: Sequence[float]) -> tuple[float, float]:
    """95% interval of the median, without a distribution; of fewer than six values their whole range."""
    ranked = sorted(values)
    k = max(0, int(binom.ppf(0.025, len(ranked), 0.5)) - 1)
    return ranked[k], ranked[-1 - k]


def records(count: int) -> Iterator[Record]:
    for number in range(count):
        random = Random(f"{SEED} {number}")
        words = [" ".join(random.choices(WORDS, k=random.randint(5, 40))) for _ in range(TURNS)]
        roles = ("user", "assistant")
        scenario = Scenario(
            family="conversation",
            domain="open",
            base_case_id=f"case-{number // 4}",
            seed=number,
            goal="Talk.",
            views={role: View(role=role, brief="You talk.") for role in roles},
            scenario_id=f"s{number // 2}",
            group_id=stable_hash("group", number // 2),
            dialogue_id=stable_hash("dialogue", number),
            index=number // 2,
            policy="proactive" if number % 2 else "reactive",
        )
        turns = tuple(Turn(role=roles[i % 2], text=text, model="scripted") for i, text in enumerate(words))
        yield Record(
            dialogue=Dialogue(
                scenario=scenario,
                turns=turns,
                ending=Ending(reason="max_turns"),
                learner="assistant",
                partner="user",
                outcome={"success": number % 3 > 0},
            ),
            recipe="loading",
            split=split_of(scenario.base_case_id),
        )


def make(run: Path, dialogues: int) -> None:
    """`data/` and `views/` of a run, and its card: 5,000 dialogues, over and over under other ids."""
    parts = -(-dialogues // ROWS_A_PART)
    first = pa.Table.from_pylist([to_row(r) for r in records(min(dialogues, ROWS_A_PART))], schema=SCHEMA)
    for part in range(parts):
        again = _renamed(first, part)
        for split in SPLITS:
            rows = again.filter(pc.equal(again["split"], split)).sort_by(
                [("group_id", "ascending"), ("dialogue_id", "ascending")]
            )
            with part_writer(run / "data" / f"{split}-{part:05d}-of-{parts:05d}.parquet", SCHEMA) as writer:
                writer.add(rows)
    views = write_views(run)
    write_card(run, Manifest(recipe="loading", status="complete", target=dialogues, views=views))


def _renamed(table: pa.Table, part: int) -> pa.Table:
    for name in ("dialogue_id", "group_id", "scenario_id"):
        index = SCHEMA.get_field_index(name)
        table = table.set_column(
            index, SCHEMA.field(index), pc.binary_join_element_wise(f"{part:05d}", table[name], "")
        )
    return table


def loads(run: Path, config: str, how: str, scratch: Path, count: int) -> tuple[Times, list[Times]]:
    """Of the imports, and of each load. `how`: stream or whole."""
    command = [sys.executable, "-c", LOAD, str(run), config, how, str(scratch / how), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imports, *times = (Times(*map(float, row.split())) for row in done.stdout.splitlines())
    return imports, times


def measure(run: Path, scratch: Path) -> Iterator[str]:
    imports: list[Times] = []
    for config in ("dialogues", "turns", "sft"):
        imported, times = loads(run, config, "stream", scratch, LOADS)
        imports.append(imported)
        yield line(f"{config}: first row, streaming (limit {LIMIT_S} s)", times)
    imported, times = loads(run, "dialogues", "whole", scratch, 3)
    yield line("dialogues: first row, all of it read into the cache", times)
    yield line("import of torch and datasets, before all that", [*imports, imported])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialogues", type=int, default=120_000)
    parser.add_argument("--out", type=Path, help="keep the run there; one that is there already is loaded as it is")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = given.out or Path(scratch) / "run"
        began = time.perf_counter()
        if not (run / "data").is_dir():
            make(run, given.dialogues)
        size = sum(p.stat().st_size for p in (run / "data").iterdir()) / 1e6
        rows = sum(file.rows for file in configs_of(run)["dialogues"])
        print(f"{rows:,} dialogues of {TURNS} turns, {size:,.0f} MB, made in {time.perf_counter() - began:.0f} s\n")
        print("| what | s by the clock | s of CPU | n |\n|---|---:|---:|---:|")
        for row in measure(run, Path(scratch)):
            print(row, flush=True)


if __name__ == "__main__":
    main()
