"""How fast the inference side drives servers: ours against a bare aiohttp + orjson loop (the floor) and the limit.

    python benchmarks/inference_speed.py [NAME...]        (make bench-inference)

Two-party dialogues of 8 turns against the queueing server (200 ms a reply unless said), with everything on: journal,
latents, filters, rewards, accounting, progress, shards. Client and server run in processes of their own; every ratio is
of one run on one machine. Prints a markdown table with `pass` or `short` a row; names pick rows.
"""

import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "workload"), str(HERE.parent / "tests")]

import yaml  # noqa: E402
from drive import ENVIRONMENT, Floor, Ours, Taken, Work, floor, ours  # noqa: E402
from queueing_server import QueueingServer  # noqa: E402

REPLY = "20"
"""Words a reply: as long as the work in the published measurements of other tools."""
LATENCY_S = 0.2
TURNS = 8
KINDS = ("500", "429", "reset", "truncated", "stall", "empty_choices")


class Row(NamedTuple):
    measure: str
    ours: str
    floor: str
    reach: str
    verdict: str


def judged(measure: str, ours_: str, floor_: str, reach: str, ok: bool) -> Row:
    return Row(measure, ours_, floor_, reach, "pass" if ok else "short")


@contextmanager
def server(**behaviour: Any) -> Iterator[QueueingServer]:
    with QueueingServer(**{"latency_ms": 200, "reply_tokens": REPLY, **behaviour}) as started:
        yield started


def of(log: dict[str, Any], turns: int) -> float:
    """Requests a second from the first request to the last answer."""
    return turns / log["span_s"]


def each(run: Callable[[Sequence[str], Work], Taken], on: QueueingServer, work: Work) -> tuple[Taken, dict[str, Any]]:
    on.reset(cache=True)
    taken = run([on.base_url], work)
    return taken, on.log()


def cpu() -> Iterator[Row]:
    """The slope between 200 and 1,000 dialogues, 200 at a time, so that imports drop out; the lower of three."""
    with server() as on:
        spent: dict[tuple[str, int], list[float]] = {}
        for _ in range(3):
            for name, run in (("ours", ours), ("floor", floor)):
                for dialogues in (200, 1000):
                    taken, _log = each(run, on, Work(dialogues, live=200, in_flight=200))
                    spent.setdefault((name, dialogues), []).append(taken.cpu_s)
    requests = 800 * TURNS
    slope = {n: (min(spent[n, 1000]) - min(spent[n, 200])) / requests * 1000 for n in ("ours", "floor")}
    ok = slope["ours"] <= 0.25 and slope["ours"] <= 2 * slope["floor"]
    yield judged(
        "client CPU a request", f"{slope['ours']:.3f} ms", f"{slope['floor']:.3f} ms", "≤ 0.25 ms and ≤ 2 × floor", ok
    )


def span() -> Iterator[Row]:
    with server() as on:
        found = {
            name: statistics.median(TURNS * LATENCY_S / each(run, on, Work(200))[1]["span_s"] for _ in range(3))
            for name, run in (("ours", ours), ("floor", floor))
        }
    yield judged(
        "ideal / span, 200 × 8", f"{found['ours']:.2f}", f"{found['floor']:.2f}", "≥ 0.90", found["ours"] >= 0.9
    )


def in_flight() -> Iterator[Row]:
    for limit, reach in ((64, 0.97), (256, 0.92), (1024, 0.75)):
        with server() as on:
            share: dict[str, float] = {}
            peak = {}
            for name, run in (("floor", floor), ("ours", ours)):
                taken, log = each(run, on, Work(8 * limit, live=limit, in_flight=limit))
                share[name] = of(log, 8 * limit * TURNS) / (limit / LATENCY_S)
                peak[name] = taken.peak_mb
        yield judged(
            f"achieved / ideal, one process, {limit:,} in flight",
            *(f"{share['ours']:.2f}", f"{share['floor']:.2f}", f"≥ {reach}", round(share["ours"], 2) >= reach),
        )
    yield judged(
        "a worker's peak RSS at 1,024 in flight",
        *(f"{peak['ours']:.0f} MB", f"{peak['floor']:.0f} MB", "≤ 120 MB", peak["ours"] <= 120),
    )


def ceiling() -> Iterator[Row]:
    with server(latency_ms=0) as on:
        rates: dict[str, float] = {}
        for name, run in (("floor", floor), ("ours", ours)):
            _, log = each(run, on, Work(2000, live=64, in_flight=64))
            rates[name] = of(log, 2000 * TURNS)
    yield judged(
        "requests/s at latency 0, one process",
        *(f"{rates['ours']:,.0f}", f"{rates['floor']:,.0f}", "≥ 3,000", rates["ours"] >= 3000),
    )


def two_workers() -> Iterator[Row]:
    """Each worker is offered 1,500 requests/s: 300 in flight at 200 ms."""
    with server() as on:
        rates: list[float] = []
        told: list[str] = []
        for workers in (1, 2):
            taken, log = each(ours, on, Work(1500 * workers, live=300, in_flight=300, workers=workers))
            rates.append(of(log, 1500 * workers * TURNS))
            told.append(
                f"{workers}: {rates[-1]:,.0f}/s, CPU client {taken.cpu_s / log['span_s']:.0%}, "
                f"server {log['cpu_s'] / log['span_s']:.0%}"
            )
    gain = rates[1] / rates[0]
    yield judged(
        "two workers / one, 1,500 requests/s offered each", f"{gain:.2f} ({'; '.join(told)})", "-", "≥ 1.6", gain >= 1.6
    )


def lengths() -> Iterator[Row]:
    work = Work(400, turns=2, most_turns=30, live=64, in_flight=64)
    with server(capacity=64) as on:
        lockstep, lock_log = each(lambda urls, w: floor(urls, w, lockstep=True), on, work)
        own, own_log = each(ours, on, work)
    gain = lock_log["span_s"] / own_log["span_s"] * own.told["turns"] / lockstep.told["turns"]
    busy = own_log["slots_busy_until_95"]
    yield judged("unequal lengths (2–30 turns): dialogues/s against lockstep", f"{gain:.2f}", "1", "≥ 1.5", gain >= 1.5)
    yield judged(
        "slots busy until the last 5 % of the work",
        *(f"{busy:.1%}", f"{lock_log['slots_busy_until_95']:.1%}", "≥ 95 %", busy >= 0.95),
    )


def knee() -> Iterator[Row]:
    """A server of 64 slots: the best fixed limit by a sweep, then no limit given; then the slots are halved."""
    slots, seconds = 64, 10

    def steady(limit: int | None, capacity: int, warm_s: float = 0.0) -> tuple[float, float]:
        """Requests/s and p95 latency (ms) over `seconds`, after `warm_s` of running."""
        with server(capacity=capacity) as on:
            work = Work(4000, live=limit or 1024, in_flight=limit or 1024)
            running = Ours([on.base_url], work) if limit is None else Floor([on.base_url], work)
            try:
                return _window(on, warm_s, seconds)
            finally:
                running.kill()

    def halved() -> tuple[tuple[float, float], tuple[float, float]]:
        with server(capacity=slots) as on:
            running = Ours([on.base_url], Work(8000))
            try:
                _await_first(on)
                before = _window(on, 10, seconds)
                on.behave(capacity=slots // 2)
                return before, _window(on, 10, seconds)
            finally:
                running.kill()

    best = {}
    for capacity in (slots, slots // 2):
        sweep = [steady(round(capacity * f), capacity, 3) for f in (0.9, 1.0, 1.1, 1.25)]
        most = max(rate for rate, _ in sweep)
        best[capacity] = min((s for s in sweep if s[0] >= 0.98 * most), key=lambda s: s[1])
    for name, capacity, (rate, p95) in zip(("cold start", "slots halved"), best, halved(), strict=True):
        most, best_p95 = best[capacity]
        yield judged(
            f"queueing server, no tuning, 10 s after {name}: throughput; p95 latency",
            *(f"{rate / most:.2f}; {p95 / best_p95:.2f} ×", f"{most:.0f}/s; {best_p95:.0f} ms"),
            *("≥ 0.95; ≤ 1.5 ×", rate >= 0.95 * most and p95 <= 1.5 * best_p95),
        )


def _await_first(on: QueueingServer) -> None:
    while on.log()["answers"] == 0:
        time.sleep(0.02)


def _window(on: QueueingServer, warm_s: float, seconds: float) -> tuple[float, float]:
    _await_first(on)
    time.sleep(warm_s)
    on.reset()
    time.sleep(seconds)
    log = on.log()
    return log["answers"] / seconds, log["latency_ms"]["p95"]


def affinity() -> Iterator[Row]:
    """Perfect routing: every dialogue's two roles each stay on one of four servers."""
    hits, ideal = [], []
    with ExitStack() as stack:
        servers = [stack.enter_context(server()) for _ in range(4)]
        ours([s.base_url for s in servers], Work(400))
        logs = [s.log() for s in servers]
        hits = sum(log["prefix_hits"] for log in logs) / sum(log["prefix_queries"] for log in logs)
        for s in servers:
            s.reset(cache=True)
        quarter = [replace(Work(100), first=n * 100) for n in range(4)]
        for s, work in zip(servers, quarter, strict=True):
            ours([s.base_url], work)
        logs = [s.log() for s in servers]
        ideal = sum(log["prefix_hits"] for log in logs) / sum(log["prefix_queries"] for log in logs)
    yield judged(
        "prefix hits, unbounded, over 4 endpoints / perfect routing",
        *(f"{hits / ideal:.3f} ({hits:.3f} of {ideal:.3f})", "-", "≥ 0.99", hits >= 0.99 * ideal),
    )


def bounded_cache() -> Iterator[Row]:
    """A cache of 6,250 blocks, about 100,000 tokens; the limit is what an unbounded cache hits."""
    with server() as on:
        _, log = each(ours, on, Work(200))
        limit = log["prefix_hits"] / log["prefix_queries"]
    for allowed, reach in ((128, 0.95), (512, 0.9)):
        with server(cache_blocks=6250) as on:
            _, log = each(ours, on, Work(1000, live=allowed, in_flight=allowed))
        share = log["prefix_hits"] / log["prefix_queries"] / limit
        mean = log["mean_in_flight"]
        enough = allowed != 128 or mean >= 0.9 * 128
        wanted = f"≥ {reach}" + (" with mean in flight ≥ 115" if allowed == 128 else "")
        yield judged(
            f"prefix hits, cache of 100k tokens, {allowed} allowed / limit",
            *(f"{share:.3f}, mean in flight {mean:.0f}", f"limit {limit:.3f}", wanted, share >= reach and enough),
        )


def faults() -> Iterator[Row]:
    for rate, reach in ((0.05, 1.15), (0.3, None)):
        with server(error_rate=rate, faults=list(KINDS), stall_s=3600, retry_after="1") as on:
            spans = {}
            for name, run in (("floor", floor), ("ours", ours)):
                taken, log = each(run, on, Work(200, stall_s=2.0))
                spans[name] = log["span_s"]
        needed = 200 * TURNS
        lost = needed - int(taken.told["turns"])
        exact = log["requests"] == needed + log["faulted"] + log["rejected"] and log["asked_after_answer"] == 0
        ratio = spans["ours"] / spans["floor"]
        yield judged(
            f"{rate:.0%} faults of six kinds: lost; span / the floor's",
            f"{lost} lost, {log['asked_after_answer']} twice, {log['requests']} sent = {needed} + {log['faulted']}; "
            f"{ratio:.2f}",
            f"{spans['floor']:.1f} s",
            "0 lost, none twice" + (f"; ≤ {reach}" if reach else ""),
            lost == 0 and exact and (reach is None or ratio <= reach),
        )


def killed() -> Iterator[Row]:
    """Kill -9 of the whole tree after 800 answers, the same again on the same server."""
    unread: dict[str, float] = {}
    repeated = 0
    for name in ("floor", "ours"):
        with server() as on, tempfile.TemporaryDirectory() as folder:
            make = Ours if name == "ours" else Floor
            first = make([on.base_url], Work(200), Path(folder))
            while on.log()["answers"] < 800:
                time.sleep(0.005)
            first.kill()
            time.sleep(0.5)
            answered = on.log()["answers"]
            journalled = _journalled(Path(folder))
            before = on.log()["requests"]
            make([on.base_url], Work(200), Path(folder)).wait()
            log = on.log()
            unread[name] = (answered - journalled) / answered
            if name == "ours":
                repeated = log["requests"] - before - (200 * TURNS - journalled)
    ok = repeated == 0 and unread["ours"] <= unread["floor"] + 0.01
    yield judged(
        "after kill -9: journalled answers asked again; answered but not journalled",
        *(f"{repeated}; {unread['ours']:.1%}", f"0; {unread['floor']:.1%}", "0; ≤ the floor's + 1 point", ok),
    )


def _journalled(folder: Path) -> int:
    import sqlite3
    from contextlib import closing

    lines = folder / "journal.jsonl"
    if lines.exists():
        return lines.read_bytes().count(b"\n")
    total = 0
    for path in (folder / "journal").glob("*.sqlite"):
        with closing(sqlite3.connect(path)) as connection:
            total += connection.execute("SELECT count(*) FROM calls").fetchone()[0]
    return total


def growth() -> Iterator[Row]:
    """100,000 dialogues of 2 turns at latency 0: memory of the whole tree after the first tenth and at the end."""
    import psutil

    with server(latency_ms=0) as on:
        running = Ours([on.base_url], Work(100_000, turns=2, most_turns=2, live=256, in_flight=256))
        tree: list[tuple[int, float]] = []
        while running.process.poll() is None:
            time.sleep(1)
            try:
                owner = psutil.Process(running.process.pid)
                rss = sum(p.memory_info().rss for p in (owner, *owner.children(recursive=True))) / 2**20
            except psutil.NoSuchProcess:
                break
            tree.append((on.log()["answers"], rss))
        if running.process.returncode:
            raise RuntimeError(f"the workers ended with {running.process.returncode}")
    early = max(rss for answers, rss in tree if answers <= 20_000)
    late = max(rss for answers, rss in tree)
    yield judged(
        "growth of all processes over 100,000 dialogues",
        *(f"{late - early:.0f} MB ({early:.0f} → {late:.0f})", "-", "< 200 MB", late - early < 200),
    )


def start() -> Iterator[Row]:
    """From `overture generate` to the first request, servers up; the median of five."""
    seconds: list[float] = []
    with server() as on, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        remote = {"use": "remote", "base_url": on.base_url, "model": "scripted"}
        families = [{"use": "dinner.Dinner", "policies": ["proactive"]}]
        recipe = {"target": 8, "families": families, "models": {"default": remote}, "embedder": remote}
        (folder / "dinner.yaml").write_text(yaml.safe_dump(recipe))
        for n in range(5):
            on.reset()
            began = time.time()
            command = [str(Path(sys.executable).parent / "overture"), "generate", "dinner.yaml", "--out", f"run{n}"]
            subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
            seconds.append(on.log()["first_request_s"] - began)
    found = statistics.median(seconds)
    yield judged("start to first request, `overture generate`", f"{found:.2f} s", "-", "≤ 1.0 s", found <= 1.0)


def lag() -> Iterator[Row]:
    with server() as on:
        taken, _ = each(ours, on, Work(2048, live=512, in_flight=512))
    late = taken.told["lag_p99_ms"]
    leaked = sum(e["in_flight"] for e in taken.told["endpoints"].values())
    yield judged(
        "loop lag p99 at 512 in flight; leaked permits",
        f"{late:.0f} ms; {leaked}",
        "-",
        "< 20 ms; 0",
        late < 20 and not leaked,
    )


def llama_cpp() -> Iterator[Row]:
    """A real llama.cpp server: prompt tokens it evaluated against the nodes of the trie of all prompts sent."""
    from llama_cpp_reuse import measured

    for slots in (4, 8):
        evaluated, distinct = measured(slots)
        yield judged(
            f"real llama.cpp, {slots} slots: prompt tokens evaluated / distinct",
            *(f"{evaluated / distinct:.2f} ({evaluated:,} of {distinct:,})", "-", "≤ 1.1", evaluated <= 1.1 * distinct),
        )


ROWS = (
    *(
        cpu,
        span,
        in_flight,
        ceiling,
        two_workers,
        lengths,
        knee,
        affinity,
        bounded_cache,
        faults,
        killed,
        growth,
        start,
    ),
    *(lag, llama_cpp),
)


def main() -> None:
    wanted = sys.argv[1:]
    unknown = set(wanted) - {row.__name__ for row in ROWS}
    if unknown:
        sys.exit(f"no such row: {', '.join(unknown)}; there are {', '.join(r.__name__ for r in ROWS)}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start\n", flush=True)
    if node := shutil.which("node"):
        print("The server alone, unique histories of 7 messages and 1.2 KB:", flush=True)
        subprocess.run([node, str(HERE / "load.mjs")], check=True)
    print("\n| measure | ours | floor or limit | reach | |\n|---|---|---|---|---|", flush=True)
    short = 0
    for row in itertools.chain.from_iterable(make() for make in ROWS if not wanted or make.__name__ in wanted):
        short += row.verdict == "short"
        print(f"| {' | '.join(row)} |", flush=True)
    print(f"\n{short} short, load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
