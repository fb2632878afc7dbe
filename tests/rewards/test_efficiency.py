"""Turns saved against the reactive sibling, where both succeed; by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from talks import talk

from rewards.efficiency import Efficiency, turns_taken
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue
from schemas.record import Record
from schemas.scenario import Fact, Policy, Verifier, View


def sibling(
    policy: Policy, turns: int, success: bool | None = True, words: int = 2, plan: int = 0, **labels: Any
) -> Record:
    said = Turn(role="assistant", text=" ".join(["word"] * words), labels=labels)
    dialogue = talk(*[turn for _ in range(turns) for turn in (Turn(role="user", text="Go on."), said)])
    known = {"policy": policy, "plan": {"form": plan}}
    outcome = {} if success is None else {"success": success}
    scenario = dialogue.scenario.model_copy(update=known)
    return Record(dialogue=dialogue.model_copy(update={"scenario": scenario, "outcome": outcome}))


def compared(*group: Record, against: Policy = "reactive") -> list[RewardValue]:
    return Efficiency(against=against).compare(group)


def found(values: list[RewardValue]) -> list[float | str | None]:
    return [v.reason if v.value is None else round(v.value, 6) for v in values]


def test_the_share_of_turns_saved_is_against_the_mean_of_the_successful_baselines():
    group = [
        sibling("proactive", 3, words=5),
        sibling("reactive", 4),
        sibling("reactive", 8),
        sibling("reactive", 1, success=False),
    ]
    values = compared(*group)
    assert found(values) == [0.5, "baseline", "baseline", "baseline"]  # 1 - 3 / ((4 + 8) / 2)
    assert values[0].n == 2
    assert values[0].parts == {"turns": 3, "words": 15, "unused": [], "turns_against": 6, "words_against": 12}
    assert values[0].value == 1 - values[0].parts["turns"] / values[0].parts["turns_against"]


def test_more_turns_are_a_loss_and_any_policy_can_be_the_measure():
    pair = sibling("proactive", 6), sibling("reactive", 4)
    assert found(compared(*pair)) == [-0.5, "baseline"]
    assert found(compared(*pair, against="proactive")) == ["baseline", round(1 - 4 / 6, 6)]


TURNS = st.integers(min_value=1, max_value=9)


@given(TURNS, TURNS, TURNS)
def test_the_saving_is_recomputed_from_its_parts_and_falls_with_every_turn(mine: int, one: int, other: int):
    baselines = sibling("reactive", one), sibling("reactive", other)
    values = [compared(sibling("proactive", turns), *baselines)[0] for turns in (mine, mine + 1)]
    if (mine, one, other) == (1, 1, 1):
        assert values[0].reason == "nothing_to_save"
        return
    assert [v.value for v in values] == [1 - v.parts["turns"] / v.parts["turns_against"] for v in values]
    assert values[0].value is not None and values[1].value is not None and values[1].value < values[0].value < 1


@pytest.mark.parametrize(
    ("group", "reasons"),
    [
        ((sibling("proactive", 1, False), sibling("reactive", 4)), ["failed", "baseline"]),
        ((sibling("proactive", 1), sibling("reactive", 4, False)), ["baseline_failed", "baseline"]),
        ((sibling("proactive", 1), sibling("privileged", 4)), ["no_baseline", "no_baseline"]),
        ((sibling("proactive", 1), sibling("reactive", 4, plan=1)), ["no_baseline", "baseline"]),
        ((sibling("proactive", 1, None), sibling("reactive", 4, None)), ["no_verifier", "no_verifier"]),
        ((sibling("proactive", 1), sibling("reactive", 1)), ["nothing_to_save", "baseline"]),
        ((sibling("proactive", 1, question_substituted=True), sibling("reactive", 4)), ["off_policy", "baseline"]),
    ],
)
def test_nothing_is_saved_where_one_of_the_two_did_not_get_there(group: tuple[Record, Record], reasons: list[str]):
    assert found(compared(*group)) == reasons


def test_turns_count_up_to_the_first_right_answer_or_the_target():
    tries = [Turn(role="assistant", text=a, answer=a) for a in ("3", "12", "12")]
    right = talk(*tries, verifier=Verifier(kind="number", answer="12"))
    assert turns_taken(right) == 2 + 1  # one of the two was wrong
    walk = talk(*(turn for _ in range(4) for turn in (("assistant", "And?"), ("user", "Yes."))))
    assert turns_taken(walk) == 4
    for reached, taken in ((3, 2), (None, None)):
        outcome = {"target_topic": "music", "target_reached_turn": reached}
        assert turns_taken(walk.model_copy(update={"outcome": outcome})) == taken


def test_what_was_volunteered_and_not_used_stands_beside_the_saving():
    tip = Fact(id="tip", holder="assistant", slot="music", value="tip", text="tip", disclose="volunteered")
    views = (View(role="assistant", brief="", facts=(tip,)), View(role="user", brief=""))
    said = Turn(role="assistant", text="A tip.", facts_volunteered=("tip",))
    no = Turn(role="user", text="No.", intent_requested="decline")

    def played(policy: Policy, *turns: Turn) -> Dialogue:
        dialogue = talk(*turns, views=views).model_copy(update={"outcome": {"success": True}})
        return dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update={"policy": policy})})

    group = Record(dialogue=played("proactive", said, no)), Record(dialogue=played("reactive", said, said))
    assert compared(*group)[0].parts["unused"] == ["tip"]
