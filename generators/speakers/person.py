"""A seat in which somebody sits who is no simulation: a person at a terminal. What the program would have them do is a
suggestion; what they did is read off their words.
"""

import re
from collections.abc import Sequence
from typing import Any

from generators.latents.tagger import INTENTS, is_question, since, tag
from generators.matching import SAME_CONTENT
from generators.speakers.chat_user import TYPING
from generators.speakers.checks import coverage
from generators.speakers.external import FREE, described, history
from generators.tasks.problem import mentions
from schemas.chat import CallKey, ChatRequest, Message, Sampling
from schemas.contracts import Services, Speaker
from schemas.dialogue import Move, Turn
from schemas.identity import derive
from schemas.scenario import Fact, View

ALIKE = 0.5
"""Share of a suggestion's words from which a message has followed it."""
_STAY = ("topic", "topic_shift", "question", "asks")
"""Labels of a move that say where the talk is."""
_JUDGES = ("accept", "decline")


class Person(Speaker):
    """Says what is typed, in any seat; `services.chat` of its role is the terminal."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        if move.kind == "silence" or (move.verbatim is not None and move.verbatim == view.public):
            return Turn(
                role=view.role, kind=move.kind, text=move.verbatim, intent_requested=move.intent, labels=move.labels
            )
        request = ChatRequest(
            key=CallKey(turn=len(turns)),
            messages=(*standing(view, turns), Message("user", f"[{suggestion(move)}]")),
            sampling=Sampling(temperature=0.0),
            seed=derive(seed, view.role, len(turns)),
        )
        text = (await services.chat[view.role].ask(request)).text
        turn = Turn(role=view.role, text=text, acts=("ask",) if is_question(text) else ())
        if move.intent == FREE:
            return turn.model_copy(update={"intent_requested": FREE, "labels": {**move.labels, "person": True}})
        return turn.model_copy(update=await _read(text, view, turns, move, services))


def standing(view: View, turns: Sequence[Turn]) -> tuple[Message, ...]:
    """What a person is shown: the seat, and what was said."""
    seen = view.model_copy(update={"private": {k: v for k, v in view.private.items() if k != TYPING}})
    return Message("system", described(seen, "", turns)), *history(view.role, turns)


def suggestion(move: Move) -> str:
    """What the program would do here, in words; empty when it leaves it open."""
    return move.verbatim or move.instruction


async def _read(text: str, view: View, turns: Sequence[Turn], move: Move, services: Services) -> dict[str, Any]:
    """What a message did. One that follows the suggestion has its intent and labels; any other has its own intent
    where that is a partner's, and none where the program has names of its own.
    """
    said = {i for t in turns for i in t.facts_disclosed}
    told = await _told(text, [f for f in view.facts if f.id not in said], services)
    detected = tag(text, *since(turns, view.role)).intent
    follows = detected == move.intent or bool({f.id for f in told} & {*move.fact_ids}) or _alike(text, move)
    own = detected if move.intent in INTENTS else None
    judged = ("verdict",) if detected in _JUDGES else ()
    labels = move.labels if follows else {k: v for k, v in move.labels.items() if k in (*_STAY, *judged)}
    asked = {i for t in turns[-1:] if t.role != view.role for i in t.facts_asked}
    return {
        "intent_requested": move.intent if follows else own,
        "intent_detected": detected,
        "facts_disclosed": tuple(f.id for f in told),
        "facts_volunteered": tuple(f.id for f in told if f.id not in asked),
        "labels": {**labels, "person": True},
    }


def _alike(text: str, move: Move) -> bool:
    return any(coverage(text, words) >= ALIKE for words in (move.fallback, suggestion(move)) if words)


async def _told(text: str, facts: Sequence[Fact], services: Services) -> list[Fact]:
    """The facts a message tells: their words or the same in others, and their numbers in any case."""
    able = [f for f in facts if not re.search(r"\d", f.value) or mentions(text, f.value)]
    if not able:
        return []
    vectors = await services.embed.embed([text, *[f.text for f in able]])
    alike = vectors[1:] @ vectors[0]
    return [f for f, same in zip(able, alike, strict=True) if coverage(text, f.text) >= 0.6 or same >= SAME_CONTENT]
