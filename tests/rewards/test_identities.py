"""What must hold exactly of rewards whatever was said: each value follows from its stored parts."""

from math import sqrt
from pathlib import Path
from random import Random
from statistics import fmean, pstdev
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from played import Embedder, Model, case, played, services
from scripted_judge import grader
from talks import talk

from generators.families.conversation import Conversation
from generators.families.outreach import Outreach
from generators.families.tutoring import Tutoring
from pipelines.forecast_rows import FORECASTS, BaseRate, Cut, Rate, forecast_row
from rewards.answer_logprob import AnswerLogprob
from rewards.forecast import Forecast
from rewards.functional_leak import FunctionalLeak
from rewards.group_advantage import GroupAdvantage
from rewards.helpfulness import Helpfulness
from rewards.judged import Judged
from rewards.necessity import Necessity
from rewards.policy_contrast import PolicyContrast
from rewards.proactivity import Proactivity
from rewards.satisfaction import Satisfaction
from rewards.volunteering import Volunteering
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import JUDGE, SOLVER, Services
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue
from schemas.record import Record
from schemas.scenario import Fact, Policy, Verifier, View

worths = st.lists(st.integers(0, 8).map(lambda n: n / 8), min_size=2, max_size=6)
policies: st.SearchStrategy[Policy] = st.sampled_from(["reactive", "proactive", "privileged"])
seeds = st.integers(0, 10_000)
PROBLEM = "Mia buys 3 pencils. Each costs 4 dollars. How much does she pay?"


def sample(policy: Policy, worth: float, sibling: int) -> Record:
    dialogue = talk(("user", "Go on."), ("assistant", "All right."), name=f"d{sibling}")
    scenario = dialogue.scenario.model_copy(update={"policy": policy, "sibling": sibling, "seed": sibling})
    value = RewardValue(name="success", value=worth)
    return Record(dialogue=dialogue.model_copy(update={"scenario": scenario}), rewards=(value,))


@given(worths, st.integers(1, 5), st.integers(-3, 3))
def test_advantages_have_mean_0_and_deviation_1_and_know_no_unit(worth: list[float], times: int, more: int):
    values = GroupAdvantage().compare([sample("proactive", r, n) for n, r in enumerate(worth)])
    scaled = GroupAdvantage().compare([sample("proactive", times * r + more, n) for n, r in enumerate(worth)])
    if len(set(worth)) == 1:
        assert {v.reason for v in values} == {"no_spread"}
        return
    told = [v.value for v in values if v.value is not None]
    assert len(told) == len(worth) and fmean(told) == pytest.approx(0, abs=1e-9) and pstdev(told) == pytest.approx(1)
    assert [v.value for v in scaled] == pytest.approx(told)
    assert told == [(v.parts["value"] - v.parts["mean"]) / v.parts["std"] for v in values]


@given(worths, worths)
def test_contrasts_of_two_policies_are_opposite_on_average(one: list[float], other: list[float]):
    group = [sample("proactive", r, n) for n, r in enumerate(one)]
    group += [sample("reactive", r, len(one) + n) for n, r in enumerate(other)]
    values = PolicyContrast().compare(group)
    told = [v.value for v in values if v.value is not None]
    assert told == [v.parts["value"] - fmean(v.parts["others"].values()) for v in values]
    assert fmean(told[: len(one)]) == pytest.approx(-fmean(told[len(one) :]))


class Hunch:
    """Tells these log-probabilities, one a constrained answer."""

    def __init__(self, told: list[float]):
        self._told = iter(told)

    async def ask(self, request: ChatRequest) -> ChatReply:
        logprob = None if request.weigh_last else next(self._told)
        return ChatReply('"12"', "m", "stop", 1, 1, data="12", logprob=logprob)


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=6))
async def test_the_rises_of_the_answers_likelihood_add_up_to_the_last_less_the_first(told: list[float]):
    said = [turn for _ in told for turn in (("teacher", "Well?"), ("student", "Hm."))]
    lesson = talk(*said, sides=("student", "teacher"), verifier=Verifier(kind="number", answer="12"))
    values = await AnswerLogprob().annotate(lesson, Services(chat={"student": Hunch(told)}, embed=Embedder()))
    assert [v.value for v in values] == told
    assert sum(v.parts["rise"] or 0.0 for v in values) == pytest.approx(told[-1] - told[0])


def taught(altered: bool = True) -> Dialogue:
    fact = Fact(id="count", holder="teacher", slot="how many", value="3", text="Mia buys 3 pencils.")
    views = [
        View(role="teacher", brief="", public=PROBLEM, facts=(fact,), private={"answer": "12"}),
        View(role="student", brief="", public=PROBLEM),
    ]
    said = (("teacher", PROBLEM), ("student", "7?"), ("teacher", "Think of both numbers."), ("student", "Hm."))
    dialogue = talk(*said, views=views, verifier=Verifier(kind="number", answer="12"), sides=("student", "teacher"))
    plan: dict[str, Any] = {"altered": {"question": "5 pencils of 9 dollars?", "answer": "45"} if altered else None}
    plan |= {"problem": PROBLEM, "flaw_type": "missing", "slot": "how many", "shown": ["pencils"]}
    return dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update={"plan": plan})})


def solver(seed: int) -> Services:
    """Right now and then, in each test as often as chance has it."""
    luck: dict[str, float] = {}
    draws = Random(seed)

    def says(request: ChatRequest) -> dict[str, Any]:
        if request.key.step.endswith("missing"):
            return {"missing": draws.choice(["how many", "the price"])}
        right = draws.random() < luck.setdefault(request.key.step, draws.choice([0.0, 0.3, 0.7, 1.0]))
        return {"work": "so", "answer": "12" if right else f"{draws.randint(20, 99)}"}

    return Services(chat={SOLVER: Model(says)}, embed=Embedder())


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 9), st.booleans())
async def test_a_leak_and_a_help_follow_from_the_counts_of_right_answers(seed: int, n: int, altered: bool):
    [leak] = await FunctionalLeak(n=n).annotate(taught(altered), solver(seed))
    counts = [leak.parts.get(name, (0, 0)) for name in ("alone", "altered", "without")]
    alone, changed, anyway = (right > n / 2 for right, _ in counts)
    assert leak.value == float(alone or (changed and not anyway)) and leak.n == sum(tried for _, tried in counts)
    [helped] = await Helpfulness(n=n).annotate(taught(), solver(seed))
    (a, tried_a), (b, tried_b) = helped.parts["with"], helped.parts["without"]
    assert helped.value == a / tried_a - b / tried_b and (tried_a, tried_b) == (n, n)
    assert helped.stderr == pytest.approx(sqrt(a * (n - a) / n**3 + b * (n - b) / n**3))


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(4, 9))
async def test_a_problem_lacks_what_it_is_said_to_where_both_tests_say_so(seed: int, n: int):
    [value] = await Necessity(n=n).annotate(taught(), solver(seed))
    (right, _), (lucky, _) = value.parts["whole"], value.parts["lacking"]
    assert value.parts["sufficient"] == (right >= n - 1)
    assert not (value.parts["necessary"] and lucky > 1)
    assert value.value == float(value.parts["sufficient"] and value.parts["necessary"])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
async def test_satisfaction_is_the_mean_of_its_course(course: list[float]):
    turns = [Turn(role="assistant", text="Well.", state={"satisfaction": s}) for s in course]
    [value] = await Satisfaction().annotate(talk(*turns), services(str))
    assert (
        value.value == fmean(value.parts["after_turn"].values()) and list(value.parts["after_turn"].values()) == course
    )
    assert (value.parts["end"], value.parts["lowest"]) == (course[-1], min(course))


@settings(max_examples=25, deadline=None)
@given(seeds, policies, st.sampled_from([Conversation(), Outreach(), Tutoring()]))
async def test_initiative_and_offers_follow_from_what_is_stored_of_each(seed: int, policy: Policy, family: Any):
    dialogue, _ = await played(family, case(family, seed, policy))
    for value in await Proactivity().annotate(dialogue, services(str)):
        kind, hits, acts = (value.parts[name] for name in ("kind", "hits", "acts"))
        assert value.value == (None if kind is None else float(kind in ("correct_detection", "non_response")))
        assert {"correct_detection": hits, "false_alarm": acts, "non_response": not acts}.get(str(kind), True)
    [value] = await Volunteering().annotate(dialogue, services(str))
    if value.value is not None:
        bits = ("new", "quality", "relation", "quantity", "manner", "used_later")
        good = [all(offer[bit] for bit in bits) for offer in value.parts["offers"]]
        assert good == [offer["good"] for offer in value.parts["offers"]]
        assert value.value == sum(1 if well else -1 for well in good)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.randoms())
async def test_a_judges_score_is_the_mean_of_its_answers_in_any_order(tmp_path: Path, said: list[int], draws: Random):
    path = grader(tmp_path, of="learner", scope="dialogue", repeats=len(said), temperature=0.7)
    mixed = draws.sample(said, len(said))
    found: list[RewardValue] = []
    for answers in (said, mixed):
        asked = iter(answers)
        model = Model(lambda request, asked=asked: str(next(asked)))

        class Numbers:
            async def ask(self, request: ChatRequest, model: Model = model) -> ChatReply:
                reply = await model.ask(request)
                return ChatReply(reply.text, "reader", "stop", 1, 1, data=int(reply.text))

        judge = Services(chat={JUDGE: Numbers()}, embed=Embedder())
        found += await Judged(grader=path, allow_uncalibrated=True).annotate(talk(("assistant", "So.")), judge)
    values = {1: 1.0, 2: 0.5, 3: 0.0}
    assert found[0].value == pytest.approx(fmean(values[a] for a in said)) == pytest.approx(found[1].value)
    assert found[0].parts["label"] == found[1].parts["label"] and found[0].n == len(said)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10), st.integers(0, 6), st.booleans())
async def test_a_forecasts_score_and_skill_follow_from_rate_and_outcome(
    tmp_path: Path, hits: int, base: int, won: bool
):
    dialogue = talk(*[("user", "Go on."), ("assistant", "Well.")] * 2, name="cut")
    dialogue = dialogue.model_copy(update={"outcome": {"success": won}})
    rates = BaseRate(base, 6), Rate(9, 10, 0), Rate(hits, 10, 0, 50.0, 200)
    row = forecast_row(Cut(Record(dialogue=dialogue), 2), *rates, 0.5)
    path = tmp_path / f"{hits}-{base}-{won}.parquet"
    pq.write_table(pa.Table.from_pylist([row], FORECASTS), path)
    [value] = await Forecast(rows=path).annotate(dialogue, services(str))
    y, b = float(won), value.parts["base_rate"]
    assert value.value == hits / 10 and value.parts["brier"] == pytest.approx((hits / 10 - y) ** 2)
    skill = None if b == y else 1 - (hits / 10 - y) ** 2 / (b - y) ** 2
    assert value.parts["skill"] == (skill if skill is None else pytest.approx(skill))
