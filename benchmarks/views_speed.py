"""How fast dialogues become rows of a view, and in how much memory: scripted ones of eight turns, on one core.

    python benchmarks/views_speed.py [--dialogues N] [--views NAME,NAME]

The dialogues are written once as a run publishes them (groups of two siblings, 5,000 a file), with a scenario, facts,
latents and labels beside the words. Then each view is written to Parquet from them by a process of its own, which
reads, converts and writes; memory is the peak of that process. `published` is all views that a run publishes at once.
Seconds are processor time; on a core that is not shared the clock shows the same. Scripted words: this measures the
program alone.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pyarrow as pa

from outputs.parquet import part_writer, write_table
from outputs.publish import split_of
from outputs.views.reading import made
from outputs.views.registry import VIEWS
from outputs.views.written import write_views
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.identity import stable_hash
from schemas.judgement import RewardValue, Selection
from schemas.record import Record, to_row
from schemas.scenario import Fact, Scenario, View
from schemas.table import SCHEMA

TURNS, A_FILE = 8, 5_000
A_SECOND, GIGABYTES = 20_000, 2.0
ALL = "published"
WORDS = ("could", "you", "tell", "me", "which", "of", "the", "trains", "leaves", "first", "and", "what", "it", "costs")


def sentence(draws: Random) -> str:
    return " ".join(draws.choices(WORDS, k=draws.randint(6, 16))).capitalize() + draws.choice(".?")


def record(number: int) -> Record:
    draws = Random(number)
    facts = tuple(Fact(id=f"f{n}", holder="user", slot=f"slot {n}", value="41", text=sentence(draws)) for n in range(3))
    scenario = Scenario(
        family="scripted",
        domain="trains",
        base_case_id=f"case-{number // 8}",
        seed=number,
        goal=sentence(draws),
        views={
            "user": View(role="user", brief=sentence(draws), facts=facts),
            "assistant": View(role="assistant", brief=sentence(draws)),
        },
        session_latents={"patience": 3, "style": "terse"},
        index=number // 2,
        scenario_id=stable_hash("group", number // 2),
        group_id=stable_hash("group", number // 2),
        dialogue_id=stable_hash("dialogue", number),
        policy="reactive" if number % 2 else "proactive",
        sibling=number % 2,
    )
    turns = tuple(
        Turn(
            role="assistant" if n % 2 else "user",
            text=sentence(draws),
            labels={"clean": sentence(draws), "asks": bool(n % 2), "clairvoyant": False},
            model="scripted",
        )
        for n in range(TURNS)
    )
    return Record(
        dialogue=Dialogue(
            scenario=scenario,
            turns=turns,
            ending=Ending(reason="goal_reached", by="user"),
            learner="assistant",
            partner="user",
            outcome={"success": number % 5 != 0},
        ),
        recipe="scripted",
        split=split_of(scenario.base_case_id),
        rewards=(RewardValue(name="success", value=float(number % 5 != 0)),),
        selection=Selection(keep=True),
    )


def dialogues(folder: Path, count: int) -> list[Path]:
    """Files of A_FILE dialogues. The first ones are made, the others are those again under other ids."""
    rows = pa.Table.from_pylist([to_row(record(n)) for n in range(min(count, A_FILE))], schema=SCHEMA)
    files: list[Path] = []
    for number in range(0, count, A_FILE):
        table = rows.slice(0, min(A_FILE, count - number))
        for name, ids in _ids(number, table.num_rows).items():
            table = table.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), pa.array(ids, pa.string()))
        files.append(folder / "data" / f"train-{number // A_FILE:05d}.parquet")
        write_table(files[-1], table)
    return files


def _ids(start: int, rows: int) -> dict[str, list[str]]:
    """In the order of a run: by group."""
    groups = [f"{n // 2:032x}" for n in range(start, start + rows)]
    return {"group_id": groups, "dialogue_id": [f"{n:032x}" for n in range(start, start + rows)]}


def write(name: str, folder: Path) -> int:
    """Rows."""
    if name == ALL:
        return sum(sum(summary.rows.values()) for summary in write_views(folder))
    view, files, rows = VIEWS[name], sorted((folder / "data").glob("*.parquet")), 0
    with part_writer(folder / f"{name}.out", view.schema) as writer:
        for table in made(view, files, folder):
            writer.add(table)
            rows += table.num_rows
    return rows


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--dialogues", type=int, default=1_000_000)
    asked.add_argument("--views", default=",".join([*VIEWS, ALL]))
    asked.add_argument("--folder", type=Path, help="where the dialogues lie; for the process that writes one view")
    given = asked.parse_args()
    if given.folder is not None:
        began, busy = time.monotonic(), time.process_time()
        rows = write(given.views, given.folder)
        clock, seconds = time.monotonic() - began, time.process_time() - busy
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rate = given.dialogues / seconds
        print(f"| {given.views} | {rows:,} | {seconds:.1f} | {clock:.1f} | {rate:,.0f} | {peak:.2f} |", flush=True)
        return
    with TemporaryDirectory() as scratch:
        files = dialogues(Path(scratch), given.dialogues)
        size = sum(path.stat().st_size for path in files) / 2**30
        print(f"{given.dialogues:,} scripted dialogues of {TURNS} turns, {size:.2f} GB of Parquet\n")
        print(f"Wanted of sft: {A_SECOND:,} dialogues a second, under {GIGABYTES:g} GB.\n")
        print(
            "| view | rows | seconds | by the clock | dialogues/s | peak GB |\n|---|---:|---:|---:|---:|---:|",
            flush=True,
        )
        for name in given.views.split(","):
            call = [sys.executable, __file__, "--dialogues", str(given.dialogues), "--views", name, "--folder", scratch]
            subprocess.run(call, check=True)


if __name__ == "__main__":
    main()
