"""Does a large run stay flat? A scripted run, with the memory of its main process and its workers sampled as it goes.

`python benchmarks/memory_of_a_run.py [DIALOGUES]`, 20,000 by default. Prints a markdown table: quarters of the playing,
then selection and publishing.

"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from scripted_server import ScriptedProcess  # noqa: E402 - a script of the tests


def resident_mb(process: psutil.Process) -> float:
    return process.memory_info().rss / 2**20


def main() -> None:
    dialogues = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder, ScriptedProcess("--reply", "scripted_players:obey") as server:
        model = {"use": "remote", "base_url": server.base_url, "model": "scripted"}
        recipe = {
            "target": dialogues,
            "families": [
                {"use": "generators.families.conversation.Conversation"},
                {"use": "generators.families.tutoring.Tutoring"},
            ],
            "models": {"default": model},
            "embedder": model,
            "concurrency": 64,
            "max_rounds": 1,
        }
        path = Path(folder) / "recipe.yaml"
        path.write_text(yaml.safe_dump(recipe))
        began = time.monotonic()
        command = [sys.executable, "-P", str(TESTS / "run_driver.py"), str(path), str(Path(folder) / "run")]
        run = subprocess.Popen(command)
        samples = _watch(psutil.Process(run.pid), run)
        wall = time.monotonic() - began
        rows = _rows(samples)
    print(f"{dialogues} dialogues wanted, exit {run.returncode}, {wall:.0f} s (scripted)\n")
    print("| phase | main process MB | worker MB |\n|---|---|---|")
    for name, main_mb, worker_mb in rows:
        print(f"| {name} | {main_mb:.0f} | {worker_mb:.0f} |")


def _watch(main_process: psutil.Process, run: "subprocess.Popen[bytes]") -> list[tuple[float, float]]:
    """(main, largest worker) MB once a second; the worker is 0 when none runs."""
    samples: list[tuple[float, float]] = []
    while run.poll() is None:
        try:
            workers = [resident_mb(p) for p in main_process.children() if "pipelines.worker" in p.cmdline()]
            samples.append((resident_mb(main_process), max(workers, default=0.0)))
        except psutil.NoSuchProcess:
            pass
        time.sleep(1.0)
    return samples


def _rows(samples: list[tuple[float, float]]) -> list[tuple[str, float, float]]:
    playing = [s for s in samples if s[1] > 0]
    after = samples[len(samples) - next((i for i, s in enumerate(reversed(samples)) if s[1] > 0), 0) :]
    quarter = max(1, len(playing) // 4)
    rows = [
        (f"playing, quarter {k + 1} (peak)", *map(max, zip(*playing[k * quarter : (k + 1) * quarter], strict=True)))
        for k in range(4)
        if playing[k * quarter : (k + 1) * quarter]
    ]
    if after:
        rows.append(("selecting and publishing (peak)", max(m for m, _ in after), 0.0))
    return rows


if __name__ == "__main__":
    main()
