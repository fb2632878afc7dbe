"""Q-priming: how often a wrong answer becomes a question, who wrote it, and what it may not hold."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from played import case, obeys, played, services
from run_driver import Nobody
from scripted_server import ScriptedProcess

from generators.families.tutoring import Tutoring
from generators.play import play
from generators.priming import gives_away
from generators.teaching import METHOD
from outputs.store import read_records
from pipelines.recipe import load
from pipelines.run import build
from pipelines.rundir import RunDir
from rewards.folds import on_policy
from schemas.chat import ChatRequest
from schemas.contracts import KNOWS_BOTH
from schemas.dialogue import Dialogue
from schemas.scenario import Policy, Scenario

ALWAYS = Tutoring(substitution=1.0)
WRONG = "7777777"


def found(cell: str, family: Tutoring = ALWAYS, policy: Policy = "reactive", facts: int | None = None) -> Scenario:
    """The first case of a cell whose answer is a number."""
    cases = (case(family, seed, policy) for seed in range(2000))
    return next(
        c
        for c in cases
        if c.session_latents["cell"] == cell
        and c.plan["answer_kind"] == "number"
        and facts in (None, len(c.views["teacher"].facts))
    )


def errs(request: ChatRequest, question: str | None = None) -> str | dict[str, Any]:
    """Answers wrongly; as the author of a question it asks what the note says, or `question`."""
    if request.json_schema is not None:
        return {"say": f"I worked it out in turn {request.key.turn}.", "answer": WRONG}
    if request.key.step == KNOWS_BOTH:
        wanted = request.messages[-1].content.rpartition("[")[2].removesuffix("]")
        return question or (wanted.removeprefix("ask: ") if ": " in wanted else "Which step did I get wrong?")
    return obeys(request)


async def lesson(scenario: Scenario, question: str | None = None) -> tuple[Dialogue, list[ChatRequest]]:
    return await played(ALWAYS, scenario, lambda request: errs(request, question))


async def test_a_wrong_guess_becomes_a_question_for_what_is_missing_and_keeps_its_attempt():
    scenario = found("needed", facts=1)
    dialogue, _ = await lesson(scenario)
    turn, (fact,) = dialogue.turns[1], scenario.views["teacher"].facts
    assert (turn.text or "").endswith("?") and (turn.answer, turn.answer_correct, turn.acts) == (None, None, ("ask",))
    assert (turn.intent_requested, turn.intent_detected, turn.facts_asked) == ("answer", "ask", (fact.id,))
    assert turn.labels["question_substituted"] and turn.labels["question_author_view"] == "privileged"
    assert turn.labels["about"] == fact.id and turn.labels["attempt"]["answer"] == WRONG and turn.labels["p_q"] == 1.0
    assert dialogue.turns[2].facts_disclosed == (fact.id,) and not on_policy(dialogue)


async def test_where_nothing_is_missing_it_asks_for_the_step_and_hears_a_hint():
    dialogue, _ = await lesson(found("given"))
    assert dialogue.turns[1].labels["about"] == METHOD
    assert dialogue.turns[2].intent_requested == "hint" and not dialogue.turns[2].labels.get("costs")


@pytest.mark.parametrize("cell", ["hurry", "refuses", "impossible"])
async def test_no_question_is_primed_where_none_is_welcome_or_can_be_answered(cell: str):
    dialogue, asked = await lesson(found(cell))
    assert any(t.answer_correct is False for t in dialogue.turns) and on_policy(dialogue)
    assert not any("p_q" in t.labels for t in dialogue.turns) and not any(r.key.step == KNOWS_BOTH for r in asked)


@pytest.mark.parametrize("policy", ["proactive", "privileged", "external"])
async def test_only_a_student_who_guesses_is_primed(policy: Policy):
    scenario = found("needed", policy=policy)
    with_speaker = {**ALWAYS.speakers, "student": ALWAYS.speakers["student"]}
    given = services(errs, "student", "teacher")
    dialogue = await play(ALWAYS, with_speaker, scenario, given)
    assert not any("p_q" in t.labels for t in dialogue.turns)


async def test_only_the_author_of_the_question_sees_what_the_teacher_knows():
    scenario = found("needed", facts=1)
    _, asked = await lesson(scenario)
    (fact,) = scenario.views["teacher"].facts
    shown = [r for r in asked if fact.text in r.messages[-1].content and r.key.turn == 1]
    assert shown and {r.key.step for r in shown} == {KNOWS_BOTH}
    assert "Your try: " in shown[0].messages[-1].content


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("So is the answer {answer}?", "private_leak"),
        ("Is it true that {fact}?", "private_leak"),
        ("I see how it goes now.", "intent_not_met"),
        ("Did zebras yawn there?", "intent_not_met"),
    ],
)
async def test_a_question_that_holds_private_knowledge_or_is_none_leaves_the_attempt_and_says_why(
    question: str, reason: str
):
    scenario = found("needed", facts=1)
    view = scenario.views["teacher"]
    dialogue, asked = await lesson(scenario, question.format(answer=view.private["answer"], fact=view.facts[0].text))
    turn = dialogue.turns[1]
    assert (turn.answer, turn.labels["question_substituted"], turn.labels["question_failed"]) == (WRONG, False, reason)
    assert sum(r.key.step == KNOWS_BOTH and r.key.turn == 1 for r in asked) == 3 and on_policy(dialogue)


def test_a_run_of_eight_words_of_the_solution_gives_it_away_and_seven_do_not():
    view = found("given").views["teacher"]
    private = {**view.private, "solution": "first take the red ones then count all that are left", "answer": "12"}
    view = view.model_copy(update={"private": private})
    assert gives_away("So I first take the red ones then count all?", view, ()) is not None
    assert gives_away("So I first take the red ones then count?", view, ()) is None


async def test_a_wrong_answer_is_replaced_as_often_as_the_power_of_its_turn_says():
    """Fails where the draw is not made anew each turn, or t counts from 0 (then the first would always be replaced)."""
    family = Tutoring(substitution=0.75)
    seen: Counter[tuple[float, bool]] = Counter()
    for seed in range(400):
        dialogue, _ = await played(family, case(family, seed, "reactive"), errs)
        for number, turn in enumerate((t for t in dialogue.turns if t.role == "student"), 1):
            if "p_q" in turn.labels:
                assert turn.labels["p_q"] == 0.75**number
                seen[turn.labels["p_q"], turn.labels["question_substituted"] or "question_failed" in turn.labels] += 1
    chances = {p for p, _ in seen}
    assert {0.75, 0.75**2, 0.75**3} <= chances
    squares = 0.0
    for p in chances:
        n = seen[p, True] + seen[p, False]
        squares += (seen[p, True] - n * p) ** 2 / (n * p * (1 - p))
    assert squares < 16.3 + 2 * max(0, len(chances) - 3)  # chi-square of three degrees: p = .001


def test_a_run_keeps_primed_dialogues_its_leak_scan_does_not_take_the_author_for_the_student(tmp_path: Path):
    """Fails where the author's request counts as the student's own: every primed dialogue would be a `prompt_leak`."""
    with ScriptedProcess("--reply", "scripted_players:obey") as server:
        model = {"use": "remote", "base_url": server.base_url, "model": "scripted"}
        family = {"use": "generators.families.tutoring.Tutoring", "substitution": 0.9, "policies": ["reactive"]}
        recipe = {"target": 20, "families": [family], "models": {"default": model}, "embedder": model}
        path = tmp_path / "primed.yaml"
        path.write_text(yaml.safe_dump(recipe))
        result = build(load(path), RunDir(tmp_path / "run"), "if-possible", "test", Nobody())
    rows = list(read_records(sorted((tmp_path / "run" / "data").glob("*.parquet"))))
    primed = [t for r in rows for t in r.dialogue.turns if t.labels.get("question_substituted")]
    assert len(rows) == 20 and len(primed) > 3 and all(t.prompt_hash for t in primed)
    assert not any(step.reasons.get("prompt_leak") for step in result.manifest.funnel)


async def test_without_substitution_nothing_changes():
    scenario = found("needed", Tutoring())
    dialogue, asked = await played(Tutoring(), scenario, errs)
    assert not any("p_q" in t.labels for t in dialogue.turns) and not any(r.key.step == KNOWS_BOTH for r in asked)
