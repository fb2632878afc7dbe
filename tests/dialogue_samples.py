"""Hand-built records: one tutoring and one conversation dialogue, and any number of small variants."""

from typing import Literal

from schemas.dialogue import Dialogue, Ending, Origin, Turn
from schemas.identity import stable_hash
from schemas.judgement import Realism, RewardValue, Selection
from schemas.record import Record
from schemas.scenario import Fact, Policy, Scenario, Verifier, View

SECRET = "One pencil costs forty-one cents."
PLAN_SECRET = "solve the pencil system by subtraction"


def dialogue_id(number: int) -> str:
    return stable_hash("sample", number)


def group_id(number: int) -> str:
    return stable_hash("group", number)


def tutoring(number: int = 0, policy: Policy = "proactive", base_case: str | None = None) -> Record:
    fact = Fact(id="f1", holder="teacher", slot="the price of one pencil", value="41", text=SECRET)
    scenario = Scenario(
        family="tutoring",
        domain="word_arithmetic",
        base_case_id=base_case or f"pencils-{number // 2}",
        seed=number,
        goal="Find what three pencils cost.",
        views={
            "teacher": View(role="teacher", brief="You teach.", facts=(fact,), private={"solution": "3 * 41 = 123"}),
            "student": View(role="student", brief="You learn.", public="What do three pencils cost?"),
        },
        session_latents={"patience": 3, "style": "terse"},
        verifier=Verifier(kind="number", answer="123"),
        plan={"route": PLAN_SECRET},
        index=number,
        scenario_id=f"s{number}",
        group_id=group_id(number // 2),
        dialogue_id=dialogue_id(number),
        policy=policy,
    )
    turns = (
        Turn(role="teacher", text="What do three pencils cost?", intent_requested="pose", intent_detected="pose"),
        Turn(role="student", text=f"What does one pencil cost? ({number})", facts_asked=("f1",), acts=("ask",)),
        Turn(
            role="teacher",
            text=SECRET,
            facts_disclosed=("f1",),
            intent_requested="disclose",
            intent_detected="hint",
            model="scripted",
            thought="private musing",
        ),
        Turn(role="teacher", kind="silence"),
        Turn(role="teacher", kind="event", text="The bell rings."),
        Turn(
            role="student", text="123", answer="123", answer_correct=True, labels={"topic": "prices", "bridge": False}
        ),
    )
    return Record(
        dialogue=Dialogue(
            scenario=scenario,
            turns=turns,
            ending=Ending(reason="goal_reached", by="student"),
            learner="student",
            partner="teacher",
            outcome={"success": True, "answer": "123"},
        ),
        recipe="sample",
        split="train",
        rewards=(
            RewardValue(name="success", value=1.0, parts={"answer": "123"}),
            RewardValue(name="saving", value=None, reason="no_sibling"),
        ),
        selection=Selection(keep=True),
    )


def conversation(number: int = 1, policy: Policy = "proactive", text: str = "I walk my dog each day.") -> Record:
    scenario = Scenario(
        family="conversation",
        domain="open",
        base_case_id=f"hobbies-{number}",
        seed=number,
        goal="Lead a pleasant talk.",
        views={"user": View(role="user", brief="You chat."), "assistant": View(role="assistant", brief="You lead.")},
        session_latents={"profile": "has a dog"},
        index=number,
        scenario_id=f"s{number}",
        group_id=group_id(number),
        dialogue_id=dialogue_id(number),
        policy=policy,
    )
    turns = (
        Turn(role="assistant", text="Hello! What did you do today?", labels={"topic": "day", "topic_shift": True}),
        Turn(role="user", text=text, intent_requested="tell", intent_detected="tell"),
        Turn(
            role="assistant", text="Dogs like parks; have you been to one?", labels={"topic": "parks", "bridge": True}
        ),
        Turn(role="user", text="Yes, on Sunday.", intent_requested="answer", intent_detected="answer"),
    )
    return Record(
        dialogue=Dialogue(
            scenario=scenario,
            turns=turns,
            ending=Ending(reason="closed_by_learner", by="assistant"),
            learner="assistant",
            partner="user",
        ),
        recipe="sample",
        split="train",
        labels={"question": "no", "length": "short"},
        realism=Realism(scores={"ngram": 0.3}, combined=0.3),
        rewards=(RewardValue(name="turns", value=4.0),),
        selection=Selection(keep=True, logw=0.1, pi=0.9),
    )


def branch(parent: Record, candidate: int) -> Record:
    dialogue = parent.dialogue
    scenario = dialogue.scenario.model_copy(update={"dialogue_id": stable_hash(dialogue.id, candidate)})
    origin = Origin(dialogue_id=dialogue.id, turn=1, candidate=candidate)
    return parent.model_copy(
        update={
            "dialogue": dialogue.model_copy(update={"scenario": scenario, "origin": origin}),
            "selection": None,
        }
    )


def many(count: int, family: Literal["tutoring", "conversation"] = "tutoring") -> list[Record]:
    make = tutoring if family == "tutoring" else conversation
    return [make(n, "reactive" if n % 2 else "proactive") for n in range(count)]
