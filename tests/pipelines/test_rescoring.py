"""`overture score`: dialogues labelled anew, nothing asked twice, no row lost."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from corpus_samples import to_table
from dialogue_samples import many
from run_driver import Nobody
from scripted_judge import GRADER, grader
from scripted_players import obey
from scripted_server import ScriptedServer

from outputs.manifest import read_manifest
from outputs.parquet import write_table
from outputs.store import read_records
from pipelines.recipe import load
from pipelines.rescoring import Order, score
from pipelines.run import build
from pipelines.rundir import RunDir
from schemas.errors import InputError, RecipeError, RunError
from schemas.record import Record

LIMIT_S = 120


def speak_and_judge(body: dict[str, Any]) -> str | dict[str, Any] | int:
    """A judge where a grader asks, of every tenth text an unusable one; else it plays."""
    if body["messages"][0]["content"].startswith(GRADER["instruction"]):
        draw = int(hashlib.sha256(body["messages"][-1]["content"].encode()).hexdigest(), 16)
        return "perhaps" if draw % 10 == 0 else str(1 + draw % 3)
    return obey(body)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(speak_and_judge) as running:
        yield running


def recipe(folder: Path, server: ScriptedServer, name: str = "lessons", **changes: Any) -> Path:
    """The judge is the same server under a sampling of its own, so that it is another model."""
    remote = {"use": "remote", "base_url": server.base_url, "model": "scripted"}
    data = {
        "target": 12,
        "families": [{"use": "generators.families.tutoring.Tutoring", "policies": ["reactive", "proactive"]}],
        "models": {"default": remote, "reader": {**remote, "sampling": {"top_p": 0.9}}},
        "roles": {"judge": "reader"},
        "embedder": remote,
        "filters": ["filters.schema_and_length.LengthBounds"],
        "rewards": ["rewards.success.Success"],
        **changes,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.fixture(scope="module")
def played(server: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a judged reward of its own."""
    folder = tmp_path_factory.mktemp("played")
    own = {"use": "rewards.judged.Judged", "grader": str(grader(folder, judges="tone")), "share": 0.5}
    build(
        load(recipe(folder, server, rewards=["rewards.success.Success", own]), ()),
        RunDir(folder / "run"),
        "if-possible",
        "test",
        Nobody(),
    )
    return folder / "run"


@pytest.fixture
def run(played: Path, tmp_path: Path) -> Path:
    shutil.copytree(played, tmp_path / "run")
    return tmp_path / "run"


def rows(run: Path) -> list[Record]:
    return list(read_records(sorted(p for f in ("data", "rejected") for p in (run / f).glob("*.parquet"))))


def hashes(run: Path) -> dict[str, str]:
    files = sorted(p for folder in ("data", "rejected", "views") for p in (run / folder).rglob("*.parquet"))
    return {str(p.relative_to(run)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def bare(record: Record) -> Record:
    return record.model_copy(update={"rewards": ()})


def asked(server: ScriptedServer) -> int:
    return server.log()["answers"]


def test_a_run_gets_other_rewards_in_place_and_no_row_changes_but_for_them(run: Path, server: ScriptedServer):
    before, answers, manifest = rows(run), asked(server), read_manifest(run / "manifest.json")
    names = "rewards.success.Success, rewards.questions_asked.QuestionsAsked,rewards.policy_contrast.PolicyContrast"
    assert score(Order(run, rewards=names)) == 0
    after = rows(run)
    assert [bare(r) for r in after] == [bare(r) for r in before] and asked(server) == answers
    valid = [r for r in after if r.selection is None or r.selection.keep]
    assert valid and {tuple(v.name for v in r.rewards) for r in valid} == {
        ("success", "questions_asked", "policy_contrast")
    }
    now = read_manifest(run / "manifest.json")
    assert now.fingerprints["generation"] == manifest.fingerprints["generation"]
    assert now.fingerprints["rewards"] != manifest.fingerprints["rewards"]
    assert {s.name for s in now.rewards} == {"success", "questions_asked", "policy_contrast"}
    assert "questions asked" in (run / "report.html").read_text().replace("_", " ")


def test_the_runs_own_rewards_bring_back_the_very_files_and_ask_nothing(run: Path, server: ScriptedServer):
    before, answers = hashes(run), asked(server)
    assert any(v.name == "tone" and v.n for r in rows(run) for v in r.rewards)
    score(Order(run, rewards="rewards.questions_asked.QuestionsAsked"))
    assert hashes(run) != before
    score(Order(run, rewards=str(run / "config.resolved.yaml")))
    assert hashes(run) == before and asked(server) == answers


def test_a_grader_is_asked_once_and_a_changed_one_anew(
    run: Path, server: ScriptedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path, answers, before = grader(tmp_path), asked(server), read_manifest(run / "manifest.json").spent
    assert score(Order(run, graders=(path,))) == 0
    first, cost = hashes(run), asked(server) - answers
    judged = [v for r in rows(run) for v in r.rewards if v.name == "guidance"]
    assert cost == len(judged) > 12
    assert {v.reason for v in judged} == {"uncalibrated", "invalid_json"} and all(v.value is None for v in judged)
    assert score(Order(run, graders=(path,))) == 0 and score(Order(run)) == 0
    assert asked(server) - answers == cost and hashes(run) == first, "with and without its name: what it was last"
    told = capsys.readouterr().out
    assert f"{cost} answers were asked for" in told and "0 answers were asked for" in told and "missing 100%" in told
    manifest = read_manifest(run / "manifest.json")
    assert manifest.none_rewards["guidance"]["uncalibrated"]
    assert manifest.spent.labels["guidance"].calls == manifest.spent.tokens.calls - before.tokens.calls == cost
    assert manifest.spent.invocations == before.invocations + 1, "the one that asked"
    [*_, said] = [limit for limit in manifest.limits if "reward guidance" in limit]
    assert "not shown to agree with people" in said and said.split(";")[1] in (run / "README.md").read_text()
    (tmp_path / "new").mkdir()
    score(Order(run, graders=(grader(tmp_path / "new", notes=["Be strict."]),)))
    names = [v.name for r in rows(run) for v in r.rewards]
    assert asked(server) - answers == 2 * cost
    assert names.count("guidance") == len(judged), "it takes the other one's place"


def test_a_recipe_says_that_an_uncalibrated_grader_counts_and_only_the_rest_is_averaged(
    run: Path, server: ScriptedServer, tmp_path: Path
):
    judged = {"use": "rewards.judged.Judged", "grader": str(grader(tmp_path)), "allow_uncalibrated": True}
    path = recipe(tmp_path, server, "labels", rewards=["rewards.success.Success", judged])
    assert score(Order(run, rewards=str(path))) == 0
    values = [
        v for r in rows(run) if r.selection is None or r.selection.keep for v in r.rewards if v.name == "guidance"
    ]
    lost = [v for v in values if v.value is None]
    assert 0 < len(lost) < len(values) / 3 and {v.reason for v in lost} == {"invalid_json"}
    assert {v.value for v in values if v.value is not None} <= {0.0, 0.5, 1.0}
    summary = next(s for s in read_manifest(run / "manifest.json").rewards if s.name == "guidance" and s.n)
    assert summary.mean is not None and 0 < summary.mean < 1


def test_a_resumed_run_that_was_labelled_anew_is_finished_and_stays_so(run: Path, server: ScriptedServer):
    score(Order(run, rewards="rewards.questions_asked.QuestionsAsked"))
    labelled = hashes(run)
    assert build(RunDir(run).read_config(), RunDir(run), "always", "test", Nobody()).already
    assert hashes(run) == labelled


def test_a_recipe_whose_rewards_changed_is_told_to_score_and_publishes_nothing_under_their_name(
    run: Path, tmp_path: Path, server: ScriptedServer
):
    kept = (run / "manifest.json", run / "config.resolved.yaml")
    before, texts, answers = hashes(run), [p.read_bytes() for p in kept], asked(server)
    changed = recipe(tmp_path, server, rewards=["rewards.questions_asked.QuestionsAsked"])
    for wanted in (load(changed, ()), load(changed, ("target=16",))):  # played to its end, and to be extended
        with pytest.raises(RunError) as refused:
            build(wanted, RunDir(run), "if-possible", "test", Nobody())
        assert f"overture score {run} --rewards RECIPE" in str(refused.value) and "\n" not in str(refused.value)
    assert (hashes(run), [p.read_bytes() for p in kept], asked(server)) == (before, texts, answers)
    score(Order(run, rewards=str(changed)))
    assert build(load(changed, ()), RunDir(run), "if-possible", "test", Nobody()).already, "as it was told to"


def test_killed_while_it_asks_it_goes_on_and_ends_in_the_same_bytes(run: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "whole")
    path = grader(tmp_path)
    with ScriptedServer(speak_and_judge, latency_ms=60) as slow:
        labels = recipe(tmp_path, slow, "labels", concurrency=2)
        score(Order(tmp_path / "whole", rewards=str(labels), graders=(path,)))
        needed = asked(slow)
    with ScriptedServer(speak_and_judge, latency_ms=60) as slow:
        recipe(tmp_path, slow, "labels", concurrency=2)
        command = ["score", run, "--rewards", labels, "--grader", path]
        line = [sys.executable, "-P", "-m", "pipelines.cli", *map(str, command)]
        with subprocess.Popen(line, env={**os.environ}, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            while not process.stderr.readline().startswith("asking: "):
                pass
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=LIMIT_S)
        assert 0 < asked(slow) < needed and len(rows(run)) == len(rows(tmp_path / "whole"))
        assert score(Order(run, rewards=str(labels), graders=(path,))) == 0
        assert asked(slow) <= needed + 2, "at most what was in flight at the kill"
    assert hashes(run) == hashes(tmp_path / "whole")


def test_stopped_between_two_files_it_is_whole_after_the_same_command(run: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "whole")
    score(Order(tmp_path / "whole", rewards="rewards.questions_asked.QuestionsAsked"))
    written, *rest = hashes(tmp_path / "whole")
    assert rest
    shutil.copy(tmp_path / "whole" / written, run / written)
    shutil.copy(tmp_path / "whole" / "rewards.resolved.yaml", run)
    assert hashes(run) != hashes(tmp_path / "whole")
    score(Order(run))
    assert hashes(run) == hashes(tmp_path / "whole")
    assert read_manifest(run / "manifest.json") == read_manifest(tmp_path / "whole" / "manifest.json")


def test_a_file_of_dialogues_is_labelled_with_its_groups_and_by_a_recipes_judge(tmp_path: Path, server: ScriptedServer):
    records = [r.model_copy(update={"rewards": (), "selection": None}) for r in many(12)]
    write_table(tmp_path / "own.parquet", to_table(records))
    names = "rewards.success.Success,rewards.policy_contrast.PolicyContrast"
    score(Order(tmp_path / "own.parquet", tmp_path / "plain.parquet", rewards=names))
    plain = list(read_records([tmp_path / "plain.parquet"]))
    assert [tuple(v.name for v in r.rewards) for r in plain] == [("success", "policy_contrast")] * 12
    assert [bare(r) for r in plain] == [bare(r) for r in records]
    answers = asked(server)
    for _ in range(2):
        order = Order(
            tmp_path / "own.parquet", tmp_path / "j.parquet", str(recipe(tmp_path, server)), (grader(tmp_path),)
        )
        assert score(order) == 0
    judged = [v for r in read_records([tmp_path / "j.parquet"]) for v in r.rewards if v.name == "guidance"]
    assert asked(server) - answers == len(judged) == 12
    assert pq.read_metadata(tmp_path / "j.parquet").num_rows == 12


def test_without_a_recipe_nobody_is_asked_and_the_judged_reward_says_so(tmp_path: Path):
    write_table(tmp_path / "own.parquet", to_table(many(4)))
    score(Order(tmp_path / "own.parquet", tmp_path / "out.parquet", graders=(grader(tmp_path),)))
    reasons = {v.reason for r in read_records([tmp_path / "out.parquet"]) for v in r.rewards if v.name == "guidance"}
    assert reasons == {"no_judge"} and not (tmp_path / "out-scoring").exists()


def test_a_run_without_a_judge_is_given_one_by_a_setting(
    tmp_path: Path, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
):
    run, graders = RunDir(tmp_path / "run"), (grader(tmp_path),)
    build(load(recipe(tmp_path, server, roles={}), ()), run, "if-possible", "test", Nobody())
    answers = asked(server)
    assert score(Order(run.path, graders=graders)) == 0 and asked(server) == answers
    assert "no_judge" in capsys.readouterr().out
    assert score(Order(run.path, graders=graders, sets=("roles.judge=reader",))) == 0 and asked(server) > answers
    assert "uncalibrated" in capsys.readouterr().out
    with pytest.raises(InputError, match="there is no recipe under --rewards to change"):
        score(Order(tmp_path / "kept.parquet", out=tmp_path / "scored.parquet", sets=("target=3",)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"rewards": "rewards.succes.Success"},
            "--rewards: no module 'succes' in rewards; did you mean 'rewards.success'?",
        ),
        ({"rewards": "filters.repetition.Repetition"}, "is a filter; here a reward is wanted"),
        ({"sets": ("roles.judge=absent",)}, "--set: roles.judge: no model 'absent'"),
        ({"graders": (Path("absent.yaml"),)}, "absent.yaml: cannot be read"),
        ({"rewards": "absent.yaml"}, "absent.yaml"),
    ],
)
def test_odd_options_are_told_in_one_line_and_the_run_stays_as_it_is(run: Path, changes: dict[str, Any], told: str):
    before = hashes(run)
    with pytest.raises((InputError, RecipeError)) as raised:
        score(Order(run, **changes))
    assert told in str(raised.value) and "\n" not in str(raised.value) and hashes(run) == before
