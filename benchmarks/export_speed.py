"""How fast dialogues leave as files that trainers read, and in how much memory: scripted ones of eight turns.

    python benchmarks/export_speed.py [--dialogues N,N] [--formats NAME,NAME]

Each format is written by a process of its own, from views that are published already (`views` beside `data`), as they
are of a run. Memory is the peak of that process: where exports are streams it does not grow with the dialogues. Seconds
are processor time. Scripted words: this measures the program alone.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from views_speed import TURNS, dialogues

from outputs.exports.export import FORMATS
from outputs.views.written import write_views
from pipelines.exporting import ALL, Order, run

DEFAULT = ("trl-sft", "trl-grpo", "verl-rl", "verl-sft", "openai", "sharegpt", "collabllm", "jsonl")


def export(name: str, folder: Path, count: int) -> str:
    out = folder / "exports" / name
    private = (ALL,) if name == "collabllm" else ()
    began, busy = time.monotonic(), time.process_time()
    run(Order(folder, name, str(out), private))
    clock, seconds = time.monotonic() - began, time.process_time() - busy
    size = sum(path.stat().st_size for path in out.iterdir()) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return f"| {name} | {count:,} | {seconds:.1f} | {clock:.1f} | {count / seconds:,.0f} | {size:,.0f} | {peak:.2f} |"


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--dialogues", default="20000,100000")
    asked.add_argument("--formats", default=",".join(DEFAULT), help=", ".join(FORMATS))
    asked.add_argument("--folder", type=Path, help="where the dialogues lie; for the process that writes one format")
    given = asked.parse_args()
    if given.folder is not None:
        print(export(given.formats, given.folder, int(given.dialogues)), file=sys.stderr, flush=True)
        return
    print(f"Scripted dialogues of {TURNS} turns, one core.\n")
    print("| format | dialogues | seconds | by the clock | dialogues/s | MB | peak GB |", flush=True)
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    for count in given.dialogues.split(","):
        with TemporaryDirectory() as scratch:
            dialogues(Path(scratch), int(count))
            write_views(Path(scratch))
            for name in given.formats.split(","):
                call = [sys.executable, __file__, "--dialogues", count, "--formats", name, "--folder", scratch]
                subprocess.run(call, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
