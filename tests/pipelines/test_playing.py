"""`overture play` as a person types it, with lines piped in; the other seat is a scripted model's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from scripted_server import ScriptedProcess

from outputs.store import dialogue_files, read_records
from pipelines import commands
from schemas.record import Record

LIMIT_S = 120
TUTORING = "generators.families.tutoring.Tutoring"
RECOMMENDATION = "generators.families.recommendation.Recommendation"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedProcess]:
    with ScriptedProcess("--reply", "scripted_players:obey") as process:
        yield process


def recipe(folder: Path, base_url: str, **families: object) -> Path:
    model = {"use": "remote", "base_url": base_url, "model": "scripted"}
    entries = [{"use": TUTORING, **families}, {"use": RECOMMENDATION, **families}]
    data = {"target": 4, "families": entries, "models": {"default": model}, "embedder": model}
    (folder / "small.yaml").write_text(yaml.safe_dump(data))
    return folder / "small.yaml"


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "pipelines.cli", "play", "small.yaml", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def overture(folder: Path, lines: str, *arguments: str) -> tuple[int, str, str]:
    process = start(folder, *arguments)
    out, told = process.communicate(lines, timeout=LIMIT_S)
    return process.returncode, out, told


def until(process: "subprocess.Popen[str]", words: str) -> list[str]:
    """The lines up to the first that holds the words."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or (words not in lines[-1] and lines[-1]):
        lines.append(process.stdout.readline())
    return lines


def answer(process: "subprocess.Popen[str]", lines: str) -> str:
    """Types the last lines; the rest of what is shown."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(lines)
    process.stdin.close()
    return process.stdout.read()


def rows(folder: Path) -> list[Record]:
    return list(read_records(dialogue_files(folder / "runs" / "small-play")))


def test_the_learners_seat_is_free_and_what_is_said_there_is_labelled(tmp_path: Path, server: ScriptedProcess) -> None:
    recipe(tmp_path, server.base_url)
    lines = "\n/help\nHow many are there?\nAnswer: 1\nAnswer: 2\nAnswer: 3\nAnswer: 4\n"
    code, out, told = overture(tmp_path, lines)
    assert code == 0, told
    assert "tutoring, case 0: you are the student (the learner)." in out and "teacher: " in out
    assert "Say something." in out and "There is no such command; /quit ends the dialogue." in out
    assert "\x1b" not in out and out.count("Once you know the answer") == 1
    [record] = rows(tmp_path)
    dialogue = record.dialogue
    mine = [t for t in dialogue.turns if t.role == "student"]
    assert [t.text for t in mine][:2] == ["How many are there?", "Answer: 1"]
    assert mine[0].acts == ("ask",) and mine[1].answer == "1" and mine[1].answer_correct is not None
    assert dialogue.scenario.policy == "external" and all(t.model is None and t.labels["person"] for t in mine)
    assert {t.model for t in dialogue.turns if t.role == "teacher"} <= {None, "scripted"}
    assert f"ended: {dialogue.ending.reason}" in out and "overture view runs/small-play" in out


def test_the_partners_seat_has_suggestions_and_the_facts_told_are_read_off(
    tmp_path: Path, server: ScriptedProcess
) -> None:
    recipe(tmp_path, server.base_url)
    arguments = ("--family", "recommendation", "--as", "user", "--index", "3")
    with start(tmp_path, *arguments) as process:
        shown = until(process, "you might: ")
        known = [line[4:].rpartition(" (")[0] for line in shown if line.startswith("  - ")]
        out = answer(process, f"hey, {known[0]}\nhm\nno idea\n/quit\n")
    assert process.returncode == 0
    [record] = rows(tmp_path)
    [first, *_] = record.dialogue.turns
    assert first.role == "user" and first.labels["person"] and first.model is None
    fact = next(f for f in record.dialogue.scenario.views["user"].facts if f.text == known[0])
    assert fact.id in first.facts_disclosed and fact.id in first.facts_volunteered
    assert record.dialogue.scenario.policy == "proactive" and record.dialogue.scenario.index == 3
    ending = record.dialogue.ending
    assert (ending.reason, ending.by, ending.detail) == ("closed_by_partner", "user", "left")
    assert "assistant: " in out and "ended: closed_by_partner (left)" in out


@pytest.mark.parametrize("how", ["end_of_input", "ctrl_c", "kill"])
def test_a_session_that_was_left_goes_on_where_it_was(tmp_path: Path, server: ScriptedProcess, how: str) -> None:
    recipe(tmp_path, server.base_url)
    with start(tmp_path) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write("Answer: 1\n")
        process.stdin.flush()
        until(process, "teacher: ")
        until(process, "teacher: ")
        time.sleep(0.2)
        if how != "end_of_input":
            process.send_signal(signal.SIGINT if how == "ctrl_c" else signal.SIGKILL)
            process.wait(timeout=LIMIT_S)
        answer(process, "")
        told = process.stderr.read()
    if how != "kill":
        assert process.returncode == 130 and told.splitlines() == [
            "overture: interrupted; nothing answered is lost, the same command goes on where this one stopped"
        ]
    assert not (tmp_path / "runs" / "small-play" / "data").exists()
    asked = server.log()["answers"]
    code, out, told = overture(tmp_path, "/quit\n", "--resume")
    assert code == 0, told
    assert server.log()["answers"] == asked, "the teacher was asked again"
    assert "An unfinished session goes on" in out and out.count("student: Answer: 1") == 1
    [record] = rows(tmp_path)
    assert [t.text for t in record.dialogue.turns if t.role == "student"] == ["Answer: 1"]
    assert record.dialogue.ending.by == "student" and record.dialogue.outcome["answer"] == "1"


def test_another_session_is_another_dialogue(tmp_path: Path, server: ScriptedProcess) -> None:
    recipe(tmp_path, server.base_url)
    assert overture(tmp_path, "Answer: 1\n")[0] == 130
    assert overture(tmp_path, "Answer: 2\n/quit\n", "--new")[0] == 0
    assert overture(tmp_path, "Answer: 3\n/quit\n", "--new")[0] == 0
    assert [r.dialogue.turns[1].text for r in rows(tmp_path)] == ["Answer: 2", "Answer: 3"]
    assert len({r.dialogue.id for r in rows(tmp_path)}) == 2
    code, _, told = overture(tmp_path, "", "--resume")
    assert code == 2 and "has no unfinished session tutoring-0-student-external; leave it out to begin one" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--family", "tutorin"], "--family: 'tutorin' is not in this recipe; did you mean 'tutoring'?"),
        (["--as", "techer"], "--as: tutoring has no seat 'techer'; did you mean 'teacher'?"),
        (["--as", "partner", "--policy", "privileged"], "--policy: the recipe does not play 'privileged' here"),
        (["--policy", "reactive"], "--policy: it is you who plays the student"),
    ],
)
def test_a_seat_that_is_not_there_is_code_2_in_one_line(
    tmp_path: Path, server: ScriptedProcess, arguments: list[str], said: str
) -> None:
    recipe(tmp_path, server.base_url)
    code, out, told = overture(tmp_path, "", *arguments)
    assert (code, out) == (2, "") and said in told and len(told.splitlines()) == 1


def test_a_run_plays_mixtures_and_external_siblings_and_scans_what_they_were_shown(
    tmp_path: Path, server: ScriptedProcess
) -> None:
    path = recipe(tmp_path, server.base_url, policies=["external", {"reactive": 1, "proactive": 1}])
    assert commands.generate(path, tmp_path / "raw", ["target=24"]) == 0
    found = list(read_records(sorted((tmp_path / "raw" / "shards").glob("*.parquet"))))
    policies = [(r.dialogue.scenario.sibling, r.dialogue.scenario.policy) for r in found]
    assert {p for s, p in policies if s == 0} == {"external"}
    assert {p for s, p in policies if s == 1} == {"reactive", "proactive"}
    free = [r for r in found if r.dialogue.scenario.policy == "external"]
    assert all(r.selection is None or r.selection.reason != "prompt_leak" for r in free)
    spoken = [t for r in free for t in r.dialogue.turns if t.role == r.dialogue.learner]
    assert spoken and all(t.intent_requested == "free" and t.prompt_hash for t in spoken)
