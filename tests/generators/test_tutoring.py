"""Tutoring, played by a function: what is withheld comes out when it is asked for, and never the answer."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import case, note, obeys, played

from generators.families.tutoring import Tutoring
from schemas.chat import ChatRequest
from schemas.dialogue import Dialogue, Ending, Move, Turn
from schemas.scenario import Scenario

FAMILY = Tutoring()
seeds = st.integers(0, 100_000)


def withheld(count: int, seed: int = 0) -> int:
    """The first seed from `seed` on whose case withholds `count` facts."""
    return next(s for s in range(seed, seed + 400) if len(case(FAMILY, s).views["teacher"].facts) == count)


def knows(scenario: Scenario, answer: str | None = None) -> Any:
    """A model that obeys, and answers as given (default: right)."""

    def says(request: ChatRequest) -> str | dict[str, Any]:
        if request.json_schema is None:
            return obeys(request)
        given = scenario.verifier.answer if answer is None and scenario.verifier else answer
        return {"say": " ".join(str(obeys(request))[8:60].split()[:6]), "answer": given}

    return says


def shape(dialogue: Dialogue) -> list[tuple[str, str | None]]:
    return [(t.role, t.intent_requested) for t in dialogue.turns]


@given(seeds)
def test_the_student_sees_neither_the_withheld_facts_nor_the_solution(seed: int):
    scenario = case(FAMILY, seed)
    student, teacher = scenario.views["student"], scenario.views["teacher"]
    seen = student.model_dump_json()
    assert student.facts == () and student.private == {} and student.public == teacher.public
    assert not any(f.text in seen for f in teacher.facts) and teacher.private["solution"] not in seen


@given(seeds)
def test_a_case_is_decided_by_its_seed_and_its_base_case_is_the_template(seed: int):
    scenario = case(FAMILY, seed)
    assert scenario == case(FAMILY, seed) and scenario.base_case_id.startswith("problem/")
    assert scenario.verifier is not None and scenario.verifier.check(scenario.verifier.answer)


def test_about_a_quarter_can_be_solved_without_asking():
    counts = Counter(len(case(FAMILY, seed).views["teacher"].facts) for seed in range(600))
    assert set(counts) == {0, 1, 2} and 110 < counts[0] < 190


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_a_proactive_student_asks_for_all_that_is_missing_before_it_answers(count: int):
    scenario = case(FAMILY, withheld(count))
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    asked_and_told = [("student", "ask"), ("teacher", "tell")] * count
    assert shape(dialogue) == [
        ("teacher", "pose"),
        *asked_and_told,
        ("student", "answer"),
        ("teacher", "confirm"),
    ]
    assert dialogue.ending == Ending(reason="goal_reached", by="student") and dialogue.outcome["success"] is True


async def test_a_reactive_student_answers_at_once_and_asks_once_it_was_told_that_it_is_wrong():
    scenario = case(FAMILY, withheld(1), "reactive")
    dialogue, _ = await played(FAMILY, scenario, knows(scenario, "7777777"))
    assert shape(dialogue)[:5] == [
        ("teacher", "pose"),
        ("student", "answer"),
        ("teacher", "hint"),
        ("student", "ask"),
        ("teacher", "tell"),
    ]
    assert dialogue.outcome["success"] is False


@settings(max_examples=25, deadline=None)
@given(seeds, st.sampled_from(["reactive", "proactive"]))
async def test_a_fact_comes_out_only_after_it_was_asked_for_and_once(seed: int, policy: Any):
    scenario = case(FAMILY, seed, policy)
    dialogue, _ = await played(FAMILY, scenario)
    assert len(dialogue.turns) <= scenario.max_turns
    told: set[str] = set()
    for before, turn in pairwise(dialogue.turns):
        assert set(turn.facts_disclosed) <= set(before.facts_asked) and not told & set(turn.facts_disclosed)
        told |= set(turn.facts_disclosed)
        assert turn.facts_disclosed == () or turn.role == "teacher"
        assert (turn.answer_correct is not None) == (turn.answer is not None)


async def test_a_student_who_stays_wrong_ends_the_lesson_without_hearing_the_answer():
    scenario = case(FAMILY, withheld(0))
    assert scenario.verifier is not None
    dialogue, _ = await played(FAMILY, scenario, knows(scenario, "7777777"))
    assert shape(dialogue)[-1] == ("teacher", "close") and dialogue.ending == Ending(reason="gave_up", by="teacher")
    assert sum(t.answer is not None for t in dialogue.turns) == 2
    assert [t.intent_requested for t in dialogue.turns].count("hint") == 1


async def test_a_question_about_nothing_withheld_brings_out_nothing():
    scenario = case(FAMILY, withheld(1))

    def off_topic(request: ChatRequest) -> str | dict[str, Any]:
        return f"Do zebras yawn {request.key.turn} times?" if note(request).startswith("ask") else obeys(request)

    dialogue, _ = await played(FAMILY, scenario, off_topic)
    questions = [n for n, t in enumerate(dialogue.turns) if t.intent_requested == "ask"]
    assert questions and all(dialogue.turns[n].facts_asked == () for n in questions)
    assert not any(t.facts_disclosed for t in dialogue.turns)
    assert dialogue.turns[questions[0] + 1].intent_requested == "redirect"


async def test_a_teacher_whose_model_says_something_else_tells_the_fact_in_the_programs_words():
    scenario = case(FAMILY, withheld(1))
    (fact,) = scenario.views["teacher"].facts

    def vague(request: ChatRequest) -> str | dict[str, Any]:
        return "Well, who knows." if note(request).startswith("tell") else obeys(request)

    dialogue, _ = await played(FAMILY, scenario, vague)
    told = next(t for t in dialogue.turns if t.facts_disclosed)
    assert (told.text, told.model, told.labels["fallback"]) == (fact.text, None, "fact_not_said")


async def test_a_teacher_never_gives_the_answer_away():
    scenario = case(FAMILY, withheld(0))
    assert scenario.verifier is not None
    secret = scenario.verifier.answer

    def blabs(request: ChatRequest) -> str | dict[str, Any]:
        if request.json_schema is not None:
            return {"say": "That must be it.", "answer": "7777777"}
        return f"Not quite, it is {secret}."

    dialogue, _ = await played(FAMILY, scenario, blabs)
    hints = [t for t in dialogue.turns if t.intent_requested == "hint"]
    assert hints and all(t.model is None and t.labels["fallback"] for t in hints)


async def test_a_student_that_does_not_ask_when_it_should_ends_as_a_fault():
    scenario = case(FAMILY, withheld(1))

    def shy(request: ChatRequest) -> str | dict[str, Any]:
        return "I would rather not say." if note(request).startswith("ask") else obeys(request)

    dialogue, _ = await played(FAMILY, scenario, shy)
    assert (dialogue.ending.reason, dialogue.ending.by, dialogue.ending.detail) == (
        "fault",
        "student",
        "intent_not_met",
    )
    assert len(dialogue.turns) == 1


async def test_the_students_prompts_hold_nothing_withheld():
    requests: list[ChatRequest] = []
    for seed in range(25):
        for policy in ("reactive", "proactive"):
            scenario = case(FAMILY, seed, policy)
            dialogue, asked = await played(FAMILY, scenario, knows(scenario))
            requests += asked
            for request in asked:
                before = " ".join(t.text or "" for t in dialogue.turns[: request.key.turn])
                if request.messages[0].content.startswith("You are a student"):
                    shown = "\n".join(m.content for m in request.messages)
                    hidden = [f for f in scenario.views["teacher"].facts if f.text not in before]
                    assert not any(f.text in shown for f in hidden)
    assert len(requests) > 100


def test_a_dialogue_that_runs_out_of_turns_ends_so():
    scenario = case(FAMILY, withheld(2))
    turns = [Turn(role="teacher", text="?") if n % 2 == 0 else Turn(role="student", text="?") for n in range(8)]
    assert FAMILY.next(scenario, turns) == Ending(reason="max_turns")
    assert isinstance(FAMILY.next(scenario, turns[:7]), Move)


def test_problems_of_ones_own_replace_the_built_in_ones(tmp_path: Path):
    path = tmp_path / "problems.jsonl"
    path.write_bytes(orjson.dumps({"question": "Ann has 3 pens and buys 4. How many has she?", "answer": "7"}) + b"\n")
    scenario = case(Tutoring(problems=path))
    assert "Ann has 3 pens" in scenario.views["student"].public
    assert scenario.verifier is not None and scenario.verifier.check("7")
