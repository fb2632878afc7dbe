"""`overture forecast`: rates of cuts, from nothing that comes after them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from forecast_world import QUESTIONS
from run_driver import Nobody
from scripted_server import ScriptedProcess

from outputs.parquet import write_table
from outputs.store import dialogue_files, read_records
from pipelines.forecast import Sizes, cut_turns, forecast
from pipelines.forecast_rows import FORECASTS, BaseRate, Cut, Rate, abstention, forecast_row
from pipelines.recipe import load
from pipelines.run import build
from pipelines.rundir import RunDir
from schemas.errors import DataError, InputError
from schemas.identity import derive
from schemas.judgement import Interval
from schemas.record import Record, to_row
from schemas.table import SCHEMA

TESTS = Path(__file__).parents[1]
LIMIT_S = 120
SMALL = Sizes(cuts=1, rollouts=4, limit=4)
CANARY = "zanzibar"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedProcess]:
    with ScriptedProcess("--reply", "scripted_players:obey", "--keep-requests") as process:
        yield process


@pytest.fixture(scope="module")
def made(server: ScriptedProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a world with an outcome, of one that needs words, and of a built-in family."""
    folder = tmp_path_factory.mktemp("made")
    model = {"use": "remote", "base_url": server.base_url, "model": "scripted"}
    worded = {"assistant": {"use": "generators.speakers.chat_assistant.ChatAssistant", "attempts": 1}}
    families = [
        {"use": "forecast_world.Shop", "policies": ["reactive"], "speakers": worded},
        {"use": "generators.families.conversation.Conversation", "policies": ["proactive"], "reference": None},
        {"use": "generators.families.tutoring.Tutoring", "policies": ["proactive"]},
    ]
    data = {"target": 60, "families": families, "models": {"default": model}, "embedder": model}
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**data, "filters": [], "max_rounds": 1}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TESTS))  # workers find the world there
        build(load(folder / "recipe.yaml"), RunDir(folder / "run"), "if-possible", "test", Nobody())
    return folder / "run"


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "run")


def rows(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def branches(run: Path, stem: str = "out") -> dict[str, list[dict[str, Any]]]:
    return {kind: rows(run / "forecast" / "branches" / f"{stem}.{kind}.parquet") for kind in ("privileged", "public")}


def records(run: Path, family: str) -> list[Record]:
    return [r for r in read_records(dialogue_files(run)) if r.dialogue.scenario.family == family]


def test_a_row_a_cut_with_both_rates_and_a_branch_a_rollout(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run.parent / "out.parquet"
    assert forecast(run, out, Sizes(cuts=2, rollouts=5, limit=6), "forecast_world") == 0
    found = {r.dialogue.id: r for r in records(run, "forecast_world")}
    train = [r.dialogue.outcome["success"] for r in found.values() if r.split == "train"]
    told = rows(out)
    assert len(told) == 12 and [r["dialogue_id"] for r in told] == [
        i for i in found if i in {r["dialogue_id"] for r in told} for _ in "12"
    ]
    for row in told:
        record = found[row["dialogue_id"]]
        assert 2 <= row["cut_turn"] < len(record.dialogue.turns)
        assert [m["content"] for m in row["messages"]] == [t.text for t in record.dialogue.turns[: row["cut_turn"]]]
        assert row["outcome"] == record.dialogue.outcome["success"]
        assert row["outcome_base_rate"] == pytest.approx(sum(train) / len(train)) and row["base_rate_n"] == len(train)
        assert row["mc_privileged"]["n"] == row["mc_public"]["n"] == 5
        assert row["mc_public"]["low"] <= row["forecast_p"] == row["mc_public"]["p"] <= row["mc_public"]["high"]
        assert row["brier"] == pytest.approx((row["forecast_p"] - row["outcome"]) ** 2)
        assert 5 <= row["mc_public"]["ess"] <= row["mc_public"]["candidates"] == 200
    for kind, branched in branches(run).items():
        assert len(branched) == 60 and len({b["dialogue_id"] for b in branched}) == 60
        for branch in branched:
            record = found[branch["origin"]["dialogue_id"]]
            seen = [t.text for t in record.dialogue.turns[: branch["origin"]["turn"]]]
            assert [m["content"] for m in branch["messages"]][: len(seen)] == seen
            assert branch["split"] == record.split and branch["base_case_id"] == record.dialogue.scenario.base_case_id
            same = json.loads(branch["session_latents"]) == record.dialogue.scenario.session_latents
            assert same or kind == "public", "the privileged rate is that of the true hidden side"
    both = {json.loads(b["session_latents"])["patient"] for b in branches(run)["public"]}
    assert both == {True, False}, "a reader cannot tell who is patient"
    shown = capsys.readouterr()
    assert "forecast_world  mc_public" in shown.out and "dialogues not cut: 40 other_family" in shown.out
    assert "12 cuts of 6 dialogues" in shown.err


@pytest.mark.parametrize("scripted", [False, True])
def test_no_word_after_a_cut_is_in_any_request_or_row(run: Path, server: ScriptedProcess, scripted: bool) -> None:
    """The word stands in every turn after the cut; it would be found if one later turn reached a prompt or a row."""
    seed = derive(RunDir(run).read_config().seed, "forecast")
    planted = 0
    for file in dialogue_files(run):
        changed: list[dict[str, Any]] = []
        for record in read_records([file]):
            [cut] = cut_turns(record, seed, 1) or [0]
            turns = [
                t.model_copy(update={"text": f"{t.text} {CANARY}", "labels": {**t.labels, "says": CANARY}})
                if n >= cut
                else t
                for n, t in enumerate(record.dialogue.turns)
            ]
            planted += len(turns) - cut
            dialogue = record.dialogue.model_copy(update={"turns": tuple(turns)})
            changed.append(to_row(record.model_copy(update={"dialogue": dialogue})))
        write_table(file, pa.Table.from_pylist(changed, SCHEMA))
    before = len(server.requests())
    out = run.parent / "out.parquet"
    for family in ("forecast_world", "conversation"):
        assert forecast(run, out, SMALL, family, scripted) == 0
        assert CANARY not in json.dumps([rows(out), branches(run)], default=str)
    asked = server.requests()[before:]
    assert bool(asked) is not scripted and planted > 60
    assert CANARY not in json.dumps(asked)


def test_the_same_command_gives_the_same_bytes_and_asks_nothing_twice(run: Path, server: ScriptedProcess) -> None:
    out = run.parent / "out.parquet"
    forecast(run, out, SMALL)
    first, asked = out.read_bytes(), server.log()["answers"]
    forecast(run, out, SMALL)
    assert out.read_bytes() == first and server.log()["answers"] == asked


def test_a_problem_is_forecast_with_other_teachers_of_the_same_problem(run: Path) -> None:
    out = run.parent / "out.parquet"
    forecast(run, out, Sizes(rollouts=4, limit=3), "tutoring")
    assert all(row["mc_public"]["ess"] >= 5 and row["forecast_p"] is not None for row in rows(out))
    texts = {r.dialogue.id: r.dialogue.scenario.views["student"].public for r in records(run, "tutoring")}
    branched = branches(run)["public"]
    assert len(branched) == 12
    for branch in branched:
        assert json.loads(branch["views"])["student"]["public"] == texts[branch["origin"]["dialogue_id"]]
    patience = [json.loads(branch["session_latents"])["patience"] for branch in branched]
    assert len(set(patience)) > 1


def test_the_first_dialogues_of_a_larger_forecast_are_those_of_a_smaller_one(run: Path) -> None:
    out = run.parent / "out.parquet"
    told: list[list[dict[str, Any]]] = []
    for limit in (2, 5):
        forecast(run, out, Sizes(rollouts=4, limit=limit), "forecast_world", scripted=True)
        told.append(rows(out))
    few, many = told
    assert len(few) == 2 and all(row in many for row in few)


def test_a_killed_forecast_goes_on_where_it_was(run: Path, tmp_path: Path) -> None:
    whole = shutil.copytree(run, tmp_path / "whole")
    config = RunDir(run).config.read_text()
    sizes = ("--rollouts", "6", "--limit", "6", "--family", "conversation")
    with ScriptedProcess("--reply", "scripted_players:obey", "--latency-ms", "20", "--keep-requests") as slow:
        model = yaml.safe_load(config)["models"]["default"]
        for folder in (run, whole):
            RunDir(folder).config.write_text(config.replace(model["base_url"][0], slow.base_url))
        command = [sys.executable, "-P", "-m", "pipelines.cli", "forecast"]
        where = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(TESTS)}}
        with subprocess.Popen([*command, "run", "--out", "out.parquet", *sizes], **where) as process:
            while slow.log()["answers"] < 40 and process.poll() is None:
                time.sleep(0.02)
            process.kill()
            assert process.wait() == -signal.SIGKILL, "it ended by itself before the kill"
        assert not (tmp_path / "out.parquet").exists()
        killed_at = len(slow.requests())
        done = subprocess.run([*command, "run", "--out", "out.parquet", *sizes], timeout=LIMIT_S, **where)
        assert done.returncode == 0
        resumed = len(slow.requests()) - killed_at
        subprocess.run([*command, "whole", "--out", "whole.parquet", *sizes], timeout=LIMIT_S, **where, check=True)
        everything = len(slow.requests()) - killed_at - resumed
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert branches(run) == branches(whole, "whole")
    assert resumed < everything, "what was answered before the kill is asked for no more"
    assert killed_at + resumed <= everything + 4 * 6, "at most what was in flight is asked for again"


def test_scripted_asks_no_language_model_and_leaves_out_what_words_decide(
    run: Path, server: ScriptedProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    before = server.log()["requests"]
    assert forecast(run, run.parent / "out.parquet", Sizes(rollouts=4), scripted=True) == 0
    assert server.log()["requests"] == before
    assert {row["family"] for row in rows(run.parent / "out.parquet")} == {"forecast_world", "conversation"}
    assert "20 needs_a_model" in capsys.readouterr().out
    questions = {t["text"].rstrip("?") for b in branches(run)["public"] for t in b["turns"][b["origin"]["turn"] :]}
    assert set(QUESTIONS) & questions, "the program's own words"


def test_few_cases_that_match_are_no_rate_and_that_is_told() -> None:
    record = Record.model_validate(_ended())
    row = forecast_row(Cut(record, 1), BaseRate(), Rate(3, 4, 1), Rate(0, 0, 0, ess=4.9, candidates=50), 0.5)
    assert row["forecast_p"] is row["brier"] is row["abstain_gold"] is row["outcome_base_rate"] is None
    assert row["reason"] == "too_few_matching, no_train_dialogues"
    assert row["mc_public"]["reason"] == "too_few_matching" and row["mc_public"]["p"] is None
    assert row["mc_privileged"]["p"] == 0.75 and row["mc_privileged"]["faults"] == 1
    assert Rate(0, 0, 4).reason == "all_rollouts_failed" and Rate(0, 0, 4).p is None, "a failed rollout is no failure"


def test_an_interval_is_wider_the_fewer_cases_it_rests_on() -> None:
    one, many, few = (Rate(15, 20, 0, ess).interval for ess in (None, 1000.0, 6.0))
    assert one is not None and many is not None and few is not None
    assert one == Interval.of_share(0.75, 20) and many == Interval.of_share(0.75, 19)
    assert few == Interval.of_share(0.75, 4), "1 / (1/20 + 1/6), rounded down"


@pytest.mark.parametrize(
    ("low", "high", "told"), [(0.6, 0.9, "yes"), (0.1, 0.4, "no"), (0.4, 0.6, "undecided"), (0.5, 0.9, "undecided")]
)
def test_who_straddles_the_threshold_is_undecided(low: float, high: float, told: str) -> None:
    assert abstention(Interval(0.5, low, high, 9), 0.5) == told


def test_bad_input_is_told_in_one_line(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    with pytest.raises(DataError, match="is not a run directory"):
        forecast(tmp_path / "nowhere", out, SMALL)
    with pytest.raises(InputError, match=r"--family: 'conversaton' is not in this run; did you mean 'conversation'"):
        forecast(run, out, SMALL, "conversaton")
    with pytest.raises(InputError, match=r"--threshold: 1\.5 lies not between 0 and 1"):
        forecast(run, out, Sizes(threshold=1.5))
    with pytest.raises(InputError, match=r"20 needs_a_model, .*\); leave out --scripted"):
        forecast(run, out, SMALL, "tutoring", scripted=True)
    bare_ones = 0
    for file in dialogue_files(run):
        bare = [to_row(_without_outcome(record)) for record in read_records([file])]
        bare_ones += len(bare)
        write_table(file, pa.Table.from_pylist(bare, SCHEMA))
    why = rf"no dialogue .* can be forecast \({bare_ones} no_outcome\); name a --family that has"
    with pytest.raises(InputError, match=why):
        forecast(run, out, SMALL)
    assert not out.exists()


def _without_outcome(record: Record) -> Record:
    return record.model_copy(update={"dialogue": record.dialogue.model_copy(update={"outcome": {}})})


def _ended() -> dict[str, Any]:
    view = {"role": "user", "brief": ""}
    scenario = {"family": "f", "domain": "d", "base_case_id": "c", "seed": 0, "goal": "", "views": {"user": view}}
    turns = [{"role": "user", "text": "hi"}, {"role": "assistant", "text": "bye"}]
    ended = {"reason": "goal_reached"}
    sides = {"learner": "assistant", "partner": "user", "outcome": {"success": True}}
    return {"dialogue": {"scenario": scenario, "turns": turns, "ending": ended, **sides}}


def test_the_page_names_every_column_and_option() -> None:
    page = (TESTS.parent / "docs" / "forecast.md").read_text()
    columns = [name for name in FORECASTS.names if f"`{name}`" not in page]
    given = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "forecast", "--help"], capture_output=True, text=True, check=True
    ).stdout
    options = [name for name in re.findall(r"--[a-z]+", given) if f"`{name}`" not in page and name != "--help"]
    assert not columns and not options and "overture forecast runs/quickstart" in given
