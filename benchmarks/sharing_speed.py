"""How fast runs are joined, compared, checked and masked, and in how much memory.

    python benchmarks/sharing_speed.py [--dialogues 10000]

Two runs of that many hand-built tutoring lessons (5 turns), a tenth of them in both; each command in a process of its
own, with Python's start, on one core.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing import Process
from pathlib import Path

import orjson

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from dialogue_samples import tutoring  # noqa: E402
from published_samples import published_run  # noqa: E402


def measured(command: list[str]) -> tuple[float, float, float]:
    """(seconds, of them on the core, peak MB) of a command."""
    began = time.perf_counter()
    line = [sys.executable, "-m", "pipelines.cli", *command]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def make(place: Path, count: int) -> None:
    published_run(place / "a", [tutoring(n) for n in range(count)])
    published_run(place / "b", [tutoring(n) for n in range(count * 9 // 10, count * 19 // 10)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialogues", type=int, default=10_000, help="of each run")
    count = parser.parse_args().dialogues
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        maker = Process(target=make, args=(place, count))  # its memory would count as that of the commands
        maker.start()
        maker.join()
        a, b = place / "a", place / "b"
        questions = [{"id": str(n), "question": f"what do {n} words say of {n + 1} things " * 4} for n in range(10_000)]
        (place / "set.jsonl").write_bytes(b"\n".join(map(orjson.dumps, questions)))
        commands = {
            "merge": ["merge", str(a), str(b), "--out", str(place / "ab")],
            "diff": ["diff", str(a), str(b)],
            "contamination": ["contamination", str(a), "--against", str(place / "set.jsonl")],
            "privacy": ["privacy", str(a)],
            "privacy --mask": ["privacy", str(a), "--mask", "--out", str(place / "masked")],
        }
        print(f"{'command':16} {'rows read':>10} {'seconds':>8} {'on core':>8} {'rows/s of core':>15} {'peak MB':>8}")
        for name, command in commands.items():
            rows = 2 * count if name in ("merge", "diff") else count
            seconds, core, peak = measured(command)
            print(f"{name:16} {rows:10,} {seconds:8.1f} {core:8.1f} {rows / core:15,.0f} {peak:8.0f}", flush=True)


if __name__ == "__main__":
    main()
