"""`overture check --simulator`: what it says of simulated users that hold to their card, and of some that do not."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from played import case
from scripted_server import ScriptedProcess

from generators.domains.recommendation import load as load_domain
from generators.families.recommendation import Recommendation
from generators.matching import named
from pipelines.commitment import Sizes, check_simulator
from pipelines.commitment_figures import Trial, intraclass, judged, share
from pipelines.commitment_reading import Values
from schemas.dialogue import Move, Turn
from schemas.errors import InputError
from schemas.judgement import Interval
from schemas.scenario import Scenario

LIMIT_S = 120
RECOMMENDATION = "generators.families.recommendation.Recommendation"
FACTLESS = "commitment_players.Factless"
FILMS = Recommendation(cells={"needed": 1.0})
SMALL = Sizes(dialogues=6, again=2, replays=2)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedProcess]:
    with ScriptedProcess("--reply", "scripted_players:obey") as process:
        yield process


def recipe(folder: Path, base_url: str, *others: str) -> Path:
    model = {"use": "remote", "base_url": base_url, "model": "scripted"}
    entries = [{"use": RECOMMENDATION, "cells": {"needed": 1.0}}, *({"use": use} for use in others)]
    data = {"target": 4, "families": entries, "models": {"default": model}, "embedder": model}
    (folder / "small.yaml").write_text(yaml.safe_dump(data))
    return folder / "small.yaml"


def checked(folder: Path, base_url: str, sizes: Sizes = SMALL) -> dict[str, Any]:
    assert check_simulator(recipe(folder, base_url, FACTLESS), [], sizes, None, folder / "out") == 0
    return json.loads((folder / "out" / "commitment.json").read_text())


def value(family: dict[str, Any], name: str, words: str) -> float:
    [found] = [f for f in family["figures"] if (f["name"], f["words"], f["point"]) == (name, words, "")]
    assert found["found"]["low"] <= found["found"]["value"] <= found["found"]["high"]
    return found["found"]["value"]


def test_users_whose_model_obeys_are_committed_and_without_the_card_they_are_not(
    tmp_path: Path, server: ScriptedProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    data = checked(tmp_path, server.base_url)
    films, factless = data["families"]
    for name in ("commit, asked", "commit, wrong guess"):
        assert value(films, name, "after checks") == 1.0
        assert value(films, name, "control") < 0.3
    assert value(films, "inconsistent answers", "after checks") == 0.0
    assert value(films, "template answers, wrong guess", "after checks") < 0.5
    assert factless["skipped"] == "its user holds no facts: there is nothing to be committed to"
    gate = next(g for g in films["gates"] if g["name"].startswith("commit, wrong guess with the card"))
    assert gate["verdict"].startswith("not shown (1.000, 0.4"), "three persons show nothing"
    told = capsys.readouterr()
    assert "commit, wrong guess" in told.out and "skipped: its user holds no facts" in told.out
    assert "recommendation: answers: " in told.err


def test_a_model_that_wants_anything_is_seen_in_its_first_words_and_in_the_share_of_templates(tmp_path: Path) -> None:
    with ScriptedProcess("--reply", "commitment_players:wavers") as wavering:
        films = checked(tmp_path, wavering.base_url)["families"][0]
    assert value(films, "commit, asked", "first attempt") < 0.4
    assert value(films, "commit, wrong guess", "first attempt") < 0.4
    assert value(films, "commit, asked", "control") < 0.4
    assert value(films, "template answers, asked", "after checks") > 0.5
    assert {a["verdict"] for a in films["answers"] if a["source"] == "first attempt"} >= {"other"}


def test_what_was_answered_is_asked_once_and_no_shard_is_written(tmp_path: Path, server: ScriptedProcess) -> None:
    first = checked(tmp_path, server.base_url)
    asked = server.log()["answers"]
    again = checked(tmp_path, server.base_url)
    assert server.log()["answers"] == asked and again["families"] == first["families"]
    assert first["calls"] > 0 and again["calls"] == 0
    assert not list((tmp_path / "out" / "shards").iterdir()) and not (tmp_path / "out" / "data").exists()


def test_ctrl_c_is_code_130_in_one_line_and_the_same_command_goes_on(tmp_path: Path, server: ScriptedProcess) -> None:
    recipe(tmp_path, server.base_url)
    sizes = ("--dialogues", "40", "--points", "0,2,last", "--again", "2", "--family", "recommendation")
    command = [sys.executable, "-P", "-m", "pipelines.cli", "check", "small.yaml", "--simulator", *sizes]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("recommendation: dialogues:"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait(timeout=LIMIT_S) == 130
    assert rest.splitlines()[-1].startswith("overture: interrupted; nothing answered is lost")
    assert "Traceback" not in rest and "never awaited" not in rest
    out = tmp_path / "runs" / "small-commitment"
    assert not (out / "commitment.json").exists()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    assert (out / "commitment.json").exists()


def test_odd_options_are_told_in_one_line(tmp_path: Path, server: ScriptedProcess) -> None:
    path = recipe(tmp_path, server.base_url)
    with pytest.raises(InputError, match="--points: 'frist' is no turn"):
        check_simulator(path, [], Sizes(points=("frist",)))
    with pytest.raises(InputError, match=r"--family: 'recomendation' .* did you mean 'recommendation'"):
        check_simulator(path, [], SMALL, "recomendation")


def heard(scenario: Scenario, *said: Turn) -> Move:
    opening = Turn(role="user", text="hey", intent_requested="request")
    move = FILMS.next(scenario, [opening, *said])
    assert isinstance(move, Move) and move.role == "user"
    return move


def guesses(text: str, asked: Sequence[str] = ()) -> Turn:
    return Turn(role="assistant", text=text, intent_requested="free", facts_asked=tuple(asked))


def wanting(slot: str, wanted: str) -> Scenario:
    scenarios = (case(FILMS, seed) for seed in range(500))
    return next(s for s in scenarios if s.plan["wants"].get(slot) == wanted and s.session_latents["cell"] == "needed")


@pytest.mark.parametrize("asked", [(), ("genre",)])
def test_who_is_told_a_wrong_value_contradicts_and_says_their_own(asked: Sequence[str]) -> None:
    scenario = wanting("genre", "comedy")
    move = heard(scenario, guesses("I think it was scary, right?", asked))
    fact = next(f for f in scenario.views["user"].facts if f.id == "genre")
    assert move.fallback == f"no, {fact.text}" and move.fact_ids == ("genre",) and move.labels["corrects"] == "genre"


def test_who_has_told_it_says_it_again_in_other_words() -> None:
    scenario = wanting("genre", "comedy")
    fact = next(f for f in scenario.views["user"].facts if f.id == "genre")
    told = Turn(role="user", text=fact.text, intent_requested="answer", facts_disclosed=("genre",))
    move = heard(scenario, guesses("What kind?", ("genre",)), told, guesses("So something scary, right?"))
    ways = load_domain("films").slots["genre"].values["comedy"]
    assert move.fallback is not None and move.fallback.removeprefix("no, ") in set(ways) - {fact.text}
    assert move.labels["corrects"] == "genre" and not move.fact_ids


@pytest.mark.parametrize(
    "text",
    [
        "Comedy, right?",
        "A comedy, or really scary?",
        "That one is really scary.",
        "do you want something easy or something that makes you think?",
    ],
)
def test_a_right_guess_a_choice_a_statement_and_a_plain_question_are_not_contradicted(text: str) -> None:
    assert "corrects" not in heard(wanting("genre", "comedy"), guesses(text)).labels


def test_values_are_those_that_the_family_samples_and_are_known_by_their_own_words() -> None:
    values = Values.of(FILMS, 7)
    slot = load_domain("films").slots["genre"]
    assert set(values.phrases[slot.about]) == set(slot.values)
    assert values.says("i want a tearjerker, something sad", slot.about, "sad")
    assert not any(values.says("i want something good please", slot.about, value) for value in slot.values)
    assert named("a scary one", ["scary"])


def test_intervals_count_persons_and_gates_are_decided_by_their_bounds() -> None:
    asked = share("commit", "", "after checks", [Trial(str(n % 5), True) for n in range(1000)])
    assert asked.found is not None and asked.n == 1000 and asked.found.n == 5
    assert asked.found.low == pytest.approx(0.566, abs=0.001)
    assert Interval.of_share(0.5, 100) == pytest.approx((0.5, 0.404, 0.596, 100), abs=0.001)
    assert judged("x", Interval.of_share(1.0, 200), at_least=0.98).verdict.startswith("met (")
    assert judged("x", Interval.of_share(1.0, 100), at_least=0.98).verdict.startswith("not shown (")
    assert judged("x", Interval.of_share(0.5, 100), at_least=0.98).verdict.startswith("not met (")
    assert judged("x", Interval.of_share(0.0, 100), at_most=0.01).verdict.startswith("not shown (")
    assert judged("x", None, at_least=0.5).verdict == "not shown (nothing to judge)"


def test_persons_who_write_alike_have_no_signal_and_persons_who_stay_themselves_have() -> None:
    draws = np.random.default_rng(0)
    steady = np.repeat(draws.normal(size=(50, 1)), 2, axis=1)
    assert intraclass(steady) == pytest.approx(1.0)
    assert abs(intraclass(draws.normal(size=(2000, 2))) or 1.0) < 0.1
    assert intraclass(np.ones((5, 2))) is None
