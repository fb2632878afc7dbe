"""Starts what the inference benchmarks compare, each in a process of its own, and tells what it took."""

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dinner

from pipelines.recipe import Recipe
from pipelines.services import RoleModel
from pipelines.shards import cut
from pipelines.worker import Job
from schemas.chat import EndpointSpec

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE)}
GENERATION = "f" * 32


@dataclass(slots=True)
class Taken:
    """Of one process tree."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    """Resident, of the largest process."""
    told: dict[str, Any] = field(default_factory=dict[str, Any])
    """The last of each kind of event a worker told."""
    code: int = 0


@dataclass(slots=True)
class Work:
    dialogues: int
    turns: int = 8
    most_turns: int = 8
    in_flight: int = 1024
    """Ceiling of requests at one endpoint."""
    live: int = 1024
    workers: int = 1
    stall_s: float | None = None
    first: int = 0
    """Index of the first dialogue: other indices are other dialogues."""


class Ours:
    """Workers on the dinner family, as a run starts them."""

    def __init__(self, urls: Sequence[str], work: Work, folder: Path | None = None):
        self._own = tempfile.TemporaryDirectory() if folder is None else None
        self.folder = Path(self._own.name) if self._own is not None else folder or Path()
        endpoint = {"use": "remote", "base_url": list(urls), "model": "scripted"}
        recipe = Recipe.model_validate(
            {
                "name": "dinner",
                "target": work.dialogues,
                "families": [
                    {
                        "use": "dinner.Dinner",
                        "policies": ["proactive"],
                        "turns": work.turns,
                        "most_turns": work.most_turns,
                    }
                ],
                "models": {"default": endpoint},
                "embedder": {"use": "remote", "base_url": urls[0], "model": "scripted"},
                "concurrency": work.live,
            }
        )
        specs = tuple(EndpointSpec(url, "scripted", max_in_flight=work.in_flight) for url in urls)
        roles = {role: RoleModel(specs) for role in ("user", "assistant")}
        shards = cut(0, work.first, work.first + work.dialogues, 0, 100)
        self.processes: list[subprocess.Popen[bytes]] = []
        self._readers: list[threading.Thread] = []
        self.told: dict[str, Any] = {}
        for number in range(work.workers):
            job = Job(
                name=f"worker-{number:03d}",
                recipe=recipe.for_worker(),
                fingerprint=GENERATION,
                shards=tuple(shards[number :: work.workers]),
                roles=roles,
                embedder=specs[0],
                journal=self.folder / "journal",
                folder=self.folder / "shards",
                workers=work.workers,
                stall_s=work.stall_s,
            )
            path = self.folder / f"{job.name}.json"
            path.write_text(job.model_dump_json())
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "pipelines.worker", str(path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=ENVIRONMENT,
                    start_new_session=True,
                )
            )
        self.began = time.monotonic()
        for process in self.processes:
            reader = threading.Thread(target=self._read, args=(process,), daemon=True)
            reader.start()
            self._readers.append(reader)

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith(b"\n"):
                self.told.update(json.loads(line))

    def wait(self) -> Taken:
        cpu = peak = 0.0
        code = 0
        for process in self.processes:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            code = code or process.returncode
            cpu += used.ru_utime + used.ru_stime
        wall = time.monotonic() - self.began
        for reader in self._readers:
            reader.join(5)
        for process in self.processes:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.stdout.close()
        peak = self.told.get("end", {}).get("peak_mb", 0.0)
        return Taken(wall, cpu, peak, self.told, code)

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def ours(urls: Sequence[str], work: Work) -> Taken:
    """From the start of the processes to their end. Raises RuntimeError when one fails."""
    taken = Ours(urls, work).wait()
    if taken.code:
        raise RuntimeError(f"a worker ended with {taken.code}: {taken.told.get('error')}")
    return taken


class Floor:
    def __init__(self, urls: Sequence[str], work: Work, folder: Path | None = None, lockstep: bool = False):
        self._own = tempfile.TemporaryDirectory() if folder is None else None
        self.folder = Path(self._own.name) if self._own is not None else folder or Path()
        rng = random.Random(work.first)
        lengths = [rng.randint(work.turns, work.most_turns) for _ in range(work.dialogues)]
        personas = [[dinner.persona(rng, work.first + n) for _ in range(2)] for n in range(work.dialogues)]
        (self.folder / "work.json").write_text(
            json.dumps({"shared": dinner.SHARED, "personas": personas, "lengths": lengths})
        )
        command = [
            *(sys.executable, str(HERE / "floor.py"), "--urls", ",".join(urls)),
            *("--dialogues", str(work.dialogues), "--in-flight", str(work.in_flight)),
            *("--work", str(self.folder / "work.json"), "--journal", str(self.folder / "journal.jsonl")),
            *("--stall-s", str(work.stall_s or 600)),
            *(["--lockstep"] if lockstep else []),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)

    def wait(self) -> Taken:
        out, _ = self.process.communicate()
        if self.process.returncode:
            raise RuntimeError(f"the floor ended with {self.process.returncode}")
        told = json.loads(out)
        return Taken(told["wall_s"], told["cpu_s"], told["rss_mb"], told)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def floor(urls: Sequence[str], work: Work, lockstep: bool = False) -> Taken:
    return Floor(urls, work, lockstep=lockstep).wait()
