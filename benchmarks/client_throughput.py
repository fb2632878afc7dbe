"""Turns per second and client CPU per turn, against the scripted server in a process of its own (scripted).

Two-party dialogues advance each on its own; every request holds the whole history. Run from the repository's root:
`python benchmarks/client_throughput.py`
"""

import argparse
import asyncio
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from inference.client import Connections, HttpChatModel
from schemas.chat import CallKey, ChatRequest, EndpointSpec, Message, Sampling
from schemas.identity import derive

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from scripted_server import ScriptedProcess

SYSTEM = "You are a guest at a long dinner and speak in short, friendly sentences about daily life. " * 4


@dataclass(frozen=True, slots=True)
class Measured:
    in_flight: int
    turns: int
    wall_s: float
    cpu_s: float


async def dialogue(model: HttpChatModel, index: int, turns: int) -> None:
    said: list[str] = []
    for turn in range(turns):
        roles = ("user", "assistant") if turn % 2 == 0 else ("assistant", "user")
        history = tuple(Message(roles[i % 2], text) for i, text in enumerate(said))
        messages = (Message("system", f"{SYSTEM} You are guest {index}."), *history)
        request = ChatRequest(CallKey(turn), messages, Sampling(), derive(index, turn))
        said.append((await model.ask(request)).text)


async def measure(base_url: str, dialogues: int, turns: int, in_flight: int) -> Measured:
    async with Connections() as http:
        model = http.chat(EndpointSpec(base_url, "scripted", max_in_flight=in_flight))
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(dialogue(model, in_flight * 1_000_000 + i, turns) for i in range(dialogues)))
        return Measured(in_flight, dialogues * turns, time.perf_counter() - wall, time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=400)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--latency-ms", type=float, default=200.0)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[64, 256])
    given = parser.parse_args()
    print(f"scripted server, {given.latency_ms:g} ms a reply; {given.dialogues} dialogues of {given.turns} turns\n")
    print("| in flight | turns/s | share of the ideal | client CPU ms/turn | client RSS MB |")
    print("|---|---|---|---|---|")
    for in_flight in given.in_flight:
        with ScriptedProcess("--latency-ms", str(given.latency_ms)) as server:
            asyncio.run(measure(server.base_url, in_flight, 1, in_flight))
            found = asyncio.run(measure(server.base_url, given.dialogues, given.turns, in_flight))
        busy = min(in_flight, given.dialogues)
        ideal = f"{found.turns * given.latency_ms / 1000 / busy / found.wall_s:.2f}" if given.latency_ms else "-"
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rate, cpu = found.turns / found.wall_s, found.cpu_s / found.turns * 1000
        print(f"| {in_flight} | {rate:,.0f} | {ideal} | {cpu:.3f} | {rss:.0f} |")


if __name__ == "__main__":
    main()
