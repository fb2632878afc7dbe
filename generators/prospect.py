"""The program of somebody who is asked for something: what they say next follows from scenario and turns alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, Self

from generators.domains.outreach import OutreachDomain, load
from generators.domains.small_talk import REACTIONS, TOPICS
from generators.latents.cognition import cooperates, waits
from generators.latents.fitted import FittedLatents
from generators.latents.intents import START
from generators.latents.mind import Appraisal, State
from generators.latents.tagger import act_of, is_question
from generators.speakers.checks import plain
from schemas.dialogue import Move, Turn
from schemas.identity import rng
from schemas.scenario import Scenario

_HURRIES = ("only got a sec tho", "gotta run in a min", "super busy right now", "make it quick please")
_NOTHING = ("no not really", "nah its not that", "nope thats fine", "not that no", "no its fine", "nah nothing really")
_SETTLED = (
    "oh ok",
    "good to know",
    "ok thats fair",
    "oh i see",
    "makes sense",
    "ok good point",
    "fair enough",
    "alright",
)
_ASIDES = ("oh and ", "random but ", "by the way, ", "sorry, different topic, ")
"""Before something that has nothing to do with it."""
_BACK = (", you?", ", how about you?", ". and you?", ". hows yours going?")
"""Behind the answer to a hello."""


@dataclass(frozen=True)
class Approached:
    """What a prefix has come to for the one who is asked."""

    scenario: Scenario
    turns: Sequence[Turn]
    data: OutreachDomain

    @classmethod
    def of(cls, scenario: Scenario, turns: Sequence[Turn]) -> Self:
        return cls(scenario, turns, load(scenario.domain))

    @cached_property
    def state(self) -> State:
        return state_of(self.scenario, self.turns)

    @cached_property
    def seen(self) -> Appraisal:
        """What the assistant's last message did."""
        found = [s for t in self.turns if (s := appraisal_of(t)) is not None]
        return found[-1] if found else Appraisal()

    @cached_property
    def draws(self) -> Random:
        """One stream for a turn: each use takes from it."""
        return rng(self.scenario.seed, "outreach", len(self.turns))

    @cached_property
    def mine(self) -> list[Turn]:
        return [t for t in self.turns if t.role == "user"]


def state_of(scenario: Scenario, turns: Sequence[Turn]) -> State:
    """After the last turn that has one."""
    return State.model_validate(next((t.state for t in reversed(turns) if t.state), scenario.plan["state"]))


def appraisal_of(turn: Turn) -> Appraisal | None:
    return Appraisal.model_validate(turn.labels["appraisal"]) if "appraisal" in turn.labels else None


def said_in(turns: Sequence[Turn]) -> set[str]:
    return {i for t in turns for i in t.facts_disclosed}


def prospect_move(now: Approached, latents: FittedLatents) -> Move:
    """What they do next; the state decides, what is left open is drawn from the fitted transitions."""
    state, seen, data = now.state, now.seen, now.data
    if state.decision in ("hangup", "accept"):
        over = state.decision == "accept"
        return _phrase(now, "accept" if over else "bye", data.accepts if over else data.leaves)
    if state.heard == 1 and not seen.acts:
        return _opening(now, latents)
    if state.never and seen.acts and (seen.asks_for_commitment or state.refused):
        return _phrase(now, "decline", data.refuses, refuses=True)
    if (question := _wonders(now, latents)) is not None and (seen.asks_for_commitment or seen.argued):
        return _asks(question, puts_off=seen.asks_for_commitment)
    cooperative = now.draws.random() < cooperates(state)
    chats = seen.chats and state.heard > 1
    if not cooperative or chats:
        return _digression(now, "answer" if chats else "share", cooperative)
    if (out := _comes_out(now)) is not None:
        return _tells(now, *out)
    if seen.asks_for_commitment:
        return _phrase(now, "decline", data.refuses, refuses=True)
    if seen.asked or seen.asks_openly:
        return _with_question(_phrase(now, "answer", _NOTHING), question)
    settled = any(c in state.those("resolved") for c in seen.settles)
    return _with_question(_phrase(now, "react", _SETTLED if settled else REACTIONS), question)


def _wonders(now: Approached, latents: FittedLatents) -> str | None:
    """What they ask about the thing, as often as real people ask here; each once."""
    if latents.intents is None or now.state.never or now.scenario.session_latents["cell"] == "hurry":
        return None
    previous, act = (now.mine[-1].intent_requested or START) if now.mine else START, act_of([now.turns[-1].text or ""])
    shares = latents.intents.probabilities(previous, act, len(now.mine))
    if now.draws.random() >= shares["ask"] + shares["answer_ask"]:
        return None
    said, had = said_in(now.turns), {str(t.labels.get("question")) for t in now.mine}
    left = [c.asks for c in now.data.curious if c.answer not in said and not had & set(c.asks)]
    return now.draws.choice(now.draws.choice(left)) if left else None


def _asks(question: str, **labels: Any) -> Move:
    return Move(role="user", intent="ask", verbatim=question, labels={"question": question, "wonders": True, **labels})


def _with_question(move: Move, question: str | None) -> Move:
    """`move`, a short phrase, and what they want to know behind it."""
    if question is None or move.verbatim is None:
        return move
    intent = "answer_ask" if move.intent == "answer" else "ask"
    asked = _asks(question)
    return asked.model_copy(update={"intent": intent, "verbatim": f"{move.verbatim}, {question}"})


def _fresh(words: Sequence[str], now: Approached) -> str:
    """One that was not said yet, however it was typed."""
    facts = {f.id: f.text for f in now.scenario.views["user"].facts}
    said = {tuple(plain(facts[i])) for i in said_in(now.turns) if i in facts}
    for turn in now.turns:
        said |= {
            tuple(plain(str(w))) for w in (turn.text, *(turn.labels.get(n) for n in ("says", "question", "clean")))
        }
    return now.draws.choice([w for w in words if tuple(plain(w)) not in said] or list(words))


def _phrase(now: Approached, intent: str, words: Sequence[str], **labels: Any) -> Move:
    """One that nobody has said yet; of eight words or fewer as it stands: there are many, and a model adds nothing."""
    said = _fresh(words, now)
    if is_question(said) and intent != "bye":
        intent, labels = "ask", {**labels, "question": said}
    if len(said.split()) <= 8:
        return Move(role="user", intent=intent, verbatim=said, labels=labels)
    return _words(intent, said, **labels)


def _words(intent: str, said: str, facts: tuple[str, ...] = (), **labels: Any) -> Move:
    """What a speaker is to put in its own words."""
    says = {} if facts else {"says": said}
    return Move(role="user", intent=intent, instruction=said, fallback=said, fact_ids=facts, labels={**labels, **says})


def _opening(now: Approached, latents: FittedLatents) -> Move:
    """The answer to a hello. Whom nothing could be offered says at once what keeps them; who hurries says so."""
    said, facts, labels = str(now.scenario.plan["opening"]), (), dict[str, Any]()
    if now.scenario.session_latents["cell"] == "useless":
        fact = now.scenario.views["user"].facts[0]
        said, facts, labels = f"{said.rstrip('.')}, but {fact.text}", (fact.id,), _concern(fact.value, "voiced")
    elif now.scenario.session_latents["cell"] == "hurry":
        said, labels = f"{said.rstrip('.')}, {now.draws.choice(_HURRIES)}", {"hurried": True}
    asks, asked = is_question(said), is_question(now.turns[-1].text or "")
    if asked and not asks and not labels and latents.intents is not None:
        shares = latents.intents.probabilities(START, "ask", 0)
        if now.draws.random() < shares["answer_ask"] / (shares["answer_ask"] + shares["answer"]):
            move = _words("answer_ask", said, facts)
            return move.model_copy(update={"tail": now.draws.choice(_BACK)})
    intent = "answer_ask" if asks else "answer" if asked else "greet"
    return _words(intent, said, facts, **labels)


def _concern(name: str, manner: str) -> dict[str, Any]:
    return {"concern": name, "manner": manner}


def _comes_out(now: Approached) -> tuple[str, str] | None:
    """The one concern they let out now, and how: what they are asked for; once more what was missed; what a request
    meets; some tell by themselves. Nothing after a message that was a fault.
    """
    state, seen, draws = now.state, now.seen, now.draws
    latents = now.scenario.session_latents
    open_hearted, left = float(latents["cooperativeness"]), state.those("hidden", "hinted")
    directly = "voiced" if draws.random() < 0.3 + 0.6 * open_hearted else "hinted"
    pick = draws.choices(left, [state.severity[c] ** 2 for c in left])[0] if left else None
    if seen.faults:
        return None
    if about := [c for c in seen.asked if c in left]:
        return about[0], "voiced" if state.concerns[about[0]] == "hinted" else directly
    if again := waits(state):
        return again[0], "voiced"
    if seen.asks_openly and pick:
        return pick, "voiced" if state.concerns[pick] == "hinted" else directly
    objects = 0.9 if latents["cell"] == "hurry" else 0.35 + 0.5 * open_hearted + 0.15 * latents["talkative"]
    stale = state.requests > 1 + len(state.those("resolved"))
    if seen.asks_for_commitment and pick and not stale and draws.random() < objects:
        return pick, directly
    if latents["talkative"] and pick and not seen.asks_for_commitment and draws.random() < 0.3:
        return pick, directly
    return None


def _tells(now: Approached, name: str, manner: str) -> Move:
    """A concern: its fact the first time it is said, else in other words."""
    fact = next(f for f in now.scenario.views["user"].facts if f.id == name)
    again = now.state.concerns[name] == "voiced"
    concern, labels = now.data.concerns[name], _concern(name, manner) | ({"again": True} if again else {})
    first = manner == "voiced" and not again
    said = fact.text if first else _fresh(concern.voiced if again else concern.hinted, now)
    asked = is_question(now.turns[-1].text or "")
    intent = "object" if now.seen.asks_for_commitment or again else "answer" if asked else "share"
    if is_question(said):
        intent, labels = "ask", labels | {"question": said}
    move = _words(intent, said, (name,) if first else (), **labels)
    return move.model_copy(update={"verbatim": said}) if manner == "hinted" else move  # else it would hint at another


def _digression(now: Approached, intent: str, cooperative: bool) -> Move:
    """They talk about what they like better."""
    topic = now.turns[-2].labels.get("topic") if len(now.turns) > 2 and now.seen.follows else None
    topic = topic or now.draws.choice(now.scenario.plan["topics"])
    said = _fresh([tell for tells in TOPICS[topic]["questions"].values() for tell in tells], now)
    lead = now.draws.choice(_ASIDES) if intent == "share" else ""
    move = _words(intent, f"{lead}{said}", digresses=True, cooperative=cooperative, topic=topic)
    return move.model_copy(update={"verbatim": f"{lead}{said}"}) if lead else move  # a model loses the turn aside
