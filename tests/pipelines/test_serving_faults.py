"""Workers on servers that fail: whatever happens, the shards are those of an undisturbed run."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from journals import CHAT, journalled
from queueing_server import QueueingServer
from scripted_server import ScriptedProcess

from pipelines.pool import Counts, play_all
from pipelines.recipe import Recipe
from pipelines.services import RoleModel
from pipelines.shards import cut
from pipelines.worker import Job
from schemas.chat import EndpointSpec
from schemas.errors import Refused, Unreachable

GROUPS = 8
CONCURRENCY = 8
EVERY_SHARD = tuple(cut(0, 0, GROUPS, 0, 3))
FAULTS = ("500", "429", "503", "reset", "truncated", "short_body", "empty_choices")


@pytest.fixture(scope="module")
def embedder() -> Iterator[str]:
    """Where rewards embed: a queueing server has no embeddings."""
    with ScriptedProcess() as server:
        yield server.base_url


def job(folder: Path, embedder: str, *servers: QueueingServer, name: str = "worker-000", **changes: Any) -> Job:
    specs = tuple(EndpointSpec(server.base_url, "scripted") for server in servers)
    endpoint = {"use": "remote", "base_url": specs[0].base_url, "model": "scripted"}
    recipe = Recipe.model_validate(
        {
            "name": "r",
            "target": GROUPS * 2,
            "families": [{"use": "generators.families.tutoring.Tutoring"}],
            "models": {"default": endpoint},
            "embedder": endpoint,
            "concurrency": CONCURRENCY,
        }
    )
    fields: dict[str, Any] = {
        "name": name,
        "recipe": recipe.for_worker(),
        "fingerprint": "f" * 32,
        "shards": EVERY_SHARD,
        "roles": dict.fromkeys(("student", "teacher"), RoleModel(specs)),
        "embedder": EndpointSpec(embedder, "scripted"),
        "journal": folder / "journal",
        "folder": folder / "shards",
        "patience_s": 60.0,
        **changes,
    }
    return Job(**fields)


def play(folder: Path, *jobs: Job, on_counts: Callable[[Counts], None] = lambda _: None) -> Counts:
    return play_all(jobs, folder / "logs", on_counts, lambda _: False)


def shards(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((folder / "shards").glob("*.parquet"))}


def kept(folder: Path, worker: str = "") -> int:
    """Chat calls whose answer is journalled."""
    return sum(1 for _ in journalled(folder, where=CHAT, worker=worker))


def total(name: str, *servers: QueueingServer) -> int:
    return sum(server.log()[name] for server in servers)


def told(counts: Counts, name: str, *servers: QueueingServer) -> list[Any]:
    return [counts.endpoints[f"{server.base_url}/v1"][name] for server in servers]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, embedder: str) -> Iterator[tuple[dict[str, bytes], int]]:
    """The shards of an undisturbed run, and how many answers it takes."""
    folder = tmp_path_factory.mktemp("whole")
    with QueueingServer() as server:
        assert play(folder, job(folder, embedder, server)).dialogues == GROUPS * 2
        log = server.log()
    assert log["requests"] == log["answers"] == kept(folder) > 5 * GROUPS
    yield shards(folder), log["answers"]


def failing(seed: int) -> QueueingServer:
    return QueueingServer(capacity=4, latency_ms=2, error_rate=0.15, faults=FAULTS, fault_seed=seed, retry_after="0")


def test_a_worker_on_two_servers_that_fail_in_every_way_loses_nothing_and_asks_nothing_twice(
    tmp_path: Path, whole: tuple[dict[str, bytes], int], embedder: str
):
    same, needed = whole
    with failing(1) as first, failing(2) as second:
        counts = play(tmp_path, job(tmp_path, embedder, first, second))
        both = (first, second)
        assert total("answers", *both) == needed == kept(tmp_path)
        assert total("requests", *both) == needed + total("faulted", *both)
        assert total("faulted", *both) > 0.05 * needed
        assert min(server.log()["answers"] for server in both) > 0
        faults = [sum(by_kind.values()) for by_kind in told(counts, "faults", *both)]
        assert sum(faults) == total("faulted", *both) and sum(told(counts, "answered", *both)) == needed
    assert shards(tmp_path) == same


def test_a_silent_server_is_given_up_after_the_stall_time_of_the_job(
    tmp_path: Path, whole: tuple[dict[str, bytes], int], embedder: str
):
    with QueueingServer(error_rate=0.1, faults=("stall",)) as server:
        counts = play(tmp_path, job(tmp_path, embedder, server, stall_s=1.0))
        log = server.log()
    assert log["faulted"] == log["aborted"] >= 1
    assert told(counts, "faults", server) == [{"timeout": log["faulted"]}]
    assert shards(tmp_path) == whole[0]


def test_two_workers_of_which_one_is_killed_end_as_if_nothing_had_happened(
    tmp_path: Path, whole: tuple[dict[str, bytes], int], embedder: str
):
    same, needed = whole
    killed: list[int] = []

    def kill_one(_: Counts) -> None:
        if not killed and min(kept(tmp_path, f"worker-00{n}") for n in range(2)) >= 8:
            killed.extend(children("worker-000"))
            os.kill(killed[0], signal.SIGKILL)

    with QueueingServer(latency_ms=100) as first, QueueingServer(latency_ms=100) as second:
        jobs = [
            job(tmp_path, embedder, first, second, name=f"worker-{n:03d}", shards=EVERY_SHARD[n::2], workers=2)
            for n in range(2)
        ]
        counts = play(tmp_path, *jobs, on_counts=kill_one)
        again = total("answers", first, second) - needed
    assert killed and counts.total("replayed") > 0 and counts.dialogues == GROUPS * 2
    assert kept(tmp_path) == needed
    assert 0 <= again <= CONCURRENCY  # only what was in flight, or just answered, when it was killed
    assert shards(tmp_path) == same and children() == []


def children(name: str = "pipelines.worker") -> list[int]:
    """The worker processes of this process."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True
    )
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if name in line]


def test_a_server_killed_in_the_middle_of_a_run_loses_no_dialogue(
    tmp_path: Path, whole: tuple[dict[str, bytes], int], embedder: str
):
    same, needed = whole
    with QueueingServer(latency_ms=100) as first, QueueingServer(latency_ms=100) as second:

        def kill_first(_: Counts) -> None:
            if first.process.poll() is None and first.log()["answers"] >= 5:
                first.kill()

        counts = play(tmp_path, job(tmp_path, embedder, first, second), on_counts=kill_first)
        assert first.process.poll() is not None
        assert second.log()["requests"] == second.log()["answers"] == told(counts, "answered", second)[0]
    assert kept(tmp_path) == needed == sum(told(counts, "answered", first, second))
    assert sum(told(counts, "set_aside", first, second)) >= 1 and shards(tmp_path) == same


def test_a_server_that_loses_its_model_ends_the_run_and_the_next_goes_on_from_there(
    tmp_path: Path, whole: tuple[dict[str, bytes], int], embedder: str
):
    same, needed = whole
    with QueueingServer(latency_ms=100) as server:

        def rename(_: Counts) -> None:
            if server.log()["answers"] >= 10:
                server.behave(model="another")

        with pytest.raises(Refused, match=r"The model `scripted` does not exist|does not serve 'scripted' any more"):
            play(tmp_path, job(tmp_path, embedder, server), on_counts=rename)
        answered = server.log()["answers"]
        assert 0 < kept(tmp_path) <= answered < needed
        server.behave(model="scripted")
        play(tmp_path, job(tmp_path, embedder, server))
        assert server.log()["answers"] <= needed + CONCURRENCY
    assert kept(tmp_path) == needed and shards(tmp_path) == same


def test_all_servers_gone_ends_the_run_as_unreachable_and_what_was_answered_is_kept(
    tmp_path: Path, whole: tuple[dict[str, bytes], int], embedder: str
):
    same, needed = whole
    with QueueingServer(latency_ms=100) as first, QueueingServer(latency_ms=100) as second:

        def kill_both(_: Counts) -> None:
            if first.process.poll() is None and total("answers", first, second) >= 10:
                first.kill()
                second.kill()

        with pytest.raises(Unreachable, match=r"could not be used: .*answered calls are kept"):
            play(tmp_path, job(tmp_path, embedder, first, second, patience_s=1.0), on_counts=kill_both)
    before = kept(tmp_path)
    assert 0 < before < needed
    with QueueingServer() as well:
        play(tmp_path, job(tmp_path, embedder, well))
        assert well.log()["answers"] == needed - before
    assert shards(tmp_path) == same
