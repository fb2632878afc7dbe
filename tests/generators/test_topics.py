"""Paths of topics: drawn over bridges, walked by an assistant that leads, left by a user's detour and taken up again."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from played import case, played
from pydantic import ValidationError

from generators.domains.small_talk import CASES, Domain, TalkDomain, load
from generators.families.conversation import Conversation
from generators.topics import Talk, draw_digression, draw_path, handoffs
from schemas.dialogue import Turn

DOMAINS: tuple[Domain, ...] = ("small_talk", "neighbours", "hobby_club")
domains = st.sampled_from(DOMAINS)


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_has_ten_topics_and_forty_base_cases(domain: Domain):
    topics = load(domain).topics
    assert len(topics) >= 10 and sum(len(t.bridges) for t in topics.values()) >= CASES
    assert len({tell for t in topics.values() for q in t.questions.values() for tell in q}) >= 90


def test_a_domain_that_bridges_to_nowhere_says_so():
    data = load("hobby_club").model_dump()
    data["topics"]["chess"]["bridges"]["golf"] = "both need patience"
    with pytest.raises(ValidationError, match=r"topics 'chess': bridges to \['golf'\]"):
        TalkDomain.model_validate(data)


@given(domains, st.integers(6, 30), st.integers(0, 10_000))
def test_a_path_follows_bridges_and_visits_nothing_twice(domain: Domain, max_turns: int, seed: int):
    topics = load(domain).topics
    path = draw_path(topics, max_turns, Random(seed))
    assert 2 <= len(path) <= 4 and len(set(path)) == len(path)
    assert all(b in topics[a].bridges for a, b in pairwise(path))
    assert max_turns >= 10 or len(path) == 2


@given(domains, st.integers(8, 20), st.integers(0, 10_000))
def test_a_detour_is_off_the_path_and_a_bridge_leads_back(domain: Domain, max_turns: int, seed: int):
    topics, draws = load(domain).topics, Random(seed)
    path = draw_path(topics, max_turns, draws)
    digression = draw_digression(topics, path, max_turns, draws)
    if digression is not None:
        assert digression.topic not in path and path[1] in topics[digression.topic].bridges
        assert not digression.parks or path[0] in topics[digression.topic].bridges


async def test_a_long_conversation_walks_its_path_to_the_target():
    family, reached = Conversation(cells={"needed": 1}, trouble=0, digressions=0, max_turns=14), 0
    lengths: set[int] = set()
    for seed in range(30):
        dialogue, _ = await played(family, case(family, seed))
        path, outcome = dialogue.outcome["planned_path"], dialogue.outcome
        shifts = [t.labels["topic"] for t in dialogue.turns if t.labels.get("topic_shift")]
        assert shifts == [t for t in path if t in shifts] or len(shifts) < len(path)
        if outcome["target_reached_turn"] is None:
            continue
        reached += 1
        lengths.add(len(path))
        turn = dialogue.turns[outcome["target_reached_turn"]]
        assert (turn.role, turn.labels["topic"]) == ("user", outcome["target_topic"])
        handed = [(h["from_topic"], h["to_topic"], h["handoff"]) for h in outcome["handoffs"]]
        assert all(b in load("small_talk").topics[a].bridges and how == "closed" for a, b, how in handed)
    assert reached >= 12 and lengths == {2, 3, 4}


@pytest.mark.parametrize("max_turns", [8, 14])
async def test_after_a_detour_the_assistant_comes_back_to_its_path_by_a_bridge(max_turns: int):
    family = Conversation(cells={"needed": 1}, trouble=0, digressions=1, max_turns=max_turns)
    returned, parked = 0, 0
    for seed in range(60):
        dialogue, _ = await played(family, case(family, seed))
        at = next((n for n, t in enumerate(dialogue.turns) if t.labels.get("digresses")), None)
        after = [] if at is None else [t for t in dialogue.turns[at + 1 :] if t.role == "assistant"]
        if len(after) < 2 or dialogue.outcome["refused"] or after[1].intent_requested != "bridge":
            continue
        left, back = after[0].labels, after[1].labels
        own = dialogue.turns[at or 0].labels["topic"]
        assert left["to_topic"] == own == back["from_topic"] and back["to_topic"] in dialogue.scenario.plan["path"]
        assert back["bridge_entity"] and back["returned_turn"] == dialogue.turns.index(after[1])
        assert (left["handoff"] == "parked") == (back["to_topic"] == left["from_topic"])
        returned, parked = returned + 1, parked + (left["handoff"] == "parked")
    assert returned >= 20 and (parked >= 2 or max_turns == 8)


async def test_a_reactive_assistant_follows_a_detour():
    family, followed = Conversation(cells={"needed": 1}, trouble=0, digressions=1), 0
    for seed in range(20):
        dialogue, _ = await played(family, case(family, seed, "reactive"))
        own = [t for t in dialogue.turns if t.labels.get("digresses")]
        followed += bool(own) and dialogue.turns[-1].labels["topic"] == own[0].labels["topic"]
        assert not any("from_topic" in t.labels for t in dialogue.turns)
    assert followed >= 10


@pytest.mark.parametrize("max_turns", [8, 14])
async def test_a_privileged_assistant_waits_for_a_detour_and_comes_back_from_it(max_turns: int):
    family, back = Conversation(cells={"needed": 1}, trouble=0, digressions=1, max_turns=max_turns), 0
    for seed in range(40):
        dialogue, _ = await played(family, case(family, seed, "privileged"))
        at = next((n for n, t in enumerate(dialogue.turns) if t.labels.get("digresses")), None)
        if dialogue.scenario.plan["digression"] is None or at is None:
            continue
        led = [n for n, t in enumerate(dialogue.turns) if t.role == "assistant" and t.intent_requested == "bridge"]
        assert all(n > at for n in led)
        back += dialogue.outcome["target_reached_turn"] is not None
    assert back >= 12


def test_people_follow_over_a_bridge_from_what_the_assistant_has_spoken_on_and_not_otherwise():
    scenario, topics = case(Conversation(), 3), load("small_talk").topics
    first, second = scenario.plan["path"]
    far = next(t for t in topics if t != first and t not in topics[first].bridges)
    spoke = Turn(role="assistant", intent_requested="open", labels={"topic": first})

    def followed(to: str | None, *before: Turn) -> bool:
        moved = {"from_topic": first, "to_topic": to} if to else {}
        free = {"role": "assistant", "intent_requested": "free", "intent_detected": "bridge"}
        last = Turn.model_validate({**free, "labels": {"topic": to or first, **moved}})
        return Talk.of(scenario, [*before, last], load("small_talk")).handed_over

    assert followed(second, spoke)
    assert not followed(second) and not followed(far, spoke) and not followed(None, spoke)


def test_a_topic_that_was_parked_has_the_turn_of_its_return():
    turns = [
        Turn(role="assistant", labels={"from_topic": "a", "to_topic": "x", "handoff": "parked"}),
        Turn(role="user"),
        Turn(role="assistant", labels={"from_topic": "x", "to_topic": "a", "handoff": "closed", "bridge_entity": "e"}),
    ]
    found = handoffs(turns)
    assert [(h["turn"], h["handoff"], h["returned_turn"]) for h in found] == [(0, "parked", 2), (2, "closed", None)]


def test_a_lead_after_a_refusal_is_a_push():
    scenario = case(Conversation(), 3)
    led = [
        Turn(role="assistant", intent_requested="offer"),
        Turn(role="user", intent_requested="decline"),
        Turn(role="assistant", intent_requested="free", intent_detected="offer"),
    ]
    talk = Talk.of(scenario, led, load("small_talk"))
    assert (talk.refused_at, talk.pushes) == (1, 1)
