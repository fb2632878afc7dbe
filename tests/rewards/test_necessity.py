"""Necessity, sufficiency and uniqueness of what a flawed problem lacks, with a function as the solver."""

from collections.abc import Callable
from typing import Any

import pytest
from played import Embedder, Model, case, played
from talks import talk

from generators.families.flawed import Flawed
from pipelines.worker import rewarded
from rewards.necessity import Necessity
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import SOLVER, Services
from schemas.dialogue import Dialogue
from schemas.errors import InvalidOutput
from schemas.judgement import RewardValue
from schemas.scenario import Fact, Verifier, View

TEXT = "Ann has some pens. She gives 5 pens to her brother. How many pens are left?"
COMPLETE = "Ann has 14 pens. She gives 5 pens to her brother. Bo has some caps. How many pens are left?"
Answers = Callable[[str, int], str]
"""From what is shown and the number of the attempt."""


def brought(flawed: bool = True, known: bool = True) -> Dialogue:
    slot = "Ann has how many pens" if flawed else "Bo has how many caps"
    fact = Fact(id="removed", holder="user", slot=slot, value="14", text="Ann has 14 pens.")
    problem = TEXT if flawed else COMPLETE
    views = [
        View(role="user", brief="", public=problem, facts=(fact,) if known else ()),
        View(role="assistant", brief="", public=problem),
    ]
    dialogue = talk(("user", problem), views=views, verifier=Verifier(kind="number", answer="9"))
    plan = {
        "problem": problem,
        "flaw_type": "missing" if flawed else "none",
        "slot": slot[-13:],
        "shown": ["some pens"],
    }
    return dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update={"plan": plan})})


def solver(answers: Answers, *missing: str) -> tuple[Services, list[ChatRequest]]:
    def says(request: ChatRequest) -> dict[str, Any]:
        at = request.key.attempt
        if request.key.step.endswith("missing"):
            return {"missing": missing[at % len(missing)]}
        return {"work": "so", "answer": answers(request.messages[-1].content, at)}

    model = Model(says)
    return Services(chat={SOLVER: model}, embed=Embedder()), model.requests


def sound(shown: str, attempt: int) -> str:
    return "9" if "14 pens" in shown else str(20 + attempt)


async def judged(dialogue: Dialogue, answers: Answers, *missing: str) -> RewardValue:
    (value,) = await Necessity().annotate(dialogue, solver(answers, *(missing or ("Ann has how many pens",)))[0])
    return value


async def test_a_sound_flaw_fails_without_what_was_removed_and_is_solved_with_it():
    found = await judged(brought(), sound)
    assert (found.value, found.parts["necessary"], found.parts["sufficient"], found.parts["unique"]) == (
        1.0,
        *[True] * 3,
    )
    assert (found.parts["whole"], found.parts["lacking"]) == ((7, 7), (0, 7))
    assert found.n == 14  # seven right of eight suffice, seven wrong do: the eighth is never asked


@pytest.mark.parametrize(
    ("answers", "necessary", "sufficient"),
    [
        (lambda shown, n: "9", False, True),  # right by luck: nothing was lacking
        (lambda shown, n: "9" if "14" in shown else "5", False, True),  # a default: everybody says the same
        (lambda shown, n: "9" if "14" in shown else "unknown", True, True),  # not knowing is no default
        (lambda shown, n: "9" if "14" in shown or n == 3 else f"{n}", True, True),  # one lucky guess is allowed
        (lambda shown, n: "9" if "14" in shown and n > 1 else f"{n}", True, False),
    ],
)
async def test_either_test_alone_may_fail(answers: Answers, necessary: bool, sufficient: bool):
    found = await judged(brought(), answers)
    assert (found.parts["necessary"], found.parts["sufficient"]) == (necessary, sufficient)
    assert found.value == float(necessary and sufficient) and found.reason is None


async def test_a_control_must_be_solvable_as_it_stands_and_nothing_else():
    services, asked = solver(sound)
    (found,) = await Necessity().annotate(brought(flawed=False), services)
    assert found.value == 1.0 and found.parts == {"sufficient": True, "whole": (7, 7)}
    assert {r.messages[-1].content for r in asked} == {f"Problem: {COMPLETE}"}
    hard = await judged(brought(flawed=False), lambda shown, n: str(n))
    assert hard.value == 0.0 and hard.n == 2


@pytest.mark.parametrize(
    ("missing", "unique"),
    [
        (("how many pens Ann has", "She gives 5 pens to her brother"), True),  # 3 of 5
        (("She gives 5 pens to her brother", "how many pens Ann has"), False),
    ],
)
async def test_what_was_removed_must_be_named_more_often_than_anything_else(missing: tuple[str, ...], unique: bool):
    found = await judged(brought(), sound, *missing)
    assert found.parts["unique"] is unique and len(found.parts["named"]) == 5


class Mute:
    async def ask(self, request: ChatRequest) -> ChatReply:
        raise InvalidOutput("no JSON", "invalid_json")


async def test_what_no_solver_can_tell_is_none_with_a_reason():
    """Fails where a dead solver counts as one that is wrong, which would make every flaw necessary."""
    mute, none = Services(chat={SOLVER: Mute()}, embed=Embedder()), Services(chat={}, embed=Embedder())
    plain = talk(("user", "hi"), verifier=Verifier(kind="number", answer="9"))
    cases = [(brought(), none), (brought(), mute), (brought(known=False), mute), (plain, mute)]
    found = [(await Necessity().annotate(dialogue, services))[0] for dialogue, services in cases]
    reasons = ["no_solver", "solver_failed", "nothing_removed", "no_flawed_problem"]
    assert [(v.value, v.reason) for v in found] == [(None, reason) for reason in reasons]


@pytest.mark.parametrize(
    ("answers", "missing", "reason"),
    [
        (sound, "Ann has how many pens", "ok"),
        (sound, "She gives 5 pens to her brother.", "not_unique"),
        (lambda shown, n: "9", "Ann has how many pens", "not_necessary"),
        (lambda shown, n: str(n), "Ann has how many pens", "not_sufficient"),
    ],
)
async def test_a_recipe_may_have_unsound_problems_dropped(answers: Answers, missing: str, reason: str):
    services, _ = solver(answers, missing)
    _, verdict = await rewarded(brought(), [Necessity(drops=True)], services)
    assert (verdict.keep, verdict.reason) == (reason == "ok", reason)
    assert (await rewarded(brought(), [Necessity()], services))[1].keep


async def test_the_family_s_scenarios_have_what_the_tests_take():
    """Fails where the family's plan no longer holds the problem, what it shows and its slot."""
    family = Flawed()
    needed = next(c for c in (case(family, s) for s in range(50)) if c.session_latents["cell"] == "needed")
    for n in range(family.variants):
        scenario = family.vary(needed, n)
        dialogue, _ = await played(family, scenario.model_copy(update={"policy": "reactive"}))
        assert scenario.verifier is not None
        (found,) = await Necessity().annotate(dialogue, solver(lambda *_: "unknown", "the number")[0])
        assert found.reason is None and found.value == 0.0 and ("unique" in found.parts) == (n == 0)
