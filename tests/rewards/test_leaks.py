"""Functional leaks and helpfulness, with a function as the solver."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from played import Embedder, Model, case, obeys, played
from run_driver import Nobody
from scripted_server import ScriptedProcess
from talks import talk

from generators.families.tutoring import Tutoring
from outputs.store import read_records
from pipelines.recipe import load
from pipelines.run import build
from pipelines.rundir import RunDir
from pipelines.worker import rewarded
from rewards.functional_leak import FunctionalLeak
from rewards.helpfulness import Helpfulness
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import SOLVER, Services
from schemas.dialogue import Dialogue, Turn
from schemas.errors import InvalidOutput
from schemas.judgement import RewardValue
from schemas.scenario import Fact, Verifier, View

PROBLEM = "Mia buys 3 pencils. Each costs 4 dollars. How much does she pay?"
ALTERED = {"question": "Mia buys 5 pencils. Each costs 9 dollars. How much does she pay?", "answer": "45"}
Answers = Callable[[str], str]


def lesson(said: str, told: tuple[str, ...] = (), altered: dict[str, str] | None = ALTERED) -> Dialogue:
    fact = Fact(id="count", holder="teacher", slot="how many", value="3", text="Mia buys 3 pencils.")
    views = [
        View(role="teacher", brief="", public=PROBLEM, facts=(fact,), private={"answer": "12"}),
        View(role="student", brief="", public=PROBLEM),
    ]
    dialogue = talk(
        ("teacher", PROBLEM),
        Turn(role="student", text="7?", answer="7", answer_correct=False),
        Turn(role="teacher", text=said, facts_disclosed=told),
        Turn(role="student", text="12", answer="12", answer_correct=True),
        ("teacher", "Yes, 12 is right!"),
        views=views,
        verifier=Verifier(kind="number", answer="12"),
        sides=("student", "teacher"),
    )
    return dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update={"plan": {"altered": altered}})})


def solver(answers: Answers) -> tuple[Services, list[ChatRequest]]:
    """Answers by what it is shown."""
    model = Model(lambda request: {"work": "so", "answer": answers(request.messages[-1].content)})
    return Services(chat={SOLVER: model}, embed=Embedder()), model.requests


async def leak(dialogue: Dialogue, answers: Answers, reward: FunctionalLeak | None = None) -> RewardValue:
    (value,) = await (reward or FunctionalLeak()).annotate(dialogue, solver(answers)[0])
    assert value.turn == 2, "the problem itself and what follows the right answer are no hints"
    return value


def reads(shown: str) -> str:
    """A solver that believes a tutor who says a number, and otherwise works the problem out."""
    remark = shown.partition("Tutor: ")[2]
    if "12" in remark or "dozen" in remark:
        return "12"
    return {"5": "45", "3": "12"}.get(next((c for c in shown.partition("Tutor")[0] if c.isdigit()), ""), "unknown")


@pytest.mark.parametrize(
    ("said", "value", "parts"),
    [
        ("It is 12.", 1.0, {"alone": (5, 5)}),
        ("A dozen dollars, I would say.", 1.0, {"alone": (5, 5)}),
        ("Multiply both numbers.", 0.0, {"alone": (0, 4), "altered": (0, 4)}),
    ],
)
async def test_a_turn_leaks_whose_reader_gives_the_answer(said: str, value: float, parts: dict[str, Any]):
    """The counts also hold the early stop: five right of eight are most, four wrong cannot become most."""
    found = await leak(lesson(said), reads)
    assert (found.value, found.parts) == (value, parts) and found.n == sum(tried for _, tried in parts.values())


async def test_a_turn_leaks_that_brings_the_old_answer_to_other_numbers():
    def believes(shown: str) -> str:
        if "Problem" not in shown:
            return "unknown"
        return "12" if "three times four" in shown else "45"

    found = await leak(lesson("Work out three times four."), believes)
    assert found.value == 1.0 and found.parts == {"alone": (0, 4), "altered": (5, 5), "without": (0, 4)}


async def test_a_solver_that_says_the_old_answer_without_the_turn_proves_nothing_about_it():
    found = await leak(lesson("Think again."), lambda shown: "12" if "Problem" in shown else "unknown")
    assert found.value == 0.0 and found.parts["without"] == (5, 5)


@pytest.mark.parametrize(
    ("dialogue", "why"),
    [
        (lesson("She buys 3 pencils.", told=("count",)), "tells_facts"),
        (lesson("Multiply.", altered=None), "no_altered_problem"),
    ],
)
async def test_where_other_numbers_say_nothing_the_turn_alone_decides(dialogue: Dialogue, why: str):
    found = await leak(dialogue, lambda shown: "unknown")
    assert (found.value, found.parts) == (0.0, {"alone": (0, 4), "not_altered": why})


class Mute:
    async def ask(self, request: ChatRequest) -> ChatReply:
        raise InvalidOutput("no JSON", "invalid_json")


async def test_a_partner_who_knows_no_answer_gives_none_away():
    dialogue = lesson("take half of it")
    views = {name: view.model_copy(update={"private": {}}) for name, view in dialogue.scenario.views.items()}
    asks = dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update={"views": views})})
    services, asked = solver(reads)
    for reward in (FunctionalLeak(), Helpfulness()):
        assert [(v.value, v.reason) for v in await reward.annotate(asks, services)] == [
            (None, "partner_knows_no_answer")
        ]
    assert not asked


@pytest.mark.parametrize("reward", [FunctionalLeak(), Helpfulness()])
async def test_what_no_solver_can_tell_is_none_with_a_reason(reward: FunctionalLeak | Helpfulness):
    none = Services(chat={}, embed=Embedder())
    mute = Services(chat={SOLVER: Mute()}, embed=Embedder())
    free = lesson("Think.").model_copy(update={})
    free = free.model_copy(update={"scenario": free.scenario.model_copy(update={"verifier": None})})
    found = [(await reward.annotate(d, s))[0] for d, s in ((lesson("x y"), none), (lesson("x y"), mute), (free, mute))]
    assert [(v.value, v.reason) for v in found] == [(None, "no_solver"), (None, "solver_failed"), (None, "no_verifier")]


async def test_help_is_the_rise_of_what_is_solved_with_the_facts_told_so_far():
    asked: list[str] = []

    def knows(shown: str) -> str:
        asked.append(shown)
        return "12" if "Multiply" in shown else "7"

    dialogue = lesson("Multiply.")
    told = dialogue.turns[0].model_copy(update={"facts_disclosed": ("count",)})
    dialogue = dialogue.model_copy(update={"turns": (told, *dialogue.turns[1:])})
    (value,) = await Helpfulness(n=4).annotate(dialogue, solver(knows)[0])
    assert (value.value, value.stderr, value.n) == (1.0, 0.0, 8) and value.parts == {"with": (4, 4), "without": (0, 4)}
    assert all("Mia buys 3 pencils. Each" in shown and shown.count("Mia buys 3") == 2 for shown in asked)


async def test_turns_between_which_nothing_is_told_share_their_attempts_without_one():
    dialogue = lesson("Think.")
    twice = (*dialogue.turns[:3], *dialogue.turns[1:])
    services, asked = solver(lambda shown: "12" if "Tutor" in shown else "7")
    found = await Helpfulness(n=3).annotate(dialogue.model_copy(update={"turns": twice}), services)
    assert [(v.turn, v.value, v.parts) for v in found] == [
        (n, 1.0, {"with": (3, 3), "without": (0, 3)}) for n in (2, 4)
    ]
    assert len(asked) == 9


async def test_of_a_share_of_the_turns_both_rewards_see_the_same_and_the_others_are_none():
    dialogue = lesson("Think.")
    many = dialogue.model_copy(update={"turns": (*dialogue.turns[:3], *dialogue.turns[1:3] * 199)})
    services, asked = solver(reads)
    values = [await r.annotate(many, services) for r in (FunctionalLeak(n=1, share=0.25), Helpfulness(n=1, share=0.25))]
    seen = [{v.turn for v in found if v.value is not None} for found in values]
    assert (
        seen[0] == seen[1]
        and 30 < len(seen[0]) < 70
        and {v.reason for v in values[0] if v.value is None} == {"not_drawn"}
    )
    assert {r.key.turn for r in asked} == seen[0]


async def test_every_attempt_has_a_key_and_a_seed_of_its_own():
    """Fails where two tests share a key: the journal would take the answer of one for the other's."""
    services, asked = solver(lambda shown: "12" if "Problem" in shown else "unknown")
    dialogue = lesson("Think again.")
    for reward in (FunctionalLeak(), Helpfulness()):
        await reward.annotate(dialogue, services)
    assert len({r.key for r in asked}) == len({r.seed for r in asked}) == len(asked) == 30


@pytest.mark.parametrize(("drops", "kept"), [(True, False), (False, True)])
async def test_a_recipe_may_have_leaks_dropped(drops: bool, kept: bool):
    values, verdict = await rewarded(lesson("It is 12."), [FunctionalLeak(drops=drops)], solver(reads)[0])
    assert [v.value for v in values] == [1.0] and verdict.keep is kept
    if not kept:
        assert (verdict.reason, verdict.by) == ("functional_leak", "rewards.functional_leak.FunctionalLeak")


def test_a_run_asks_the_solver_of_its_recipe_and_keeps_what_it_found(tmp_path: Path):
    """Fails where the role is refused, its prompts count as leaks, or a value is lost on the way to the row."""
    with ScriptedProcess("--reply", "scripted_players:obey") as server:
        model = {"use": "remote", "base_url": server.base_url, "model": "scripted"}
        rewards = ["success.Success", "functional_leak.FunctionalLeak", "helpfulness.Helpfulness"]
        recipe = {
            "target": 6,
            "families": [{"use": "generators.families.tutoring.Tutoring"}],
            "models": {"default": model},
            "embedder": model,
            "roles": {"solver": "default"},
            "rewards": [f"rewards.{name}" for name in rewards],
        }
        path = tmp_path / "solved.yaml"
        path.write_text(yaml.safe_dump(recipe))
        build(load(path), RunDir(tmp_path / "run"), "if-possible", "test", Nobody())
    rows = list(read_records(sorted((tmp_path / "run" / "data").glob("*.parquet"))))
    values = [v for r in rows for v in r.rewards if v.name in ("functional_leak", "helpfulness")]
    assert len(rows) == 6 and any(v.value is not None and v.grader.startswith("scripted") for v in values)
    assert {v.reason for v in values} <= {None, "no_answer"}


async def test_no_solver_is_asked_where_no_answer_can_be_known():
    scenario = next(c for c in (case(Tutoring(), s) for s in range(500)) if c.session_latents["cell"] == "impossible")
    dialogue, _ = await played(Tutoring(), scenario, obeys)
    (value,) = await FunctionalLeak().annotate(dialogue, solver(lambda _: "12")[0])
    assert value.reason == "no_answer" and scenario.plan["altered"] is None


def test_every_case_with_numbers_has_a_twin_with_others_and_another_answer():
    cases = [case(Tutoring(), seed) for seed in range(300)]
    numeric = [c for c in cases if c.plan["answer_kind"] == "number" and c.session_latents["cell"] != "impossible"]
    altered = [c for c in numeric if c.plan["altered"] is not None]
    assert len(altered) > 0.9 * len(numeric) > 100
    for c in altered:
        assert c.verifier is not None and not c.verifier.check(c.plan["altered"]["answer"])
