"""Owns the workers of a benchmark as a run does: `python owner.py FOLDER` plays the job files there, tells counts."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from pipelines.pool import play_all
from pipelines.worker import Job


def main() -> None:
    folder = Path(sys.argv[1])
    jobs = [Job.model_validate_json(path.read_bytes()) for path in sorted(folder.glob("worker-*.job"))]
    began = time.monotonic()
    limits: list[list[float]] = []

    def note(counts: object) -> None:
        told = asdict(counts)  # pyright: ignore[reportArgumentType]
        endpoints = told["endpoints"].values()
        limit, in_flight = sum(e["limit"] for e in endpoints), sum(e["in_flight"] for e in endpoints)
        limits.append([round(time.monotonic() - began, 2), limit, in_flight, told["live"]])

    counts = play_all(jobs, folder / "logs", note, lambda _: False)
    sys.stdout.write(json.dumps({**asdict(counts), "limits": limits}) + "\n")


if __name__ == "__main__":
    main()
