"""What a turn is worth by how the dialogue goes on: parts that add up, an error that falls, and rows that last."""

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st
from played import Embedder
from talks import talk

from rewards.multiturn_aware import MultiturnAware, worth
from schemas.contracts import Rolled, Services
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.identity import rng
from schemas.judgement import RewardValue
from schemas.scenario import Fact, Verifier, View

SHARE = 0.5
"""Of rollouts that succeed in the world below."""


class World:
    """Every branch is the turns it starts from and one more: the learner's where one was wanted, else the user's. It
    succeeds by chance; those of `failing` end as a fault.
    """

    def __init__(self, seed: int = 0, failing: Sequence[str] = (), speechless: bool = False):
        self._seed, self._failing, self._speechless = seed, failing, speechless
        self.asked: list[tuple[str, int, int]] = []
        self.kept: list[tuple[Dialogue, RewardValue]] = []

    async def on(self, turns: Sequence[Turn], path: str, most: int) -> Rolled:
        self.asked.append((path, len(turns), most))
        fault = path in self._failing or (self._speechless and most == 1)
        more = said(path) if most == 1 else Turn(role="user", text=path)
        reason = "fault" if fault else "window" if most == 1 else "closed_by_partner"
        dialogue = talk(*turns, *([] if fault else [more]), name=path, ending=Ending(reason=reason))
        happens = {"success": rng(self._seed, path).random() < SHARE}
        return Rolled(dialogue.model_copy(update={"outcome": happens}), 2, 30, 7)

    def keep(self, branch: Dialogue, rewards: Sequence[RewardValue]) -> None:
        self.kept.append((branch, rewards[0]))


def said(text: str, tokens: int = 200) -> Turn:
    return Turn(role="assistant", text=text, model="m", completion_tokens=tokens)


def spoken(name: str = "d0", turns: int = 3) -> Dialogue:
    pairs = [(Turn(role="user", text="Well?"), said(f"It is {n}.")) for n in range(turns)]
    return talk(*(turn for pair in pairs for turn in pair), name=name)


def services(world: World | None) -> Services:
    return Services(chat={}, embed=Embedder(), roll=world)


async def valued(reward: MultiturnAware, dialogue: Dialogue, world: World | None) -> RewardValue:
    (value,) = await reward.annotate(dialogue, services(world))
    return value


@given(st.integers(1, 4), st.integers(1, 4), st.text(min_size=1, max_size=8), st.floats(0, 2e-3))
async def test_the_value_is_what_its_parts_come_to(candidates: int, samples: int, name: str, token_cost: float):
    world = World()
    reward = MultiturnAware(candidates=candidates, samples=samples, token_cost=token_cost)
    value = await valued(reward, spoken(name), world)
    assert value.reason is None and value.parts["r_llm"] is None and value.parts["r_llm_reason"] == "no_grader"
    means: list[float] = []
    for found in value.parts["candidates"]:
        terms = zip(found["r_ext"], found["r_int_tokens_clamped"], strict=True)
        assert found["mr_samples"] == [ext + tokens for ext, tokens in terms]
        assert found["r_int_tokens_clamped"] == [max(raw, -1.0) for raw in found["r_int_tokens_raw"]]
        assert found["mr_mean"] == fmean(found["mr_samples"]) and found["r_ext_is"] == ["success"] * samples
        means.append(found["mr_mean"])
    assert value.value == means[0] and value.n == samples and value.turn is not None
    assert means[value.parts["best"]] == max(means)
    told = value.parts["candidates"][0]["mr_samples"]
    assert value.stderr == (None if samples == 1 else stdev(told) / sqrt(samples))
    learner = 200 * (1 + value.turn // 2)
    assert value.parts["candidates"][0]["r_int_tokens_raw"] == [-token_cost * learner] * samples
    rollouts = candidates * samples + candidates - 1
    assert value.parts["cost"] == {
        "calls": 2 * rollouts,
        "prompt_tokens": 30 * rollouts,
        "completion_tokens": 7 * rollouts,
    }


async def test_its_standard_error_falls_with_the_root_of_the_samples_and_is_what_the_means_spread_by():
    of_one = sqrt(SHARE * (1 - SHARE))
    for samples in (4, 16, 64):
        reward = MultiturnAware(candidates=1, samples=samples)
        values = [await valued(reward, spoken(f"d{n}", turns=1), World(n)) for n in range(300)]
        assert stdev(v.value for v in values if v.value is not None) * sqrt(samples) == pytest.approx(of_one, rel=0.12)
        variances = [samples * v.stderr**2 for v in values if v.stderr is not None]
        assert len(variances) == 300 and fmean(variances) == pytest.approx(of_one**2, rel=0.05)


async def test_the_continuation_and_the_turn_are_drawn_by_chance_and_one_fifth_of_the_rest_is_kept():
    chosen, turns, others = Counter[int](), Counter[int | None](), 0
    for n in range(300):
        world = World(n)
        value = await valued(MultiturnAware(samples=3), spoken(f"d{n}"), world)
        best = value.parts["best"]
        chosen[value.parts["continuation_choice"]] += 1
        turns[value.turn] += 1
        assert {(best, k) for k in range(3)} <= set(value.parts["kept"])
        assert len(world.kept) == len(value.parts["kept"])
        others += len(world.kept) - 3
        for branch, of_branch in world.kept:
            origin = branch.origin
            assert origin is not None and (origin.dialogue_id, origin.turn) == (f"d{n}", value.turn)
            samples = value.parts["candidates"][origin.candidate]["mr_samples"]
            assert of_branch.scope == "branch" and of_branch.value in samples
    assert set(chosen) == {0, 1, 2} and min(chosen.values()) > 70
    assert set(turns) == {1, 3, 5} and min(turns.values()) > 70
    assert 0.15 < others / 900 < 0.25


async def test_every_branch_has_a_path_and_a_length_of_its_own():
    world = World()
    value = await valued(MultiturnAware(candidates=2, samples=2, window=3), spoken(turns=1), world)
    assert value.turn == 1 and sorted(world.asked) == [
        ("multiturn_aware/1/0/0", 2, 3),
        ("multiturn_aware/1/0/1", 2, 3),
        ("multiturn_aware/1/1", 1, 1),
        ("multiturn_aware/1/1/0", 2, 3),
        ("multiturn_aware/1/1/1", 2, 3),
    ]
    assert [c["text"] for c in value.parts["candidates"]] == ["It is 0.", "multiturn_aware/1/1"]


async def test_there_is_none_where_nobody_can_play_on_or_the_learner_said_nothing():
    assert (await valued(MultiturnAware(), spoken(), None)).reason == "no_roll"
    silent = talk(("user", "Well?"), ("assistant", "In the program's words."))
    value = await valued(MultiturnAware(), silent, World())
    assert value.value is None and value.reason == "no_learner_turns"


async def test_a_rollout_that_fails_is_no_score_and_spoils_only_its_candidate():
    value = await valued(MultiturnAware(), spoken(turns=1), World(failing=["multiturn_aware/1/0/1"]))
    assert (value.value, value.stderr, value.reason, value.n) == (None, None, "rollout_failed", 1)
    assert value.parts["candidates"][0]["mr_samples"][1] is None and value.parts["best"] == 1
    value = await valued(MultiturnAware(), spoken(turns=1), World(failing=["multiturn_aware/1/1/0"]))
    assert value.value is not None and value.parts["candidates"][1]["reason"] == "rollout_failed"
    assert value.parts["candidates"][1]["mr_mean"] is None and value.parts["best"] == 0


async def test_a_learner_without_other_words_leaves_the_turn_as_it_was_said():
    value = await valued(MultiturnAware(), spoken(turns=1), World(speechless=True))
    assert value.value is not None and value.parts["candidates"][1]["reason"] == "no_candidate"


def open_at(turns: Sequence[Turn], facts: Sequence[Fact] = (), verifier: Verifier | None = None) -> Dialogue:
    views = [View(role="assistant", brief=""), View(role="user", brief="", facts=tuple(facts))]
    return talk(*turns, views=views, verifier=verifier, ending=Ending(reason="window"))


def test_of_a_dialogue_that_is_not_over_the_share_of_facts_that_are_out_counts():
    facts = [Fact(id=i, holder="user", slot=i, value=i, text=i, required=True) for i in ("a", "b", "c", "d")]
    found = worth(open_at([Turn(role="user", text="a", facts_disclosed=("a",)), said("Go on.")], facts), 5e-4)
    assert (found.r_ext, found.r_ext_is, found.reason) == (0.25, "facts_out", None)
    number = Verifier(kind="number", answer="12")
    found = worth(open_at([said("Hm.")], verifier=number), 5e-4)
    assert (found.r_ext, found.r_ext_is, found.reason) == (0.0, "success_so_far", None)
    found = worth(open_at([said("Hm.")]), 5e-4)
    assert (found.value, found.r_ext_is, found.reason) == (None, "success_so_far", "no_verifier")


def test_long_chats_saturate_the_clamped_term_and_not_the_raw_one():
    found = worth(open_at([said("Hm.", 3000)], verifier=Verifier(kind="number", answer="12")), 5e-4)
    assert (found.r_int_tokens_raw, found.r_int_tokens_clamped, found.value) == (-1.5, -1.0, -1.0)
