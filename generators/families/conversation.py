"""Open conversation in which the assistant leads: it opens topics, hands over from one to the next by a bridge,
offers things unasked, and closes (methods §6, §13). In a quarter of the scenarios leading is unwelcome, and the
assistant has to notice.

The user's side is drawn from what was fitted on real chat (`overture fit`): intents, lengths, ways of typing;
what a user may tell are facts, which come out when asked or when an intent volunteers them.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from generators.domains.small_talk import DECLINES, REACTIONS, TOPICS, new, short_answer, tells_on, topic_of
from generators.latents.fitted import FittedLatents, Latents, committed
from generators.latents.intents import START, TurnIntents
from generators.latents.tagger import INTENTS, Intent, act_of, is_question
from generators.speakers.chat_assistant import ChatAssistant
from generators.speakers.chat_user import TYPING, ChatUser
from schemas.contracts import Family, Speaker
from schemas.dialogue import Ending, Move, Turn
from schemas.identity import rng
from schemas.scenario import Fact, Scenario, View

_PLAYED: tuple[Intent, ...] = ("answer", "answer_ask", "ask", "share", "react", "accept", "decline")
_UNASKED: tuple[Intent, ...] = ("ask", "share", "react", "accept", "decline")
_AGAIN: tuple[Intent, ...] = ("ask", "share")
"""After a message of one's own."""


@cache
def _small_talk() -> FittedLatents:
    return committed("small_talk_latents")


class Conversation(Family):
    """Small talk over two topics; learner: assistant, partner: user."""

    learner: ClassVar[str] = "assistant"
    partner: ClassVar[str] = "user"
    reference: ClassVar[str | None] = "pypi:chitchat-dataset"
    speakers: ClassVar[Mapping[str, Speaker]] = {"assistant": ChatAssistant(), "user": ChatUser()}

    latents: Latents = Field(default_factory=_small_talk)
    """What users are drawn from: the path of a file that `overture fit` wrote. Default: fitted on chitchat-dataset."""
    unwelcome: float = 0.25
    """Share of scenarios in which the user does not want to be led."""
    max_turns: int = 8
    """Most messages of a dialogue."""

    @model_validator(mode="after")
    def _has_intents(self) -> Self:
        if self.latents.intents is None:
            raise ValueError(f"latents: have no turn intents: {self.latents.intents_missing}; name another file")
        return self

    @property
    def _intents(self) -> TurnIntents:
        assert self.latents.intents is not None
        return self.latents.intents

    def sample(self, rng: Random) -> Scenario:
        first = rng.choice(sorted(TOPICS))
        second = rng.choice(sorted(TOPICS[first]["bridges"]))
        welcome = rng.random() >= self.unwelcome
        tells = [
            Fact(id=f"u{n}", holder="user", slot=question, value=tell, text=tell, required=False)
            for n, (question, tell) in enumerate(tells_on(first, rng, 2) + tells_on(second, rng, 1))
        ]
        own = [
            Fact(id=f"r{n}", holder="assistant", slot=question, value=tell, text=tell, required=False)
            for n, (question, tell) in enumerate(tells_on(first, rng, 3))
            if tell not in {t.text for t in tells}
        ]
        tips = [
            Fact(
                id=f"a{n}", holder="assistant", slot=topic, value=tip, text=tip, required=False, disclose="volunteered"
            )
            for n, (topic, tip) in enumerate((t, rng.choice(TOPICS[t]["tips"])) for t in (first, second))
        ]
        person = rng.choice(self.latents.people)
        patience = rng.randint(2, 3)
        return Scenario(
            family=self.name(),
            domain="small_talk",
            base_case_id=f"small_talk/{first}-{second}",
            seed=0,
            goal="a conversation both would repeat",
            views={
                "assistant": View(
                    role="assistant",
                    brief="You are Robin, texting with someone you like.",
                    facts=(*tips, *own),
                ),
                "user": View(
                    role="user",
                    brief="You text with a friend called Robin.",
                    facts=tuple(tells),
                    private={TYPING: person.typing().model_dump_json()},
                ),
            },
            session_latents={
                "profile": {f.slot: f.value for f in tells},
                "style": person.model_dump(),
                "patience": patience,
                "welcomes_leading": welcome,
                "double_text": person.double_text,
            },
            plan={"path": [first, second], "bridge": TOPICS[first]["bridges"][second]},
            max_turns=self.max_turns,
        )

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        if turns and (over := self._over(scenario, turns)):
            return over
        if not turns:
            return self._assistant(scenario, turns) if scenario.policy == "proactive" else self._user(scenario, turns)
        if turns[-1].role == "assistant" or self._texts_again(scenario, turns):
            return self._user(scenario, turns)
        return self._assistant(scenario, turns)

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        return {
            "topics": sorted({t.labels["topic"] for t in turns if "topic" in t.labels}),
            "topic_shifts": sum(bool(t.labels.get("topic_shift")) for t in turns),
            "refused": _refused_at(turns) is not None,
            "pushes_after_refusal": _pushes_after_refusal(turns),
        }

    def _over(self, scenario: Scenario, turns: Sequence[Turn]) -> Ending | None:
        last = turns[-1]
        if last.intent_requested == "bye":
            return Ending(reason="closed_by_partner", by="user")
        if last.intent_requested == "close":
            answers = rng(scenario.seed, "answers_goodbye").random() < 0.5 and len(turns) < scenario.max_turns
            return None if answers else Ending(reason="closed_by_learner", by="assistant")
        return Ending(reason="max_turns") if len(turns) >= scenario.max_turns else None

    def _texts_again(self, scenario: Scenario, turns: Sequence[Turn]) -> bool:
        """Double texting: at most once a dialogue, with something left to tell, and never where it would crowd out
        the assistant.
        """
        before = any(a.role == b.role for a, b in pairwise(turns))
        if before or not 1 < len(turns) <= scenario.max_turns - 4 or turns[-1].intent_requested in ("ask", "decline"):
            return False
        draw = rng(scenario.seed, "double_text", len(turns)).random()
        left = _next_tell(scenario.views["user"], turns, _topic(scenario, turns)) is not None
        return left and draw < float(scenario.session_latents["double_text"])

    def _user(self, scenario: Scenario, turns: Sequence[Turn]) -> Move:
        mine = [t for t in turns if t.role == "user"]
        last = turns[-1] if turns else None
        asked = last is not None and last.role == "assistant" and is_question(last.text or "")
        topic = _topic(scenario, turns)
        if last is not None and last.intent_requested == "close":
            return Move(
                role="user",
                intent="bye",
                instruction="say bye in a few words",
                fallback="ok bye",
                labels={"topic": topic},
            )
        if self._bored(scenario, turns):
            return Move(
                role="user",
                intent="bye",
                instruction="say you have to go now, bye",
                fallback="sorry gotta go, bye",
                labels={"topic": topic},
            )
        tell = _next_tell(scenario.views["user"], turns, topic)
        if self._unled(scenario, turns):
            return _tell("decline", rng(scenario.seed, "mood", len(turns)).choice(DECLINES), tell, topic)
        drawn = self._draw(scenario, turns, mine, asked)
        mood = rng(scenario.seed, "mood", len(turns))
        if drawn == "ask" and asked and tell is not None:
            drawn = "answer_ask"  # people rarely leave a question unanswered, and small models never do
        if drawn in ("ask", "answer_ask") and (tell is None or drawn == "ask"):
            return _user_asks(scenario, turns, topic, mood)
        return _user_tells(drawn, tell if drawn != "react" else None, topic, turns, mood)

    def _draw(self, scenario: Scenario, turns: Sequence[Turn], mine: Sequence[Turn], asked: bool) -> str:
        """The fitted transition among what this family plays; leave-taking is the program's (patience)."""
        if not turns:
            return "ask"
        previous = (mine[-1].intent_requested or START) if mine else START
        draws = rng(scenario.seed, "intent", len(turns))
        plays = _AGAIN if turns[-1].role == "user" else _PLAYED if asked else _UNASKED
        act = "ask" if asked else act_of([t.text or "" for t in turns[-1:]])
        drawn = self._intents.draw(previous, act, len(mine), draws, [name for name in INTENTS if name not in plays])
        return "react" if drawn == "accept" else drawn

    def _bored(self, scenario: Scenario, turns: Sequence[Turn]) -> bool:
        """A user leaves once the assistant has brought nothing (no question, no offer) `patience` times in a row."""
        brought = [bool(t.acts or t.facts_volunteered) for t in turns if t.role == "assistant"]
        patience = int(scenario.session_latents["patience"])
        return len(brought) >= patience and not any(brought[-patience:])

    def _unled(self, scenario: Scenario, turns: Sequence[Turn]) -> bool:
        led = turns and turns[-1].intent_requested in ("offer", "bridge")
        return bool(led) and not scenario.session_latents["welcomes_leading"] and _refused_at(turns) is None

    def _assistant(self, scenario: Scenario, turns: Sequence[Turn]) -> Move:
        said = [t for t in turns if t.role == "assistant"]
        topic = _topic(scenario, turns)
        if len(turns) >= scenario.max_turns - 2:
            return Move(
                role="assistant", intent="close", instruction="react, then say goodbye", labels={"topic": topic}
            )
        if scenario.policy != "proactive":
            return _follow(scenario, turns, topic)
        first, second = scenario.plan["path"]
        if not said:
            return _ask(scenario, "open", "say hi and ask", first, shift=False)
        if _refused_at(turns) is not None:
            return _follow_with_question(scenario, turns, topic)
        if len(said) == 1:
            tip = next(f for f in scenario.views["assistant"].facts if f.slot == first)
            return Move(
                role="assistant",
                intent="offer",
                instruction=f"{_reaction(turns)}, then offer: {tip.text}",
                fact_ids=(tip.id,),
                labels={"topic": first},
            )
        if len(said) == 2:
            bridge = str(scenario.plan["bridge"])
            return _ask(
                scenario,
                "bridge",
                f"{_reaction(turns)}, then bridge to {second}: {bridge}; ask",
                second,
                shift=True,
                bridge=bridge,
            )
        return Move(role="assistant", intent="close", instruction="react, then say goodbye", labels={"topic": topic})


def _topic(scenario: Scenario, turns: Sequence[Turn]) -> str:
    return next((t.labels["topic"] for t in reversed(turns) if "topic" in t.labels), scenario.plan["path"][0])


def _disclosed(turns: Sequence[Turn]) -> set[str]:
    return {i for t in turns for i in t.facts_disclosed}


def _next_tell(view: View, turns: Sequence[Turn], topic: str) -> Fact | None:
    """What the last question asked for, else the next untold fact of the topic."""
    asked = set(turns[-1].facts_asked) if turns else set[str]()
    untold = [f for f in view.facts if f.disclose == "asked" and f.id not in _disclosed(turns) and topic_of(f) == topic]
    return next((f for f in untold if f.id in asked), untold[0] if untold else None)


def _user_asks(scenario: Scenario, turns: Sequence[Turn], topic: str, mood: Random) -> Move:
    """A question on the topic that the chat has not had yet; it may hit one of the assistant's own experiences."""
    had = {t.labels.get("question") for t in turns} | {f.slot for f in scenario.facts if f.id in _disclosed(turns)}
    open_questions = [q for q in sorted(TOPICS[topic]["questions"]) if q not in had]
    if not open_questions:
        return Move(role="user", intent="react", verbatim=new(REACTIONS, turns, mood), labels={"topic": topic})
    question = mood.choice(open_questions)
    labels = {"topic": topic, "question": question}
    return Move(
        role="user",
        intent="ask",
        instruction=("ask: " if turns else "say hi and ask: ") + question + "?",
        fallback=f"{'' if turns else 'hey, '}{question}?",
        labels=labels,
    )


def _user_tells(drawn: str, tell: Fact | None, topic: str, turns: Sequence[Turn], mood: Random) -> Move:
    match drawn:
        case "answer_ask":
            return _tell(drawn, "", tell, topic, then="; then ask back")
        case "answer" | "share" if tell is not None:
            return _tell(drawn, "", tell, topic)
        case "decline":
            return Move(role="user", intent=drawn, verbatim=new(DECLINES, turns, mood), labels={"topic": topic})
        case "answer":
            return Move(
                role="user",
                intent=drawn,
                verbatim=short_answer(_question_of(turns), turns, mood),
                labels={"topic": topic},
            )
        case _:
            return Move(role="user", intent="react", verbatim=new(REACTIONS, turns, mood), labels={"topic": topic})


def _question_of(turns: Sequence[Turn]) -> str:
    """The last question of the message that is to be answered."""
    return (turns[-1].text or "").split("?")[0].split(". ")[-1].split("! ")[-1] if turns else ""


def _tell(intent: str, lead: str, tell: Fact | None, topic: str, then: str = "") -> Move:
    if tell is None:
        return Move(role="user", intent=intent, instruction=lead or "oh ok", labels={"topic": topic})
    say = f"{tell.text}{then}"
    return Move(
        role="user",
        intent=intent,
        instruction=f"{lead}, {say}" if lead else say,
        fallback=f"{f'{lead}, ' if lead else ''}{tell.text}{', you?' if then else ''}",
        fact_ids=(tell.id,),
        labels={"topic": topic},
    )


def _follow(scenario: Scenario, turns: Sequence[Turn], topic: str) -> Move:
    """What a reactive assistant does: answer what was asked, else react; it asks nothing and offers nothing."""
    labels = {"topic": topic, "asks": False}
    question = turns[-1].labels.get("question")  # what the user just asked
    view = scenario.views["assistant"]
    own = next((f for f in view.facts if f.slot == question and f.id not in _disclosed(turns)), None)
    if own is not None:
        return Move(
            role="assistant", intent="follow", instruction=f"say: {own.text}", fact_ids=(own.id,), labels=labels
        )
    instruction = "answer in a few words" if is_question(turns[-1].text or "") else "short, friendly reaction"
    return Move(role="assistant", intent="follow", instruction=instruction, labels=labels)


def _follow_with_question(scenario: Scenario, turns: Sequence[Turn], topic: str) -> Move:
    """After a refusal the assistant stays on the user's topic and asks what it has not asked yet."""
    had = {f.slot for f in scenario.facts if f.id in _disclosed(turns)} | {t.labels.get("question") for t in turns}
    left = [q for q in sorted(TOPICS[topic]["questions"]) if q not in had]
    question = rng(scenario.seed, "follow", len(turns)).choice(left or sorted(TOPICS[topic]["questions"]))
    about = [f.id for f in scenario.views["user"].facts if f.slot == question]
    labels = {"topic": topic, "asks": True, "about": about, "question": question}
    return Move(role="assistant", intent="follow", instruction=f"react, then ask: {question}?", labels=labels)


def _ask(scenario: Scenario, intent: str, lead: str, topic: str, shift: bool, bridge: str | None = None) -> Move:
    fact = next(f for f in scenario.views["user"].facts if topic_of(f) == topic)
    labels: dict[str, Any] = {
        "topic": topic,
        "asks": True,
        "about": [fact.id],
        "topic_shift": shift,
        "question": fact.slot,
    }
    if bridge is not None:
        labels["bridge"] = bridge
    return Move(role="assistant", intent=intent, instruction=f"{lead}: {fact.slot}?", labels=labels)


def _reaction(turns: Sequence[Turn]) -> str:
    return "answer" if is_question(turns[-1].text or "") else "react"


def _refused_at(turns: Sequence[Turn]) -> int | None:
    return next(
        (
            n
            for n, t in enumerate(turns)
            if n
            and t.role == "user"
            and t.intent_requested == "decline"
            and turns[n - 1].intent_requested in ("offer", "bridge")
        ),
        None,
    )


def _pushes_after_refusal(turns: Sequence[Turn]) -> int:
    refused = _refused_at(turns)
    return 0 if refused is None else sum(t.intent_requested in ("offer", "bridge") for t in turns[refused:])
