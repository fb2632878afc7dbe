"""Induced troubles of reference: their sequence, who repairs them, their labels, their twins, and whether the text shows
them.
"""

import importlib.util
from collections import Counter
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from played import case, played

from generators.domains.small_talk import Domain
from generators.families.conversation import Conversation
from generators.trouble import FORMS, Trouble, draw_trouble, steps
from schemas.dialogue import Dialogue
from schemas.scenario import Policy

ROOT = Path(__file__).parents[2]
TROUBLED = Conversation(trouble=1)


def benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("trouble_recovery", ROOT / "benchmarks" / "trouble_recovery.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parts(dialogue: Dialogue) -> list[tuple[str, str]]:
    return [(t.labels["trouble_part"], t.role) for t in dialogue.turns if "trouble_part" in t.labels]


def test_trouble_comes_in_its_share_of_the_cases_and_of_every_kind():
    drawn = [case(Conversation(), seed).plan["trouble"] for seed in range(2000)]
    found = [t for t in drawn if t is not None]
    assert 340 < len(found) < 460
    assert set(Counter((t["type"], t["by"]) for t in found)) == set(product(FORMS, ("user", "assistant")))
    assert {(t["type"], t["form"]) for t in found if t["initiator"] == "other"} == {
        (k, f) for k in FORMS for f in FORMS[k]
    }


@given(st.integers(0, 10_000), st.sampled_from(["proactive", "reactive"]))
def test_a_proactive_assistant_repairs_whatever_comes_and_a_reactive_one_what_it_is_asked_to(seed: int, policy: Policy):
    trouble = draw_trouble(8, Random(seed))
    names = [s.part for s in steps(trouble, policy)]
    starts = trouble.by if trouble.initiator == "self" else trouble.other
    assert ("repair" in names) == (policy == "proactive" or starts == "user")
    assert ("passed" in names) == (trouble.initiator == "self" or "repair" not in names)
    assert all(a.role != b.role for a, b in zip(steps(trouble, policy), steps(trouble, policy)[1:], strict=False))


@settings(max_examples=40)
@given(
    st.integers(0, 100_000), st.sampled_from(["proactive", "reactive"]), st.sampled_from(["small_talk", "neighbours"])
)
async def test_the_sequence_is_played_as_planned_and_its_labels_agree(seed: int, policy: Policy, domain: Domain):
    family = Conversation(trouble=1, domain=domain)
    dialogue, _ = await played(family, case(family, seed, policy))
    trouble = Trouble.model_validate(dialogue.scenario.plan["trouble"])
    planned = [(s.part, s.role) for s in steps(trouble, policy)]
    assert parts(dialogue) == planned[: len(parts(dialogue))]
    found = dialogue.outcome["trouble"]
    if found is None:
        return
    source = dialogue.turns[found["trouble_turn"]]
    assert (source.role, source.labels["trouble_type"], source.model) == (trouble.by, trouble.type, None)
    if found["resolved"]:
        repair = dialogue.turns[found["repair_turn"]]
        assert repair.labels["delay"] == found["delay"] == found["repair_turn"] - found["trouble_turn"] > 0
        assert (repair.labels["initiator"], repair.labels["form"]) == (trouble.initiator, trouble.form)
        assert found["trouble_turn"] < found["initiation_turn"] <= found["repair_turn"]
    else:
        assert found["repair_turn"] is None and found["delay"] is None


async def test_troubles_are_resolved_by_a_proactive_assistant_and_half_of_them_by_a_reactive_one():
    resolved = dict[str, list[bool]]()
    for policy in ("proactive", "reactive"):
        for seed in range(60):
            found = (await played(TROUBLED, case(TROUBLED, seed, policy)))[0].outcome["trouble"]
            resolved.setdefault(policy, []).extend([] if found is None else [found["resolved"]])
    shares = {policy: sum(found) / len(found) for policy, found in resolved.items()}
    assert shares["proactive"] > 0.95 and 0.3 < shares["reactive"] < 0.7


async def test_a_false_assumption_is_set_right_by_a_fact_of_the_one_it_is_about():
    seen = 0
    for seed in range(80):
        dialogue, _ = await played(TROUBLED, case(TROUBLED, seed))
        trouble = Trouble.model_validate(dialogue.scenario.plan["trouble"])
        if trouble.type != "presupposition" or trouble.initiator == "self" or not dialogue.outcome["trouble"]:
            continue
        repair = dialogue.turns[dialogue.outcome["trouble"]["repair_turn"]]
        held = {f.id: f for f in dialogue.scenario.views[trouble.other].facts}
        assert repair.facts_disclosed and all(i.startswith("not/") and i in held for i in repair.facts_disclosed)
        assert not any(f.id.startswith("not/") for f in dialogue.scenario.views[trouble.by].facts)
        seen += 1
    assert seen >= 5


@pytest.mark.parametrize("policy", ["proactive", "reactive"])
async def test_a_twin_is_the_same_case_without_its_trouble(policy: Policy):
    for seed in range(20):
        scenario = case(TROUBLED, seed, policy)
        assert TROUBLED.vary(scenario, 0) == scenario
        twin = TROUBLED.vary(scenario, 1)
        assert twin.model_copy(update={"plan": scenario.plan}) == scenario and twin.plan["trouble"] is None
        with_it, without = [(await played(TROUBLED, s))[0] for s in (scenario, twin)]
        assert without.outcome["trouble"] is None and parts(without) == []
        begins = next((n for n, t in enumerate(with_it.turns) if "trouble_part" in t.labels), 0)
        shared = min(begins, Trouble.model_validate(scenario.plan["trouble"]).at)
        assert [t.text for t in with_it.turns[:shared]] == [t.text for t in without.turns[:shared]]


def test_the_hand_written_cases_are_half_without_a_trouble_and_name_turns_they_have():
    cases = yaml.safe_load((Path(__file__).parent / "trouble_cases.yaml").read_text())
    assert Counter((c["set"], c["trouble"] is None) for c in cases) == dict.fromkeys(
        product(("dev", "test"), (True, False)), 15
    )
    assert all(c["repair"] is None or (c["trouble"] in FORMS and c["repair"] < len(c["turns"])) for c in cases)


async def test_the_text_alone_shows_which_trouble_came_up_and_where_it_was_repaired():
    recovery = benchmark()
    scripted = await recovery.scripted(100)
    assert sum(i.gold is not None for i in scripted) == 50
    assert recovery.measures(scripted)[2] >= 0.75
    assert recovery.measures([*recovery.by_hand("dev"), *recovery.by_hand("test")])[2] >= 0.75


def test_recovered_is_only_what_has_the_right_type_and_the_right_turn():
    recovery = benchmark()
    found, item = recovery.Found, recovery.Item
    rows = [
        item("a", found("unheard", 2), found("unheard", 2)),
        item("b", found("unheard", 2), found("unheard", 3)),
        item("c", None, found("wrong_ref", 1)),
        item("d", found("wrong_ref", None), None),
    ]
    assert recovery.measures(rows) == (1 / 3, 1 / 3, 1 / 3)
