"""The family `flawed`, played by a function: what is lacking comes out when it is asked for; of a control nothing is."""

import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import case, obeys, played
from pydantic import ValidationError

from filters.private_leak import PrivateLeak
from generators.clarifying import LEADS, Inquiry
from generators.doubts import doubts
from generators.families.flawed import Flawed
from generators.speakers.external import External
from generators.tasks.flawed_sets import loaded
from generators.tasks.sentences import sentences
from rewards import folds
from schemas.chat import ChatRequest
from schemas.dialogue import Dialogue, Ending
from schemas.errors import DataError
from schemas.judgement import KEEP
from schemas.scenario import Policy, Scenario

FAMILY = Flawed()
SETS = Path(__file__).parents[2].parent / "shared" / "corpora" / "problems__flawed_math.parquet"
seeds = st.integers(0, 100_000)
FLAWED, CONTROL = 0, 1
TOLD = [("user", "pose"), ("assistant", "ask"), ("user", "tell"), ("assistant", "answer")]


def variant(n: int, cell: str = "needed", policy: Policy = "proactive", rewriting: str | None = None) -> Scenario:
    """The first case whose flawed problem is of a cell, and whose proactive reader sees what is lacking."""
    cases = (case(FAMILY, seed, policy) for seed in range(500))
    found = next(
        c
        for c in cases
        if c.session_latents["cell"] == cell
        and rewriting in (None, c.plan["rewriting"])
        and c.session_latents["patience"] > 2
        and any(d.matters for d in doubts(str(c.plan["problem"])))
    )
    return FAMILY.vary(found, n)


def knows(scenario: Scenario, answer: str | None = None) -> Any:
    """A model that obeys, and answers as given (default: right)."""

    def says(request: ChatRequest) -> str | dict[str, Any]:
        if request.json_schema is None:
            return obeys(request)
        right = scenario.verifier.answer if scenario.verifier is not None else "7"
        return {"say": "That is how it comes out.", "answer": answer or right}

    return says


async def freely(family: Flawed, scenario: Scenario, *messages: str) -> Dialogue:
    """A free assistant with these messages, the last one again and again; the user's model obeys."""
    left = list(messages)

    def model(request: ChatRequest) -> str | dict[str, Any]:
        if "[rewrite: " in request.messages[-1].content:
            return obeys(request)
        return left.pop(0) if len(left) > 1 else left[0]

    speakers = {**family.speakers, "assistant": External()}
    return (await played(family, scenario, model, speakers))[0]


def shape(dialogue: Dialogue) -> list[tuple[str, str | None]]:
    return [(t.role, t.intent_requested) for t in dialogue.turns]


@given(seeds)
def test_flawed_and_control_are_two_forms_of_one_case_brought_by_one_person(seed: int):
    flawed = case(FAMILY, seed)
    control = FAMILY.vary(flawed, CONTROL)
    assert FAMILY.variants == 2 and FAMILY.vary(flawed, FLAWED) == flawed == case(FAMILY, seed)
    assert flawed.base_case_id == control.base_case_id and re.fullmatch(r"flawed/\S+\+\S+", flawed.base_case_id)
    assert flawed.views["user"].private == control.views["user"].private
    assert flawed.plan["flaw_type"] == flawed.plan["rewriting"] and control.plan["flaw_type"] == "none"
    assert sentences(flawed.plan["problem"])[-1] == sentences(control.plan["problem"])[-1]
    assert control.session_latents["cell"] == "useless" and control.verifier is not None
    assert flawed.verifier == control.verifier or flawed.session_latents["cell"] == "impossible"


@given(seeds)
def test_the_assistant_sees_only_the_problem_and_the_user_only_what_was_taken_out(seed: int):
    for scenario in (case(FAMILY, seed), FAMILY.vary(case(FAMILY, seed), CONTROL)):
        assistant, user = scenario.views["assistant"], scenario.views["user"]
        assert assistant.facts == () and assistant.private == {} and assistant.public == user.public
        (fact,) = user.facts
        assert user.private.keys() == {"typing"} and fact.required == (scenario.plan["flaw_type"] != "none")
        assert (fact.disclose == "never") == (scenario.session_latents["cell"] == "impossible")
        lacks = scenario.plan["rewriting"] != "contradiction" or fact.text in user.public
        assert lacks and user.public.endswith(scenario.plan["problem"])


def test_half_needs_no_question_and_a_tenth_cannot_succeed():
    cells: Counter[str] = Counter()
    for seed in range(500):
        for n in range(FAMILY.variants):
            cells[FAMILY.vary(case(FAMILY, seed), n).session_latents["initiative"]] += 1
    assert cells["needless"] == 500 and 65 < cells["hopeless"] < 135 and cells["needed"] == 500 - cells["hopeless"]


@pytest.mark.parametrize("rewriting", ["missing", "missing_distractor", "contradiction"])
@pytest.mark.parametrize("policy", ["proactive", "privileged"])
async def test_what_is_lacking_is_asked_for_told_and_made_use_of(rewriting: str, policy: Policy):
    scenario = variant(FLAWED, policy=policy, rewriting=rewriting)
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    assert shape(dialogue) == TOLD and dialogue.ending == Ending(reason="goal_reached", by="assistant")
    wanted = {"success": True, "asked": True, "asked_right_slot": 1.0, "final_correct": True, "abstained": False}
    assert wanted.items() <= dialogue.outcome.items()
    assert dialogue.outcome["flaw_type"] == rewriting and dialogue.outcome["removed_span"]
    assert dialogue.turns[2].facts_disclosed == dialogue.turns[1].facts_asked == ("removed",)
    assert scenario.views["user"].facts[0].value.strip("$") in (dialogue.turns[2].text or "")
    assert PrivateLeak().judge(dialogue) == KEEP
    assert policy == "proactive" or not any(t.labels.get("clairvoyant") for t in dialogue.turns)


@pytest.mark.parametrize("policy", ["proactive", "privileged", "reactive"])
async def test_a_control_is_answered_at_once(policy: Policy):
    scenario = variant(CONTROL, policy=policy)
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    assert shape(dialogue) == [("user", "pose"), ("assistant", "answer")] and dialogue.outcome["success"] is True
    assert dialogue.outcome["asked_on_answerable"] is False and dialogue.outcome["asked_right_slot"] is None
    assert dialogue.outcome["missing_slot"] is None and dialogue.outcome["flaw_type"] == "none"


async def test_a_lucky_guess_is_correct_and_no_success():
    scenario = variant(FLAWED, policy="reactive")
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    assert dialogue.outcome["final_correct"] is True and dialogue.outcome["success"] is False


async def test_asking_about_a_control_is_a_false_alarm_even_if_the_answer_is_right():
    scenario = variant(CONTROL, policy="external")
    quoted = " or ".join(scenario.plan["shown"])
    assert scenario.verifier is not None
    dialogue = await freely(FAMILY, scenario, f"What do you mean, {quoted}?", f"Answer: {scenario.verifier.answer}")
    assert [t.intent_requested for t in dialogue.turns] == ["pose", "free", "tell", "free"]
    assert dialogue.outcome["final_correct"] is True and dialogue.outcome["success"] is False
    assert dialogue.outcome["asked_on_answerable"] is True
    assert folds.success(dialogue) == (0.0, None)  # or always-asking would be rewarded


async def test_where_nobody_knows_it_the_user_says_so_and_a_guess_is_wrong():
    scenario = variant(FLAWED, "impossible")
    dialogue, _ = await played(FAMILY, scenario)
    assert shape(dialogue) == [("user", "pose"), ("assistant", "ask"), ("user", "deny"), ("assistant", "stop")]
    assert dialogue.outcome["success"] is True and dialogue.outcome["abstained"] is True
    assert not any(t.facts_disclosed for t in dialogue.turns) and folds.success(dialogue) == (1.0, None)
    guess = FAMILY.vary(scenario, FLAWED).model_copy(update={"policy": "reactive"})
    guessed, _ = await played(FAMILY, guess)
    assert guessed.outcome["success"] is False and guessed.turns[-1].answer_correct is False


async def test_who_knows_without_asking_that_nobody_knows_is_clairvoyant():
    dialogue, _ = await played(FAMILY, variant(FLAWED, "impossible", "privileged"))
    assert shape(dialogue) == [("user", "pose"), ("assistant", "stop")]
    assert dialogue.turns[-1].labels["clairvoyant"] is True and dialogue.outcome["success"] is True


async def test_a_question_that_does_not_name_what_is_lacking_is_half_right_and_one_beside_the_point_is_not():
    scenario = variant(FLAWED, policy="external", rewriting="missing")
    fact = scenario.views["user"].facts[0]
    stated = next(
        s
        for s in sentences(scenario.plan["problem"])[:-1]
        if re.search(r"\d", s) and not set(s.lower().split()) & {"some", *fact.slot.lower().split()[:2]}
    )
    dialogue = await freely(FAMILY, scenario, f"Is it true that {stated[:-1]}?", "Do zebras yawn?", "Bye.")
    asked = [t.labels["asked_right_slot"] for t in dialogue.turns[1::2] if "ask" in t.acts]
    assert asked == [0.5, 0.0] and dialogue.outcome["asked_right_slot"] == 0.5
    assert [t.intent_requested for t in dialogue.turns[2::2]][:2] == ["unsure", "unsure"]
    assert not any(t.facts_disclosed for t in dialogue.turns) and dialogue.outcome["success"] is False


async def test_a_user_whose_patience_is_spent_leaves():
    scenario = variant(FLAWED, policy="external")
    hurried = scenario.model_copy(update={"session_latents": scenario.session_latents | {"patience": 1}})
    dialogue = await freely(FAMILY, hurried, "Let me think about it.", "Still thinking about that.", "Well.")
    assert dialogue.ending == Ending(reason="gave_up", by="user") and dialogue.outcome["patience_spent"] == 2


@pytest.mark.parametrize(
    ("text", "does", "answer"),
    [
        ("There is not enough information to solve this; 14 pens are known.", "stop", None),
        ("It cannot be determined.", "stop", None),
        ("We can't work it out from this.", "stop", None),
        ("The two numbers contradict each other. Which is right?", "ask", None),
        ("She gives away 10 pens.\nAnswer: 4", "answer", "4"),
        ("I cannot tell for sure. Answer: 4", "answer", "4"),
        ("How many pens has she?", "ask", None),
        ("Let me see.", "say", None),
    ],
)
async def test_what_a_free_assistant_does_is_read_off_its_words(text: str, does: str, answer: str | None):
    dialogue = await freely(FAMILY, variant(FLAWED, policy="external"), text, "It cannot be known.")
    first = dialogue.turns[1]
    assert (first.intent_detected, first.answer) == (does, answer)
    assert (dialogue.turns[1] is dialogue.turns[-1]) == (does in ("stop", "answer"))


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from(["reactive", "proactive", "privileged"]), st.integers(0, 1))
async def test_a_played_dialogue_follows_from_its_turns_and_nothing_leaks(seed: int, policy: Policy, n: int):
    scenario = FAMILY.vary(case(FAMILY, seed, policy), n)
    dialogue, _ = await played(FAMILY, scenario)
    assert dialogue.ending.reason != "fault" and len(dialogue.turns) <= scenario.max_turns
    for at, turn in enumerate(dialogue.turns):
        step = FAMILY.next(scenario, dialogue.turns[:at])
        assert not isinstance(step, Ending) and (step.role, step.intent) == (turn.role, turn.intent_requested)
    asked = {i for t in dialogue.turns for i in t.facts_asked}
    assert {i for t in dialogue.turns for i in t.facts_disclosed} <= asked
    assert Inquiry.of(scenario, dialogue.turns).told == any(t.facts_disclosed for t in dialogue.turns)
    assert PrivateLeak().judge(dialogue) == KEEP


def test_a_proactive_reader_asks_for_what_seems_to_matter_and_not_for_what_is_elsewhere_or_strange():
    pens = "Ann has {} pens. {} She gives 5 pens to her brother. How many pens are left?"
    echo = "In the exercise before, Ann has {} pens."
    (doubt,) = doubts(pens.format("some", echo.format(9)))
    assert doubt.matters and doubt.question == 'how many are "some pens"'
    assert [d.matters for d in doubts(pens.format(14, echo.format("some")))] == [False]
    assert [d.matters for d in doubts(pens.format(14, "Ann drives some miles."))] == [False]
    (doubt,) = doubts(pens.format(14, "Again: Ann has 15 pens."))
    assert doubt.matters and doubt.question == "which number is correct, 14 or 15"
    assert doubts(pens.format(14, "Again: Ann has 14 pens.")) == []


def test_the_user_says_hello_in_several_ways_or_not_at_all():
    leads = {case(FAMILY, seed).plan["lead"].lower().rstrip(":?") for seed in range(60)}
    assert "" in leads and len(leads) >= len(LEADS) - 1


def rows(path: Path, *given_rows: dict[str, Any]) -> Path:
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in given_rows))
    return path


OWN = {"problem_id": "a", "question": "Ann has 2 pens and 3 caps. How many things?", "answer": "5", "answerable": True}
LACKS = {
    "problem_id": "b",
    "question": "Ann has pens and 3 caps. How many things?",
    "answer": None,
    "answerable": False,
    "meta": {"original_problem_id": "a"},
}


async def test_of_a_loaded_set_asking_or_stopping_is_right_and_its_control_is_answered(tmp_path: Path):
    family = Flawed(sets=rows(tmp_path / "set.jsonl", OWN, LACKS))
    flawed = case(family, 1, "external")
    assert flawed.plan["flaw_type"] == "unanswerable" and flawed.session_latents["cell"] == "impossible"
    stopped = await freely(family, flawed, "It cannot be known.")
    asked = await freely(family, flawed, "How many pens has Ann?", "Not enough information.")
    guessed = await freely(family, flawed, "Answer: 5")
    assert [d.outcome["success"] for d in (stopped, asked, guessed)] == [True, True, False]
    assert asked.turns[2].intent_requested == "unsure" and asked.outcome["asked_right_slot"] == 0.5
    control = family.vary(flawed, CONTROL)
    answered = await freely(family, control, "Answer: 5")
    assert answered.outcome["success"] is True and control.session_latents["cell"] == "given"
    assert control.base_case_id == flawed.base_case_id


def test_a_flawed_row_without_a_control_of_its_own_gets_one_of_the_others_and_lies_in_its_split(tmp_path: Path):
    alone = {**LACKS, "problem_id": "c", "question": "Bo has bikes. How many?", "meta": {}}
    named = {**LACKS, "problem_id": "d", "meta": {"original_question": "Ann has 2 pens and 3 caps.  How many things?"}}
    odd = {**OWN, "problem_id": "e", "question": "Who is it?", "answer": "the man with the very long grey coat"}
    found = loaded(rows(tmp_path / "set.jsonl", OWN, LACKS, alone, named, odd))
    assert {c.control.question for c in found.cases} == {OWN["question"]} and len(found.cases) == 3
    assert len({c.base_case_id for c in found.cases}) == 1 and found.refused == {"no_verifiable_answer": 1}


@pytest.mark.parametrize("given_rows", [(LACKS,), (OWN,)])
def test_a_set_without_controls_or_without_flaws_is_refused(tmp_path: Path, given_rows: tuple[dict[str, Any], ...]):
    with pytest.raises(DataError, match=r"set\.jsonl: . flawed problems and . controls .* put answerable rows beside"):
        Flawed(sets=rows(tmp_path / "set.jsonl", *given_rows)).sample(Random(1))


def test_problems_go_under_problems_and_sets_under_sets(tmp_path: Path):
    plain = rows(tmp_path / "plain.jsonl", {"question": "What is 1 and 1?", "answer": "2"})
    with pytest.raises(DataError, match=r"no column 'answerable'.*under 'problems'"):
        Flawed(sets=plain).sample(Random(1))
    with pytest.raises(DataError, match=r"no two problems of which flawed ones can be made .1 no_steps"):
        Flawed(problems=plain).sample(Random(1))
    with pytest.raises(ValidationError, match="give one of the two"):
        Flawed(problems=plain, sets=plain)


@pytest.mark.skipif(not SETS.exists(), reason="the shared corpora are not on this machine")
def test_every_row_of_the_shared_sets_is_loaded_or_counted():
    found = loaded(SETS)
    assert len(found.cases) == 2650 and sum(found.refused.values()) == 0
    own = [c for c in found.cases if c.flawed.question.split()[:3] == c.control.question.split()[:3]]
    assert len(own) > 1700  # of 1945 that name theirs; it is the same problem, so it begins alike
