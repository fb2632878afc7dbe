"""The floor and the lockstep driver: what a hundred lines can do. Same requests as dinner.py, no types, no checks.

    python floor.py --urls URL[,URL...] --dialogues 200 --in-flight 200 [--lockstep] [--journal FILE]

A bare aiohttp + orjson loop: one coroutine a dialogue under one semaphore, a journal line a reply, retries with
Retry-After. `--lockstep`: batches of that many dialogues, turn by turn over the
batch, as most tools do. Prints one JSON line.
"""

import argparse
import asyncio
import json
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson

SAMPLING: dict[str, Any] = {
    "temperature": 0.7,
    "top_p": 0.95,
    "top_k": 0,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repetition_penalty": 1.0,
    "repeat_penalty": 1.0,
    "max_tokens": 35,
    "stream": False,
    "cache_prompt": True,
}


class Driver:
    def __init__(self, given: argparse.Namespace, shared: str, personas: list[tuple[str, str]], lengths: list[int]):
        self.urls = [url + "/v1/chat/completions" for url in given.urls.split(",")]
        self.batch = given.in_flight
        self.limit = asyncio.Semaphore(given.in_flight)
        self.journal = Path(given.journal).open("ab")  # noqa: SIM115 - as long as the process
        self.known = _read(Path(given.journal))
        self.timeout = aiohttp.ClientTimeout(total=given.stall_s)
        self.shared, self.personas, self.lengths = shared, personas, lengths
        self.said: list[list[str]] = [[] for _ in lengths]
        self.retries = 0

    async def run(self, lockstep: bool) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as self.session:
            if lockstep:
                for first in range(0, len(self.lengths), self.batch):
                    batch = range(first, min(first + self.batch, len(self.lengths)))
                    for turn in range(max(self.lengths[i] for i in batch)):
                        await asyncio.gather(*(self.turn(i, turn) for i in batch if turn < self.lengths[i]))
            else:
                await asyncio.gather(*(self.dialogue(i) for i in range(len(self.lengths))))

    async def dialogue(self, index: int) -> None:
        async with self.limit:
            for turn in range(self.lengths[index]):
                await self.ask(index, turn)

    async def turn(self, index: int, turn: int) -> None:
        async with self.limit:
            await self.ask(index, turn)

    async def ask(self, index: int, turn: int) -> None:
        if (index, turn) in self.known:
            self.said[index].append(self.known[index, turn])
            return
        me = turn % 2
        messages = [{"role": "system", "content": self.shared + self.personas[index][me]}]
        if me == 0:
            messages.append({"role": "user", "content": "Please begin."})
        for n, text in enumerate(self.said[index]):
            messages.append({"role": "assistant" if n % 2 == me else "user", "content": text})
        body = orjson.dumps({"model": "scripted", "messages": messages, **SAMPLING, "seed": index * 100 + turn})
        url = self.urls[index % len(self.urls)]
        attempt = 0
        while True:
            wait = min(8.0, 0.25 * 2**attempt) * random.uniform(0.5, 1)
            try:
                async with self.session.post(
                    url, data=body, headers={"Content-Type": "application/json"}, timeout=self.timeout
                ) as response:
                    content = await response.read()
                    if response.status == 200:
                        text = orjson.loads(content)["choices"][0]["message"]["content"]
                        break
                    wait = max(wait, float(response.headers.get("Retry-After", 0)))
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, IndexError):
                pass
            self.retries += 1
            attempt += 1
            await asyncio.sleep(wait)
        self.journal.write(orjson.dumps([index, turn, text]) + b"\n")
        self.journal.flush()
        self.said[index].append(text)


def _read(path: Path) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    for line in path.read_bytes().split(b"\n")[:-1]:
        index, turn, text = orjson.loads(line)
        found[index, turn] = text
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--urls", required=True)
    parser.add_argument("--dialogues", type=int, default=200)
    parser.add_argument("--turns", type=int, nargs=2, default=(8, 8))
    parser.add_argument("--in-flight", type=int, default=200)
    parser.add_argument("--stall-s", type=float, default=600)
    parser.add_argument("--journal", required=True)
    parser.add_argument("--work", required=True, help="JSON file: shared, personas, lengths")
    parser.add_argument("--lockstep", action="store_true")
    given = parser.parse_args()
    work = json.loads(Path(given.work).read_text())
    Path(given.journal).touch()
    driver = Driver(given, work["shared"], work["personas"], work["lengths"])
    began = time.perf_counter()
    asyncio.run(driver.run(given.lockstep))
    wall = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {"wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime, "rss_mb": used.ru_maxrss / 1024}
    sys.stdout.write(json.dumps({**told, "retries": driver.retries, "turns": sum(driver.lengths)}) + "\n")


if __name__ == "__main__":
    main()
