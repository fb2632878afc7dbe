"""What each side could believe, in worlds that can be counted: one by hand, then helping somebody choose."""

from math import log2
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import Embedder, case, played
from talks import talk

from generators.domains.recommendation import Domain, load
from generators.families.recommendation import Recommendation
from rewards.belief import Belief
from schemas.contracts import Services
from schemas.dialogue import Dialogue, Turn
from schemas.errors import DataError
from schemas.judgement import RewardValue
from schemas.scenario import Policy

SERVICES = Services(chat={}, embed=Embedder())
DOMAINS: tuple[Domain, ...] = get_args(Domain)
FAMILIES = {name: Recommendation(domain=name) for name in DOMAINS}
seeds = st.integers(0, 100_000)
domains = st.sampled_from(DOMAINS)
policies: st.SearchStrategy[Policy] = st.sampled_from(["reactive", "proactive", "privileged"])
CARDS = {
    "outcomes": ["first", "second"],
    "meanings": {"assistant": ["AA", "AB", "BA"], "user": ["12", "11", "21"]},
    "prior": [(a, b, y, 1 / 6) for a, b, y in ((0, 0, 0), (1, 1, 0), (1, 0, 0), (0, 2, 1), (2, 1, 1), (2, 2, 1))],
    "actual": {"assistant": 1, "user": 0},
}
A_FIRST, A_SECOND = [0, 1], [0, 2]
ONE_FIRST, ONE_SECOND = [0, 1], [1, 2]


def says(role: str, word: str, first: list[int], second: list[int]) -> Turn:
    return Turn(role=role, text=word, labels={"uttered": [{"says": word, "among": {"first": first, "second": second}}]})


def game(*turns: Turn, world: Any = CARDS) -> Dialogue:
    dialogue = talk(*turns)
    return dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update={"plan": {"world": world}})})


async def beliefs(dialogue: Dialogue) -> list[RewardValue]:
    values = await Belief().annotate(dialogue, SERVICES)
    assert all(v.value is not None or v.reason for v in values)
    assert values == [RewardValue.model_validate_json(v.model_dump_json()) for v in values]
    return values


async def test_both_sides_of_the_card_game_track_each_other():
    """Letters AB, numbers 12. "First": AA says it half the time, AB always; 12 knew already that A1 is the first."""
    told, answered = await beliefs(
        game(says("assistant", "first", A_FIRST, A_SECOND), says("user", "first", ONE_FIRST, ONE_SECOND))
    )
    assert (told.turn, told.value, told.parts["belief_y_L"]) == (0, 0.0, {"first": 1.0})
    assert told.parts["belief_B_about_A"] == pytest.approx({"AA": 1 / 3, "AB": 2 / 3})
    assert told.parts["belief_A_about_B"] == pytest.approx({"12": 0.5, "11": 0.5})
    assert answered.parts["belief_A_about_B"] == pytest.approx({"12": 2 / 3, "11": 1 / 3})
    assert answered.parts["common_ground_entropy"] < told.parts["common_ground_entropy"]


async def test_who_sees_two_ones_learns_the_place_from_a_word():
    world = CARDS | {"actual": {"assistant": 2, "user": 1}}
    (told,) = await beliefs(game(says("assistant", "second", A_FIRST, A_SECOND), world=world))
    assert told.value == told.parts["bits"] == told.parts["step_bits"] == pytest.approx(1.0)
    assert (told.parts["belief_y_L"], told.parts["entropy"]) == ({"second": 1.0}, 0.0)


async def test_without_a_world_without_words_and_beyond_the_limits_there_is_a_reason():
    said = says("user", "first", ONE_FIRST, ONE_SECOND)
    assert [v.reason for v in await beliefs(game(said, world=None))] == ["no_counted_world"]
    assert [v.reason for v in await beliefs(game(Turn(role="user", text="hm")))] == ["nothing_uttered"]
    many = tuple(str(n) for n in range(65))
    large = {
        "outcomes": many,
        "meanings": {"assistant": ("",), "user": many},
        "prior": tuple((0, n, n, 1 / 65) for n in range(65)),
        "actual": {"assistant": 0, "user": 0},
    }
    assert [v.reason for v in await beliefs(game(said, world=large))] == ["world_too_large"]


async def test_from_where_on_somebody_says_what_nobody_means_nothing_is_believed():
    wrong, later = says("user", "first", [], ONE_SECOND), says("assistant", "first", A_FIRST, A_SECOND)
    assert [(v.value, v.reason, v.parts) for v in await beliefs(game(wrong, later))] == [
        (None, "said_what_nobody_means", {}),
        (None, "said_what_nobody_means", {}),
    ]


SAID = says("user", "first", ONE_FIRST, ONE_SECOND)


@pytest.mark.parametrize(
    ("changes", "said", "message"),
    [
        ({"prior": [(0, 0, 0, 0.5)]}, SAID, r"d0: plan\.world: .*sum to 1"),
        ({"actual": {"assistant": 0, "user": 9}}, SAID, r"`actual` of \['user'\] is no place"),
        ({"prior": [(0, 7, 0, 1.0)]}, SAID, r"plan\.world\.prior: names a meaning"),
        (
            {"meanings": {"a": ["x"], "b": ["y"]}, "actual": {"a": 0, "b": 0}},
            SAID,
            "must be those of assistant and user",
        ),
        ({}, says("user", "third", ONE_FIRST, ONE_SECOND), r"turns\.labels\.uttered: .*'third' is not in `among`"),
        ({}, says("user", "first", [9], ONE_SECOND), r"turns\[0\]\.labels\.uttered: names a meaning"),
    ],
)
async def test_a_world_that_does_not_agree_with_itself_is_one_clear_error(
    changes: dict[str, Any], said: Turn, message: str
):
    with pytest.raises(DataError, match=message):
        await Belief().annotate(game(said, world=CARDS | changes), SERVICES)


async def choice(seed: int, domain: Domain, policy: Policy) -> Dialogue:
    return (await played(FAMILIES[domain], case(FAMILIES[domain], seed, policy)))[0]


@settings(max_examples=30, deadline=None)
@given(seeds, domains, policies)
async def test_in_a_choice_belief_is_what_the_words_leave(seed: int, domain: Domain, policy: Policy):
    """Everybody has one true thing to say there, so exact beliefs are uniform over the cases that would have said it."""
    dialogue = await choice(seed, domain, policy)
    values = await beliefs(dialogue)
    if dialogue.scenario.session_latents["cell"] == "useless":
        assert [v.reason for v in values] == ["no_counted_world"]
        return
    world = dialogue.scenario.plan["world"]
    left = set(range(len(load(domain).cases)))
    found = iter(values)
    for place, turn in enumerate(dialogue.turns):
        for uttered in turn.labels.get("uttered", ()):
            assert world["actual"]["user"] in uttered["among"][uttered["says"]], "the user says what is true"
            left &= set(uttered["among"][uttered["says"]])
        if turn.labels.get("uttered"):
            value = next(found)
            names = {world["meanings"]["user"][m] for m in left}
            assert value.turn == place and value.reason is None
            assert value.parts["belief_A_about_B"] == pytest.approx(dict.fromkeys(names, 1 / len(left)))
            assert value.value == pytest.approx(log2(40) - log2(len(left)))
            assert value.parts["entropy"] == pytest.approx(log2(len(left)))


@settings(max_examples=30, deadline=None)
@given(seeds, domains, policies)
async def test_who_found_something_is_believed_to_want_what_they_want(seed: int, domain: Domain, policy: Policy):
    dialogue = await choice(seed, domain, policy)
    last = (await beliefs(dialogue))[-1]
    if dialogue.outcome["success"] and last.value is not None:
        assert last.parts["belief_y_L"][dialogue.scenario.base_case_id.partition("/")[2]] > 1 / 40
        assert sum(last.parts["belief_y_L"].values()) == pytest.approx(1)
