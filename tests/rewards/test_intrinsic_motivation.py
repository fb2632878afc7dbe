"""Covert thoughts: decided by thresholds alone, at every turn, from what the learner may know."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import Embedder, Model
from talks import talk

from rewards.intrinsic_motivation import IntrinsicMotivation
from rewards.motives import Decision, Floor, Scored, Thresholds, adjusted, decide
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import JUDGE, ChatModel, Services
from schemas.dialogue import Dialogue, Turn
from schemas.errors import ContentError, InvalidOutput, Unanswered
from schemas.judgement import RewardValue
from schemas.scenario import Fact, View

GIVEN = Thresholds(3.5, 4.0, 0.3)
ratings = st.lists(st.integers(10, 50).map(lambda tenths: tenths / 10), min_size=3, max_size=3)


def thinks(*rated: float) -> Callable[[ChatRequest], dict[str, Any]]:
    """Thoughts that name their turn; the number of a thought decides its rating."""

    def says(request: ChatRequest) -> dict[str, Any]:
        _, kind, *number = request.key.step.split("/")
        if kind == "quick":
            return {"thought": f"oh {request.key.turn}"}
        if kind == "slow":
            known = "stimuli" in str(request.json_schema)
            two = [{"text": f"is there no rust on it {request.key.turn}"}, {"text": f"wait {request.key.turn}"}]
            return {"thoughts": [t | ({"stimuli": ["CON#1", "CON#1"]} if known else {}) for t in two]}
        return {"reasons_for": "news", "against": "none", "rating": rated[int(number[0])]}

    return says


def sale() -> Dialogue:
    fact = Fact(id="b", holder="assistant", slot="budget", value="9", text="the bike must not rust", required=False)
    theirs = Fact(id="p", holder="user", slot="price", value="8", text="I would sell it for eight")
    views = [
        View(
            role="assistant",
            brief="You look for a bike.",
            facts=(fact,),
            private={"notes": "red paint\nthere is no rust"},
        ),
        View(role="user", brief="You sell.", facts=(theirs,)),
    ]
    return talk(
        Turn(role="assistant", text="Hello there."),
        Turn(role="user", text="Hi. What do you want to know?"),
        Turn(role="assistant", text="Is there rust?"),
        Turn(role="user", text="No, there is no rust on the bike."),
        Turn(role="user", text="It is red."),
        Turn(role="assistant", kind="silence"),
        Turn(role="assistant", text="Fine."),
        views=views,
    )


async def motives(
    dialogue: Dialogue, model: ChatModel, others: Mapping[str, ChatModel] | None = None, **fields: Any
) -> list[RewardValue]:
    services = Services(chat={"assistant": model, **(others or {})}, embed=Embedder())
    values = await IntrinsicMotivation(**fields).annotate(dialogue, services)
    return [RewardValue.model_validate_json(v.model_dump_json()) for v in values]


def again(parts: Mapping[str, Any]) -> tuple[Decision, int | None]:
    """The decision from nothing but what is stored."""
    thoughts = [Scored(t["type"], adjusted(t["score_raw"], parts["turns_silent"])) for t in parts["thoughts"]]
    return decide(thoughts, parts["floor"], parts["draw"], Thresholds(**parts["thresholds"]))


@pytest.mark.parametrize(
    ("floor", "scores", "draw", "decision", "chosen"),
    [
        ("mine", (1.0, 1.2, 1.1), 0.9, "speak", 1),
        ("anyone", (1.0, 3.5, 3.4), 0.9, "speak", 1),
        ("anyone", (1.0, 3.4, 3.4), 0.9, "silent", None),
        ("anyone", (1.0, 3.4, 3.4), 0.29, "speak", 0),
        ("anyone", (4.0, 3.4, 3.9), 0.9, "speak", 0),
        ("theirs", (3.9, 3.9, 3.9), 0.0, "silent", None),
        ("theirs", (1.0, 3.9, 4.0), 0.9, "interrupt", 2),
    ],
)
def test_floor_and_thresholds_decide(
    floor: Floor, scores: tuple[float, ...], draw: float, decision: str, chosen: int | None
):
    thoughts = [Scored("slow" if n else "quick", score) for n, score in enumerate(scores)]
    assert decide(thoughts, floor, draw, GIVEN) == (decision, chosen)


@given(st.floats(1, 5), st.integers(0, 400))
def test_silence_raises_a_score_by_one_in_a_hundred_a_turn_up_to_the_end_of_the_scale(raw: float, turns: int):
    assert adjusted(raw, turns) == min(5.0, raw * 1.01**turns) and adjusted(raw, 0) == raw


@given(ratings, st.sampled_from(["mine", "anyone", "theirs"]), st.floats(0, 0.999), st.integers(0, 2))
def test_wanting_to_say_a_thought_more_never_makes_one_silent(scores: list[float], floor: Floor, draw: float, n: int):
    thoughts = [Scored("slow" if k else "quick", score) for k, score in enumerate(scores)]
    more = [t._replace(score_adj=5.0) if k == n else t for k, t in enumerate(thoughts)]
    if decide(thoughts, floor, draw, GIVEN)[0] != "silent":
        assert decide(more, floor, draw, GIVEN)[0] != "silent"


@settings(max_examples=25, deadline=None)
@given(ratings)
async def test_every_decision_follows_from_the_stored_parts_and_the_value_is_the_best_score(rated: list[float]):
    for value in await motives(sale(), Model(thinks(*rated))):
        decision, chosen = again(value.parts)
        assert value.parts["decision"] == decision
        assert [t["selected"] for t in value.parts["thoughts"]] == [n == chosen for n in range(3)]
        assert [t["score_raw"] for t in value.parts["thoughts"]] == rated
        assert value.value == max(t["score_adj"] for t in value.parts["thoughts"])
        assert all(
            t["score_adj"] == adjusted(t["score_raw"], value.parts["turns_silent"]) for t in value.parts["thoughts"]
        )


async def test_there_are_thoughts_at_every_turn_also_where_it_says_nothing():
    """Turn 4 is the other's second in a row: the first was passed over. Turn 6 comes after the learner's own silence."""
    values = await motives(sale(), Model(thinks(2.0, 2.0, 2.0)))
    told = [(v.turn, v.parts["spoke"], v.parts["floor"], v.parts["turns_silent"]) for v in values]
    assert told == [
        (0, True, "anyone", 0),
        (2, True, "mine", 1),
        (4, False, "anyone", 1),
        (5, False, "anyone", 2),
        (6, True, "anyone", 3),
    ]
    assert values[1].parts["decision"] == "speak", "who was asked answers"


async def test_it_thinks_from_its_own_view_of_what_the_last_message_brings_up_and_of_what_it_kept_to_itself():
    model = Model(thinks(2.0, 2.0, 2.0))
    values = await motives(sale(), model, quick=0.0)
    assert not any("eight" in m.content for r in model.requests for m in r.messages), "only its own side"
    shown = values[2].parts["shown"]
    assert {text for i, text in shown.items() if i.startswith("MEM")} == {"the bike must not rust", "there is no rust"}
    assert "is there no rust on it 0" in shown.values(), "withheld at the start, near to what was said now"
    assert not any(text.startswith("oh ") for text in shown.values()), "quick thoughts are forgotten"
    near = values[2].parts["saliency"]
    assert near.keys() == {i for i in shown if not i.startswith("CON")} and all(
        0.25 <= s <= 1.001 for s in near.values()
    )
    for kind, most in (("MEM", 5), ("THO", 3)):
        ranked = [s for i, s in near.items() if i.startswith(kind)]
        assert ranked == sorted(ranked, reverse=True) and 0 < len(ranked) <= most
    assert values[2].parts["thoughts"][1]["stimuli"] == ["CON#1"]
    assert "You begin." in model.requests[0].messages[-1].content
    first = [r.sampling.temperature for r in model.requests[:5]]
    assert first == [0.8, 0.5, 0.1, 0.1, 0.1]


def letters(schema: Any) -> int:
    """The most that the texts of an answer hold."""
    if isinstance(schema, Mapping):
        inner = sum(letters(value) for value in schema.values())
        return schema.get("maxLength", 0) + inner * schema.get("maxItems", 1)
    return 0


async def test_no_answer_that_keeps_to_its_schema_is_cut_short():
    """A small model may spend a token on every letter."""
    model = Model(thinks(2.0, 2.0, 2.0))
    await motives(sale(), model)
    room = [(letters(r.json_schema), r.sampling.max_tokens) for r in model.requests]
    assert all(0 < most < tokens for most, tokens in room), room


async def test_what_is_said_is_on_its_mind_no_longer():
    values = await motives(sale(), Model(thinks(1.0, 5.0, 1.0)))
    assert values[0].parts["thoughts"][1]["selected"]
    assert not any("on it 0" in text for v in values for text in v.parts["shown"].values())


async def test_a_judge_rates_where_there_is_one():
    thinker, judge = Model(thinks(1, 1, 1)), Model(thinks(5, 5, 5))
    values = await motives(sale(), thinker, {JUDGE: judge})
    assert {v.value for v in values} == {5.0} and len(judge.requests) == 3 * len(values)
    assert all("/rate/" in r.key.step for r in judge.requests) and len(thinker.requests) == 2 * len(values)


class Faulty:
    """Fails at one step of one turn."""

    def __init__(self, at: int, step: str, fault: ContentError):
        self._at, self._step, self._fault = at, step, fault
        self._model = Model(thinks(2, 3, 4))

    async def ask(self, request: ChatRequest) -> ChatReply:
        if (request.key.turn, request.key.step) == (self._at, self._step):
            raise self._fault
        return await self._model.ask(request)


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ("thought/quick", InvalidOutput("?", "invalid_json")),
        ("thought/slow", InvalidOutput("?", "schema_mismatch")),
        ("thought/rate/2", Unanswered("nobody answers")),
    ],
)
async def test_nonsense_and_a_timeout_leave_their_turn_without_a_value(step: str, fault: ContentError):
    values = await motives(sale(), Faulty(2, step, fault))
    assert [v.reason for v in values] == [None, fault.reason, None, None, None]
    assert [v.value is None for v in values] == [False, True, False, False, False] and values[1].turn == 2


async def test_without_a_model_or_turns_there_is_a_reason_and_a_share_of_the_turns_is_drawn():
    services = Services(chat={}, embed=Embedder())
    assert [v.reason for v in await IntrinsicMotivation().annotate(sale(), services)] == ["no_model"]
    assert [v.reason for v in await motives(talk(("user", "Hi.")), Model(thinks(1, 1, 1)))] == ["no_learner_turns"]
    assert {v.reason for v in await motives(sale(), Model(thinks(1, 1, 1)), share=1e-9)} == {"not_drawn"}
