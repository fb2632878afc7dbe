"""`overture probe`: what it says of models whose knowledge and whose questions are known."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from probe_players import OBEYED
from scripted_server import ScriptedProcess, ScriptedServer

from generators.tasks.catalog import by_id
from pipelines.probe import Sizes, probe
from pipelines.probe_figures import Tried, above, best, difference
from pipelines.probe_questions import (
    MOST_PROBLEMS,
    MOST_PROMPTS,
    NO_PROMPT,
    about,
    knowledge_questions,
    problem_questions,
    requests,
)
from schemas.errors import InputError, RunError, ServerError
from schemas.judgement import Interval

LIMIT_S = 120
SMALL = Sizes(facts=120, prompts=3, problems=40)
PENCILS = by_id("word_arithmetic.pencils").draft(Random(817))
SHOWN = "David buys 7 rulers. How many dollars does David pay for all the rulers?"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedProcess]:
    with ScriptedProcess("--reply", "probe_players:always_asks") as process:
        yield process


def recipe(folder: Path, base_url: str) -> Path:
    """The embedder is nowhere: it is not asked."""
    remote = {"use": "remote", "base_url": base_url, "model": "scripted"}
    nowhere = {**remote, "base_url": "http://127.0.0.1:9"}
    models = {"default": remote, "other": nowhere}
    data = {
        "target": 4,
        "families": [{"use": "generators.families.tutoring.Tutoring"}],
        "models": models,
        "roles": {"teacher": "other"},
        "embedder": nowhere,
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(data))
    return folder / "small.yaml"


def probed(folder: Path, base_url: str, sizes: Sizes = SMALL) -> dict[str, Any]:
    assert probe(recipe(folder, base_url), [], sizes, None, None, folder / "out") == 0
    return json.loads((folder / "out" / "probe.json").read_text())


def figure(data: dict[str, Any], measure: str, condition: str) -> dict[str, Any]:
    [found] = [f for f in data["figures"] if (f["measure"], f["condition"]) == (measure, condition)]
    return found


def claim(data: dict[str, Any], words: str) -> str:
    [found] = [c["verdict"] for c in data["claims"] if words in c["name"]]
    return found


def test_instructions_leave_a_model_at_chance_and_facts_in_its_prompt_do_not(
    tmp_path: Path, server: ScriptedProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    data = probed(tmp_path, server.base_url)
    for condition in ("no prompt", "prompt"):
        found = figure(data, "right", condition)["found"]
        assert found["n"] == 60 and found["low"] < 0.25 < found["high"]
    told = figure(data, "right", "prompt and facts")["found"]
    assert told == {"value": 1.0, **Interval.of_share(1.0, 60)._asdict()}
    assert claim(data, "instructions alone know more than chance").startswith("not shown (")
    assert claim(data, "facts in context know more").startswith("yes (+0.")
    out = capsys.readouterr()
    assert "chance 0.25" in out.out and "facts, dev: prompt plain: 60 of 60" in out.err
    page = (tmp_path / "out" / "report.html").read_text()
    assert "chance 0.25" in page and page.count("<circle") == 3 + 6 + 2


def test_who_always_asks_asks_of_every_problem_and_is_told_nothing_of_it(
    tmp_path: Path, server: ScriptedProcess
) -> None:
    data = probed(tmp_path, server.base_url)
    for condition in ("no prompt", "prompt"):
        assert figure(data, "asked", condition)["found"]["value"] == 1.0
        assert figure(data, "asked_on_answerable", condition)["found"]["value"] == 1.0
        assert figure(data, "asked_right_slot", condition)["found"]["value"] == 0.0
        more = figure(data, "asked less asked_on_answerable", condition)["found"]
        assert more["value"] == 0.0 and more["low"] == -more["high"] < -0.1
    assert claim(data, "with the best prompt it asks more").startswith("not shown (+0.00")


def test_the_prompt_that_works_is_chosen_on_dev_and_reported_on_test(tmp_path: Path) -> None:
    with ScriptedProcess("--reply", "probe_players:asks_if_told") as process:
        data = probed(tmp_path, process.base_url)
    assert [t["found"]["value"] for t in data["prompts"]["problems"]] == [0.0, 0.0, 1.0]
    assert figure(data, "asked", "prompt")["prompt_variant_id"] == OBEYED
    assert figure(data, "asked", "prompt")["found"] == Interval.of_share(1.0, 20)._asdict()
    assert figure(data, "asked_right_slot", "prompt")["found"]["value"] == 1.0
    assert figure(data, "asked_on_answerable", "prompt")["found"]["value"] == 0.0
    assert figure(data, "asked", "no prompt")["found"]["value"] == 0.0
    assert claim(data, "the best prompt tells the two apart better than none").startswith("yes (+1.00")
    rows = [json.loads(line) for line in (tmp_path / "out" / "answers.jsonl").read_text().splitlines()]
    asked = Counter((r["task"], r["half"], r["condition"], r["prompt_variant_id"]) for r in rows)
    assert asked["problems", "dev", "prompt", OBEYED] == asked["problems", "test", "prompt", OBEYED] == 40
    assert asked["problems", "test", "no prompt", NO_PROMPT] == 40
    assert {r["half"] for r in rows if r["condition"] != "prompt"} == {"test"}
    assert not {r["item"] for r in rows if r["half"] == "dev"} & {r["item"] for r in rows if r["half"] == "test"}


def test_answers_that_cannot_be_used_are_counted_with_their_reason_and_are_in_no_share(tmp_path: Path) -> None:
    with ScriptedProcess("--reply", "probe_players:asks_and_names_none") as process:
        data = probed(tmp_path, process.base_url, Sizes(facts=8, prompts=1, problems=4))
    found = figure(data, "right", "no prompt")
    assert found["found"] is None and found["missing"] == {"schema_mismatch": 4}
    assert claim(data, "facts in context").startswith("not shown (nothing to judge)")


def test_an_answer_that_was_cut_is_counted_and_what_it_had_asked_is_read(tmp_path: Path) -> None:
    with ScriptedProcess("--reply", "probe_players:asks_at_once", "--cut-short") as process:
        data = probed(tmp_path, process.base_url, Sizes(facts=8, prompts=1, problems=4))
    assert figure(data, "right", "no prompt")["missing"] == {"cut_short": 4}
    assert figure(data, "asked", "prompt")["cut"] == 4 and figure(data, "asked", "prompt")["found"]["value"] == 1.0


def test_what_was_answered_is_asked_once_and_a_larger_probe_asks_only_for_the_rest(
    tmp_path: Path, server: ScriptedProcess
) -> None:
    first = probed(tmp_path, server.base_url, Sizes(facts=24, prompts=2, problems=6))
    asked = server.log()["answers"]
    again = probed(tmp_path, server.base_url, Sizes(facts=24, prompts=2, problems=6))
    assert server.log()["answers"] == asked and (first["calls"] > 0, again["calls"]) == (True, 0)
    assert again["figures"] == first["figures"]
    more = probed(tmp_path, server.base_url, Sizes(facts=24, prompts=3, problems=6))
    assert 12 + 6 <= more["calls"] <= 12 + 6 + 24 + 6, "the third prompt on dev; of test only what it may win"


def test_ctrl_c_is_code_130_in_one_line_and_the_same_command_goes_on(tmp_path: Path, server: ScriptedProcess) -> None:
    recipe(tmp_path, server.base_url)
    command = [sys.executable, "-P", "-m", "pipelines.cli", "probe", "small.yaml", "--facts", "400"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("facts, dev: prompt plain"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait(timeout=LIMIT_S) == 130
    assert rest.splitlines()[-1].startswith("overture: interrupted; nothing answered is lost")
    assert "Traceback" not in rest and "never awaited" not in rest
    out = tmp_path / "runs" / "small-probe"
    assert not (out / "probe.json").exists()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    data, answers = json.loads((out / "probe.json").read_text()), (out / "answers.jsonl").read_text().splitlines()
    assert data["calls"] <= len(answers) - 100, "a hundred were told of before the interruption"


def test_another_model_or_seed_is_refused_where_a_probe_lies(tmp_path: Path, server: ScriptedProcess) -> None:
    probed(tmp_path, server.base_url, Sizes(facts=8, prompts=1, problems=4))
    with pytest.raises(RunError, match="give another --out"):
        probe(tmp_path / "small.yaml", ["seed=8"], Sizes(facts=8), None, None, tmp_path / "out")


@pytest.mark.parametrize(
    ("sizes", "model", "role", "told"),
    [
        (Sizes(facts=61), None, None, "--facts: 61 is no multiple of 4 from 8 on; give 60"),
        (Sizes(facts=4), None, None, "--facts: 4 is no multiple of 4 from 8 on; give 8"),
        (Sizes(prompts=MOST_PROMPTS + 1), None, None, f"--prompts: {MOST_PROMPTS + 1} is not between 1 and"),
        (Sizes(problems=500), None, None, f"--problems: 500 is not between 4 and {MOST_PROBLEMS}"),
        (SMALL, "defualt", None, "--model: no model 'defualt' in this recipe; did you mean 'default'"),
        (SMALL, None, "studnet", "--role: no role 'studnet' in this recipe; did you mean 'student'"),
        (SMALL, "default", "student", "--model and --role are both given; give one of them"),
    ],
)
def test_odd_options_are_told_in_one_line(
    tmp_path: Path, sizes: Sizes, model: str | None, role: str | None, told: str
) -> None:
    with pytest.raises(InputError) as raised:
        probe(recipe(tmp_path, "http://127.0.0.1:9"), [], sizes, model, role, tmp_path / "out")
    assert str(raised.value).startswith(told)


@pytest.mark.parametrize(("model", "role"), [("other", None), (None, "teacher")])
def test_the_model_that_was_named_is_asked_and_one_that_does_not_serve_is_told(
    tmp_path: Path, model: str | None, role: str | None
) -> None:
    with ScriptedServer() as well, ScriptedServer(model="another") as wrong:
        path = recipe(tmp_path, well.base_url)
        sets = [f"models.other.base_url={wrong.base_url}"]
        with pytest.raises(ServerError, match="does not serve 'scripted'"):
            probe(path, sets, SMALL, model, role, tmp_path / "out")
        assert not well.requests


def test_a_problem_stands_in_one_half_with_and_without_what_it_needs_and_a_group_of_facts_with_its_page() -> None:
    pairs = problem_questions(MOST_PROBLEMS, 7)
    assert len(pairs) == 2 * MOST_PROBLEMS == 2 * len({q.template for q in pairs})
    for flawed, complete in zip(pairs[::2], pairs[1::2], strict=True):
        assert (flawed.template, flawed.half) == (complete.template, complete.half)
        assert flawed.missing is not None and complete.missing is None
        assert flawed.missing.text in complete.text and flawed.missing.text not in flawed.text
    for question in knowledge_questions(60, 7):
        assert question.known.text in question.page
        assert all(any(choice in fact for fact in question.page) for choice in question.known.choices)
    halves = Counter((q.half, q.known.id.split(".")[0]) for q in knowledge_questions(64, 7))
    assert set(halves.values()) == {4} and len({group for _, group in halves}) == len(halves)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("What is the price of a ruler?", "price"),
        ("How much does each ruler cost?", "price"),
        ("I can work that out. Please provide the price of each ruler. Then I multiply it by 7.", "price"),
        ("The price is not given. Could you tell me?", "price"),
        ("To solve this I need:\n1. the cost of one ruler\nPlease tell me the price of a ruler", "price"),
        ("How many rulers does David buy?", "count"),
        ("Can you say more?", None),
    ],
)
def test_a_request_is_found_and_so_is_what_it_is_about(text: str, fact: str | None) -> None:
    asked = requests(text, SHOWN, PENCILS)
    assert asked
    found = [about(a, PENCILS) for a in asked][-1]
    assert (found.id if found else None) == fact


@pytest.mark.parametrize(
    "text",
    [
        "David pays 14 dollars.",
        "So how many dollars does David pay for all the rulers? David pays 14 dollars.",
        "How many dollars does David pay?",
        "What is the price of a ruler? Let us assume 3 dollars. Then David pays 21 dollars.",
        "The answer is 14. Do you have any other questions?",
        "David pays 14 dollars. Does that make sense?",
        "It cannot be known.",
    ],
)
def test_an_answer_a_question_put_to_oneself_and_a_polite_close_are_no_requests(text: str) -> None:
    assert requests(text, SHOWN, PENCILS) == []


def test_a_small_models_assumption_is_no_request() -> None:
    """An answer of Qwen2.5-Coder-1.5B-Instruct, as it came."""
    said = (
        "To determine Rosa's age on her birthday, we need to know the current year. Since the problem does not specify"
        " the current year, I'll assume the current year is 2023 for the sake of this example. If you have the current"
        " year, you can substitute it in the calculation."
    )
    shown = "Rosa wins a medal on a birthday. The medal is won in 2010. How old does Rosa become on that birthday?"
    assert requests(said, shown, by_id("sets_dates.age_from_year").draft(Random(1))) == []


def test_differences_hold_both_intervals_and_bounds_decide() -> None:
    high, low = Interval.of_share(0.9, 50), Interval.of_share(0.3, 50)
    gap = difference(high, low)
    assert gap is not None and gap == pytest.approx((0.6, 0.422, 0.722, 50), abs=0.001)
    assert above(gap, 0.0).startswith("yes (+0.60, +0.42 to +0.72, n = 50)")
    assert above(Interval.of_share(0.3, 20), 0.25).startswith("not shown (+0.05")
    assert above(Interval.of_share(0.02, 100), 0.25).startswith("no (")
    assert difference(high, None) is None and above(None, 0.0) == "not shown (nothing to judge)"


def test_of_equally_good_prompts_the_first_is_taken_and_never_one_without_a_figure() -> None:
    none, some, more = Tried("a", "", None), Tried("b", "", Interval(-0.2, -0.5, 0.1, 9)), Tried("c", "", None)
    assert best([none, some, more]) is some
    tie = Interval(0.5, 0.2, 0.8, 9)
    assert best([Tried("a", "", tie), Tried("b", "", tie)]).prompt_variant_id == "a"
