"""The local pool: what becomes of workers that are killed, stopped, or lose their server."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import CHAT, journalled
from scripted_server import ScriptedProcess

from outputs.store import read_records
from pipelines.journal import Journal
from pipelines.pool import Counts, play_all
from pipelines.recipe import Recipe
from pipelines.services import RoleModel
from pipelines.shards import cut
from pipelines.worker import Job, first_error
from schemas.chat import EndpointSpec
from schemas.errors import OvertureError, Refused, RunError, ServerError, Unreachable

GROUPS = 12


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedProcess]:
    with ScriptedProcess("--reply", "scripted_players:obey") as process:
        yield process


@pytest.fixture(scope="module")
def slow() -> Iterator[ScriptedProcess]:
    """Leaves time to interfere."""
    with ScriptedProcess("--reply", "scripted_players:obey", "--latency-ms", "50") as process:
        yield process


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, server: ScriptedProcess) -> dict[str, bytes]:
    """The shards of an undisturbed worker."""
    folder = tmp_path_factory.mktemp("whole")
    counts = play(folder, job(folder, server.base_url))
    assert counts.dialogues == GROUPS * 2 and 0 < counts.peak_mb < 200
    return shards(folder)


def job(folder: Path, base_url: str, name: str = "worker-000", model: str = "scripted", **changes: Any) -> Job:
    endpoint = {"use": "remote", "base_url": base_url, "model": model}
    recipe = Recipe.model_validate(
        {
            "name": "r",
            "target": GROUPS * 2,
            "families": [{"use": "generators.families.tutoring.Tutoring"}],
            "models": {"default": endpoint},
            "embedder": endpoint,
            "concurrency": 4,
        }
    )
    spec = EndpointSpec(base_url, model)
    fields = {
        "name": name,
        "recipe": recipe.for_worker(),
        "fingerprint": "f" * 32,
        "shards": tuple(cut(0, 0, GROUPS, 0, 4)),
        "roles": {"student": RoleModel((spec,)), "teacher": RoleModel((spec,))},
        "embedder": spec,
        "journal": folder / "journal",
        "folder": folder / "shards",
        "patience_s": 1.0,
        **changes,
    }
    return Job(**fields)


def play(folder: Path, *jobs: Job, **how: Any) -> Counts:
    def nothing(_: Counts) -> None: ...

    def go_on(_: Counts) -> bool:
        return False

    return play_all(jobs, folder / "logs", how.get("on_counts", nothing), how.get("should_stop", go_on))


def shards(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((folder / "shards").glob("*.parquet"))}


def children(name: str = "pipelines.worker") -> list[int]:
    """The worker processes of this process."""
    told = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    return [int(line.split()[0]) for line in told.stdout.splitlines() if name in line]


def test_a_job_is_the_same_after_json(tmp_path: Path):
    wanted = job(tmp_path, "http://127.0.0.1:1/v1")
    assert Job.model_validate_json(wanted.model_dump_json()) == wanted


def test_a_worker_that_is_killed_alone_is_started_again_and_the_end_is_the_same(
    tmp_path: Path, slow: ScriptedProcess, whole: dict[str, bytes]
):
    killed: set[int] = set()

    def kill_at(counts: Counts) -> None:
        if len(killed) < 2 and counts.dialogues >= 5 * (len(killed) + 1):
            (pid,) = children()
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)

    counts = play(tmp_path, job(tmp_path, slow.base_url), on_counts=kill_at)
    assert len(killed) == 2
    assert counts.dialogues == GROUPS * 2 and counts.total("replayed") > 0
    assert shards(tmp_path) == whole
    assert children() == []


def test_a_worker_that_dies_again_and_again_ends_the_run_with_its_log(tmp_path: Path, server: ScriptedProcess):
    def kill(_: Counts) -> None:
        for pid in children():
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(OvertureError, match=r"worker worker-000 ended with code -9"):
        play(tmp_path, job(tmp_path, server.base_url), on_counts=kill)
    assert children() == []


def test_a_stopped_worker_commits_whole_groups_and_the_next_goes_on_from_there(
    tmp_path: Path, server: ScriptedProcess, slow: ScriptedProcess
):
    one_shard = tuple(cut(0, 0, GROUPS, 0, GROUPS))
    wanted = job(tmp_path, slow.base_url, shards=one_shard)
    counts = play(tmp_path, wanted, should_stop=lambda c: c.dialogues >= 6)
    assert 6 <= counts.dialogues < GROUPS * 2
    partial = one_shard[0].partial_path(tmp_path / "shards")
    rows = list(read_records([partial]))
    groups = [r.dialogue.scenario.group_id for r in rows]
    assert rows and all(groups.count(g) == 2 for g in groups) and list(shards(tmp_path)) == [partial.name]
    play(tmp_path, job(tmp_path, server.base_url, shards=one_shard))
    done = list(read_records([one_shard[0].path(tmp_path / "shards")]))
    assert len(done) == GROUPS * 2 and len(shards(tmp_path)) == 1
    assert all(row in done for row in rows)


def test_a_server_that_dies_is_a_server_error_and_what_it_answered_is_kept(tmp_path: Path):
    with (
        ScriptedProcess("--reply", "scripted_players:obey", "--die-after", "30") as mortal,
        pytest.raises(Unreachable, match=r"127\.0\.0\.1.* could not be used: .*answered calls are kept") as caught,
    ):
        play(tmp_path, job(tmp_path, mortal.base_url))
    assert isinstance(caught.value, ServerError) and caught.value.exit_code == 4
    assert sum(1 for _ in journalled(tmp_path, where=CHAT)) == 30
    assert children() == []


def test_a_refusal_keeps_its_kind_and_names_the_model(tmp_path: Path, server: ScriptedProcess):
    with pytest.raises(Refused, match="The model `scriptde` does not exist"):
        play(tmp_path, job(tmp_path, server.base_url, model="scriptde"))


def test_a_journal_of_another_generation_is_refused_by_the_worker(tmp_path: Path, server: ScriptedProcess):
    with Journal(tmp_path / "journal", "worker-000", "another"):
        pass
    with pytest.raises(RunError, match="journal of generation another"):
        play(tmp_path, job(tmp_path, server.base_url))


def test_a_server_of_ours_that_died_ends_the_run_with_what_its_check_says(tmp_path: Path, server: ScriptedProcess):
    def dead() -> None:
        raise Unreachable("llama.cpp's server ended")

    with pytest.raises(Unreachable, match="server ended"):
        play_all([job(tmp_path, server.base_url)], tmp_path / "logs", lambda _: None, lambda _: False, dead)
    assert children() == []


def test_two_workers_write_what_one_writes(tmp_path: Path, server: ScriptedProcess, whole: dict[str, bytes]):
    every = tuple(cut(0, 0, GROUPS, 0, 4))
    both = [job(tmp_path, server.base_url, f"worker-{n:03d}", shards=every[n::2]) for n in range(2)]
    assert play(tmp_path, *both).dialogues == GROUPS * 2
    assert shards(tmp_path) == whole


errors = st.one_of(
    st.builds(ValueError, st.just("bug")), st.builds(Refused, st.just("no")), st.builds(KeyError, st.just("k"))
)


@given(
    st.recursive(
        errors, lambda inner: st.builds(lambda e: BaseExceptionGroup("g", e), st.lists(inner, min_size=1, max_size=3))
    )
)
def test_an_error_of_ours_is_found_however_deep_it_is_buried(error: BaseException):
    def leaves(e: BaseException) -> list[BaseException]:
        return [x for inner in e.exceptions for x in leaves(inner)] if isinstance(e, BaseExceptionGroup) else [e]

    ours = [e for e in leaves(error) if isinstance(e, OvertureError)]
    assert first_error(error) is (ours or leaves(error))[0]
