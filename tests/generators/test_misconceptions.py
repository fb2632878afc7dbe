"""Misconceptions: the wrong answer of a problem computed wrongly, and how a lesson goes in which a student holds one; how
a teacher looks at a wrong answer before it hints.
"""

from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from played import case, obeys, played
from talks import CORPORA, needs_corpora

from generators.families.tutoring import Tutoring
from generators.tasks import catalog, external
from generators.tasks.executable import executable
from generators.tasks.misconceptions import KINDS, Misconception, MisconceptionKind, drawn, of_executable, of_givens
from generators.teacher_moves import by_words
from generators.teaching import _PROBES, PROBES  # pyright: ignore[reportPrivateUsage]
from schemas.chat import ChatRequest
from schemas.dialogue import Dialogue, Turn
from schemas.identity import rng
from schemas.scenario import Policy, Scenario, parse_number

ALWAYS = Tutoring(misconceptions=1.0)
EGGS = "A crate holds 12 boxes of 6 eggs, and 8 eggs are broken. How many dozen whole eggs are there?"
WORKED = "<<12*6=72>>72 eggs, <<72-8=64>>64 whole ones, <<64*2=128>>128."


def by_kind(found: tuple[Misconception, ...]) -> dict[str, set[str]]:
    return {kind: {m.answer for m in found if m.kind == kind} for kind in {m.kind for m in found}}


def test_a_worked_problem_computed_wrongly_in_each_way_has_the_answers_one_gets_by_hand():
    weeks = "Ann runs 5 miles a day and rests on 3 days. How many miles does she run in a week?"
    found = by_kind(of_executable(executable(weeks, "<<7-3=4>>4 days, <<4*5=20>>20 miles.", Fraction(20))))
    assert found["first_number"] == {"5"}
    assert found["operator_exchanged"] == {"50", "9"}  # 7 + 3 days; 4 + 5
    assert found["step_forgotten"] == {"4", "5"}  # of days times miles one was left out
    assert "unit_slip" not in found, "7 is taken away from, not converted by"
    feet = "A camel is 8 times as tall as a hare of 15 inches. How many feet is that?"
    found = by_kind(of_executable(executable(feet, "<<8*15=120>>120 inches, <<120/12=10>>10 feet.", Fraction(10))))
    assert found["unit_slip"] == {"120"}


@pytest.mark.parametrize(
    ("name", "kind", "wrong"),
    [
        ("pencils", "operator_exchanged", lambda count, price: count + price),
        ("marbles_left", "operator_exchanged", lambda start, given: start + given),
        ("weekly_savings", "step_forgotten", lambda start, weekly, weeks: weekly * weeks),
        ("garden_rows", "step_forgotten", lambda rows, each, dried: rows * each),
        ("pencils", "first_number", lambda count, price: count),
    ],
)
def test_a_template_computed_wrongly_has_the_answer_one_gets_by_hand(name: str, kind: str, wrong: Any):
    draft = catalog.by_id(f"word_arithmetic.{name}").draft(rng(4))
    givens = {g.id: g.value for g in draft.givens}
    found = by_kind(of_givens(draft.solve, givens, draft.steps))
    assert str(wrong(**givens)) in found[kind]


@given(st.integers(0, 10_000))
def test_what_a_misconception_leads_to_is_wrong_and_looks_possible(seed: int):
    """Fails where the right answer, a negative one or a fraction of a pencil is among them."""
    draws = rng(seed)
    problem = draws.choice(catalog.ALL).make(draws, withhold=0)
    for one in problem.misconceptions:
        number = parse_number(one.answer)
        assert not problem.verifier.check(one.answer) and number is not None and number > 0
        assert number.denominator == 1


def test_most_templates_that_count_something_allow_one_and_none_of_the_others():
    made = [t.make(rng(0, t.id), withhold=0) for t in catalog.ALL]
    numbers = [p for p in made if p.verifier.kind == "number"]
    assert sum(bool(p.misconceptions) for p in numbers) >= 0.9 * len(numbers) and len(numbers) > 50
    assert not any(p.misconceptions for p in made if p.verifier.kind != "number")


def test_kinds_are_drawn_by_their_weights_among_those_a_problem_has():
    three: tuple[MisconceptionKind, ...] = ("first_number", "step_forgotten", "operator_exchanged")
    found = [Misconception(kind=kind, answer=str(n)) for n, kind in enumerate(three)]
    draws = rng(1)
    seen = Counter(m.kind for m in (drawn(found, KINDS, draws) for _ in range(3000)) if m)
    wanted = KINDS["step_forgotten"] / sum(KINDS[k] for k in three)
    assert seen["step_forgotten"] / 3000 == pytest.approx(wanted, abs=0.03)
    assert drawn(found, {"unit_slip": 1.0}, draws) is None and drawn([], KINDS, draws) is None


@needs_corpora
def test_worked_problems_of_a_file_allow_every_kind():
    problems = external.load(CORPORA / "problems__gsm8k_sample.parquet", limit=300).problems
    seen = Counter(kind for p in problems for kind in {m.kind for m in p.misconceptions})
    assert set(seen) == set(KINDS) and sum(bool(p.misconceptions) for p in problems) > 200
    assert not any(p.verifier.check(m.answer) for p in problems for m in p.misconceptions)


def holding(cell: str, count: int, policy: Policy, probes: bool = False) -> Scenario:
    """The first case of a cell with so many facts withheld whose student holds a misconception."""
    cases = (case(ALWAYS, seed, policy) for seed in range(3000))
    found = next(
        c
        for c in cases
        if c.session_latents["cell"] == cell
        and c.session_latents["misconception"]
        and len(c.views["teacher"].facts) == count
    )
    return found.model_copy(update={"session_latents": found.session_latents | {"probes": probes, "tells": 1}})


def allowed(request: ChatRequest) -> str | dict[str, Any]:
    """Answers what the schema allows, `RIGHT` where it is free."""
    if request.json_schema is None:
        return obeys(request)
    answer = request.json_schema["properties"]["answer"].get("const", "RIGHT")
    return {"say": f"I worked it out in message {request.key.turn}.", "answer": answer}


async def lesson(scenario: Scenario, free: str | None = None) -> Dialogue:
    """Where the student may answer as it likes it is right, or says `free`."""
    right = free or (scenario.verifier.answer if scenario.verifier else "")

    def says(request: ChatRequest) -> str | dict[str, Any]:
        said = allowed(request)
        return said if isinstance(said, str) or said["answer"] != "RIGHT" else said | {"answer": right}

    return (await played(ALWAYS, scenario, says))[0]


def intents(dialogue: Dialogue) -> list[str | None]:
    return [t.intent_requested for t in dialogue.turns[1:]]


@pytest.mark.parametrize("policy", ["reactive", "proactive"])
async def test_the_first_answer_is_the_wrong_one_until_a_hint_and_success_stays_possible(policy: Policy):
    scenario = holding("given", 0, policy)
    held = scenario.session_latents["misconception"]
    dialogue = await lesson(scenario)
    assert intents(dialogue) == ["answer", "hint", "answer", "confirm"]
    first, second = (t for t in dialogue.turns if t.answer is not None)
    assert (first.answer, first.answer_correct, first.labels["misconception"]) == (held["answer"], False, held["kind"])
    assert (first.text or "").endswith(f"So my answer is {held['answer']}."), (
        "the number alone may be one of the givens"
    )
    assert second.answer_correct and "misconception" not in second.labels
    assert dialogue.outcome["success"] and dialogue.outcome["misconception"] == held["kind"]


async def test_a_wrong_answer_is_never_computed_from_what_has_not_come_out():
    """A reactive student guesses while something is missing: its schema is free then, and the hint sets it right."""
    for count in (1, 2):
        scenario = holding("needed", count, "reactive")
        dialogue = await lesson(scenario, "7777777")
        assert (
            not any("misconception" in t.labels for t in dialogue.turns) and dialogue.outcome["misconception"] is None
        )
        proactive = await lesson(scenario.model_copy(update={"policy": "proactive"}))
        assert intents(proactive) == [*["ask", "tell"] * count, "answer", "hint", "answer"] + ["confirm"] * (count == 1)
        assert proactive.outcome["success"] and proactive.outcome["misconception"]


async def test_without_room_for_another_answer_nobody_errs_on_purpose():
    scenario = holding("given", 0, "proactive").model_copy(update={"max_turns": 3})
    dialogue = await lesson(scenario)
    assert intents(dialogue) == ["answer", "confirm"] and dialogue.outcome["success"]


async def test_the_privileged_student_holds_none():
    dialogue = await lesson(holding("given", 0, "privileged"))
    assert intents(dialogue) == ["answer", "confirm"] and dialogue.outcome["misconception"] is None


def test_as_many_lessons_as_declared_hold_one_where_the_problem_allows_it():
    for family, share in ((Tutoring(), 0.3), (Tutoring(misconceptions=0.0), 0.0)):
        cases = [case(family, seed) for seed in range(1000)]
        could = [c for seed, c in enumerate(cases) if case(ALWAYS, seed).session_latents["misconception"]]
        held = [c for c in could if c.session_latents["misconception"]]
        assert len(could) > 400 and len(held) / len(could) == pytest.approx(share, abs=0.05)
        assert all(c.session_latents["misconception"] is None for c in cases if c not in could)
    hopeless = [c for c in (case(ALWAYS, seed) for seed in range(300)) if c.session_latents["cell"] == "impossible"]
    assert hopeless and not any(c.session_latents["misconception"] for c in hopeless), "every answer is wrong there"


def test_problems_of_ones_own_are_taken_wrongly_by_their_steps(tmp_path: Path):
    worked = {"question": "Ann has 3 pens and buys 4. How many has she?", "answer": "<<3+4=7>> #### 7"}
    path = tmp_path / "problems.jsonl"
    path.write_bytes(orjson.dumps(worked) + b"\n")
    only = Tutoring(problems=path, misconceptions=1.0, misconception_kinds={"first_number": 1.0})
    assert case(only).session_latents["misconception"] == {"kind": "first_number", "answer": "3"}


async def test_a_probe_comes_before_the_hint_once_and_is_answered_by_an_explanation():
    scenario = holding("given", 0, "proactive", probes=True)
    dialogue = await lesson(scenario)
    assert intents(dialogue) == ["answer", "probe", "explain", "hint", "answer", "confirm"]
    probe, explained = dialogue.turns[2], dialogue.turns[3]
    assert (probe.labels["teacher_move"], probe.model) == ("probing", None) and str(probe.text).endswith("?")
    assert explained.answer is None and not explained.facts_asked and dialogue.outcome["success"]
    assert dialogue.outcome["patience_spent"] == 0


async def test_who_stays_wrong_is_probed_once_and_still_has_two_answers():
    dialogue = await lesson(holding("given", 0, "proactive", probes=True), "7777777")
    assert intents(dialogue) == ["answer", "probe", "explain", "hint", "answer", "close"]


@pytest.mark.parametrize(("cell", "count", "policy"), [("needed", 1, "reactive"), ("hurry", 1, "proactive")])
async def test_a_guess_without_what_is_missing_is_not_probed_and_nobody_in_a_hurry_probes(
    cell: str, count: int, policy: Policy
):
    dialogue = await lesson(holding(cell, count, policy, probes=True), "7777777")
    first = next(n for n, t in enumerate(dialogue.turns) if t.answer is not None)
    assert dialogue.turns[first + 1].intent_requested == "hint"


async def test_there_is_no_probe_where_its_hint_and_the_next_answer_would_not_come():
    scenario = holding("given", 0, "proactive", probes=True).model_copy(update={"max_turns": 5})
    assert intents(await lesson(scenario)) == ["answer", "hint", "answer", "confirm"]


async def test_whoever_plays_freely_may_answer_ask_or_explain_after_a_probe():
    scenario = holding("given", 0, "external", probes=True)
    first = Turn(role="student", text="Answer: 7777777", answer="7777777", answer_correct=False, acts=("answer",))
    pose = Turn(role="teacher", text=scenario.views["teacher"].public, intent_requested="pose")
    probe = Turn(role="teacher", text="How did you get that?", intent_requested="probe")
    asks = Turn(role="student", text="What do you mean?", acts=("ask",))
    explains = Turn(role="student", text="I added them up.")
    again = first.model_copy(update={"text": "Answer: 7777777 again"})
    right = again.model_copy(update={"answer_correct": True})
    for said, intent in ((asks, "redirect"), (explains, "hint"), (again, "hint"), (right, "confirm")):
        move = ALWAYS.next(scenario, [pose, first, probe, said])
        assert getattr(move, "intent", None) == intent
    hint = Turn(role="teacher", text="Not quite.", intent_requested="hint")
    last = ALWAYS.next(scenario, [pose, first, probe, again, hint, again])
    assert getattr(last, "intent", None) == "close", "one probe, so at most one answer more than without"


def test_every_probe_is_one_by_its_words_and_teachers_probe_as_often_as_people():
    assert {by_words(f"Not quite. {words}") for words in _PROBES} == {"probing"}
    does = [case(ALWAYS, seed).session_latents["probes"] for seed in range(1000)]
    assert sum(does) / 1000 == pytest.approx(PROBES, abs=0.05)
