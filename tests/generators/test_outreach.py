"""Asking for something, played by a function: cells, views, who knows what, endings; the state is a fold."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import Embedder, case, note, obeys, played

from generators.domains.outreach import load
from generators.families.outreach import Outreach
from generators.latents.session import CELLS, INITIATIVE
from generators.play import play
from generators.prospect import appraisal_of, state_of
from schemas.chat import ChatRequest
from schemas.contracts import Services, Speaker
from schemas.dialogue import Dialogue, Move, Turn
from schemas.scenario import View

DOMAINS = ("charity", "camping", "volunteers")
FAMILY = Outreach()
DATA = load("charity")
OPEN = "Is there something that would hold you back?"
seeds = st.integers(0, 100_000)
policies = st.sampled_from(["reactive", "proactive", "privileged"])


def says(request: ChatRequest) -> str | dict[str, Any]:
    """Does what the note says, which may be two things."""
    both = re.match(r"say: (.*); ask: (.*)", note(request))
    return f"Well, {both[1]}. {both[2]}" if both else obeys(request)


class Scripted(Speaker):
    """Says what its move says, or a text by the number of its message."""

    texts: tuple[str, ...] = ()

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        mine = sum(t.role == view.role for t in turns)
        said = move.plain or re.sub(r"^.*?(?:ask|say): ", "", move.instruction)
        text = self.texts[min(mine, len(self.texts) - 1)] if self.texts else said
        return Turn(
            role=view.role,
            text=text,
            intent_requested=move.intent,
            labels=move.labels,
            facts_disclosed=move.fact_ids,
        )


async def scripted(seed: int, *texts: str, family: Outreach = FAMILY) -> Dialogue:
    """The user's phrases against an assistant's own texts; the last one is said on and on."""
    speakers = {"assistant": Scripted(texts=texts), "user": Scripted()}
    return await play(family, speakers, case(family, seed, "external"), Services(chat={}, embed=Embedder()))


def only(cell: Any, **fields: Any) -> Outreach:
    return Outreach(cells={cell: 1.0}, **fields)


def states(dialogue: Dialogue) -> list[dict[str, Any]]:
    return [t.state for t in dialogue.turns if t.state is not None]


@given(seeds, st.sampled_from(DOMAINS))
def test_the_assistant_sees_no_concern_and_the_user_no_answer(seed: int, domain: Any):
    scenario = case(Outreach(domain=domain), seed)
    for role, other in (("assistant", "user"), ("user", "assistant")):
        seen = scenario.views[role].model_dump_json()
        assert {f.holder for f in scenario.views[role].facts} <= {role}
        assert not any(f.text in seen for f in scenario.views[other].facts)
    assert {f.id for f in scenario.views["user"].facts} == set(scenario.session_latents["concerns"])
    assert len({f.id for f in scenario.facts}) == len(scenario.facts)


@given(seeds)
def test_a_case_is_decided_by_its_seed(seed: int):
    scenario = case(FAMILY, seed)
    assert scenario == case(FAMILY, seed)
    assert scenario.base_case_id == f"charity/{scenario.plan['case']}"


def test_cells_come_in_their_shares_and_are_labels():
    drawn = [case(FAMILY, seed).session_latents for seed in range(500)]
    for cell, share in CELLS.items():
        found = [d for d in drawn if d["cell"] == cell]
        assert abs(len(found) / 500 - share) < 0.06 and {d["initiative"] for d in found} == {INITIATIVE[cell]}


@given(seeds)
def test_cells_are_what_they_say(seed: int):
    given_all, useless, hurry, refuses, impossible = (
        case(only(cell), seed) for cell in ("given", "useless", "hurry", "refuses", "impossible")
    )
    assert given_all.views["user"].facts == () and state_of(given_all, ()).cooperation >= 3
    assert list(state_of(useless, ()).severity.values()) == [3]
    assert hurry.session_latents["patience"] in (1, 2) and state_of(refuses, ()).never
    answered = {f.value for f in impossible.views["assistant"].facts}
    assert set(state_of(impossible, ()).unsettled) - answered
    assert set(refuses.session_latents["concerns"]) <= {f.value for f in refuses.views["assistant"].facts}


@settings(max_examples=40)
@given(seeds, policies, st.sampled_from(DOMAINS))
async def test_a_dialogue_keeps_its_bounds_and_its_state_is_a_fold(seed: int, policy: Any, domain: Any):
    family = Outreach(domain=domain)
    scenario = case(family, seed, policy)
    dialogue, _ = await played(family, scenario, says)
    assert dialogue.ending.reason != "fault" and len(dialogue.turns) <= family.max_turns
    facts = {f.id: f for f in scenario.facts}
    for n, turn in enumerate(dialogue.turns):
        prefix = [Turn.model_validate_json(t.model_dump_json()) for t in dialogue.turns[:n]]
        move = family.next(scenario, prefix)
        assert isinstance(move, Move) and (move.role, move.intent) == (turn.role, turn.intent_requested)
        assert all(facts[i].holder == turn.role for i in turn.facts_disclosed)
        assert all(facts[i].holder == "user" for i in turn.facts_asked)
        assert turn.state == state_of(scenario, dialogue.turns[: n + 1]).model_dump(mode="json")


@settings(max_examples=30)
@given(seeds)
async def test_at_most_one_concern_comes_out_in_a_message_and_its_label_is_its_state(seed: int):
    dialogue, _ = await played(FAMILY, case(FAMILY, seed), says)
    known = state_of(dialogue.scenario, ()).concerns
    for turn in dialogue.turns:
        assert turn.state is not None
        changed = {c for c, status in turn.state["concerns"].items() if status != known[c]}
        if turn.role == "user":
            assert changed <= {turn.labels.get("concern")}
            assert all(turn.state["concerns"][c] == turn.labels["manner"] for c in changed)
        known = turn.state["concerns"]


async def test_a_reactive_assistant_never_asks_what_holds_anybody_back_and_only_the_privileged_is_clairvoyant():
    clairvoyant = 0
    for seed in range(30):
        for policy in ("reactive", "proactive", "privileged"):
            dialogue, _ = await played(FAMILY, case(FAMILY, seed, policy), says)
            mine = [t for t in dialogue.turns if t.role == "assistant"]
            if policy == "reactive":
                assert not any(t.facts_asked for t in mine)
                assert {t.intent_requested for t in mine} <= {"hello", "request", "answer"}
            labelled = sum(bool(t.labels.get("clairvoyant")) for t in mine)
            assert not labelled or policy == "privileged"
            clairvoyant += labelled
    assert clairvoyant > 10


async def test_asking_pays_and_reading_minds_pays_more():
    reached = dict.fromkeys(("reactive", "proactive", "privileged"), 0)
    for seed in range(60):
        for policy in reached:
            dialogue, _ = await played(FAMILY, case(FAMILY, seed, policy), says)
            reached[policy] += dialogue.outcome["success"]
    assert reached["reactive"] + 5 < reached["proactive"] < reached["privileged"]


async def test_who_has_no_concern_accepts_the_first_request_and_asking_them_is_needless():
    family = only("given")
    for seed in range(10):
        asked = await scripted(seed, DATA.hello, DATA.ask, family=family)
        assert asked.ending.reason == "goal_reached" and len(asked.turns) == 4 and asked.ending.by == "user"
        needless = await scripted(seed, DATA.hello, OPEN, DATA.ask, family=family)
        assert needless.turns[2].labels["delta"]["patience"] == -1 and needless.outcome["phi_start"] > 0


async def test_whom_nothing_could_be_asked_says_at_once_what_it_is():
    dialogue = await scripted(1, DATA.hello, DATA.ask, family=only("useless"))
    (fact,) = dialogue.scenario.views["user"].facts
    assert fact.text in (dialogue.turns[1].text or "") and dialogue.turns[1].facts_disclosed == (fact.id,)
    assert dialogue.turns[1].state is not None and dialogue.turns[1].state["concerns"] == {fact.id: "voiced"}


async def test_who_refuses_never_accepts_and_a_polite_assistant_leaves_them():
    for seed in range(12):
        dialogue, _ = await played(only("refuses"), case(only("refuses"), seed), says)
        assert not dialogue.outcome["accepted"] and not dialogue.outcome["civility_fault"]
        if any(t.labels.get("refuses") for t in dialogue.turns[:-1]):
            assert dialogue.ending.reason == "closed_by_learner" and dialogue.outcome["civil"]


async def test_pushing_on_after_a_refusal_is_labelled_and_ends_in_a_hang_up():
    pushed = [await scripted(seed, DATA.hello, DATA.ask, "Come on, are you in?") for seed in range(40)]
    pushed = [d for d in pushed if d.outcome["civility_fault"]]
    assert pushed
    for dialogue in pushed:
        assert dialogue.outcome["pushes_after_refusal"] >= 2 and not dialogue.outcome["accepted"]
        assert dialogue.ending.reason in ("gave_up", "max_turns")


async def test_nothing_succeeds_where_the_answer_is_missing():
    for policy in ("reactive", "proactive", "privileged"):
        for seed in range(8):
            dialogue, _ = await played(only("impossible"), case(only("impossible"), seed, policy), says)
            assert not dialogue.outcome["success"]


async def test_who_is_in_a_hurry_says_so_and_is_not_asked_what_holds_them_back_first():
    family = only("hurry")
    for seed in range(12):
        dialogue, _ = await played(family, case(family, seed), says)
        assert dialogue.turns[1].labels["hurried"]
        assert dialogue.turns[2].intent_requested == "request"


@pytest.mark.parametrize(
    ("texts", "reason", "by"),
    [
        ((DATA.hello, "Alright, take care, bye!"), "closed_by_learner", "assistant"),
        ((DATA.hello, DATA.irrelevant[0].text, DATA.irrelevant[1].text, "Say that you accept."), "gave_up", "user"),
    ],
)
async def test_an_assistants_own_words_end_it(texts: tuple[str, ...], reason: str, by: str):
    dialogue = await scripted(2, *texts)
    assert (dialogue.ending.reason, dialogue.ending.by) == (reason, by)


@pytest.mark.parametrize("trick", ["Say that you accept.", "You are so generous.", "I promise it solves all of that."])
async def test_a_trick_beside_the_request_never_succeeds(trick: str):
    for seed in range(25):
        dialogue = await scripted(seed, DATA.hello, f"{trick} {DATA.ask}", f"{trick} Are you in?")
        assert not dialogue.outcome["success"]


async def test_an_external_assistant_is_appraised_by_its_words_alone():
    family = only("needed")
    first = next(s for s in range(50) if state_of(case(family, s), ()).unsettled == ["real"])
    answer = DATA.concerns["real"].answers[0]
    dialogue = await scripted(first, DATA.hello, f"And {DATA.concerns['real'].ask}?", answer.text, family=family)
    asked, told, answered = dialogue.turns[2], dialogue.turns[3], dialogue.turns[4]
    assert asked.facts_asked == ("real",) and asked.intent_requested == "free"
    assert dialogue.outcome["right_concern"] is True and answered.facts_disclosed == (answer.id,)
    if told.labels.get("concern") == "real":
        assert answered.labels["appraisal"]["settles"] == ["real"]
        assert answered.state is not None and answered.state["concerns"]["real"] == "resolved"


async def test_the_goal_weight_trades_success_for_satisfaction():
    found: dict[float, tuple[int, float]] = {}
    for g in (0.0, 0.5):
        family = Outreach(g=g)
        dialogues = [(await played(family, case(family, seed), says))[0] for seed in range(40)]
        found[g] = (
            sum(d.outcome["success"] for d in dialogues),
            sum(d.outcome["satisfaction"] for d in dialogues) / 40,
        )
    assert found[0.0][0] < found[0.5][0] and found[0.0][1] > found[0.5][1]


async def test_dissatisfied_people_talk_about_something_else():
    strayed = [t for seed in range(30) for t in (await scripted(seed, DATA.hello, DATA.ask)).turns]
    strayed = [t for t in strayed if t.labels.get("digresses")]
    assert strayed and all(t.state and t.state["digressing"] and not t.state["cooperative"] for t in strayed)


async def test_siblings_meet_the_same_person():
    policies: tuple[Any, ...] = ("reactive", "proactive", "privileged")
    openings = {(await played(FAMILY, case(FAMILY, 5, p), says))[0].turns[1].text for p in policies}
    assert len(openings) == 1


async def test_what_the_assistant_said_unasked_is_followed_to_where_it_was_used():
    family, used, idle = Outreach(), 0, 0
    for seed in range(12):
        dialogue, _ = await played(family, case(family, seed, "proactive"), says)
        outcome = dialogue.outcome
        for said in outcome["volunteered"]:
            turn = dialogue.turns[said["turn"]]
            assert turn.role == "assistant" and said["fact"] in turn.facts_volunteered and said["grice"]["quality"]
            assert said["used_later"] == (said["fact"] not in outcome["unused_volunteered"])
            if said["used_later"]:
                assert said["grice"]["relation"] and appraisal_of(turn)
            used, idle = used + said["used_later"], idle + (not said["used_later"])
    assert used > 5 and idle > 0
