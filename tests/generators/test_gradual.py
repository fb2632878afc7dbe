"""Gradual, played by a function: a shard a message, asked for or not, and an answer that is early is labelled so."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import case, note, obeys, played, services

from generators.families.gradual import CELLS, Gradual
from generators.latents.session import Cell
from generators.piecing import AT_ONCE, SETTINGS, Setting
from generators.speakers.external import FREE
from generators.tasks.sharding import quantities
from schemas.chat import ChatRequest
from schemas.dialogue import Dialogue, Ending, Move, Turn
from schemas.scenario import Policy, Scenario

seeds = st.integers(0, 100_000)
WRONG = "7777777"
FAMILY = Gradual()


def set_to(
    setting: Setting, cell: Cell = "needed", seed: int = 0, policy: Policy = "proactive", **changes: Any
) -> Scenario:
    return case(Gradual(settings={setting: 1}, cells={cell: 1}), seed, policy, **changes)


def worked(request: ChatRequest) -> str:
    """Some working, never the same."""
    words = ("so", "then", "that", "must", "make", "it", "all", "right", "now", "I", "guess", "you", "see", "well")
    return " ".join(Random(request.seed).sample(words, 7))


def knows(scenario: Scenario) -> Any:
    """A model that obeys, asks the open question for one shard after the other, and answers right where all that is
    needed has been told; else wrong, in other words each time.
    """

    def says(request: ChatRequest) -> str | dict[str, Any]:
        shown = " ".join(m.content for m in request.messages)
        user = scenario.views["user"]
        if request.json_schema is not None:
            told = all(quantities(f.value).keys() <= quantities(shown).keys() for f in user.facts if f.required)
            allowed = request.json_schema["properties"]["answer"]
            right = scenario.verifier.answer if scenario.verifier and told else WRONG
            given = allowed.get(
                "const", right if right in allowed.get("enum", [right]) else allowed.get("enum", [""])[0]
            )
            return {"say": worked(request), "answer": given}
        if "still missing" in note(request):
            place = request.key.turn // 2
            return f"What about {user.facts[place].slot}?" if place < len(user.facts) else "Is there anything else?"
        return obeys(request)

    return says


def shape(dialogue: Dialogue) -> list[tuple[str, str | None]]:
    return [(t.role, t.intent_requested) for t in dialogue.turns]


def of(dialogue: Dialogue, role: str) -> list[Turn]:
    return [t for t in dialogue.turns if t.role == role]


@given(seeds)
def test_the_assistant_sees_no_shard_and_nobody_sees_the_answer(seed: int):
    scenario = case(FAMILY, seed)
    assistant = scenario.views["assistant"]
    assert assistant.facts == () and assistant.private == {} and assistant.public == ""
    assert "answer" not in scenario.views["user"].private
    assert scenario == case(FAMILY, seed) and scenario.base_case_id.startswith("problem/")


def test_in_a_quarter_asking_is_needless_and_in_a_tenth_nothing_succeeds():
    cases = [case(FAMILY, seed) for seed in range(1000)]
    counts = Counter(c.session_latents["initiative"] for c in cases)
    assert counts["needless"] >= 250 and 70 < counts["hopeless"] < 130 and counts["unwelcome"] > 50
    assert sum(CELLS.values()) == pytest.approx(1) and {c.plan["setting"] for c in cases} == set(SETTINGS)
    for c in cases:
        held = Counter(f.disclose for f in c.views["user"].facts if f.required)
        assert held["never"] == (c.session_latents["cell"] == "impossible")
        assert c.session_latents["cell"] != "needed" or held["asked"] > 0
        assert c.plan["setting"] not in AT_ONCE or c.session_latents["cell"] in ("given", "impossible")


@settings(max_examples=40)
@given(seeds, st.sampled_from(["reactive", "proactive", "privileged"]))
async def test_at_most_one_shard_comes_out_a_turn_each_once_and_none_that_nobody_knows(seed: int, policy: Policy):
    scenario = case(FAMILY, seed, policy)
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    at_once = scenario.plan["setting"] in AT_ONCE
    told: list[str] = []
    for n, turn in enumerate(dialogue.turns):
        assert len(turn.facts_disclosed) <= 1 or (at_once and n == 0)
        assert turn.facts_disclosed == () or (turn.role == "user" and (at_once or n > 0))
        told += turn.facts_disclosed
    never = {f.id for f in scenario.facts if f.disclose == "never"}
    assert len(told) == len(set(told)) and not never & set(told)
    assert len(dialogue.turns) <= scenario.max_turns


@settings(max_examples=40)
@given(seeds, st.sampled_from(["reactive", "proactive"]))
async def test_a_message_has_all_quantities_of_what_it_tells_and_no_other(seed: int, policy: Policy):
    scenario = case(FAMILY, seed, policy)
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    facts = {fact.id: fact for fact in scenario.facts}
    before: set[Any] = set()
    for turn in of(dialogue, "user")[1:]:
        own = {v for i in turn.facts_disclosed for v in quantities(facts[i].text)}
        said = set(quantities(turn.text or ""))
        if scenario.plan["setting"] == "snowball" and turn.facts_disclosed:
            assert said == own | before  # each message repeats what was told
        elif "recap" not in turn.labels:
            assert said == own
        before |= own


async def test_a_proactive_assistant_asks_for_one_thing_a_turn_and_answers_when_nothing_is_missing():
    scenario = set_to("sharded")
    count = len(scenario.facts)
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    asked = [("assistant", "ask"), ("user", "answer")] * count
    assert shape(dialogue) == [("user", "request"), *asked, ("assistant", "answer")]
    assert dialogue.ending == Ending(reason="goal_reached", by="assistant")
    assert dialogue.outcome["premature_attempts"] == 0 and dialogue.outcome["questions"] == count
    assert [t.facts_asked for t in of(dialogue, "assistant")[:-1]] == [(f.id,) for f in scenario.facts]
    assert dialogue.outcome["revealed_at"] == {f.id: 2 * n for n, f in enumerate(scenario.facts, 1)}


async def test_a_reactive_assistant_attempts_every_turn_and_is_early_while_something_needed_is_hidden():
    scenario = set_to("sharded", "given", policy="reactive")
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    attempts = of(dialogue, "assistant")
    assert [t.labels["response_type"] for t in attempts] == ["answer_attempt"] * (len(scenario.facts) + 1)
    assert [t.labels["premature_attempt"] for t in attempts] == [True] * len(scenario.facts) + [False]
    assert [t.labels["attempt_score"] for t in attempts] == [0.0] * len(scenario.facts) + [1.0]
    assert of(dialogue, "user")[-1].labels["done"] and dialogue.outcome["success"]
    words = [len((t.text or "").split()) for t in attempts]
    assert dialogue.outcome["answer_bloat"] == words[-1] / words[0]


async def test_a_lucky_guess_ends_the_chat_and_is_labelled_as_early():
    scenario = set_to("sharded", policy="reactive")
    assert scenario.verifier is not None
    lucky = {"say": "It must be so.", "answer": scenario.verifier.answer}
    dialogue, _ = await played(FAMILY, scenario, lambda request: lucky if request.json_schema else obeys(request))
    assert len(dialogue.turns) == 2 and dialogue.ending.reason == "goal_reached"
    assert dialogue.outcome["success"] and dialogue.outcome["premature_success"]


async def test_who_tells_everything_says_so_and_is_waited_for():
    scenario = set_to("sharded", "given")
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    intents = [t.intent_requested for t in of(dialogue, "assistant")]
    assert dialogue.turns[0].labels["announces"] and intents == ["wait"] * len(scenario.facts) + ["answer"]
    assert all(t.labels["response_type"] == "discussion" for t in of(dialogue, "assistant")[:-1])


async def test_who_turns_questions_down_is_asked_once():
    scenario = set_to("sharded", "refuses")
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    assert [t.intent_requested for t in of(dialogue, "assistant")][:2] == ["ask", "wait"]
    refused = dialogue.turns[2]
    assert refused.labels["refuses"] and refused.facts_disclosed == () and dialogue.outcome["questions"] == 1
    assert dialogue.outcome["success"] and dialogue.outcome["patience_spent"] == 1


async def test_what_nobody_knows_is_denied_and_the_assistant_stops_without_a_guess():
    scenario = set_to("sharded", "impossible")
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    assert dialogue.turns[-2].labels["denied"] and dialogue.turns[-1].intent_requested == "stop"
    assert dialogue.ending == Ending(reason="closed_by_learner", by="assistant")
    assert (dialogue.outcome["success"], dialogue.outcome["abstained"]) == (False, True)


@pytest.mark.parametrize("setting", AT_ONCE)
async def test_who_tells_all_at_once_is_answered_at_once(setting: Setting):
    scenario = set_to(setting)
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    assert shape(dialogue) == [("user", "request"), ("assistant", "answer")]
    assert dialogue.turns[0].facts_disclosed == tuple(f.id for f in scenario.facts)
    assert dialogue.outcome["initiative"] == "needless" and not dialogue.outcome["premature_attempts"]
    assert ("\n- " in str(dialogue.turns[0].text)) == (setting == "concat")


async def test_a_recap_tells_everything_once_more_after_a_wrong_answer_and_then_it_is_over():
    scenario = set_to("recap", "given", policy="reactive")

    def says(request: ChatRequest) -> str | dict[str, Any]:
        if request.json_schema is None:
            return obeys(request)
        choices = request.json_schema["properties"]["answer"].get("enum")
        return {"say": worked(request), "answer": choices[-1] if choices else WRONG}

    dialogue, _ = await played(FAMILY, scenario, says)
    recap = dialogue.turns[-2]
    assert recap.labels["recap"] and set(quantities(recap.text or "")) >= set(quantities(scenario.plan["full"]))
    assert dialogue.ending == Ending(reason="closed_by_partner", by="user")
    assert len(of(dialogue, "assistant")) == len(scenario.facts) + 2


def asked(scenario: Scenario, about: tuple[str, ...], before: tuple[Turn, ...] = ()) -> Move:
    """What the user does after a question."""
    opening = Turn(role="user", text="?", intent_requested="request")
    question = Turn(role="assistant", text="?", acts=("ask",), facts_asked=about)
    move = FAMILY.next(scenario, [opening, *before, question])
    assert isinstance(move, Move)
    return move


def test_a_question_gets_its_shard_whatever_the_order_and_one_about_nothing_gets_none():
    scenario = set_to("sharded")
    last = scenario.facts[-1].id
    assert asked(scenario, (last,)).fact_ids == (last,)
    nothing = asked(scenario, ())
    assert nothing.fact_ids == () and nothing.intent == "repair" and nothing.labels["costs"]
    told = Turn(role="user", text="!", facts_disclosed=(last,))
    ask = Turn(role="assistant", text="?", acts=("ask",))
    assert asked(scenario, (last,), (ask, told)).intent == "repair"


def test_of_several_things_asked_for_one_is_told_and_it_costs_patience():
    scenario = set_to("sharded")
    ids = tuple(f.id for f in scenario.facts)
    move = asked(scenario, ids)
    assert move.fact_ids == ids[:1] and move.labels["withheld"] == list(ids[1:]) and move.labels["costs"]


def test_questions_that_bring_nothing_use_up_patience():
    scenario = set_to("sharded")
    scenario = scenario.model_copy(
        update={"session_latents": scenario.session_latents | {"patience": 2}, "max_turns": 40}
    )
    turns: list[Turn] = [Turn(role="user", text="?", intent_requested="request")]
    met: list[str] = []
    for _ in range(3):
        turns.append(Turn(role="assistant", text="?", acts=("ask",)))
        move = FAMILY.next(scenario, turns)
        assert isinstance(move, Move)
        met.append(move.intent)
        turns.append(Turn(role="user", text=f"{len(met)}", intent_requested=move.intent, labels=move.labels))
    assert met == ["repair", "repair", "bye"] and FAMILY.next(scenario, turns) == Ending(reason="gave_up", by="user")


async def test_a_user_whose_model_loses_a_number_says_the_programs_words():
    scenario = next(s for n in range(99) if (s := set_to("sharded", seed=n)).facts[0].value.isdigit())

    def vague(request: ChatRequest) -> str | dict[str, Any]:
        return "well some of them." if note(request).startswith("rewrite") else knows(scenario)(request)

    dialogue, _ = await played(FAMILY, scenario, vague)
    told = next(t for t in dialogue.turns if t.facts_disclosed)
    assert told.model is None and told.labels["fallback"]
    assert scenario.facts[0].value in str(told.labels["clean"])


def read(scenario: Scenario, text: str, *before: Turn) -> Any:
    free = scenario.model_copy(update={"policy": "external"})
    turn = Turn(role="assistant", text=text, intent_requested=FREE, acts=())
    return FAMILY.observe(free, [Turn(role="user", text="?"), *before], turn, services(obeys, "user"))


async def test_a_free_message_is_read_off_its_words():
    scenario = next(s for n in range(99) if (s := set_to("sharded", seed=n)).plan["answer_kind"] == "number")
    assert scenario.verifier is not None
    right = await read(scenario, f"Answer: {scenario.verifier.answer}")
    assert right.answer_correct and right.labels["premature_attempt"] and right.labels["attempt_score"] == 1.0
    question = await read(scenario, f"Can you tell me {scenario.facts[0].slot}?")
    assert question.facts_asked == (scenario.facts[0].id,) and question.labels["response_type"] == "clarification"
    denied = Turn(role="user", text="no idea", labels={"denied": ["shard_1"]})
    assert (await read(scenario, "Then nobody can know it.", denied)).decision == "stop"
    assert (await read(scenario, "Then nobody can know it.")).decision == "wait"  # nothing was said to be unknown


async def test_only_turns_of_the_privileged_assistant_say_whether_they_are_clairvoyant():
    met: set[tuple[str | None, bool]] = set()
    for seed in range(60):
        scenario = case(FAMILY, seed, "privileged")
        dialogue, _ = await played(FAMILY, scenario, knows(scenario))
        met |= {(t.intent_requested, t.labels["clairvoyant"]) for t in of(dialogue, "assistant")}
        assert dialogue.outcome["success"] != (dialogue.outcome["cell"] == "impossible")
        assert not dialogue.outcome["premature_attempts"]
    assert {("stop", True), ("wait", True), ("wait", False), ("answer", False), ("ask", False)} <= met
    scenario = case(FAMILY, 0)
    dialogue, _ = await played(FAMILY, scenario, knows(scenario))
    assert not any("clairvoyant" in t.labels for t in dialogue.turns)


async def test_the_assistants_prompts_hold_no_shard_that_was_not_told():
    for seed in range(30):
        scenario = case(FAMILY, seed)
        dialogue, requests = await played(FAMILY, scenario, knows(scenario))
        for request in requests:
            if request.messages[0].content.startswith("You help"):
                before = " ".join(
                    t.labels.get("clean", t.text or "") for t in dialogue.turns[: request.key.turn]
                ).lower()
                shown = "\n".join(m.content for m in request.messages)
                hidden = [f for f in scenario.facts if f.text.lower().rstrip(".") not in before]
                assert not any(f.text in shown for f in hidden)


def test_a_paired_case_is_the_same_in_every_setting():
    family = Gradual(paired=True)
    scenario = case(family, 3)
    forms = [family.vary(scenario, n) for n in range(family.variants)]
    assert [f.plan["setting"] for f in forms] == list(SETTINGS) and forms[0] == scenario
    assert len({f.model_dump_json(include={"views", "verifier"}) for f in forms}) == 1
    assert Gradual().variants == 1 and Gradual().vary(scenario, 0) == scenario


def test_cells_and_settings_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="cells: hurry: this family has needed, given, refuses, impossible"):
        Gradual(cells={"hurry": 1})
    with pytest.raises(ValueError, match="settings: give one of full, concat"):
        Gradual(settings={"full": 0})
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Gradual(settings={"full": 1, "recap": -1})


async def test_problems_of_ones_own_are_told_in_their_pieces(tmp_path: Path):
    path = tmp_path / "problems.jsonl"
    question = "Ann has 3 pens. Bo gives her 4 more pens. The pens are blue. How many pens does Ann have?"
    answer = "Ann has 3+4=<<3+4=7>>7 pens.\n#### 7"
    path.write_bytes(orjson.dumps({"question": question, "answer": answer}) + b"\n")
    family = Gradual(problems=path, settings={"sharded": 1}, cells={"needed": 1})
    scenario = case(family, 1)
    assert [(f.value, f.required) for f in scenario.facts] == [("3", True), ("4", True), ("The pens are blue", False)]
    dialogue, _ = await played(family, scenario, knows(scenario))
    assert str(dialogue.turns[0].text).lower().endswith("how many pens does ann have?")
    assert dialogue.outcome["success"] and dialogue.outcome["premature_attempts"] == 0
