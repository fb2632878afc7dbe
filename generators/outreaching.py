"""The policies of one who asks for something. Reactive pitches and answers what is said; proactive asks what holds
people back; privileged reads their mind.
"""

from collections.abc import Mapping
from math import exp
from typing import Any, Literal

from generators.domains.small_talk import TOPICS
from generators.hearing import Heard
from generators.latents.mind import READY
from generators.prospect import said_in, state_of
from schemas.dialogue import Move
from schemas.identity import rng
from schemas.scenario import Fact

Strategy = Literal["push", "bridge", "accommodate", "withdraw"]

_OPEN_QUESTIONS = (
    "is there something that would hold you back",
    "is there anything about it that worries you",
    "what would keep you from it",
)
_MORE = (
    "what exactly worries you about it",
    "what is it that bothers you then",
    "so what would be in the way for you",
)
"""Asks what an answer meant."""
_REQUESTS_AGAIN = (
    "so what do you say",
    "are you in",
    "so is it a yes",
    "would you be up for it then",
    "can I count you in",
    "shall we say yes then",
)
_CLOSENESS: Mapping[Strategy, float] = {"push": 1.0, "bridge": 0.8, "accommodate": 0.0, "withdraw": 0.2}
_GOAL = (0.9, -0.5, 0.3, 0.2)
"""Weights of turn / T, difficulty, satisfaction and cooperativeness in the goal weight (methods §21); declared."""


def outreaching_move(now: Heard, g: float | None) -> Move:
    if not now.turns:
        hello = now.data.hello.partition(",")[2].strip(" ?")
        return _says("hello", lead="say hi and ask: ", question=hello)
    match now.scenario.policy:
        case "proactive":
            return _proactive(now, g)
        case "privileged":
            return _privileged(now)
        case _:
            return _reactive(now)


def _proactive(now: Heard, given: float | None) -> Move:
    """The strategy with the highest `g * closeness to the goal + (1 - g) * what the user seems to prefer`."""
    g = given if given is not None else _goal_weight(now)
    likes = _seems_to_like(now)
    scores = {s: g * _CLOSENESS[s] + (1 - g) * liked for s, liked in likes.items()}
    strategy = max(scores, key=lambda s: scores[s])
    if given is None and now.refused:
        strategy = "withdraw"
    elif given is None and now.hurried and not now.requests:
        strategy = "push"
    labels = {"strategy": strategy, "goal_weight": round(g, 4)}
    if strategy == "withdraw":
        return _withdraw(**labels)
    plays = {"accommodate": _accommodate, "push": _request, "bridge": _bridge}
    return plays[strategy](now, **labels)


def _says(
    intent: str, fact: Fact | None = None, question: str | None = None, lead: str = "react, then ask: ", **labels: Any
) -> Move:
    """Something it knows, then a question; either may be missing."""
    asks = f"{question}?" if question else ""
    if fact is not None:
        instruction = f"say: {fact.text.rstrip('.')}; ask: {asks}" if asks else f"say: {fact.text}"
    else:
        instruction = f"{lead}{asks}" if asks else "short, friendly reaction"
    return Move(
        role="assistant",
        intent=intent,
        instruction=instruction,
        fact_ids=() if fact is None else (fact.id,),
        labels={"asks": question is not None, **labels} | ({"question": question} if question else {}),
    )


def _answer(now: Heard, name: str) -> Fact | None:
    """An answer to a concern that was not given yet."""
    said = said_in(now.turns)
    return next((f for f in now.scenario.views["assistant"].facts if f.value == name and f.id not in said), None)


def _argument(now: Heard) -> Fact | None:
    said = said_in(now.turns)
    left = [f for f in now.scenario.views["assistant"].facts if f.value == "argument" and f.id not in said]
    return rng(now.scenario.seed, "argument", len(now.turns)).choice(left) if left else None


def _reply(now: Heard) -> Fact | None:
    """What answers a question of theirs about the thing."""
    return next((f for f in now.scenario.views["assistant"].facts if f.id == now.wonders), None)


def _asking(now: Heard) -> str:
    """The request, in other words each time."""
    if not now.requests:
        return now.data.ask.rstrip("?")
    return _REQUESTS_AGAIN[(now.requests - 1) % len(_REQUESTS_AGAIN)]


def _request(now: Heard, **labels: Any) -> Move:
    """The first one plain, the next with something new."""
    fact = _reply(now) or (_argument(now) if now.requests else None)
    return _says("request", fact, _asking(now), **labels)


def _settle(now: Heard, name: str, request: bool, **labels: Any) -> Move | None:
    """An answer to a concern, with the request behind it if there is no later."""
    if (fact := _answer(now, name)) is None:
        return None
    return _says("answer", fact, _asking(now) if request else None, concern=name, **labels)


def _withdraw(**labels: Any) -> Move:
    return Move(
        role="assistant", intent="withdraw", instruction="react, then say goodbye", labels={"asks": False, **labels}
    )


def _reactive(now: Heard) -> Move:
    """Asks for the thing, answers what was said, pitches otherwise; it never asks what holds anybody back."""
    if not now.requests:
        return _request(now)
    voiced = [name for name, manner in now.pending.items() if manner == "voiced"]
    for name in reversed(voiced):
        if move := _settle(now, name, now.last):
            return move
    return _request(now)


def _bridge(now: Heard, **labels: Any) -> Move:
    """A step towards the goal: answer what came out, else ask what holds them back, openly first, then by what is
    likely.
    """
    for name in reversed(now.pending):
        if move := _settle(now, name, now.last, **labels):
            return move
    if now.last or now.spoken > 4:
        return _request(now, **labels)
    if now.opens < (2 if now.vague else 1):
        question = rng(now.scenario.seed, "openly", len(now.turns)).choice(_MORE if now.opens else _OPEN_QUESTIONS)
        return _asks(now, question, about=[], **labels)
    name = _likely(now)
    return _asks(now, now.data.concerns[name].ask, about=[name], **labels)


def _asks(now: Heard, question: str, **labels: Any) -> Move:
    """The first question about the matter says what it is, a later one something that speaks for it."""
    reply = _reply(now)
    if reply is None and not (now.requests or now.opens or now.asked):
        intro = now.data.intro
        return _says("ask", None, question, lead=f"say: {intro.rstrip('.')}; ask: ", says=intro, **labels)
    return _says("ask", reply or (None if now.topic or now.opens else _argument(now)), question, **labels)


def _likely(now: Heard) -> str:
    """A concern nobody has mentioned; which, nothing tells."""
    mentioned = now.asked | now.told
    left = [name for name in now.data.concerns if name not in mentioned] or list(now.data.concerns)
    return rng(now.scenario.seed, "likely", len(now.turns)).choice(left)


def _accommodate(now: Heard, **labels: Any) -> Move:
    """Goes along with what they would rather talk about."""
    had = {t.labels.get("question") for t in now.turns}
    topics = [now.topic] if now.topic else sorted(TOPICS)
    about, anything = ([q for t in names for q in TOPICS[t]["questions"] if q not in had] for names in (topics, TOPICS))
    return _says(
        "follow", _reply(now), rng(now.scenario.seed, "talk", len(now.turns)).choice(about or anything), **labels
    )


def _privileged(now: Heard) -> Move:
    """Reads their mind: asks for the very concern that keeps them, and for the thing as soon as nothing does."""
    state = state_of(now.scenario, now.turns)
    known = {f.value for f in now.scenario.views["assistant"].facts}
    if state.never or set(state.unsettled) - known:
        return _withdraw(strategy="withdraw") if now.requests else _request(now, strategy="push")
    open_now = state.those("hinted", "voiced")
    wanted = state.unsettled or ([] if state.cooperation >= READY else open_now or state.those("hidden"))
    if not wanted:
        return _request(now, strategy="push")
    name = next((c for c in wanted if c in open_now), wanted[0])
    hidden = state.concerns[name] == "hidden"
    if not hidden:
        enough = state.cooperation + 1 >= READY and not set(state.unsettled) - {name}
        if move := _settle(now, name, enough or now.last, strategy="bridge", clairvoyant=False):
            return move
    if now.hurried and not now.requests:
        return _request(now, strategy="push")
    return _asks(now, now.data.concerns[name].ask, about=[name], strategy="bridge", clairvoyant=hidden)


def _seems_to_like(now: Heard) -> dict[Strategy, float]:
    """A public guess at what the user prefers now."""
    if now.refused:
        return {"push": 0.0, "bridge": 0.1, "accommodate": 0.6, "withdraw": 0.9}
    if now.topic:
        return {"push": 0.1, "bridge": 0.6, "accommodate": 1.0, "withdraw": 0.0}
    if now.pending or now.vague:
        return {"push": 0.2, "bridge": 0.85, "accommodate": 0.9, "withdraw": 0.0}
    ripe = bool(now.opens or now.told)
    return {"push": 0.8 if ripe else 0.2, "bridge": 0.3 if ripe else 0.6, "accommodate": 0.9, "withdraw": 0.0}


def _goal_weight(now: Heard) -> float:
    """g = sigmoid(w . [turn / T, difficulty, satisfaction, cooperativeness]), each as it seems from outside."""
    share = 1 - sum(h.refuses or h.topic is not None for h in now.heard) / len(now.heard) if now.heard else 1.0
    recent = now.topic or now.refused
    seen = (len(now.turns) / now.scenario.max_turns, min(1.0, len(now.pending) / 3), 0.2 if recent else 0.6, share)
    return 1 / (1 + exp(-sum(w * x for w, x in zip(_GOAL, seen, strict=True))))
