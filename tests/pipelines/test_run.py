"""Whole runs against the scripted server: crash safety, determinism, budgets, refusals."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from confining import confines
from datasets import load_dataset
from journals import CHAT, journalled
from run_driver import Nobody
from scripted_server import ScriptedProcess

from inference.client import request_hash
from outputs.manifest import Manifest, read_manifest
from outputs.store import read_records
from pipelines.recipe import load
from pipelines.run import Result, build
from pipelines.rundir import RunDir
from schemas.chat import CallKey, ChatRequest, Message, Sampling
from schemas.errors import RunError, StorageError, Unreachable
from schemas.judgement import Selection
from schemas.record import from_row

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedProcess]:
    with ScriptedProcess("--reply", "scripted_players:obey") as process:
        yield process


def recipe(folder: Path, base_url: str, **changes: Any) -> Path:
    model = {"use": "remote", "base_url": base_url, "model": "scripted"}
    data = {
        "target": 24,
        "families": [
            {"use": "generators.families.conversation.Conversation", "reference": None},
            {"use": "generators.families.tutoring.Tutoring"},
        ],
        "models": {"default": model},
        "embedder": model,
        "concurrency": 8,
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def run(path: Path, out: Path, *sets: str) -> Result:
    return build(load(path, sets), RunDir(out), "if-possible", "test", Nobody())


def published(out: Path) -> dict[str, str]:
    """Every published file by its hash."""
    files = sorted(p for folder in ("data", "rejected", "views") for p in (out / folder).rglob("*.parquet"))
    assert files
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_a_run_killed_at_ten_moments_ends_in_the_same_bytes(tmp_path: Path, server: ScriptedProcess) -> None:
    run(recipe(tmp_path, server.base_url, target=60), tmp_path / "whole")
    draws = random.Random(5)
    answered = kills = 0
    answered_at: list[tuple[int, Counter[str]]] = []
    with ScriptedProcess("--reply", "scripted_players:obey", "--latency-ms", "20", "--keep-requests") as slow:
        path = recipe(tmp_path, slow.base_url, target=60)
        command = [sys.executable, "-P", str(TESTS / "run_driver.py"), str(path), str(tmp_path / "killed")]
        while kills < 10:
            process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, start_new_session=True)
            _await_answers(slow, answered + draws.randint(3, 35), process)
            process.kill()
            assert process.wait() == -signal.SIGKILL, f"ended by itself before kill {kills + 1}"
            kills += 1
            answered = slow.log()["answers"]
            answered_at.append((len(slow.requests()), _journalled(tmp_path / "killed")))
        assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
        asked = [_hashed(body) for body in slow.requests()]
    assert published(tmp_path / "killed") == published(tmp_path / "whole")
    everything = _journalled(tmp_path / "killed")
    assert len(asked) - everything.total() <= kills * 8  # only what was in flight at a kill is asked again
    for sent, answered_then in answered_at:  # two places of siblings may ask the same; then both must be answered
        done = {request for request, times in answered_then.items() if times == everything[request]}
        assert done and not done.intersection(asked[sent:])


def _await_answers(server: ScriptedProcess, wanted: int, process: "subprocess.Popen[bytes]") -> None:
    while server.log()["answers"] < wanted and process.poll() is None:
        time.sleep(0.02)


def _journalled(out: Path) -> Counter[str]:
    """Request hashes of the chat calls in a run's journal, and at how many places each stands."""
    return Counter(request for (request,) in journalled(out, "request", CHAT))


def _hashed(body: dict[str, Any]) -> str:
    """What the journal calls a request that was sent."""
    sampling = Sampling(**{name: body[name] for name in Sampling.model_fields})
    schema = body["response_format"]["json_schema"]["schema"] if "response_format" in body else None
    messages = tuple(Message(m["role"], m["content"]) for m in body["messages"])
    stop = tuple(body.get("stop", ()))
    request = ChatRequest(CallKey(0), messages, sampling, body["seed"], stop=stop, json_schema=schema)
    return request_hash(request, body["model"])


def test_a_second_run_asks_nothing_that_is_journalled(tmp_path: Path) -> None:
    with ScriptedProcess("--reply", "scripted_players:obey") as fresh:
        path = recipe(tmp_path, fresh.base_url)
        run(path, tmp_path / "run")
        asked = fresh.log()["requests"]
        for shard in (tmp_path / "run" / "shards").iterdir():
            shard.unlink()
        before = published(tmp_path / "run")
        (tmp_path / "run" / "manifest.json").unlink()
        run(path, tmp_path / "run")
        assert fresh.log()["requests"] == asked
        assert published(tmp_path / "run") == before


def test_a_judge_is_journalled_like_any_model_and_what_it_reads_is_no_leak(tmp_path: Path) -> None:
    chatty = ("--reply", "scripted_players:chatty", "--keep-requests")
    with ScriptedProcess(*chatty) as players, ScriptedProcess(*chatty, "--model", "judge") as reader:
        family = {
            "use": "generators.families.recommendation.Recommendation",
            "policies": ["reactive", "external"],
            "speakers": {"external": {}, "user": {"adds": None}},
        }
        models = {
            "default": {"use": "remote", "base_url": players.base_url, "model": "scripted"},
            "reader": {"use": "remote", "base_url": reader.base_url, "model": "judge"},
        }
        changes = {"families": [family], "models": models, "roles": {"judge": "reader"}, "filters": [], "target": 8}
        path, out = recipe(tmp_path, players.base_url, **changes), tmp_path / "run"
        manifest = run(path, out).manifest
        asked, read = [server.log() for server in (players, reader)], reader.requests()
        dropped = {reason for step in manifest.funnel for reason in step.reasons}
        assert read and manifest.tokens["judge"].calls == len(read) and "prompt_leak" not in dropped
        assert any("give away" in body["messages"][-1]["content"] for body in read), "it is shown what is hidden"
        for shard in (out / "shards").iterdir():
            shard.unlink()
        before = published(out)
        (out / "manifest.json").unlink()
        run(path, out)
        again = [server.log() for server in (players, reader)]
    assert published(out) == before
    for name in ("requests", "embedded"):  # a domain's phrases are journalled, too
        assert [log[name] for log in again] == [log[name] for log in asked]


@pytest.mark.skipif(not confines(), reason="this machine cannot confine a program")
def test_programs_are_run_against_their_tests_once(tmp_path: Path, server: ScriptedProcess) -> None:
    square = {
        "question": "Write a function square(n) that gives n times n.",
        "answer": "def square(n):\n    return n * n",
        "tests": "assert square(2) == 4\nassert square(-3) == 9",
    }
    (tmp_path / "problems.jsonl").write_bytes(orjson.dumps(square))
    tutoring = {
        "use": "generators.families.tutoring.Tutoring",
        "problems": str(tmp_path / "problems.jsonl"),
        "policies": ["reactive", "privileged"],
    }
    path = recipe(tmp_path, server.base_url, families=[tutoring], filters=[], target=4, max_rounds=1)
    out = tmp_path / "run"
    run(path, out)
    records = list(read_records(RunDir(out).shard_paths()))
    answers = [(r.dialogue.scenario.policy, t) for r in records for t in r.dialogue.turns if t.answer is not None]
    assert {policy for policy, _ in answers} == {"reactive", "privileged"}
    for policy, turn in answers:
        right = policy == "privileged"  # whose schema allows nothing else; the others' answers are random letters
        assert turn.answer_correct is right and (turn.labels["verdict"] == "ok") is right
        assert turn.text is not None and turn.text.endswith(f"```python\n{turn.answer}\n```")
    for record in records:
        (success,) = (r.value for r in record.rewards if r.name == "success")
        assert success == (record.dialogue.scenario.policy == "privileged")
    verified = list(journalled(out, where="step = 'verify'"))
    assert len(verified) >= len(answers)
    for shard in (out / "shards").iterdir():
        shard.unlink()
    before = published(out)
    (out / "manifest.json").unlink()
    run(path, out)
    assert published(out) == before and list(journalled(out, where="step = 'verify'")) == verified


@pytest.mark.parametrize("changes", [{"shard_size": 4}, {"workers": 2, "shard_size": 6}, {"concurrency": 1}])
def test_shards_workers_and_order_do_not_change_a_byte(
    tmp_path: Path, server: ScriptedProcess, changes: dict[str, Any]
) -> None:
    run(recipe(tmp_path, server.base_url), tmp_path / "a")
    with ScriptedProcess(
        "--reply", "scripted_players:obey", "--error-rate", "0.1", "--latency-ms", "3", "--model", "scripted"
    ) as faulty:
        run(recipe(tmp_path, faulty.base_url, **changes), tmp_path / "b")
    assert published(tmp_path / "a") == published(tmp_path / "b")


def test_realism_and_matching_are_the_same_with_one_worker_or_two(tmp_path: Path, server: ScriptedProcess) -> None:
    reference = _reference(tmp_path, server)
    families = [{"use": "generators.families.conversation.Conversation", "reference": f"path:{reference}"}]
    for name, workers in (("a", 1), ("b", 2)):
        path = recipe(tmp_path, server.base_url, families=families, target=80, workers=workers, shard_size=20)
        manifest = run(path, tmp_path / name).manifest
    assert published(tmp_path / "a") == published(tmp_path / "b")
    auc = [m for m in manifest.realism if "AUC" in m.group]
    assert auc and all(m.value is not None and m.floor_value is not None for m in auc)
    rows = pq.read_table(sorted((tmp_path / "a" / "data").glob("*.parquet"))[0]).to_pylist()
    assert {r["selection"]["reason"] for r in rows} <= {"ok", "infeasible_for_size"}  # it keeps 80 of about 100
    assert all(r["realism"]["combined"] is not None and r["selection"]["pi"] is not None for r in rows)


def _reference(folder: Path, server: ScriptedProcess) -> Path:
    """Other dialogues of the scripted model stand for people."""
    families = [{"use": "generators.families.conversation.Conversation", "reference": None, "policies": ["reactive"]}]
    run(recipe(folder, server.base_url, families=families, target=300, seed=99), folder / "people")
    records = list(read_records(sorted((folder / "people" / "data").glob("*.parquet"))))
    rows = [
        {
            "dialogue_id": f"people:{r.dialogue.id}",
            "corpus": "people",
            "family": "chat",
            "split": "train",
            "turns": [{"role": t.role, "text": t.text or "", "acts": []} for t in r.dialogue.turns],
            "outcome": None,
            "meta": "{}",
        }
        for r in records
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "people.parquet")
    return folder / "people.parquet"


def test_a_limited_run_makes_the_first_dialogues_of_the_full_run(tmp_path: Path, server: ScriptedProcess) -> None:
    path = recipe(tmp_path, server.base_url)
    full = run(path, tmp_path / "full").manifest
    short = run(path, tmp_path / "few", "budget.dialogues=8").manifest
    made = {r.dialogue.id: r.dialogue for r in _all(tmp_path / "full")}
    few = {r.dialogue.id: r.dialogue for r in _all(tmp_path / "few")}
    assert full.status == "complete" and short.status == "short" and "budget of 8 dialogues" in short.status_reason
    assert len(few) == 8 and {d.scenario.index for d in few.values()} == {0, 1}
    assert all(made[i] == d for i, d in few.items())


def _all(out: Path) -> list[Any]:
    return list(read_records(sorted(p for f in ("data", "rejected") for p in (out / f).glob("*.parquet"))))


@pytest.mark.parametrize("selectors", [[], ["filters.near_duplicate.NearDuplicate"]])
def test_whatever_selects_no_more_is_published_than_was_ordered(
    tmp_path: Path, server: ScriptedProcess, selectors: list[str]
) -> None:
    path = recipe(tmp_path, server.base_url, target=6, oversample=2.0, selectors=selectors)
    found = run(path, tmp_path / "run").manifest
    assert found.status == "complete" and sum(found.published.values()) == 6
    run(path, tmp_path / "sharded", "shard_size=2", "workers=2")
    assert published(tmp_path / "sharded") == published(tmp_path / "run")
    chosen = [r.selection for r in _all(tmp_path / "run")]
    assert chosen.count(Selection(keep=True)) == 6 and chosen.count(Selection(keep=False, reason="over_target")) > 0


def test_a_raised_target_extends_a_finished_run(tmp_path: Path) -> None:
    with ScriptedProcess("--reply", "scripted_players:obey") as fresh:
        path = recipe(tmp_path, fresh.base_url)
        first = run(path, tmp_path / "run")
        again = run(path, tmp_path / "run")
        asked = fresh.log()["requests"]
        more = run(path, tmp_path / "run", "target=48")
        everything = fresh.log()
    assert not first.already and again.already and not more.already
    assert more.manifest.accepted == 48
    assert (
        _journalled(tmp_path / "run").total() == everything["requests"] > asked > 0
    )  # each journalled call was asked once


def test_each_dialogue_comes_back_from_its_row(tmp_path: Path, server: ScriptedProcess) -> None:
    manifest = run(recipe(tmp_path, server.base_url), tmp_path / "run").manifest
    rows = [r for p in (tmp_path / "run" / "data").glob("*.parquet") for r in pq.read_table(p).to_pylist()]
    assert len(rows) == manifest.accepted == 24
    for row in rows:
        record = from_row(row)
        assert record.dialogue.id == row["dialogue_id"] and record.rewards and record.selection is not None


@pytest.mark.parametrize("target", [1, 2, 12])
def test_datasets_loads_a_run_of_any_size(
    tmp_path: Path, server: ScriptedProcess, target: int, monkeypatch: Any
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    policies = ["proactive"] if target == 1 else ["reactive", "proactive"]
    families = [{"use": "generators.families.tutoring.Tutoring", "policies": policies}]
    run(recipe(tmp_path, server.base_url, target=target, families=families), tmp_path / "run")
    loaded = load_dataset(str(tmp_path / "run"), cache_dir=str(tmp_path / "cache"))
    assert sum(len(split) for split in loaded.values()) == target


def test_a_token_budget_publishes_what_there_is(tmp_path: Path, server: ScriptedProcess) -> None:
    path = recipe(tmp_path, server.base_url, target=400, budget={"tokens": 9000}, shard_size=10)
    manifest = run(path, tmp_path / "run").manifest
    assert manifest.status == "short" and "9000 tokens" in manifest.status_reason
    assert 0 < manifest.accepted < 400


def test_a_run_directory_serves_one_run_at_a_time(tmp_path: Path, server: ScriptedProcess) -> None:
    path = recipe(tmp_path, server.base_url)
    with RunDir(tmp_path / "run").lock(), pytest.raises(RunError, match=f"in use by process {os.getpid()}"):
        run(path, tmp_path / "run")


def test_another_generation_is_refused_and_says_what_may_differ(tmp_path: Path, server: ScriptedProcess) -> None:
    path = recipe(tmp_path, server.base_url)
    run(path, tmp_path / "run")
    with pytest.raises(RunError, match="families, speakers, models, sampling or seed differ"):
        run(path, tmp_path / "run", "seed=8")


def test_a_server_that_is_not_there_is_named_also_in_the_events(tmp_path: Path) -> None:
    path = recipe(tmp_path, "http://127.0.0.1:9/v1")
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        build(load(path), RunDir(tmp_path / "run"), "if-possible", "test", Nobody())
    ended = _events(tmp_path / "run")[-1]
    assert (ended["event"], ended["status"], ended["error"]) == ("run_ended", "failed", "Unreachable")
    assert "127.0.0.1:9" in ended["why"]


@pytest.mark.skipif(os.geteuid() != 0 and not os.access("/proc", os.W_OK), reason="needs a directory nobody may write")
def test_a_directory_that_cannot_be_written_is_a_storage_error(tmp_path: Path, server: ScriptedProcess) -> None:
    with pytest.raises(StorageError, match="choose another --out"):
        build(load(recipe(tmp_path, server.base_url)), RunDir(Path("/proc/overture")), "if-possible", "test", Nobody())


def test_the_worker_stays_small(tmp_path: Path, server: ScriptedProcess) -> None:
    result = run(recipe(tmp_path, server.base_url), tmp_path / "run")
    assert 0 < result.counts.peak_mb < 200


def test_the_manifest_accounts_for_every_dialogue(tmp_path: Path, server: ScriptedProcess) -> None:
    manifest: Manifest = run(recipe(tmp_path, server.base_url), tmp_path / "run").manifest
    assert read_manifest(tmp_path / "run" / "manifest.json") == manifest
    made, kept = manifest.totals
    assert made.count == kept.count + sum(kept.reasons.values()) == len(_all(tmp_path / "run"))


def test_the_manifest_tells_what_all_invocations_have_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "run"
    price = {"prompt": 2.0, "completion": 10.0}
    with ScriptedProcess("--reply", "scripted_players:obey") as fresh:
        address = f"{fresh.base_url}/v1"
        model = {"use": "remote", "base_url": fresh.base_url, "model": "scripted", "price": price}
        path = recipe(tmp_path, fresh.base_url, models={"default": model})
        first = run(path, out, "budget.dialogues=8").manifest
        for shard in (out / "shards").iterdir():
            shard.unlink()  # so that its dialogues are played again, from the journal
        last = run(path, out)
        asked = fresh.log()["requests"]
    whole = last.manifest.spent
    assert (first.status, first.spent.invocations) == ("short", 1)
    assert (last.manifest.status, whole.invocations) == ("complete", 2)
    use = whole.endpoints[address]
    assert 0 < last.counts.total("calls") < whole.tokens.calls <= use.answered == _journalled(out).total() <= asked
    assert whole.tokens.replayed == last.counts.total("replayed") > 0
    assert whole.tokens.prompt == first.spent.tokens.prompt + last.counts.total("prompt_tokens")
    assert whole.tokens.cost == pytest.approx((2 * whole.tokens.prompt + 10 * whole.tokens.completion) / 1e6)
    assert whole.tokens_an_accepted == (whole.tokens.prompt + whole.tokens.completion) / 24
    assert sum(t.calls for t in last.manifest.tokens.values()) == whole.tokens.calls
    assert use.sent == use.answered + use.cancelled and use.faults == {} and use.mean_s is not None
    assert whole.worker_peak_mb is not None and whole.loop_lag_p99_ms is not None


def test_faults_are_told_by_kind_with_how_often_was_asked_again(tmp_path: Path) -> None:
    flags = ("--error-rate", "0.2", "--faults", "500,429,reset")
    with ScriptedProcess("--reply", "scripted_players:obey", *flags) as faulty:
        spent = run(recipe(tmp_path, faulty.base_url), tmp_path / "run").manifest.spent
        met = faulty.log()["faults"]
    (use,) = spent.endpoints.values()
    assert set(use.faults) == {"server_error", "rate_limit", "connection"}
    assert use.retries == sum(use.faults.values()) == use.sent - use.answered - use.cancelled == met


def _events(out: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (out / "logs" / "events.jsonl").read_bytes().splitlines()]


def test_events_tell_a_run_from_its_beginning_to_its_end(tmp_path: Path, server: ScriptedProcess) -> None:
    manifest = run(recipe(tmp_path, server.base_url), tmp_path / "run").manifest
    told = [e for e in _events(tmp_path / "run") if e["event"] != "progress"]
    assert [e["event"] for e in told][:3] == ["run_started", "round_started", "round_ended"]
    assert (told[-1]["event"], told[-1]["status"], told[-1]["accepted"]) == ("run_ended", "complete", 24)
    ended = [e for e in told if e["event"] == "round_ended"]
    assert sum(e["calls"] for e in ended) == manifest.spent.tokens.calls
    assert sum(e["dialogues"] for e in ended) == manifest.totals[0].count
    run(recipe(tmp_path, server.base_url), tmp_path / "run")
    assert [e for e in _events(tmp_path / "run") if e["event"] != "progress"] == told  # it is finished
