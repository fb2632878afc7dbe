"""Any model in the learner's seat: what it is shown, what is checked, and what the families read off its words."""

from collections.abc import Callable, Sequence

import pytest
from played import Embedder, Model, case, obeys, played, requests, services

from generators.families.conversation import Conversation
from generators.families.recommendation import Recommendation
from generators.families.tutoring import Tutoring
from generators.speakers.external import External
from generators.speakers.person import Person
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import Family, Services
from schemas.dialogue import Dialogue, Ending, Move, Turn
from schemas.errors import InvalidOutput
from schemas.scenario import Fact, Scenario, View

FREE = Move(role="assistant", intent="free")
VIEW = View(
    role="assistant",
    brief="You are Robin.",
    facts=(Fact(id="f", holder="assistant", slot="a tip", value="tip", text="a walk helps"),),
    private={"catalogue": "- Jaws: scary"},
)


async def said(
    *answers: str, turns: Sequence[Turn] = (), speaker: External | None = None
) -> tuple[Turn, list[ChatRequest]]:
    left = list(answers)
    given = services(lambda _: left.pop(0), "assistant")
    turn = await (speaker or External()).speak(VIEW, turns, FREE, 7, given)
    return turn, requests(given)


async def test_it_is_told_who_it_is_and_what_it_holds_and_hears_everything_and_no_note():
    turns = [Turn(role="user", text="hi"), Turn(role="assistant", text="hello"), Turn(role="user", text="what's on?")]
    turn, [request] = await said("How about Jaws?", turns=turns)
    system, *talk = request.messages
    assert system.role == "system" and all(w in system.content for w in ("Robin", "a walk helps", "Jaws: scary"))
    assert [(m.role, m.content) for m in talk] == [("user", "hi"), ("assistant", "hello"), ("user", "what's on?")]
    assert (turn.text, turn.intent_requested, turn.acts, turn.model) == (
        "How about Jaws?",
        "free",
        ("ask",),
        "function",
    )


async def test_the_first_message_answers_a_line_of_ours():
    _, [request] = await said("Hi there!")
    assert [m.role for m in request.messages] == ["system", "user"] and "first message" in request.messages[1].content


@pytest.mark.parametrize(
    ("text", "reason"),
    [("  ", "empty_message"), ("Sure!\nUser: thanks", "role_confusion"), ("so " * 200, "message_too_long")],
)
async def test_an_unusable_message_is_asked_for_again_with_another_seed(text: str, reason: str):
    turn, asked = await said(text, "Fine.")
    assert turn.text == "Fine." and len({r.seed for r in asked}) == 2
    with pytest.raises(InvalidOutput) as fault:
        await said(text, speaker=External(attempts=1))
    assert fault.value.reason == reason


async def test_what_was_thought_aloud_is_kept_apart_from_what_was_said():
    turn, _ = await said("<think>They may be sad.</think>\n\nHow are you?\nI am fine.")
    assert (turn.thought, turn.text) == ("They may be sad.", "How are you?\nI am fine.")


async def test_a_model_of_its_own_is_asked_where_there_is_one():
    own, other = Model(lambda _: "Mine."), Model(lambda _: "Not mine.")
    chat = Services(chat={"assistant": other, "external": own}, embed=Embedder())
    assert (await External().speak(VIEW, (), FREE, 7, chat)).text == "Mine." and not other.requests


async def free(family: Family, scenario: Scenario, says: Callable[[Sequence[str]], str]) -> Dialogue:
    """`says`: of what it has heard so far."""

    def answer(request: ChatRequest) -> object:
        if not request.messages[-1].content.endswith("]"):
            return says([m.content for m in request.messages[1:] if m.role == "user"])
        return obeys(request)

    speakers = {**family.speakers, family.learner: External()}
    dialogue, _ = await played(family, scenario, answer, speakers)  # pyright: ignore[reportArgumentType]
    return dialogue


def withheld(count: int) -> Scenario:
    cases = (case(Tutoring(), seed, "external") for seed in range(400))
    return next(c for c in cases if len(c.views["teacher"].facts) == count)


async def test_a_free_student_is_answered_what_it_asks_and_its_answer_is_read_off_and_verified():
    scenario = withheld(1)
    [fact] = scenario.views["teacher"].facts
    assert scenario.verifier is not None
    right = f"Easy. Answer: {scenario.verifier.answer}"
    dialogue = await free(Tutoring(), scenario, lambda heard: right if len(heard) > 1 else f"Tell me, {fact.slot}?")
    assert [t.intent_detected for t in dialogue.turns if t.role == "student"] == ["ask", "answer"]
    assert dialogue.turns[1].facts_asked == (fact.id,) == dialogue.turns[2].facts_disclosed
    assert dialogue.turns[3].answer_correct and dialogue.ending == Ending(reason="goal_reached", by="student")


async def test_a_free_assistant_that_chats_is_read_and_ends_the_talk_by_taking_leave():
    scenario = case(Conversation(), 3, "external")
    question = scenario.views["user"].facts[0].slot
    tip = next(f for f in scenario.views["assistant"].facts if f.disclose == "volunteered")
    words = [f"Tell me, {question}?", f"By the way, {tip.text}.", "Goodbye, take care!"]
    dialogue = await free(Conversation(), scenario, lambda heard: words[min(len(heard), 3) - 1])
    mine = [t for t in dialogue.turns if t.role == "assistant"]
    assert mine[0].acts == ("ask",) and scenario.views["user"].facts[0].id in mine[0].facts_asked
    assert tip.id in mine[1].facts_volunteered and mine[1].intent_detected in ("offer", "bridge")
    assert mine[-1].intent_detected == "close" and dialogue.ending.reason in ("closed_by_learner", "closed_by_partner")


async def test_a_free_recommender_has_the_catalogue_and_what_it_names_is_a_recommendation():
    scenario = case(Recommendation(), 0, "external")
    catalogue = scenario.views["assistant"].private["catalogue"]
    assert "Titanic: romantic" in catalogue
    dialogue = await free(
        Recommendation(), scenario, lambda heard: ["How about Jaws?", "Then Titanic?"][len(heard) % 2]
    )
    named = [t.labels.get("item") for t in dialogue.turns if t.role == "assistant"]
    assert set(named) == {"Jaws", "Titanic"}


async def person(line: str, move: Move, view: View, turns: Sequence[Turn] = ()) -> Turn:
    class Types:
        async def ask(self, request: ChatRequest) -> ChatReply:
            return ChatReply(line, "person", "stop", prompt_tokens=0, completion_tokens=1)

    return await Person().speak(view, turns, move, 7, Services(chat={view.role: Types()}, embed=Embedder()))


USER = View(
    role="user",
    brief="You look for a film.",
    facts=(
        Fact(id="era", holder="user", slot="when it was made", value="80s", text="something from the 80s please"),
        Fact(id="mood", holder="user", slot="the mood", value="funny", text="i want to laugh a lot"),
    ),
)
TELL = Move(role="user", intent="answer", instruction="i want to laugh a lot", fact_ids=("mood",), labels={"x": 1})


async def test_a_person_who_follows_the_suggestion_has_its_labels():
    heard = [Turn(role="assistant", text="What mood?", facts_asked=("mood",))]
    turn = await person("well i want to laugh a lot", TELL, USER, heard)
    assert (turn.intent_requested, turn.facts_disclosed, turn.facts_volunteered) == ("answer", ("mood",), ())
    assert turn.labels == {"x": 1, "person": True} and turn.model is None


async def test_a_person_who_says_something_else_has_the_labels_of_that():
    turn = await person("bye, see you tomorrow", TELL, USER, [Turn(role="assistant", text="What mood?")])
    assert turn.intent_requested == turn.intent_detected == "bye"
    assert turn.labels == {"person": True} and not turn.facts_disclosed
    early = await person("something from the 80s please", TELL, USER, [Turn(role="assistant", text="Hi!")])
    assert early.facts_disclosed == early.facts_volunteered == ("era",)
    assert not (await person("something from the 90s please", TELL, USER)).facts_disclosed, "another number"
