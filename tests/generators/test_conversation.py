"""Open conversation, played by a function: who leads, what comes out when, and what the prompts look like."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import case, obeys, played, services

from generators.domains.small_talk import load
from generators.families.conversation import Conversation
from generators.latents.session import SessionLatents
from generators.latents.tagger import is_question
from generators.noise.typing import TypingStyle
from generators.speakers.chat_user import TYPING, ChatUser
from schemas.chat import ChatRequest
from schemas.dialogue import Dialogue, Move, Turn
from schemas.scenario import View

FAMILY = Conversation()
LEADS = ("offer", "bridge")
seeds = st.integers(0, 100_000)


def bye_at(dialogue: Dialogue) -> int:
    return next((n for n, t in enumerate(dialogue.turns) if t.intent_requested == "bye"), len(dialogue.turns))


def intents(dialogue: Dialogue, role: str) -> list[str | None]:
    return [t.intent_requested for t in dialogue.turns if t.role == role]


@given(seeds)
def test_no_view_holds_what_only_the_other_knows(seed: int):
    scenario = case(FAMILY, seed)
    for role, other in (("assistant", "user"), ("user", "assistant")):
        seen = scenario.views[role].model_dump_json()
        assert scenario.views[role].facts and {f.holder for f in scenario.views[role].facts} == {role}
        assert not any(f.text in seen for f in scenario.views[other].facts)


@given(seeds, st.sampled_from(["small_talk", "neighbours", "hobby_club"]))
def test_a_case_is_decided_by_its_seed_and_walks_known_bridges(seed: int, domain: Any):
    family = Conversation(domain=domain)
    scenario = case(family, seed)
    assert scenario == case(family, seed)
    path = scenario.plan["path"]
    assert scenario.base_case_id == f"{domain}/{'-'.join(path)}" and len(path) == len(set(path)) == 2
    assert scenario.plan["bridges"] == [load(domain).topics[path[0]].bridges[path[1]]]
    assert len({f.id for f in scenario.facts}) == len(scenario.facts)


def test_initiative_is_right_only_sometimes():
    found = Counter(case(FAMILY, seed).session_latents["initiative"] for seed in range(3000))
    assert found["needless"] + found["unwelcome"] > 0.25 * 3000 * 0.93  # three standard errors
    assert found["hopeless"] > 0.1 * 3000 * 0.84


def test_the_session_latents_are_labels_and_hide_nothing_where_everything_is_given():
    for seed in range(200):
        scenario = case(FAMILY, seed)
        session = SessionLatents.model_validate(scenario.session_latents)
        held_back = [f for f in scenario.views["user"].facts if f.disclose == "asked" and not f.id.startswith("not/")]
        assert bool(held_back) == (session.cell not in ("given", "useless"))


async def test_a_proactive_assistant_opens_offers_bridges_and_closes_where_it_is_needed():
    family = Conversation(cells={"needed": 1}, trouble=0, digressions=0)
    seen: set[str | None] = set()
    for seed in range(40):
        dialogue, _ = await played(family, case(family, seed))
        assert dialogue.turns[0].role == "assistant"
        if dialogue.ending.reason == "fault" or dialogue.outcome["refused"] or bye_at(dialogue) < 5:
            continue  # anybody may turn down an offer, or have to go
        assert intents(dialogue, "assistant")[:2] == ["open", "offer"]
        volunteered = [t for t in dialogue.turns if t.role == "assistant" and t.facts_volunteered]
        assert [t.intent_requested for t in volunteered] == ["offer"]
        seen.update(intents(dialogue, "assistant"))
    assert seen == {"open", "offer", "bridge", "close"}


async def test_leading_reaches_the_target_more_often_than_following_and_never_where_it_is_hopeless():
    for cell, at_least in (("needed", 20), ("impossible", 0)):
        family = Conversation(cells={cell: 1}, trouble=0)
        reached = {
            policy: sum([(await played(family, case(family, s, policy)))[0].outcome["success"] for s in range(40)])
            for policy in ("proactive", "reactive")
        }
        assert reached["reactive"] == 0 and reached["proactive"] >= at_least
        assert reached["proactive"] == 0 or cell == "needed"


async def test_a_reactive_assistant_neither_asks_nor_offers_and_lets_the_user_begin():
    family = Conversation(cells={"needed": 1}, trouble=0)
    for seed in range(25):
        dialogue, _ = await played(family, case(family, seed, "reactive"))
        assert dialogue.turns[0].role == "user" and dialogue.turns[0].intent_requested == "ask"
        assert set(intents(dialogue, "assistant")) <= {"follow", "close"}
        assert not any(t.facts_volunteered or t.facts_asked for t in dialogue.turns if t.role == "assistant")


async def test_a_refusal_stops_the_leading():
    family, refused = Conversation(cells={"refuses": 1}), 0
    for seed in range(40):
        dialogue, _ = await played(family, case(family, seed))
        if "decline" not in intents(dialogue, "user"):
            continue
        refused += 1
        at = intents(dialogue, "user").index("decline")
        after = dialogue.turns[[n for n, t in enumerate(dialogue.turns) if t.role == "user"][at] :]
        assert not any(t.intent_requested in LEADS for t in after) and dialogue.outcome["pushes_after_refusal"] == 0
    assert refused >= 20


async def test_who_is_in_a_hurry_says_so_and_is_not_led():
    family = Conversation(cells={"hurry": 1})
    for seed in range(15):
        dialogue, _ = await played(family, case(family, seed))
        first = next(t for t in dialogue.turns if t.role == "user")
        assert first.labels["hurry"] and dialogue.outcome["success"] and len(dialogue.turns) <= 5
        assert set(intents(dialogue, "assistant")) <= {"open", "close"}


async def test_an_offer_is_of_no_use_where_everything_is_known_and_is_not_made_twice():
    family, known = Conversation(cells={"useless": 1}, trouble=0, max_turns=14), 0
    for seed in range(20):
        dialogue, _ = await played(family, case(family, seed))
        for n, turn in enumerate(dialogue.turns):
            if turn.labels.get("known"):
                known += 1
                assert not any(t.intent_requested == "offer" for t in dialogue.turns[n:])
    assert known >= 10


async def test_some_leave_early_and_some_stay_with_their_topic_where_nothing_can_succeed():
    family = Conversation(cells={"impossible": 1}, trouble=0)
    dialogues = [(await played(family, case(family, seed)))[0] for seed in range(40)]
    early = [d for d in dialogues if d.scenario.plan["leaves_early"]]
    assert 8 < len(early) < 32 and all(bye_at(d) <= 3 for d in early if d.ending.reason == "closed_by_partner")
    assert sum(any(t.labels.get("stays") for t in d.turns) for d in dialogues) >= 5


async def test_a_free_assistant_is_read_from_its_words():
    scenario = case(FAMILY, 0, "external")
    first, second = scenario.plan["path"]
    asked = sorted(load("small_talk").topics[second].questions)[0]
    tip = next(f for f in scenario.views["assistant"].facts if f.slot == first)
    opened = Turn(role="user", text="hi", labels={"topic": first})
    free = Turn(role="assistant", intent_requested="free")
    given = services(obeys, "assistant")
    bridged = await FAMILY.observe(scenario, [opened], free.model_copy(update={"text": f"Nice. {asked}?"}), given)
    assert (bridged.intent_detected, bridged.labels["topic"], bridged.labels["topic_shift"]) == ("bridge", second, True)
    offered = await FAMILY.observe(scenario, [opened], free.model_copy(update={"text": tip.text}), given)
    assert (offered.intent_detected, offered.facts_volunteered) == ("offer", (tip.id,))
    left = await FAMILY.observe(scenario, [opened], free.model_copy(update={"text": "Take care, bye!"}), given)
    assert left.intent_detected == "close"
    move = FAMILY.next(scenario, [opened])
    assert isinstance(move, Move) and (move.intent, move.instruction) == ("free", "")


@settings(max_examples=25, deadline=None)
@given(seeds, st.sampled_from(["reactive", "proactive"]))
async def test_a_dialogue_keeps_its_bounds_and_its_labels_are_true(seed: int, policy: Any):
    dialogue, _ = await played(FAMILY, case(FAMILY, seed, policy))
    facts = {f.id: f for f in dialogue.scenario.facts}
    assert len(dialogue.turns) <= FAMILY.max_turns
    told: set[str] = set()
    for turn in dialogue.turns:
        assert all(facts[i].holder == turn.role for i in turn.facts_disclosed)
        assert not told & set(turn.facts_disclosed)  # nothing comes out twice
        assert set(turn.facts_volunteered) <= set(turn.facts_disclosed)
        assert ("ask" in turn.acts) == is_question(turn.text or "") or turn.model is None
        told |= set(turn.facts_disclosed)
    doubles = sum(a.role == b.role for a, b in pairwise(dialogue.turns))
    assert doubles <= 1


@settings(max_examples=25, deadline=None)
@given(seeds, st.sampled_from(["reactive", "proactive"]))
async def test_any_prefix_says_who_comes_next(seed: int, policy: Any):
    scenario = case(FAMILY, seed, policy)
    dialogue, _ = await played(FAMILY, scenario)
    for n, turn in enumerate(dialogue.turns):
        move = FAMILY.next(scenario, dialogue.turns[:n])
        assert isinstance(move, Move) and (move.role, move.intent) == (turn.role, turn.intent_requested)


async def test_siblings_share_their_seeds_and_a_second_attempt_has_its_own():
    def stubborn(request: ChatRequest) -> str | dict[str, Any]:
        return "Assistant: no." if request.key.attempt == 0 else obeys(request)

    _, requests = await played(FAMILY, case(FAMILY, 3), stubborn)
    first, second = requests[0], requests[1]
    assert (first.key.attempt, second.key.attempt) == (0, 1) and first.seed != second.seed
    assert second.sampling.temperature > first.sampling.temperature and first.messages == second.messages


async def test_a_partner_whose_model_finds_no_words_says_the_programs_and_says_why():
    def mute_user(request: ChatRequest) -> str | dict[str, Any]:
        return "How can I help you today?" if "text with a friend" in request.messages[0].content else obeys(request)

    fallbacks: list[Turn] = []
    for seed in range(10):
        dialogue, _ = await played(FAMILY, case(FAMILY, seed), mute_user)
        fallbacks += [t for t in dialogue.turns if "fallback" in t.labels]
        assert not any(t.labels.get("fallback") for t in dialogue.turns if t.role == "assistant")
    assert fallbacks
    for turn in fallbacks:
        assert (turn.role, turn.model, turn.labels["fallback"]) == ("user", None, "role_confusion")


async def test_a_learner_whose_model_finds_no_words_ends_the_dialogue_as_a_fault():
    def mute_assistant(request: ChatRequest) -> str | dict[str, Any]:
        return "" if "You are Robin" in request.messages[0].content else obeys(request)

    dialogue, requests = await played(FAMILY, case(FAMILY, 3), mute_assistant)
    assert dialogue.turns == () and len(requests) == 3
    assert (dialogue.ending.reason, dialogue.ending.by, dialogue.ending.detail) == (
        "fault",
        "assistant",
        "empty_message",
    )


async def test_what_a_small_model_adds_to_its_message_is_cut_off():
    fact = {"id": "u0", "holder": "user", "slot": "news", "value": "v", "text": "my brother broke the tv"}
    view = View.model_validate({"role": "user", "brief": "You text.", "facts": [fact]})
    heard = Turn(role="assistant", text="My sister fixed her old bike.")
    move = Move(role="user", intent="share", instruction="x", fact_ids=("u0",), fallback="my brother broke the tv")
    said = "oh my sister fixed her old bike, my brother broke the tv, do you have one?"
    turn = await ChatUser().speak(view, [heard], move, 1, services(lambda _: said, "user"))
    assert turn.labels["clean"] == "My brother broke the tv." and "fallback" not in turn.labels


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("it is sunny here today", "fact_not_said"),
        ("my brother broke the tv and do you have one?", "unwanted_question"),
        ("the brother broke the tv", "fact_not_said"),
    ],
)
async def test_a_user_has_to_say_what_it_was_given_to_tell(said: str, reason: str):
    fact = {"id": "u0", "holder": "user", "slot": "news", "value": "v", "text": "my brother broke the tv"}
    view = View.model_validate({"role": "user", "brief": "You text.", "facts": [fact]})
    move = Move(role="user", intent="share", instruction="x", fact_ids=("u0",), fallback="my brother broke the tv")
    turn = await ChatUser().speak(view, [], move, 1, services(lambda _: said, "user"))
    assert turn.labels["fallback"] == reason and turn.facts_disclosed == ("u0",) == turn.facts_volunteered


async def test_a_user_types_the_way_it_was_drawn_and_the_clean_text_stays_beside():
    style = TypingStyle(casing="lower", final_stop=0, typo_rate=0, ending_rate=0, abbreviations=0, stretched=0)
    view = View(role="user", brief="", private={TYPING: style.model_dump_json()})
    move = Move(role="user", intent="react", verbatim="That is nice.")
    turn = await ChatUser().speak(view, [], move, 1, services(lambda _: "", "user"))
    assert (turn.text, turn.labels["clean"]) == ("that is nice", "That is nice.")
