"""Open conversation, played by a function: who leads, what comes out when, and what the prompts look like."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
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
from schemas.contracts import Services, Speaker
from schemas.dialogue import Dialogue, Move, Turn
from schemas.scenario import Policy, View

FAMILY = Conversation()


class Scripted(Speaker):
    """Says its texts in turn, the last one again."""

    texts: tuple[str, ...]

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        said = sum(t.role == view.role for t in turns)
        text = self.texts[min(said, len(self.texts) - 1)]
        return Turn(role=view.role, text=text, intent_requested=move.intent, acts=("ask",))


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


async def test_a_topic_stays_until_what_was_said_on_it_is_repaired():
    family, repaired = Conversation(cells={"impossible": 1}, trouble=1), 0
    for seed in range(80):
        dialogue, _ = await played(family, case(family, seed))
        source = next((t for t in dialogue.turns if t.labels.get("trouble_part") == "source"), None)
        repair = next((t for t in dialogue.turns if t.labels.get("trouble_part") == "repair"), None)
        assert dialogue.outcome["target_reached_turn"] is None
        if source is not None and repair is not None:
            repaired += 1
            assert source.labels["topic"] == repair.labels["topic"]
    assert repaired >= 40


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


async def test_a_free_assistant_that_asks_about_several_topics_hands_over_to_none():
    scenario = case(FAMILY, 0, "external")
    first, second = scenario.plan["path"]
    topics = load("small_talk").topics
    third = next(t for t in topics if t not in (first, second))
    opened = Turn(role="user", text="hi", labels={"topic": first})
    text = " ".join(f"{sorted(topics[t].questions)[0]}?" for t in (second, third))
    free = Turn(role="assistant", intent_requested="free", text=text)
    read = await FAMILY.observe(scenario, [opened], free, services(obeys, "assistant"))
    assert (read.intent_detected, read.labels["topic"], read.labels["topic_shift"]) == ("bridge", first, False)
    assert "from_topic" not in read.labels


async def test_a_tip_said_again_is_an_offer_again_and_tells_nothing_new():
    scenario = case(FAMILY, 0, "external")
    tip = next(f for f in scenario.views["assistant"].facts if f.disclose == "volunteered")
    before = [Turn(role="user", text="hi"), Turn(role="assistant", text=tip.text, facts_disclosed=(tip.id,))]
    free = Turn(role="assistant", intent_requested="free", text=tip.text)
    read = await FAMILY.observe(scenario, before, free, services(obeys, "assistant"))
    assert (read.intent_detected, read.facts_disclosed, read.facts_volunteered) == ("offer", (), ())


@pytest.mark.parametrize("cell", ["needed", "given", "impossible"])
async def test_who_pushes_the_target_in_every_message_is_not_followed(cell: Any):
    family, turns = Conversation(cells={cell: 1}, trouble=0, digressions=0), 0
    for seed in range(20):
        scenario = case(family, seed, "external")
        asks = sorted(load("small_talk").topics[scenario.plan["path"][-1]].questions)
        pushes = Scripted(texts=tuple(f"{q}?" for q in asks))
        dialogue, _ = await played(family, scenario, speakers={**family.speakers, "assistant": pushes})
        turns += sum(t.role == "assistant" for t in dialogue.turns)
        assert not dialogue.outcome["success"]
        answers = [t for t in dialogue.turns[2:] if t.role == "user"]
        assert {t.intent_requested for t in answers} <= {"decline", "bye"}
        assert dialogue.outcome["pushes_after_refusal"] >= sum(t.intent_requested == "decline" for t in answers) - 1
    assert turns > 40


async def test_who_asks_on_their_topic_first_and_then_goes_over_a_bridge_is_followed():
    family, reached = Conversation(cells={"given": 1}, trouble=0, digressions=0), 0
    for seed in range(20):
        scenario = case(family, seed, "external")
        asks = [sorted(load("small_talk").topics[t].questions) for t in scenario.plan["path"]]
        hands_over = Scripted(texts=(f"{asks[0][0]}?", *(f"{q}?" for q in asks[1])))
        dialogue, _ = await played(family, scenario, speakers={**family.speakers, "assistant": hands_over})
        reached += dialogue.outcome["success"]
    assert reached >= 14


@pytest.mark.parametrize("max_turns", [8, 14])
async def test_only_the_privileged_policy_says_what_it_could_not_know_and_it_leads_where_that_helps(max_turns: int):
    family = Conversation(trouble=0, digressions=0.3, max_turns=max_turns)
    won: dict[Policy, int] = {"proactive": 0, "privileged": 0}
    marked: set[tuple[str, str | None, bool]] = set()
    for seed in range(120):
        for policy in won:
            scenario = case(family, seed, policy)
            dialogue, _ = await played(family, scenario)
            cell, mine = scenario.session_latents["cell"], [t for t in dialogue.turns if t.role == "assistant"]
            assert all(("clairvoyant" in t.labels) == (policy == "privileged") for t in mine)
            won[policy] += bool(dialogue.outcome["success"])
            if policy == "proactive":
                continue
            assert dialogue.outcome["pushes_after_refusal"] == 0
            assert cell not in ("refuses", "impossible", "hurry") or not {t.intent_requested for t in mine} & set(LEADS)
            assert cell != "hurry" or len(mine) <= 2
            marked |= {(cell, t.intent_requested, t.labels["clairvoyant"]) for t in mine}
    assert won["privileged"] > won["proactive"]
    assert {("needed", "open", True), ("needed", "bridge", True), ("given", "open", False)} <= marked
    assert {("hurry", "close", False), ("impossible", "close", True), ("refuses", "follow", True)} <= marked


async def test_a_privileged_assistant_asks_for_what_there_is_to_tell():
    family, data, asked = Conversation(cells={"refuses": 1}), load("small_talk"), 0
    for seed in range(20):
        dialogue, _ = await played(family, case(family, seed, "privileged"))
        facts = dialogue.scenario.views["user"].facts
        for n, turn in enumerate(dialogue.turns):
            before = dialogue.turns[:n]
            had = {t.labels.get("question") for t in before}
            told = {i for t in before for i in t.facts_disclosed}
            on = [f for f in facts if data.topic_of(f) == turn.labels["topic"] and f.id not in told]
            if turn.intent_requested == "follow" and (left := {f.slot for f in on} - had):
                asked += turn.labels["question"] in left
                assert turn.labels["question"] in left
    assert asked >= 5


@settings(max_examples=25)
@given(seeds, st.sampled_from(["reactive", "proactive", "privileged"]))
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
    assert all(len(list(same)) <= 2 for _, same in groupby(dialogue.turns, key=lambda turn: turn.role))


@settings(max_examples=25)
@given(seeds, st.sampled_from(["reactive", "proactive", "privileged"]))
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
    turn = await ChatUser().speak(view, [heard], move, 1, services(lambda _: "My brother broke the tv so bad.", "user"))
    assert turn.labels["clean"] == "My brother broke the tv."


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("it is sunny here today", "fact_not_said"),
        ("do you know that my brother broke the tv?", "unwanted_question"),
        ("the tv broke my brother", "scrambled"),
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


@pytest.mark.parametrize(
    ("fact", "said", "labels", "reason"),
    [
        ("i want one from the eighties or nineties", "i want one from the seventies or nineties", {}, "adds_words"),
        ("no, i like a big city", "yeah i like a big city", {"corrects": "u0"}, "intent_not_met"),
        ("i tried the violin for a month", "did you try the violin for a month", {}, "fact_not_said"),
    ],
)
async def test_a_user_neither_agrees_where_it_corrects_nor_changes_a_number(
    fact: str, said: str, labels: dict[str, Any], reason: str
):
    held = {"id": "u0", "holder": "user", "slot": "s", "value": "v", "text": fact}
    view = View.model_validate({"role": "user", "brief": "You text.", "facts": [held]})
    move = Move(role="user", intent="answer", instruction="x", fact_ids=("u0",), fallback=fact, labels=labels)
    turn = await ChatUser(adds=3).speak(view, [], move, 1, services(lambda _: said, "user"))
    assert turn.labels["fallback"] == reason
