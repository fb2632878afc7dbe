"""Branches of dialogues: rows beside the data, made once, whatever happens to the worker."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from journals import CHAT, journalled
from run_driver import Nobody
from scripted_server import ScriptedProcess

from outputs.manifest import read_manifest
from outputs.store import read_records
from pipelines.pool import Counts, play_all
from pipelines.recipe import Recipe, load
from pipelines.rescoring import Order, score
from pipelines.run import build
from pipelines.rundir import RunDir
from pipelines.services import RoleModel
from pipelines.shards import branches_of, cut
from pipelines.worker import Job
from schemas.chat import EndpointSpec
from schemas.judgement import RewardValue
from schemas.record import Record

GROUPS = 4
REWARD = "rewards.multiturn_aware.MultiturnAware"
FAMILY = "generators.families.tutoring.Tutoring"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedProcess]:
    with ScriptedProcess("--reply", "scripted_players:obey") as process:
        yield process


def recipe(server: ScriptedProcess, **changes: Any) -> dict[str, Any]:
    model = {"use": "remote", "base_url": server.base_url, "model": "scripted"}
    return {
        "name": "r",
        "target": GROUPS * 2,
        "families": [{"use": FAMILY, "policies": ["reactive", "proactive"]}],
        "models": {"default": model},
        "embedder": model,
        "filters": [],
        "rewards": ["rewards.success.Success", REWARD],
        **changes,
    }


def play(folder: Path, server: ScriptedProcess, **how: Any) -> Counts:
    spec = EndpointSpec(server.base_url, "scripted")
    job = Job(
        name="worker-000",
        recipe=Recipe.model_validate(recipe(server, concurrency=how.get("concurrency", 3))).for_worker(),
        fingerprint="f" * 32,
        shards=tuple(how.get("shards", cut(0, 0, GROUPS, 0, 2))),
        roles={"student": RoleModel((spec,)), "teacher": RoleModel((spec,))},
        embedder=spec,
        journal=folder / "journal",
        folder=folder / "shards",
    )
    on_counts, stop = how.get("on_counts", lambda _: None), how.get("should_stop", lambda _: False)
    return play_all([job], folder / "logs", on_counts, stop)


def files(folder: Path) -> dict[str, bytes]:
    found = sorted((folder / "shards").rglob("*.parquet"))
    return {str(p.relative_to(folder / "shards")): p.read_bytes() for p in found}


def places(folder: Path) -> list[tuple[Any, ...]]:
    return sorted(journalled(folder, "dialogue_id, branch, turn, step, attempt", CHAT))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, server: ScriptedProcess) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    assert play(folder, server).dialogues == GROUPS * 2
    return folder


def test_branches_lie_beside_their_shards_and_are_no_dialogues(whole: Path):
    assert len(files(whole)) == 4
    for shard in cut(0, 0, GROUPS, 0, 2):
        path = shard.path(whole / "shards")
        dialogues = {r.dialogue.id: r for r in read_records([path])}
        branches = list(read_records([branches_of(path)]))
        assert len(dialogues) == 4 and all(r.dialogue.origin is None for r in dialogues.values())
        assert branches == sorted(branches, key=lambda r: r.dialogue.id)
        for branch in branches:
            origin = branch.dialogue.origin
            assert origin is not None and branch.dialogue.id not in dialogues and branch.recipe == "r"
            of = dialogues[origin.dialogue_id]
            assert branch.dialogue.turns[: origin.turn] == of.dialogue.turns[: origin.turn]
            assert len(branch.dialogue.turns) <= origin.turn + 3
            (label,) = (v for v in of.rewards if v.name == "multiturn_aware")
            told = label.parts["candidates"][origin.candidate]
            assert branch.rewards[0].value in told["mr_samples"]
            assert branch.dialogue.turns[origin.turn].text == told["text"]


def test_a_killed_worker_leaves_the_same_bytes_and_nothing_answered_is_asked_again(whole: Path, tmp_path: Path):
    killed: list[Path] = []

    def kill(_: Counts) -> None:
        branched = sum(1 for _ in journalled(tmp_path, where="branch != ''"))
        if len(killed) < 2 and branched >= 6 + 20 * len(killed):
            (pid,) = _workers()
            os.kill(pid, signal.SIGKILL)
            killed.append(tmp_path)

    with ScriptedProcess("--reply", "scripted_players:obey", "--latency-ms", "20") as slow:
        play(tmp_path, slow, on_counts=kill)
        assert len(killed) == 2 and files(tmp_path) == files(whole)
        assert places(tmp_path) == places(whole) and len(places(whole)) == len(set(places(whole)))
        answers = slow.log()["answers"]
        for path in [*(tmp_path / "shards").rglob("*.parquet")]:
            path.unlink()
        play(tmp_path, slow)
        assert files(tmp_path) == files(whole) and slow.log()["answers"] == answers


def _workers() -> list[int]:
    """Children of this process that play."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]
            command = path.with_name("cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        if parent == str(os.getpid()) and b"pipelines.worker" in command:
            found.append(int(path.parent.name))
    return found


def test_of_a_stopped_worker_branches_of_whole_groups_are_kept_until_the_shard_is_whole(
    whole: Path, server: ScriptedProcess, tmp_path: Path
):
    (shard,) = cut(0, 0, GROUPS, 0, GROUPS)
    with ScriptedProcess("--reply", "scripted_players:obey", "--latency-ms", "30") as slow:
        one_by_one = {"shards": (shard,), "concurrency": 1}  # so that much is left when the worker hears of it
        play(tmp_path, slow, **one_by_one, should_stop=lambda c: c.dialogues >= 4)
    partial = shard.partial_path(tmp_path / "shards")
    dialogues = {r.dialogue.id for r in read_records([partial])}
    origins = [r.dialogue.origin for r in read_records([branches_of(partial)])]
    assert 0 < len(dialogues) < GROUPS * 2
    assert origins and all(origin is not None and origin.dialogue_id in dialogues for origin in origins)
    play(tmp_path, server, shards=(shard,))
    assert sorted(files(tmp_path)) == sorted([f"branches/{shard.name}.parquet", f"{shard.name}.parquet"])
    both = [r for p in (whole / "shards" / "branches").iterdir() for r in read_records([p])]
    found = list(read_records([branches_of(shard.path(tmp_path / "shards"))]))
    assert found == sorted(both, key=lambda r: r.dialogue.id)


def labels(run: Path) -> dict[str, list[RewardValue]]:
    return {r.dialogue.id: [v for v in r.rewards if v.name == "multiturn_aware"] for r in data(run)}


def data(run: Path) -> list[Record]:
    return list(read_records(sorted((run / "data").glob("*.parquet"))))


@pytest.fixture(scope="module")
def published(server: ScriptedProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe(server)))
    build(load(folder / "r.yaml"), RunDir(folder / "run"), "if-possible", "test", Nobody())
    return folder / "run"


def test_branches_are_published_by_themselves_and_never_among_the_data(published: Path):
    rows = data(published)
    assert len(rows) == GROUPS * 2 and all(r.dialogue.origin is None for r in rows)
    manifest = read_manifest(published / "manifest.json")
    assert manifest.accepted == GROUPS * 2 and manifest.funnel[0].count >= GROUPS * 2
    branches = pq.read_table(published / "branches").to_pylist()
    made = {r.dialogue.id for r in read_records(RunDir(published).shard_paths())}
    assert branches and {b["origin"]["dialogue_id"] for b in branches} <= made
    assert not {b["dialogue_id"] for b in branches} & made
    assert all(b["rewards"][0]["scope"] == "branch" and b["split"] for b in branches)


def test_a_run_tells_what_its_labels_cost(published: Path):
    spent = read_manifest(published / "manifest.json").spent
    used = spent.labels["multiturn_aware"]
    costs = [v.parts["cost"] for r in read_records(RunDir(published).shard_paths()) for v in r.rewards if v.n]
    assert set(spent.labels) == {"multiturn_aware"} and len(costs) >= GROUPS * 2
    assert used.calls == sum(c["calls"] for c in costs) and used.seconds > 0
    assert used.prompt == sum(c["prompt_tokens"] for c in costs) < spent.tokens.prompt
    assert "| multiturn aware |" in (published / "README.md").read_text()


def test_labels_come_back_from_the_journal_and_new_ones_are_asked(
    published: Path, server: ScriptedProcess, tmp_path: Path
):
    run = shutil.copytree(published, tmp_path / "run")
    before, answers = labels(run), server.log()["answers"]
    assert all(values[0].value is not None for values in before.values())
    score(Order(run, rewards="rewards.success.Success"))
    assert not any(labels(run).values())
    score(Order(run, rewards=str(run / "config.resolved.yaml")))
    assert labels(run) == before and server.log()["answers"] == answers
    wanted = recipe(server, rewards=[{"use": REWARD, "window": 3}])
    (tmp_path / "longer.yaml").write_text(yaml.safe_dump(wanted))
    score(Order(run, rewards=str(tmp_path / "longer.yaml")))
    assert {v.parts["window_messages"] for values in labels(run).values() for v in values} == {3}
    assert server.log()["answers"] > answers


def test_dialogues_without_a_run_have_no_such_label(published: Path, tmp_path: Path):
    out = tmp_path / "scored.parquet"
    score(Order(published / "data", out, rewards=REWARD))
    assert {v.reason for r in read_records([out]) for v in r.rewards} == {"no_roll"}
