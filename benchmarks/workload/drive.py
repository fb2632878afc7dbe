"""Starts what the inference benchmarks compare, each in a process of its own, and tells what it took."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dinner
import psutil

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
    """Ours: `Counts` as JSON, and `limits`: [seconds, limit, in flight, live] over time."""


@dataclass(slots=True)
class Work:
    dialogues: int
    turns: int = 8
    most_turns: int = 8
    in_flight: int = 1024
    """Ceiling of requests at one endpoint."""
    contexts: int = 0
    """As of `EndpointSpec`."""
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
        most: dict[str, Any] = {"max_in_flight": work.in_flight, "contexts": work.contexts}
        specs = tuple(EndpointSpec(url, "scripted", **most) for url in urls)
        roles = {role: RoleModel(specs) for role in ("user", "assistant")}
        shards = cut(0, work.first, work.first + work.dialogues, 0, 100)
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
                number=number,
                workers=work.workers,
                stall_s=work.stall_s,
            )
            (self.folder / f"{job.name}.job").write_text(job.model_dump_json())
        command = [sys.executable, str(HERE / "owner.py"), str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT, start_new_session=True)
        self.began = time.monotonic()

    def wait(self) -> Taken:
        """CPU of the owner and its workers; memory of the largest worker. Raises RuntimeError when they fail."""
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.process.stdout.close()
        if self.process.returncode:
            raise RuntimeError(f"the workers ended with {self.process.returncode}; their logs: {self.folder}/logs")
        told = json.loads(out)
        return Taken(time.monotonic() - self.began, used.ru_utime + used.ru_stime, told["peak_mb"], told)

    def kill(self) -> None:
        """As kill -9 of the whole tree."""
        tree = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for process in tree:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.communicate()


def ours(urls: Sequence[str], work: Work) -> Taken:
    """From the start of the processes to their end."""
    return Ours(urls, work).wait()


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
