"""What the learner's model would rather have said: a bound from the likeliest tokens, and what is asked for it."""

from collections.abc import Callable
from math import exp, log
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from played import Embedder
from talks import talk

from rewards.view_divergence import ViewDivergence, divergence
from schemas.chat import ChatReply, ChatRequest, Weighed
from schemas.contracts import Services
from schemas.dialogue import Dialogue
from schemas.errors import ContextOverflow
from schemas.judgement import RewardValue
from schemas.scenario import Fact, View

PUBLIC = {"1": log(0.5), "2": log(0.25)}
SEEING = {"1": log(0.25), "2": log(0.5)}
weights = st.lists(st.floats(0.01, 1), min_size=4, max_size=12)


def outreach() -> Dialogue:
    fear = Fact(id="f", holder="user", slot="cost", value="dear", text="I fear that it costs too much.")
    views = [View(role="assistant", brief=""), View(role="user", brief="", facts=(fear,))]
    return talk(
        ("user", "Hi."), ("assistant", "Will you join?"), ("user", "Hm."), ("assistant", "Please."), views=views
    )


class Weighs:
    """Two tokens a message; another weight for each where the hidden side is shown."""

    def __init__(self, told: Callable[[ChatRequest], tuple[Weighed, ...]]):
        self._told = told
        self.asked: list[ChatRequest] = []

    async def ask(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request)
        return ChatReply("x", "teacher", "length", 9, 1, tokens=self._told(request))


def sees(request: ChatRequest) -> bool:
    return request.messages[0].role == "system"


def both(request: ChatRequest) -> tuple[Weighed, ...]:
    return (Weighed("a", "1", SEEING if sees(request) else PUBLIC), Weighed("b", "2", PUBLIC))


async def valued(model: Any, **fields: Any) -> list[RewardValue]:
    services = Services(chat={"assistant": model}, embed=Embedder())
    values = await ViewDivergence(**fields).annotate(outreach(), services)
    return [RewardValue.model_validate_json(v.model_dump_json()) for v in values]


@given(weights, weights, st.integers(1, 12), st.integers(1, 12))
def test_it_never_exceeds_the_divergence_and_is_exact_where_all_tokens_are_told(
    a: list[float], b: list[float], k: int, m: int
):
    n = min(len(a), len(b))
    p, q = ({str(i): log(w / sum(of[:n])) for i, w in enumerate(of[:n])} for of in (a, b))
    exact = sum(exp(p[i]) * (p[i] - q[i]) for i in p)

    def top(of: dict[str, float], count: int) -> dict[str, float]:
        return dict(sorted(of.items(), key=lambda item: -item[1])[:count])

    assert 0 <= divergence(top(p, k), top(q, m)) <= exact + 1e-5
    assert divergence(p, q) == pytest.approx(exact, abs=1e-5)
    assert divergence(p, p) == pytest.approx(0, abs=1e-9)


async def test_each_turn_has_the_tokens_of_both_views_and_the_sum_of_their_divergence():
    values = await valued(Weighs(both))
    assert [v.turn for v in values] == [1, 3]
    for value in values:
        kl = 0.25 * log(0.25 / 0.5) + 0.5 * log(0.5 / 0.25)
        assert value.value == pytest.approx(kl) and value.parts["kl"] == pytest.approx([kl, 0.0]) and value.n == 2
        views = zip(value.parts["privileged"], value.parts["public"], strict=True)
        assert value.value == sum(divergence(seeing, public) for seeing, public in views)
        assert value.parts["logprob_public"] == pytest.approx(log(0.5) + log(0.25))
        assert value.parts["logprob_privileged"] == pytest.approx(2 * log(0.25))
        assert value.grader == "teacher top=20" and value.parts["tokens"][1] == {"text": "b", "id": "2"}


async def test_only_the_privileged_view_shows_the_hidden_side_and_both_end_with_what_was_said():
    model = Weighs(both)
    await valued(model, k=7)
    assert {r.weigh_last for r in model.asked} == {7} and len({r.key.step for r in model.asked}) == 2
    for request in model.asked:
        shown = any("costs too much" in m.content for m in request.messages)
        assert shown == sees(request) == request.key.step.endswith("privileged")
        assert request.messages[-1].role == "assistant" and request.messages[-1].content in (
            "Will you join?",
            "Please.",
        )


async def test_a_server_that_tells_no_weights_is_asked_once_a_dialogue():
    model = Weighs(lambda request: ())
    assert [(v.turn, v.value, v.reason) for v in await valued(model)] == [(1, None, "no_logprobs")]
    assert len(model.asked) == 1


class Overflows:
    async def ask(self, request: ChatRequest) -> ChatReply:
        if len(request.messages) > 3:
            raise ContextOverflow("too long")
        return ChatReply("x", "teacher", "length", 9, 1, tokens=both(request))


async def test_other_readings_overflows_and_no_model_are_none_with_a_reason():
    other = Weighs(lambda r: (Weighed("ab", "3", {"3": -1.0}),) if sees(r) else both(r))
    assert {v.reason for v in await valued(other)} == {"tokens_differ"}
    assert [v.reason for v in await valued(Overflows())] == [None, "context_overflow"]
    nobody = await ViewDivergence().annotate(outreach(), Services(chat={}, embed=Embedder()))
    assert [v.reason for v in nobody] == ["no_model"]
    assert {v.reason for v in await valued(Weighs(both), share=1e-9)} == {"not_drawn"}
    opens = talk(("assistant", "Hello."), ("user", "Hi."), ("assistant", "Will you join?"))
    values = await ViewDivergence().annotate(opens, Services(chat={"assistant": Weighs(both)}, embed=Embedder()))
    assert [v.reason for v in values] == ["nothing_heard", None]
