"""What does the journal cost? Records a second, CPU a record, and how long the event loop is held up meanwhile.

`python benchmarks/journal.py [OTHER_JOURNAL.py …]` prints a markdown table; other versions of the module are measured
in turn with ours. Three loads: `flat out` (each coroutine puts as fast as it can), `paced` (a record every 200 ms
each), `busy` (paced, and the loop computes 100 µs a record, as a client does). CPU is that of the whole process, less
what the same load costs without a journal.
"""

import asyncio
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from pipelines import journal

COROUTINES = (200, 1024)
ANSWER_BYTES = 600
FLAT_OUT_RECORDS = 60_000
PACED_S, PACE_S = 4.0, 0.2
BUSY_S = 100e-6
TICK_S = 0.001

Put = Callable[[str, int, bytes], Awaitable[None]]


class Load(NamedTuple):
    name: str
    records: int
    """Of each coroutine."""
    pace_s: float
    busy_s: float


class Measured(NamedTuple):
    records: int
    seconds: float
    cpu_s: float
    lag_p99_ms: float


def loads(coroutines: int) -> list[Load]:
    paced = round(PACED_S / PACE_S)
    return [
        Load("flat out", FLAT_OUT_RECORDS // coroutines, 0.0, 0.0),
        Load("paced", paced, PACE_S, 0.0),
        Load("busy", paced, PACE_S, BUSY_S),
    ]


async def drive(put: Put, coroutines: int, load: Load) -> Measured:
    lags: list[float] = []

    async def dialogue(number: int) -> None:
        await asyncio.sleep(load.pace_s * number / coroutines)
        answer = os.urandom(ANSWER_BYTES)
        for turn in range(load.records):
            due = time.perf_counter() + load.pace_s
            until = time.perf_counter() + load.busy_s
            while time.perf_counter() < until:
                pass
            await put(f"{number * 2654435761 % 2**32:032x}", turn, answer)
            if load.pace_s:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def watch() -> None:
        while True:
            due = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            lags.append(time.perf_counter() - due)

    watching = asyncio.create_task(watch())
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(dialogue(n) for n in range(coroutines)))
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    watching.cancel()
    lags.sort()
    return Measured(coroutines * load.records, seconds, cpu_s, 1e3 * lags[int(0.99 * len(lags))])


def with_journal(module: ModuleType, coroutines: int, load: Load) -> Measured:
    with tempfile.TemporaryDirectory() as folder, module.Journal(Path(folder), "w", "f" * 32) as opened:

        async def put(dialogue_id: str, turn: int, answer: bytes) -> None:
            await opened.put(dialogue_id, module.Place("", turn, "say", 0), module.Answer("r" * 32, answer))

        return asyncio.run(drive(put, coroutines, load))


def without(coroutines: int, load: Load) -> Measured:
    async def put(dialogue_id: str, turn: int, answer: bytes) -> None:
        await asyncio.sleep(0)

    return asyncio.run(drive(put, coroutines, load))


def loaded(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        sys.exit(f"{path}: no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    modules = {"ours": journal, **{Path(path).stem: loaded(path) for path in sys.argv[1:]}}
    print("| journal | coroutines | load | records/s | CPU µs a record | loop lag p99 ms |\n|---|---|---|---|---|---|")
    for coroutines in COROUTINES:
        for load in loads(coroutines):
            bare = without(coroutines, load)
            print(f"| none | {coroutines} | {load.name} | | | {bare.lag_p99_ms:.1f} |")
            for name, module in modules.items():
                found = with_journal(module, coroutines, load)
                cost = 1e6 * (found.cpu_s - bare.cpu_s) / found.records
                rate = found.records / found.seconds
                print(f"| {name} | {coroutines} | {load.name} | {rate:,.0f} | {cost:.1f} | {found.lag_p99_ms:.1f} |")


if __name__ == "__main__":
    main()
