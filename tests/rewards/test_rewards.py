"""Every reward value here is written out by hand."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pencils import COUNT, PRICE, SERVICES, lesson

from rewards.discounted_return import DiscountedReturn
from rewards.information_gain import InformationGain
from rewards.questions_asked import QuestionsAsked
from rewards.success import Success
from rewards.turns_to_success import TurnsToSuccess
from schemas.contracts import Reward
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.judgement import RewardValue
from schemas.scenario import Fact, Scenario, View

HINT = Fact(id="hint", holder="teacher", slot="a hint", value="", text="Multiply.", required=False, disclose="hinted")


def teacher(text: str, disclosed: Sequence[str] = (), volunteered: Sequence[str] = ()) -> Turn:
    return Turn(role="teacher", text=text, facts_disclosed=tuple(disclosed), facts_volunteered=tuple(volunteered))


def student(text: str, asked: Sequence[str] = (), answer: str | None = None, **given: Any) -> Turn:
    return Turn(role="student", text=text, facts_asked=tuple(asked), answer=answer, **given)


POSED = teacher("Mia buys pencils. How many dollars does she pay?")
SOLVED = lesson(
    POSED,
    student("How many pencils does she buy?", ["count"]),
    teacher("Mia buys 3 pencils.", ["count"]),
    student("Is it 6?", answer="6", answer_correct=False),
    teacher("No. What else do you need?"),
    student("What does one cost?", ["price"]),
    teacher("A pencil costs 4 dollars.", ["price"]),
    student("12 dollars.", answer="12 dollars", answer_correct=True),
    ending="goal_reached",
    outcome={"success": True},
)
UNSOLVED = lesson(
    POSED,
    student("I think 8.", answer="8"),
    teacher("Not quite."),
    student("Then 9.", answer="9"),
)
BROKEN = lesson(POSED, student("What does one cost?", ["price"]), ending="fault")
MUTE = lesson(POSED)
FREE = lesson(POSED, student("What do you mean?"), student("12", answer="12"), facts=(HINT,))
TALK = lesson(POSED, student("Nice."), verifier=None, facts=())


async def annotate(reward: Reward, dialogue: Dialogue) -> list[RewardValue]:
    values = await reward.annotate(dialogue, SERVICES)
    for value in values:
        assert value.grader == "program"
        assert (value.value is not None) or value.reason, "a missing value needs a reason"
        assert RewardValue.model_validate_json(value.model_dump_json()) == value
    return values


async def only(reward: Reward, dialogue: Dialogue) -> RewardValue:
    (value,) = await annotate(reward, dialogue)
    assert (value.scope, value.turn) == ("dialogue", None)
    return value


@pytest.mark.parametrize(
    ("dialogue", "value", "reason", "parts"),
    [
        (SOLVED, 1.0, None, {"answer": "12 dollars", "answers": 2, "recorded": True}),
        (UNSOLVED, 0.0, None, {"answer": "9", "answers": 2, "recorded": None}),
        (MUTE, 0.0, "no_answer", {"answer": None, "answers": 0, "recorded": None}),
        (BROKEN, None, "fault", {"answer": None, "answers": 0, "recorded": None}),
        (TALK, None, "no_verifier", {"answer": None, "answers": 0, "recorded": None}),
    ],
)
async def test_success_is_the_verdict_on_the_last_answer(
    dialogue: Dialogue, value: float | None, reason: str | None, parts: dict[str, Any]
) -> None:
    got = await only(Success(), dialogue)
    assert (got.name, got.value, got.reason, got.parts) == ("success", value, reason, parts)


@pytest.mark.parametrize(
    ("recorded", "ending", "value", "reason"),
    [
        (True, "goal_reached", 1.0, None),
        (False, "closed_by_partner", 0.0, None),
        (False, "fault", None, "fault"),
        ("yes", "goal_reached", None, "no_verifier"),
    ],
)
async def test_without_a_verifier_success_is_what_the_family_found(
    recorded: Any, ending: Any, value: float | None, reason: str | None
) -> None:
    found = {"outcome": {"success": recorded}, "ending": Ending(reason=ending, by="user")}
    got = await only(Success(), TALK.model_copy(update=found))
    assert (got.value, got.reason, got.parts["recorded"]) == (value, reason, recorded)


async def test_success_is_lost_by_changing_a_right_answer() -> None:
    wavering = lesson(POSED, student("12", answer="12"), teacher("Sure?"), student("No, 13.", answer="13"))
    assert (await only(Success(), wavering)).value == 0.0
    assert (await only(TurnsToSuccess(), wavering)).value == 1


async def test_an_answer_the_partner_gives_is_no_success_of_the_learner() -> None:
    told = lesson(POSED, student("No idea."), Turn(role="teacher", text="It is 12.", answer="12", answer_correct=True))
    assert (await only(Success(), told)).value == 0.0
    assert (await only(TurnsToSuccess(), told)).reason == "never_succeeded"


RECORDED = lesson(
    POSED, student("1", answer="1", answer_correct=False), student("2", answer="2", answer_correct=True), verifier=None
)


@pytest.mark.parametrize(
    ("dialogue", "value", "reason", "parts"),
    [
        (SOLVED, 4, None, {"learner_turns": 4, "turn": 7}),
        (UNSOLVED, None, "never_succeeded", {"learner_turns": 2, "turn": None}),
        (MUTE, None, "never_succeeded", {"learner_turns": 0, "turn": None}),
        (TALK, None, "no_verifier", {"learner_turns": 1, "turn": None}),
        (RECORDED, 2, None, {"learner_turns": 2, "turn": 2}),
    ],
)
async def test_turns_to_success_counts_learner_turns_from_one(
    dialogue: Dialogue, value: float | None, reason: str | None, parts: dict[str, Any]
) -> None:
    got = await only(TurnsToSuccess(), dialogue)
    assert (got.name, got.value, got.reason, got.parts) == ("turns_to_success", value, reason, parts)


async def test_discounted_return_of_a_success_falls_by_gamma_per_learner_turn_before_the_last() -> None:
    got = await annotate(DiscountedReturn(), SOLVED)
    assert [(v.scope, v.turn, v.parts["exponent"]) for v in got] == [
        ("turn", 1, 3),
        ("turn", 3, 2),
        ("turn", 5, 1),
        ("turn", 7, 0),
    ]
    assert [v.value for v in got] == pytest.approx([0.343, 0.49, 0.7, 1.0])
    assert {v.parts["gamma"] for v in got} == {0.7}


async def test_discounted_return_of_a_failure_is_zero_at_every_learner_turn() -> None:
    assert [(v.turn, v.value) for v in await annotate(DiscountedReturn(), UNSOLVED)] == [(1, 0.0), (3, 0.0)]


async def test_discounted_return_has_no_value_where_success_has_none() -> None:
    assert [(v.turn, v.value, v.reason) for v in await annotate(DiscountedReturn(), TALK)] == [(1, None, "no_verifier")]
    assert [(v.turn, v.value, v.reason) for v in await annotate(DiscountedReturn(), BROKEN)] == [(1, None, "fault")]
    assert [(v.turn, v.reason) for v in await annotate(DiscountedReturn(), MUTE)] == [(None, "no_learner_turns")]


async def test_gamma_can_be_set_and_stays_within_its_bounds() -> None:
    got = await annotate(DiscountedReturn(gamma=0.5), SOLVED)
    assert [v.value for v in got] == pytest.approx([0.125, 0.25, 0.5, 1.0])
    with pytest.raises(ValueError, match="greater than 0"):
        DiscountedReturn(gamma=0)


async def test_information_goes_to_the_learner_turn_before_the_disclosure() -> None:
    got = await annotate(InformationGain(), SOLVED)
    assert [(v.turn, v.value, v.parts["facts"]) for v in got] == [
        (1, 0.5, ["count"]),
        (3, 0.0, []),
        (5, 0.5, ["price"]),
        (7, 0.0, []),
    ]
    assert {(v.parts["wanted"], v.parts["bits"], v.parts["no_bits"]) for v in got} == {(2, None, "no_candidates")}


async def test_information_counts_once_and_not_before_the_learner_acted() -> None:
    dialogue = lesson(
        teacher("Mia buys 3 pencils.", volunteered=["count"]),
        student("Mia buys 3 pencils?", ["count"]),
        teacher("Yes, 3.", ["count"]),
        teacher("And a pencil costs 4 dollars. Multiply.", ["price", "hint"]),
        facts=(COUNT, PRICE, HINT),
    )
    assert [(v.turn, v.value, v.parts["facts"]) for v in await annotate(InformationGain(), dialogue)] == [
        (1, 0.5, ["price"])
    ]


async def test_information_has_no_value_where_nothing_is_wanted() -> None:
    assert [(v.turn, v.value, v.reason) for v in await annotate(InformationGain(), FREE)] == [
        (1, None, "nothing_wanted"),
        (2, None, "nothing_wanted"),
    ]
    assert [v.reason for v in await annotate(InformationGain(), TALK)] == ["nothing_wanted"]
    assert [(v.turn, v.reason) for v in await annotate(InformationGain(), MUTE)] == [(None, "no_learner_turns")]


@pytest.mark.parametrize(
    ("dialogue", "value", "parts"),
    [
        (SOLVED, 3, {"hits": 2, "repeated": 0, "facts": ["count", "price"], "asked_on_answerable": 0}),
        (UNSOLVED, 0, {"hits": 0, "repeated": 0, "facts": [], "asked_on_answerable": 0}),
        (FREE, 1, {"hits": 0, "repeated": 0, "facts": [], "asked_on_answerable": 1}),
        (TALK, 0, {"hits": 0, "repeated": 0, "facts": [], "asked_on_answerable": None}),
    ],
)
async def test_questions_are_counted_with_what_they_hit(
    dialogue: Dialogue, value: float, parts: dict[str, Any]
) -> None:
    got = await only(QuestionsAsked(), dialogue)
    assert (got.name, got.value, got.parts) == ("questions_asked", value, parts)


async def test_who_never_had_a_turn_has_no_number_of_questions() -> None:
    assert (await only(QuestionsAsked(), MUTE)).reason == "no_learner_turns"


async def test_asking_again_is_a_repeat_and_still_a_hit_until_it_is_answered() -> None:
    dialogue = lesson(
        POSED,
        student("What does one cost?", ["price"]),
        teacher("Think about it."),
        student("Please, what does one cost?", ["price"]),
        teacher("A pencil costs 4 dollars.", ["price"]),
        student("So one costs?", ["price"]),
        teacher("4 dollars."),
        student("And how many, at which price?", ["count", "price"]),
    )
    got = await only(QuestionsAsked(), dialogue)
    assert got.value == 4
    assert got.parts == {"hits": 3, "repeated": 2, "facts": ["price", "count"], "asked_on_answerable": 0}


@pytest.mark.parametrize(
    ("turn", "asks"),
    [
        (student("What does one cost?"), True),
        (student('Did she say "how many?"'), True),
        (student("Really?!"), True),
        (student("Tell me the price.", acts=("ask",)), True),
        (student("The price? I think I know it."), False),
        (student("It is 12."), False),
        (Turn(role="student", kind="silence", acts=("ask",)), False),
        (teacher("What else do you need?"), False),
    ],
)
async def test_a_turn_asks_by_its_act_or_by_a_closing_question_mark(turn: Turn, asks: bool) -> None:
    assert (await only(QuestionsAsked(), lesson(student("Hm."), turn))).value == (1 if asks else 0)


def chat(*turns: Turn) -> Dialogue:
    told = [
        Fact(id=f"u{n}", holder="user", slot=f"q{n}", value=f"v{n}", text=f"t{n}", required=False) for n in range(4)
    ]
    tip = Fact(id="a0", holder="assistant", slot="music", value="tip", text="tip", required=False)
    views = {
        "user": View(role="user", brief="", facts=tuple(told)),
        "assistant": View(role="assistant", brief="", facts=(tip,)),
    }
    scenario = Scenario(family="conversation", domain="small_talk", base_case_id="b", seed=1, goal="talk", views=views)
    return Dialogue(
        scenario=scenario, turns=turns, ending=Ending(reason="max_turns"), learner="assistant", partner="user"
    )


LED = chat(
    Turn(role="assistant", text="Do you play music?", acts=("ask",), facts_asked=("u0",), labels={"topic": "music"}),
    Turn(role="user", text="The drums. I also cook.", facts_disclosed=("u0", "u1"), facts_volunteered=("u1",)),
    Turn(
        role="assistant",
        text="I have a tip for drummers.",
        facts_disclosed=("a0",),
        facts_volunteered=("a0",),
        labels={"topic": "music", "volunteered": True},
    ),
    Turn(role="user", text="Thanks."),
    Turn(
        role="assistant",
        text="Drums are like cooking. What do you cook?",
        acts=("ask",),
        facts_asked=("u2",),
        labels={"topic": "food", "topic_shift": True},
    ),
    Turn(role="user", text="Soup.", facts_disclosed=("u2",)),
    Turn(role="assistant", text="Soup warms you up.", labels={"topic": "weather", "volunteered": True}),
)


async def test_in_open_conversation_every_fact_the_partner_tells_is_information() -> None:
    got = await annotate(InformationGain(), LED)
    assert [(v.turn, v.value, v.parts["facts"]) for v in got] == [
        (0, 0.5, ["u0", "u1"]),
        (2, 0.0, []),
        (4, 0.25, ["u2"]),
        (6, 0.0, []),
    ]


IDS = st.lists(st.sampled_from(["count", "price", "other"]), max_size=2)
TURNS = st.lists(
    st.one_of(
        st.builds(student, st.sampled_from(["Why?", "12", "Hm."]), IDS, st.sampled_from([None, "12", "7"])),
        st.builds(teacher, st.just("Well."), IDS, IDS),
    ),
    max_size=8,
)


@given(TURNS)
async def test_information_adds_up_to_what_came_out_after_the_learner_began(turns: list[Turn]) -> None:
    dialogue = lesson(*turns)
    starts = [n for n, t in enumerate(turns) if t.role == "student"]
    if not starts:
        return
    told = [{*t.facts_disclosed, *t.facts_volunteered} & {"count", "price"} for t in turns]
    before = set[str]().union(*told[: starts[0]])
    gained = await annotate(InformationGain(), dialogue)
    assert sum(v.value or 0.0 for v in gained) == pytest.approx(len(set[str]().union(*told) - before) / 2)


@given(TURNS)
async def test_the_last_learner_turn_returns_the_success_and_returns_never_fall(turns: list[Turn]) -> None:
    dialogue = lesson(*turns)
    values = [v.value for v in await annotate(DiscountedReturn(), dialogue) if v.value is not None]
    if values:
        assert values[-1] == (await only(Success(), dialogue)).value
        assert values == sorted(values)


@given(TURNS)
async def test_hits_never_exceed_questions_and_every_hit_names_a_fact(turns: list[Turn]) -> None:
    got = await annotate(QuestionsAsked(), lesson(*turns))
    if got[0].value is not None:
        hits, facts = got[0].parts["hits"], got[0].parts["facts"]
        assert hits <= got[0].value
        assert bool(facts) == bool(hits)
        assert len(facts) <= 2 * hits
