"""Tutoring, played by a function: what is withheld comes out when it is asked for, and never the answer."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import case, note, obeys, played, services

from generators.families.tutoring import CELLS, Tutoring
from generators.latents.session import SessionLatents
from schemas.chat import ChatRequest
from schemas.dialogue import Dialogue, Ending, Move, Turn
from schemas.scenario import Policy, Scenario

FAMILY = Tutoring()
OF_THE_LESSON = ("withheld", "steps", "misconception", "probes")
seeds = st.integers(0, 100_000)


def withheld(count: int, cell: str = "needed", **latents: int) -> Scenario:
    """The first case of a cell whose teacher holds `count` facts; nobody holds a misconception or probes."""
    cell = "given" if count == 0 else cell
    cases = (case(FAMILY, s) for s in range(2000))
    found = next(c for c in cases if len(c.views["teacher"].facts) == count and c.session_latents["cell"] == cell)
    plain = {"misconception": None, "probes": False}
    return found.model_copy(update={"session_latents": found.session_latents | plain | latents})


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
    assert not any(f.text in seen for f in teacher.facts)
    assert scenario.session_latents["cell"] == "impossible" or teacher.private["solution"] not in seen


@given(seeds)
def test_a_case_is_decided_by_its_seed_and_its_base_case_is_the_template(seed: int):
    scenario = case(FAMILY, seed)
    assert scenario == case(FAMILY, seed) and scenario.base_case_id.startswith("problem/")
    assert scenario.verifier is not None and scenario.verifier.check(scenario.verifier.answer)
    assert SessionLatents.model_validate({k: v for k, v in scenario.session_latents.items() if k not in OF_THE_LESSON})


def test_a_quarter_needs_no_question_in_a_quarter_more_none_is_welcome_or_of_use_and_a_tenth_is_hopeless():
    cases = [case(FAMILY, seed) for seed in range(600)]
    counts = Counter(c.session_latents["initiative"] for c in cases)
    assert 110 < sum(c.session_latents["cell"] == "given" for c in cases) < 190
    assert counts["needless"] + counts["unwelcome"] >= 0.25 * 600 and 35 < counts["hopeless"] < 90
    assert sum(CELLS.values()) == pytest.approx(1) and {len(c.views["teacher"].facts) for c in cases} == {0, 1, 2}
    assert all((c.session_latents["withheld"] == 0) == (c.session_latents["initiative"] == "needless") for c in cases)


@given(seeds)
def test_what_a_case_withholds_goes_with_its_cell(seed: int):
    scenario = case(FAMILY, seed)
    facts, cell = scenario.views["teacher"].facts, scenario.session_latents["cell"]
    assert bool(facts) == (cell != "given") and all(f.required for f in facts) == (cell != "useless")
    assert sum(f.disclose == "never" for f in facts) == (cell == "impossible")
    assert ("answer" in scenario.views["teacher"].private) == (cell != "impossible")


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_a_proactive_student_asks_for_all_that_is_missing_before_it_answers(count: int):
    scenario = withheld(count)
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
    scenario = withheld(1).model_copy(update={"policy": "reactive"})
    dialogue, _ = await played(FAMILY, scenario, knows(scenario, "7777777"))
    assert shape(dialogue)[:5] == [
        ("teacher", "pose"),
        ("student", "answer"),
        ("teacher", "hint"),
        ("student", "ask"),
        ("teacher", "tell"),
    ]
    assert dialogue.outcome["success"] is False


@settings(max_examples=25)
@given(seeds, st.sampled_from(["reactive", "proactive"]))
async def test_a_fact_comes_out_only_after_it_was_asked_for_and_once(seed: int, policy: Policy):
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
    scenario = withheld(0)
    assert scenario.verifier is not None
    dialogue, _ = await played(FAMILY, scenario, knows(scenario, "7777777"))
    assert shape(dialogue)[-1] == ("teacher", "close") and dialogue.ending == Ending(reason="gave_up", by="teacher")
    assert sum(t.answer is not None for t in dialogue.turns) == 2
    assert [t.intent_requested for t in dialogue.turns].count("hint") == 1


async def test_a_question_about_nothing_withheld_brings_out_nothing():
    scenario = withheld(1)

    def off_topic(request: ChatRequest) -> str | dict[str, Any]:
        return f"Do zebras yawn {request.key.turn} times?" if note(request).startswith("ask") else obeys(request)

    dialogue, _ = await played(FAMILY, scenario, off_topic)
    questions = [n for n, t in enumerate(dialogue.turns) if t.intent_requested == "ask"]
    assert questions and all(dialogue.turns[n].facts_asked == () for n in questions)
    assert not any(t.facts_disclosed for t in dialogue.turns)
    assert dialogue.turns[questions[0] + 1].intent_requested == "redirect"


async def test_a_teacher_whose_model_says_something_else_tells_the_fact_in_the_programs_words():
    scenario = withheld(1)
    (fact,) = scenario.views["teacher"].facts

    def vague(request: ChatRequest) -> str | dict[str, Any]:
        return "Well, who knows." if note(request).startswith("rewrite") else obeys(request)

    dialogue, _ = await played(FAMILY, scenario, vague)
    told = next(t for t in dialogue.turns if t.facts_disclosed)
    assert (told.labels["clean"], told.model, told.labels["fallback"]) == (fact.text, None, "fact_not_said")


async def test_a_teacher_never_gives_the_answer_away():
    scenario = withheld(0)
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
    scenario = withheld(1)

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
                before = " ".join(t.labels.get("clean", t.text or "") for t in dialogue.turns[: request.key.turn])
                if request.messages[0].content.startswith("You are a student"):
                    shown = "\n".join(m.content for m in request.messages)
                    hidden = [f for f in scenario.views["teacher"].facts if f.text not in before]
                    assert not any(f.text in shown for f in hidden)
    assert len(requests) > 100


def test_a_dialogue_that_runs_out_of_turns_ends_so():
    scenario = withheld(2)
    turns = [Turn(role="teacher", text="?") if n % 2 == 0 else Turn(role="student", text="?") for n in range(8)]
    assert FAMILY.next(scenario, turns) == Ending(reason="max_turns")
    assert isinstance(FAMILY.next(scenario, turns[:7]), Move)


def teachers(dialogue: Dialogue) -> list[Turn]:
    return [t for t in dialogue.turns if t.role == "teacher"]


async def test_a_teacher_who_wants_a_try_first_answers_after_it():
    scenario = withheld(1, "refuses")
    dialogue, _ = await played(FAMILY, scenario, knows(scenario, "7777777"))
    assert [t.intent_requested for t in dialogue.turns[:7]] == [
        "pose",
        "ask",
        "refuse",
        "answer",
        "hint",
        "ask",
        "tell",
    ]
    assert dialogue.turns[1].text != dialogue.turns[5].text
    reactive, _ = await played(FAMILY, scenario.model_copy(update={"policy": "reactive"}), knows(scenario, "7777777"))
    assert "refuse" not in [t.intent_requested for t in reactive.turns]


async def test_a_teacher_in_a_hurry_answers_one_question_says_so_and_leaves_at_the_next():
    scenario = withheld(2, "hurry", tells=1)
    dialogue, _ = await played(FAMILY, scenario)
    assert [t.intent_requested for t in dialogue.turns[:4]] == ["pose", "ask", "tell", "answer"]
    assert "time" in str(dialogue.turns[2].text) and dialogue.turns[2].labels["hurry"]
    asks = [Turn(role="student", text="?", acts=("ask",), facts_asked=(f.id,)) for f in scenario.views["teacher"].facts]
    closing = FAMILY.next(scenario, [*dialogue.turns[:1], asks[0], dialogue.turns[2], asks[1]])
    assert isinstance(closing, Move) and closing.intent == "close"


async def test_what_the_teacher_does_not_have_is_denied_once_and_every_answer_is_wrong():
    scenario = withheld(1, "impossible")
    dialogue, _ = await played(FAMILY, scenario)
    assert [t.intent_requested for t in dialogue.turns] == [
        "pose",
        "ask",
        "deny",
        "answer",
        "hint",
        "answer",
        "close",
    ]
    assert dialogue.ending == Ending(reason="gave_up", by="teacher")
    assert (dialogue.outcome["success"], dialogue.outcome["abstained"]) == (False, False)
    assert FAMILY.outcome(scenario, dialogue.turns[:3], Ending(reason="max_turns"))["abstained"] is True
    assert not any(t.facts_disclosed for t in dialogue.turns) and dialogue.turns[2].labels["denied"]


async def test_what_nobody_needs_is_told_too_and_the_answer_is_right_with_and_without_it():
    scenario = withheld(1, "useless")
    for policy, asked in (("proactive", 1), ("reactive", 0)):
        now = scenario.model_copy(update={"policy": policy})
        dialogue, _ = await played(FAMILY, now, knows(scenario))
        assert (dialogue.outcome["success"], dialogue.outcome["questions"]) == (True, asked)


async def test_at_most_as_many_facts_as_the_person_tells_come_out_at_once_and_the_rest_costs_patience():
    first, second = withheld(2).views["teacher"].facts
    both = Turn(role="student", text="?", acts=("ask",), facts_asked=(first.id, second.id))
    pose = Turn(role="teacher", text="?", intent_requested="pose")
    one = FAMILY.next(withheld(2, tells=1), [pose, both])
    assert isinstance(one, Move) and one.fact_ids == (first.id,)
    assert one.labels["withheld"] == [second.id] and one.labels["costs"] and "One thing at a time" in str(one.fallback)
    two = FAMILY.next(withheld(2, tells=2), [pose, both])
    assert isinstance(two, Move) and two.fact_ids == (first.id, second.id) and not two.labels


async def test_two_questions_in_one_message_are_both_heard():
    scenario = withheld(2)
    first, second = scenario.views["teacher"].facts
    turn = Turn(role="student", text=f"What about {second.slot}? And {first.slot}?", acts=("ask",))
    heard = await FAMILY.observe(scenario, [], turn, services(obeys, "student"))
    assert heard.facts_asked == (second.id, first.id)


def test_patience_is_spent_by_questions_about_nothing_and_repeated_ones_and_then_the_lesson_ends():
    scenario = withheld(2, patience=2)
    fact = scenario.views["teacher"].facts[0]
    turns = [Turn(role="teacher", text="?", intent_requested="pose")]
    met: list[str] = []
    for asked in ((fact.id,), (fact.id,), (), ()):
        turns.append(Turn(role="student", text="?", acts=("ask",), facts_asked=asked))
        move = FAMILY.next(scenario.model_copy(update={"max_turns": 20}), turns)
        assert isinstance(move, Move)
        met.append(move.intent)
        told: dict[str, Any] = {"facts_disclosed": move.fact_ids, "labels": move.labels}
        turns.append(Turn(role="teacher", text="!", intent_requested=move.intent, **told))
    assert met == ["tell", "repeat", "redirect", "close"]
    assert FAMILY.next(scenario, turns[-1:]) == Ending(reason="gave_up", by="teacher")


async def test_however_a_teacher_types_numbers_values_and_answers_stay():
    styles: set[bool] = set()
    for seed in range(60):
        scenario = case(FAMILY, seed)
        dialogue, _ = await played(FAMILY, scenario, knows(scenario))
        for turn in teachers(dialogue)[1:]:
            text, clean = str(turn.text), str(turn.labels["clean"])
            assert re.findall(r"\d+", text) == re.findall(r"\d+", clean)
            told = [f.value for f in scenario.facts if f.id in turn.facts_disclosed]
            assert all(value in text for value in told if value in clean)
            styles.add(text == clean)
    assert styles == {True, False}


async def test_what_a_model_adds_to_a_telling_is_cut():
    scenario = withheld(1)

    def chatty(request: ChatRequest) -> str | dict[str, Any]:
        said = note(request).removeprefix("rewrite: ")
        return f"{said} Does that help?" if note(request).startswith("rewrite") else obeys(request)

    dialogue, _ = await played(FAMILY, scenario, chatty)
    assert not any("help" in str(t.text) for t in teachers(dialogue))


def test_problems_of_ones_own_replace_the_built_in_ones(tmp_path: Path):
    path = tmp_path / "problems.jsonl"
    path.write_bytes(orjson.dumps({"question": "Ann has 3 pens and buys 4. How many has she?", "answer": "7"}) + b"\n")
    scenario = case(Tutoring(problems=path))
    assert "Ann has 3 pens" in scenario.views["student"].public
    assert scenario.verifier is not None and scenario.verifier.check("7")
    assert (scenario.session_latents["cell"], scenario.session_latents["initiative"]) == ("given", "needless")


def allowed(request: ChatRequest) -> str | dict[str, Any]:
    """A model that obeys, and answers what the schema allows."""
    if request.json_schema is None:
        return obeys(request)
    return {"say": "So that must be it.", "answer": request.json_schema["properties"]["answer"].get("const", "7777777")}


def clairvoyance(dialogue: Dialogue) -> list[tuple[str | None, bool]]:
    return [(t.intent_requested, t.labels["clairvoyant"]) for t in dialogue.turns if t.role == "student"]


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_a_privileged_student_asks_for_what_is_needed_and_then_gives_the_right_answer(count: int):
    scenario = withheld(count).model_copy(update={"policy": "privileged"})
    dialogue, _ = await played(FAMILY, scenario, allowed)
    assert clairvoyance(dialogue) == [*[("ask", False)] * count, ("answer", False)]
    assert [t.facts_asked for t in dialogue.turns if t.facts_asked] == [(f.id,) for f in scenario.facts]
    assert dialogue.outcome["success"] is True and dialogue.outcome["patience_spent"] == 0


@pytest.mark.parametrize(("cell", "clairvoyant"), [("hurry", True), ("refuses", True), ("useless", False)])
async def test_a_privileged_student_answers_at_once_where_questions_are_unwelcome_or_of_no_use(
    cell: str, clairvoyant: bool
):
    scenario = withheld(1, cell).model_copy(update={"policy": "privileged"})
    dialogue, _ = await played(FAMILY, scenario, allowed)
    assert clairvoyance(dialogue) == [("answer", clairvoyant)] and dialogue.outcome["success"] is True


async def test_a_privileged_student_stops_where_nobody_can_know_the_answer():
    scenario = withheld(2, "impossible").model_copy(update={"policy": "privileged"})
    dialogue, requests = await played(FAMILY, scenario, allowed)
    assert clairvoyance(dialogue) == [("stop", True)] and not requests
    assert dialogue.ending == Ending(reason="closed_by_learner", by="student")
    assert (dialogue.outcome["success"], dialogue.outcome["abstained"]) == (False, True)


@settings(max_examples=25)
@given(seeds, st.sampled_from(["reactive", "proactive", "privileged"]))
async def test_only_turns_of_the_privileged_student_say_whether_they_are_clairvoyant(seed: int, policy: Policy):
    dialogue, _ = await played(FAMILY, case(FAMILY, seed, policy), allowed)
    for turn in dialogue.turns:
        assert ("clairvoyant" in turn.labels) == (policy == "privileged" and turn.role == "student")
    assert policy != "privileged" or dialogue.outcome["success"] != (dialogue.outcome["cell"] == "impossible")
