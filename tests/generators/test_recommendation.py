"""Helping somebody choose, played by a function: who knows what, what each kind of person does, what is logged."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import case, obeys, played

from generators.domains.recommendation import Domain, load
from generators.families.recommendation import Recommendation
from generators.latents.session import Cell
from generators.seeking import Talk
from schemas.contracts import Services, Speaker
from schemas.dialogue import Dialogue, Move, Turn
from schemas.scenario import Policy, Scenario, View

DOMAINS: tuple[Domain, ...] = get_args(Domain)
OURS: tuple[Policy, ...] = ("reactive", "proactive", "privileged")
FAMILIES = {name: Recommendation(domain=name) for name in DOMAINS}
FILMS = FAMILIES["films"]
seeds = st.integers(0, 100_000)
domains = st.sampled_from(DOMAINS)
policies = st.sampled_from(OURS)


class Script(Speaker):
    """Says one line after the other, then the last one again and again."""

    lines: tuple[str, ...]

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        said = sum(t.role == view.role for t in turns)
        return Turn(role=view.role, text=self.lines[min(said, len(self.lines) - 1)], intent_requested=move.intent)


def of_cell(cell: Cell, seed: int, policy: Policy = "proactive", domain: Domain = "films", **latents: Any) -> Scenario:
    """Somebody who says at once what they want. `latents`: what this person is fixed to."""
    scenario = case(Recommendation(domain=domain, cells={cell: 1.0}), seed, policy)
    fixed = {"session_latents": scenario.session_latents | latents, "plan": scenario.plan | {"greets": False}}
    return scenario.model_copy(update=fixed)


async def scripted(scenario: Scenario, *lines: str) -> Dialogue:
    speakers: Mapping[str, Speaker] = {**FILMS.speakers, "assistant": Script(lines=lines)}
    return (await played(FILMS, scenario, speakers=speakers))[0]


def talk_of(dialogue: Dialogue, turns: int | None = None) -> Talk:
    return Talk.of(dialogue.scenario, dialogue.turns[:turns], load(dialogue.scenario.domain))


def by(dialogue: Dialogue, role: str) -> list[Turn]:
    return [t for t in dialogue.turns if t.role == role]


def questions(scenario: Scenario, *slots: str) -> str:
    asks = [load(scenario.domain).slots[slot].ask for slot in slots]
    return " ".join(f"{ask[:1].upper()}{ask[1:]}?" for ask in asks)


@given(seeds, domains)
def test_views_are_asymmetric_and_a_case_is_decided_by_its_seed(seed: int, domain: Domain):
    scenario = case(FAMILIES[domain], seed)
    assert scenario == case(FAMILIES[domain], seed)
    user, assistant = scenario.views["user"], scenario.views["assistant"]
    wants = {f.id: f.value for f in user.facts if f.required}
    assert wants == scenario.plan["wants"] and assistant.facts == ()
    seen = assistant.model_dump_json()
    assert not any(f.text in seen for f in user.facts)
    assert scenario.base_case_id.partition("/")[0] == domain


@given(seeds, domains)
def test_siblings_of_one_case_share_their_person(seed: int, domain: Domain):
    siblings = [case(FAMILIES[domain], seed, policy) for policy in (*OURS, "external")]
    person = siblings[0].model_copy(update={"policy": "external"})
    assert all(s.model_copy(update={"policy": "external"}) == person for s in siblings)


@settings(max_examples=25)
@given(seeds, domains, policies)
async def test_the_assistants_prompts_hold_no_want_that_was_not_told(seed: int, domain: Domain, policy: Policy):
    scenario = case(FAMILIES[domain], seed, policy)
    dialogue, requests = await played(FAMILIES[domain], scenario)
    brief = scenario.views["assistant"].brief
    mine = [r for r in requests if r.messages[0].content.startswith(brief)]
    assert mine or not by(dialogue, "assistant")
    wants = {f.id: f for f in scenario.views["user"].facts if f.required}
    for request in mine:
        known = {i for t in dialogue.turns[: request.key.turn] for i in t.facts_disclosed}
        shown = " ".join(m.content for m in request.messages).lower()
        assert not [f.text for i, f in wants.items() if i not in known and f.text in shown]


@settings(max_examples=25)
@given(seeds, domains, policies)
async def test_a_dialogue_is_decided_by_its_scenario_and_any_prefix_says_who_comes_next(
    seed: int, domain: Domain, policy: Policy
):
    family, scenario = FAMILIES[domain], case(FAMILIES[domain], seed, policy)
    dialogue, _ = await played(family, scenario)
    assert dialogue == (await played(family, scenario))[0]
    assert len(dialogue.turns) <= scenario.max_turns
    for n, turn in enumerate(dialogue.turns):
        move = family.next(scenario, dialogue.turns[:n])
        assert isinstance(move, Move) and (move.role, move.intent) == (turn.role, turn.intent_requested)


@settings(max_examples=25)
@given(seeds, domains, policies)
async def test_nothing_comes_out_twice_and_what_is_left_only_shrinks(seed: int, domain: Domain, policy: Policy):
    dialogue, _ = await played(FAMILIES[domain], case(FAMILIES[domain], seed, policy))
    told: set[str] = set()
    left = len(load(domain).items)
    for turn in dialogue.turns:
        assert not told & set(turn.facts_disclosed)
        told |= set(turn.facts_disclosed)
        assert turn.labels["candidates"] <= left and turn.labels["entropy"] >= 0
        left = turn.labels["candidates"]


@settings(max_examples=25)
@given(seeds, domains, policies)
async def test_every_turn_of_ours_logs_what_it_weighed_and_how_likely_it_was(seed: int, domain: Domain, policy: Policy):
    dialogue, _ = await played(FAMILIES[domain], case(FAMILIES[domain], seed, policy))
    for turn in by(dialogue, "assistant"):
        actions, taken = turn.labels["actions"], turn.labels["action_taken"]
        assert taken["type"] == turn.intent_requested and taken in [{k: a[k] for k in taken} for a in actions]
        assert sum(a["probability"] for a in actions) == pytest.approx(1, abs=1e-4)
        chosen = next(a for a in actions if {k: a[k] for k in taken} == taken)
        assert turn.labels["behaviour_policy_prob"] == chosen["probability"] > 0
        assert ("clairvoyant" in turn.labels) == (policy == "privileged")


@settings(max_examples=15)
@given(seeds, domains, policies)
async def test_who_can_find_nothing_accepts_nothing(seed: int, domain: Domain, policy: Policy):
    dialogue, _ = await played(FAMILIES[domain], of_cell("impossible", seed, policy, domain))
    assert not dialogue.outcome["success"] and dialogue.outcome["accepted"] is None
    assert talk_of(dialogue).targets() == []


async def test_clairvoyant_marks_what_the_hidden_side_alone_can_tell():
    marked: set[tuple[str, bool]] = set()
    for seed in range(25):
        dialogue, _ = await played(FILMS, of_cell("needed", seed, "privileged"))
        for n, turn in enumerate(dialogue.turns):
            if turn.role != "assistant":
                continue
            before, kind = talk_of(dialogue, n), str(turn.intent_requested)
            marked.add((kind, turn.labels["clairvoyant"]))
            if kind == "recommend":
                assert turn.labels["clairvoyant"] == (len(before.candidates()) > 1)
            elif kind == "ask":
                assert turn.labels["clairvoyant"] == (turn.facts_asked[0] not in before.hinted)
            else:
                assert not turn.labels["clairvoyant"]
    assert {("recommend", True), ("ask", True), ("close", False)} <= marked


async def test_where_initiative_is_needed_a_want_that_must_be_asked_for_never_comes_out_unasked():
    asked_for = 0
    for seed in range(60):
        dialogue, _ = await played(FILMS, of_cell("needed", seed, "reactive" if seed % 2 else "proactive"))
        how = {f.id: f.disclose for f in dialogue.scenario.views["user"].facts if f.required}
        asked: set[str] = set()
        for turn in dialogue.turns:
            asked |= set(turn.facts_asked)
            out = [i for i in turn.facts_disclosed if how.get(i) == "asked"]
            assert set(out) <= asked
            asked_for += len(out)
    assert asked_for >= 10


async def test_who_gives_everything_at_once_tells_all_before_the_other_side_speaks():
    for seed in range(15):
        dialogue, _ = await played(FILMS, of_cell("given", seed, "reactive"))
        first = next(n for n, t in enumerate(dialogue.turns) if t.role == "assistant")
        assert talk_of(dialogue, first).known == dialogue.scenario.plan["wants"]
        tells = dialogue.scenario.session_latents["tells"]
        assert all(len(t.facts_disclosed) <= tells for t in dialogue.turns)


async def test_who_is_in_a_hurry_says_so_is_asked_nothing_and_leaves_over_a_question():
    for seed in range(15):
        dialogue, _ = await played(FILMS, of_cell("hurry", seed))
        assert dialogue.turns[0].labels["hurry"] and dialogue.scenario.session_latents["patience"] == 1
        assert dialogue.outcome["questions"] == 0
        scenario = of_cell("hurry", seed, "external")
        beside = "What snacks are you having with it?"
        asked = await scripted(scenario, beside, questions(scenario, "era"))
        assert asked.ending.reason == "gave_up" and len(by(asked, "assistant")) == 1


async def test_who_refuses_questions_says_so_once_and_then_leaves():
    refused = 0
    for seed in range(20):
        dialogue, _ = await played(FILMS, of_cell("refuses", seed))
        says_no = [n for n, t in enumerate(dialogue.turns) if t.labels.get("refuses")]
        if says_no:
            refused += 1
            assert len(says_no) == 1 and not any(t.facts_asked for t in dialogue.turns[says_no[0] :])
            assert dialogue.outcome["pushes_after_refusal"] == 0
        scenario = of_cell("refuses", seed, "external")
        pushed = await scripted(scenario, questions(scenario, "era"), questions(scenario, "genre"))
        assert pushed.ending.reason == "gave_up" and pushed.outcome["pushes_after_refusal"] == 1
        assert not any(t.facts_disclosed for t in by(pushed, "user")[1:])
    assert refused >= 15


async def test_who_has_decided_wants_nothing_and_pushing_is_a_fault():
    for seed in range(15):
        let_go, _ = await played(FILMS, of_cell("useless", seed))
        assert let_go.turns[0].labels["decided"]
        assert let_go.outcome["success"] == (let_go.ending.reason == "closed_by_learner")
        scenario = of_cell("useless", seed, "external")
        names = [f"You should watch {i.name}." for i in load("films").items[:4]]
        pushed = await scripted(scenario, *names)
        assert not pushed.outcome["success"] and pushed.outcome["civility_fault"]
        assert pushed.outcome["accepted"] is None


async def test_five_questions_at_once_get_a_part_of_an_answer_and_cost_patience():
    partly = 0
    for seed in range(30):
        scenario = of_cell("needed", seed, "external", tells=1, patience=6 + seed % 6, cooperativeness=0.0)
        asked = list(load("films").slots)[:5]
        dialogue = await scripted(scenario, questions(scenario, *asked))
        n = next(n for n, t in enumerate(dialogue.turns) if t.role == "assistant")
        assert set(dialogue.turns[n].facts_asked) == set(asked)
        before, after = talk_of(dialogue, n), talk_of(dialogue, n + 1)
        beside = sum(slot not in before.wants for slot in asked)
        assert after.patience == before.patience - 4 - beside
        answer = dialogue.turns[n + 1]
        if after.patience <= 0:
            assert answer.intent_requested == "bye" and dialogue.ending.reason == "gave_up"
            continue
        open_ones = [slot for slot in asked if slot in before.wants and slot not in before.known]
        assert len(answer.facts_disclosed) == min(1, len(open_ones))
        assert set(answer.labels.get("withheld", ())) == set(open_ones) - set(answer.facts_disclosed)
        partly += len(open_ones) > 1
    assert partly >= 3


async def test_three_questions_to_a_patient_person_get_two_answers_where_they_tell_two():
    partly = 0
    for seed in range(60):
        scenario = of_cell("needed", seed, "external", tells=2, patience=9, cooperativeness=0.0)
        hidden = [f.id for f in scenario.views["user"].facts if f.required and f.disclose != "volunteered"]
        if len(hidden) < 3:
            continue
        dialogue = await scripted(scenario, questions(scenario, *hidden[:3]))
        n = next(n for n, t in enumerate(dialogue.turns) if t.role == "assistant")
        answer = dialogue.turns[n + 1]
        asked = dialogue.turns[n].facts_asked
        assert answer.facts_disclosed == asked[:2] and answer.labels["withheld"] == [asked[2]]
        partly += 1
    assert partly >= 2


async def test_who_is_asked_about_something_that_does_not_matter_loses_patience_and_may_hint():
    hinted = 0
    for seed in range(40):
        scenario = of_cell("needed", seed, "external", cooperativeness=1.0, patience=4)
        idle = next(slot for slot in load("films").slots if slot not in scenario.plan["wants"])
        dialogue = await scripted(scenario, questions(scenario, idle), "Goodbye, take care!")
        n = next(n for n, t in enumerate(dialogue.turns) if t.role == "assistant")
        answer, hints = dialogue.turns[n + 1], scenario.plan["hints"]
        assert talk_of(dialogue, n + 1).patience == talk_of(dialogue, n).patience - 1
        assert answer.facts_disclosed == () and answer.intent_requested == "answer"
        assert answer.labels.get("facts_hinted", []) == list(hints)
        hinted += bool(hints)
    assert hinted >= 5


async def test_an_assistant_that_was_hinted_at_something_asks_about_it_next():
    found = followed = 0
    for seed in range(60):
        dialogue, _ = await played(FILMS, of_cell("needed", seed, cooperativeness=1.0))
        for n, turn in enumerate(dialogue.turns[:-1]):
            hint = turn.labels.get("facts_hinted")
            next_one = dialogue.turns[n + 1]
            if not hint or turn.intent_requested == "ask" or next_one.intent_requested == "close":
                continue
            weighed = {a["arg"]: a["prior_score"] for a in next_one.labels["actions"] if a["type"] == "ask"}
            if hint[0] in weighed:
                found, followed = found + 1, followed + (next_one.facts_asked == tuple(hint))
    assert found >= 5 and followed / found > 0.5


async def test_a_question_about_an_item_is_asked_once_and_explained_with_the_items_value():
    explained = 0
    for seed in range(120):
        dialogue, _ = await played(FILMS, of_cell("needed", seed, "reactive"))
        asks = [t.labels["slot"] for t in by(dialogue, "user") if "slot" in t.labels]
        items = [t.labels["of"] for t in by(dialogue, "user") if "slot" in t.labels]
        assert len(set(asks)) == len(asks) and len(set(items)) == len(items)
        for turn, answer in zip(dialogue.turns, dialogue.turns[1:], strict=False):
            if "slot" not in turn.labels or answer.intent_requested != "explain":
                continue
            explained += 1
            has = next(i for i in load("films").items if i.name == turn.labels["of"]).has[turn.labels["slot"]]
            assert load("films").slots[turn.labels["slot"]].item[has] in (answer.text or "")
    assert explained >= 3


async def test_an_external_explanation_costs_no_patience_and_is_followed_by_a_verdict():
    explained = 0
    for seed in range(60):
        scenario = of_cell("needed", seed, "external")
        wrong = next(i for i in load("films").items if not set(scenario.plan["wants"].items()) & set(i.has.items()))
        dialogue = await scripted(scenario, f"You should watch {wrong.name}.", "It is what it is.")
        n = next((n for n, t in enumerate(dialogue.turns) if "slot" in t.labels), None)
        if n is None:
            continue
        explained += 1
        assert talk_of(dialogue, n + 2).patience == talk_of(dialogue, n + 1).patience
        assert dialogue.turns[n + 2].labels["verdict"] == wrong.name
    assert explained >= 3


async def test_one_who_is_easily_influenced_takes_what_lacks_one_hidden_want_and_that_is_no_success():
    data, taken = load("films"), 0
    for seed in range(40):
        for influence in (0.0, 1.0):
            scenario = of_cell("needed", seed, "external", influence=influence)
            hidden = [f.id for f in scenario.views["user"].facts if f.required and f.disclose != "volunteered"]
            lacking = [
                i
                for i in data.items
                if [s for s, v in scenario.plan["wants"].items() if i.has[s] != v] == hidden[:1]
                and i.name not in scenario.plan["seen"]
            ]
            if not lacking or not hidden:
                continue
            dialogue = await scripted(scenario, f"You should watch {lacking[0].name}.", "Fair enough.", "Bye!")
            verdict = next((t for t in dialogue.turns if "verdict" in t.labels), None)
            if verdict is not None:
                accepted = verdict.intent_requested == "accept"
                assert accepted == (influence == 1.0) and not dialogue.outcome["success"]
                taken += accepted
    assert taken >= 3


@pytest.mark.parametrize("user_ends", [True, False])
async def test_the_last_word_is_the_users_or_the_assistants_goodbye(user_ends: bool):
    for seed in range(12):
        scenario = of_cell("given", seed, "privileged")
        scenario = scenario.model_copy(update={"plan": scenario.plan | {"last_word": user_ends}})
        dialogue, _ = await played(FILMS, scenario)
        assert dialogue.outcome["success"] and dialogue.ending.reason == "goal_reached"
        last = ("user", "accept") if user_ends else ("assistant", "close")
        assert (dialogue.turns[-1].role, dialogue.turns[-1].intent_requested) == last
        assert dialogue.ending.by == last[0]


async def test_a_list_of_names_is_no_recommendation_and_one_name_is():
    scenario = of_cell("given", 4, "external", patience=4)
    names = [i.name for i in load("films").items[:5]]
    dialogue = await scripted(scenario, f"There are {', '.join(names)}.", f"You should watch {names[0]}.")
    many, one = by(dialogue, "assistant")[:2]
    assert "item" not in many.labels and one.labels["item"] == names[0]
    assert talk_of(dialogue).recommended[0] == names[0]


async def test_a_question_and_a_recommendation_in_one_message_get_one_of_the_two():
    seen: set[bool] = set()
    for seed in range(20):
        scenario = of_cell("needed", seed, "external")
        text = f"You should watch Jaws. {questions(scenario, 'era')}"
        dialogue = await scripted(scenario, text, "Goodbye, take care!")
        n = next(n for n, t in enumerate(dialogue.turns) if t.role == "assistant")
        reply = dialogue.turns[n + 1]
        judged = "verdict" in reply.labels or "slot" in reply.labels
        assert judged or reply.intent_requested == "answer"
        seen.add(judged)
    assert seen == {True, False}


def test_temperature_tells_a_random_policy_from_the_best_one():
    def alike(temperature: float) -> list[float]:
        turns = [Turn(role="user", text="hi", intent_requested="request")]
        said = Recommendation(temperature=temperature).next(of_cell("needed", 5), turns)
        assert isinstance(said, Move)
        return [a["probability"] for a in said.labels["actions"]]

    chance, best = alike(1e6), alike(0.0)
    assert max(chance) == pytest.approx(1 / len(chance), abs=1e-4) and sorted(best)[-2:] == [0.0, 1.0]


def test_latents_without_intents_are_refused_with_their_reason():
    fitted = FILMS.latents.model_copy(update={"intents": None, "intents_missing": "kappa 0.2"})
    with pytest.raises(ValueError, match=r"kappa 0\.2; name another file"):
        Recommendation(latents=fitted)


async def test_a_function_that_obeys_finishes_nearly_every_dialogue():
    faults = [
        (domain, seed)
        for domain in DOMAINS
        for seed in range(40)
        if (await played(FAMILIES[domain], case(FAMILIES[domain], seed), obeys))[0].ending.reason == "fault"
    ]
    assert len(faults) <= 1, faults  # a program's phrase that seems to tell a fact of another
