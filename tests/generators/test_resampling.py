"""Hidden sides that could be: weights by Bayes' rule, and nothing of the true one left in the turns."""

from itertools import pairwise

import pytest
from forecast_world import BUYS, Shop, believed
from played import Embedder, case, services

from generators.families.conversation import Conversation
from generators.families.flawed import Flawed
from generators.families.gradual import Gradual
from generators.families.outreach import Outreach
from generators.families.recommendation import Recommendation
from generators.families.tutoring import CELLS, Tutoring
from generators.piecing import SETTINGS
from generators.play import play
from generators.resampling import MOST, Public, candidates, drawn, effective, observed, prior, weigh
from generators.speakers.verbatim import Verbatim, in_words
from schemas.contracts import Family, Services
from schemas.dialogue import Dialogue, Move
from schemas.identity import rng
from schemas.scenario import Policy

NOBODY = Services(chat={}, embed=Embedder())
FAMILIES: tuple[Family, ...] = (Conversation(), Outreach(), Recommendation())
POLICIES: tuple[Policy, ...] = ("reactive", "proactive", "privileged")


async def scripted(family: Family, seed: int, policy: Policy = "proactive") -> Dialogue:
    speakers = dict.fromkeys(family.speakers, Verbatim())
    return await play(family, speakers, case(family, seed, policy), NOBODY)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name())
async def test_turns_observed_again_as_their_own_are_what_they_were(family: Family) -> None:
    """Fails for a family whose `observe` adds to what it finds: prefixes of rollouts would then drift."""
    for seed in range(6):
        dialogue = await scripted(family, seed, POLICIES[seed % 3])
        again = [
            await observed(family, dialogue.scenario, dialogue.turns[:n], turn, NOBODY)
            for n, turn in enumerate(dialogue.turns)
        ]
        assert tuple(again) == dialogue.turns


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name())
async def test_the_true_case_can_always_be_the_hidden_one(family: Family) -> None:
    for seed in range(6):
        dialogue = await scripted(family, seed, POLICIES[seed % 3])
        found = await weigh(family, dialogue.scenario, dialogue.scenario, dialogue.turns[:3], NOBODY)
        assert found is not None and found.weight > 0 and found.turns == dialogue.turns[:3]


async def test_weights_are_the_likelihoods_and_their_mean_is_what_bayes_rule_says() -> None:
    family = Shop()
    dialogue = await scripted(family, 5)
    seen = dialogue.turns[:6]
    cases = [drawn(family, 3, n).model_copy(update={"seed": n}) for n in range(1000)]
    found = [w for c in cases if (w := await weigh(family, dialogue.scenario, c, seen, NOBODY))]
    total = sum(w.weight for w in found)
    buys = sum(w.weight * BUYS[w.scenario.session_latents["patient"]] for w in found) / total
    assert buys == pytest.approx(believed(seen), abs=0.04)
    assert abs(believed(seen) - 0.5) > 0.1, "else the prior alone would do"


async def test_a_case_that_lacks_what_came_out_or_would_not_have_said_it_is_none() -> None:
    family = Recommendation(cells={"needed": 1.0})
    dialogue = await scripted(family, 1)
    seen = dialogue.turns
    told = next(i for t in seen for i in t.facts_disclosed)
    user = dialogue.scenario.views["user"]
    without = user.model_copy(update={"facts": tuple(f for f in user.facts if f.id != told)})
    silent = user.model_copy(
        update={"facts": tuple(f.model_copy(update={"disclose": "never"}) for f in user.facts if f.required)}
    )
    other = user.model_copy(update={"facts": tuple(f.model_copy(update={"value": "another"}) for f in user.facts)})
    for view in (without, silent, other):
        changed = dialogue.scenario.model_copy(update={"views": {**dialogue.scenario.views, "user": view}})
        assert await weigh(family, dialogue.scenario, changed, seen, NOBODY) is None


async def test_what_a_mind_has_come_to_is_made_anew_for_another_mind() -> None:
    """Fails where the state of the true user stays in the turns that others roll on from."""
    family = Outreach()
    dialogue = await scripted(family, 2)
    trusting = dialogue.scenario.plan["state"] | {"trust": (dialogue.scenario.plan["state"]["trust"] + 2) % 5}
    other = dialogue.scenario.model_copy(update={"plan": dialogue.scenario.plan | {"state": trusting}})
    first = await observed(family, other, (), dialogue.turns[0], NOBODY)
    assert first.state is not None and dialogue.turns[0].state is not None
    assert first.state["trust"] != dialogue.turns[0].state["trust"]


def test_the_prior_is_sorted_by_public_side_and_no_side_has_too_many() -> None:
    found = prior(Shop(), 7, draws=2000)
    assert {len(numbers) for numbers in found.values()} == {MOST} and len(found) == 4
    for public, numbers in found.items():
        assert Public.of(Shop(), drawn(Shop(), 7, numbers[-1])) == public
        assert all(a < b for a, b in pairwise(numbers))


@pytest.mark.parametrize("cell", ["needed", "given", "impossible"])
def test_another_teacher_has_the_same_problem_and_not_the_same_mind(cell: str) -> None:
    """Fails where a draw before the problem depends on the cell: no other case would have its text."""
    family = Tutoring(cells=CELLS)
    seed = next(n for n in range(99) if family.sample(rng(n)).session_latents["cell"] == cell)
    true = family.sample(rng(seed))
    found = list(candidates(family, Public.of(family, true), (), lambda: rng(seed), 3))
    cells = {one.session_latents["cell"] for one in found}
    assert cells == {"given"} if cell == "given" else cells == {"needed", "hurry", "refuses", "impossible"}
    assert len({one.session_latents["patience"] for one in found}) > 2
    for one in found:
        facts = [[(f.id, f.value) for f in of.views["teacher"].facts] for of in (one, true)]
        assert facts[0] == facts[1]
        known = one.session_latents["cell"] != "impossible"
        assert ("answer" in one.views["teacher"].private) is known, "what is asked for can be had again, or not"


@pytest.mark.parametrize("variant", [0, 1])
def test_another_person_brings_the_same_flawed_problem_in_the_same_words(variant: int) -> None:
    """Fails where a draw before the problem depends on the person, and for controls that are looked for by the text of
    the flawed form.
    """
    family = Flawed()
    seed = next(n for n in range(99) if family.sample(rng(n)).session_latents["cell"] == "needed")
    true = family.vary(family.sample(rng(seed)), variant)
    found = list(candidates(family, Public.of(family, true), (), lambda: rng(seed), 3, variant))
    assert len(found) == MOST
    assert {one.session_latents["cell"] for one in found} == ({"useless"} if variant else {"needed", "impossible"})
    assert len({one.session_latents["patience"] for one in found}) > 2
    for one in found:
        assert one.plan["forms"] == true.plan["forms"]
        unknown = one.session_latents["cell"] == "impossible"
        assert [f.value for f in one.views["user"].facts] == [f.value for f in true.views["user"].facts]
        assert all((f.disclose == "never") is unknown for f in one.views["user"].facts)


@pytest.mark.parametrize("family", [Gradual(), Gradual(paired=True)], ids=["drawn", "paired"])
def test_another_person_tells_the_same_problem_in_the_same_pieces(family: Gradual) -> None:
    true = family.vary(family.sample(rng(4)), 2)
    found = list(candidates(family, Public.of(family, true), (), lambda: rng(4), 3, 2))
    assert len(found) == MOST
    assert {one.plan["cell"] for one in found} == {"needed", "given", "refuses", "impossible"}
    assert {one.plan["setting"] for one in found} == ({"sharded"} if family.paired else set(SETTINGS))
    for one in found:
        assert [(f.id, f.text) for f in one.views["user"].facts] == [(f.id, f.text) for f in true.views["user"].facts]


@pytest.mark.parametrize("family", [Flawed(), Gradual()], ids=lambda f: f.name())
async def test_enough_others_could_have_said_what_was_said(family: Family) -> None:
    """Fails where candidates are other problems: what came out would rule out every one of them."""
    for seed in range(2):
        dialogue = await scripted(family, seed)
        seen, public = dialogue.turns[:3], Public.of(family, dialogue.scenario)
        others = candidates(family, public, (), lambda seed=seed: rng(seed), 3)
        found = [w for c in others if (w := await weigh(family, dialogue.scenario, c, seen, NOBODY))]
        assert effective([w.weight for w in found]) >= 5


def test_the_effective_sample_size_is_kishs() -> None:
    assert effective([1.0] * 8) == 8.0
    assert effective([3.0, 1.0]) == pytest.approx(1.6)
    assert effective([]) == effective([0.0]) == 0.0


@pytest.mark.parametrize(
    ("instruction", "text"),
    [
        ("say hi and ask: how are you?", "how are you?"),
        ("react, then bridge to fishing: trout are back; ask: do you fish?", "trout are back. do you fish?"),
        ("react, then recommend: Heat, it is long", "Heat, it is long"),
        ("say: it is free; ask: are you in?", "it is free. are you in?"),
        ("short, friendly reaction", "I see."),
    ],
)
def test_an_instruction_is_said_without_what_only_directs(instruction: str, text: str) -> None:
    assert in_words(Move(role="assistant", instruction=instruction)) == text


async def test_no_model_is_asked_by_who_says_the_programs_words() -> None:
    asked = services(lambda request: pytest.fail("asked"), "assistant", "user")
    dialogue = await play(
        Recommendation(), dict.fromkeys(("assistant", "user"), Verbatim()), case(Recommendation()), asked
    )
    assert dialogue.ending.reason != "fault" and all(turn.text for turn in dialogue.turns)
