"""The user of an open conversation: a person texting, with a session profile and a way of typing."""

import re
from collections.abc import Sequence
from typing import Any

from generators.latents.tagger import is_question, since, tag
from generators.matching import carries
from generators.noise.typing import CLEAN, TypingStyle, typed
from generators.speakers.checks import parroted
from generators.speakers.prompted import Demonstration, PromptedSpeaker
from schemas.chat import Sampling
from schemas.contracts import Services
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.identity import rng
from schemas.scenario import View

_PERSON = re.compile(r"\b(i|im|ive|id|i'\w+|my|me|we|our)\b", re.IGNORECASE)


TYPING = "typing"
"""Under this name a view holds how its role types: a `TypingStyle` as JSON."""


class ChatUser(PromptedSpeaker):
    """Puts a drawn intent, and at most one thing to tell, into a short text message typed the way this user types."""

    system: str = (
        "{brief} Rewrite the words in brackets as your next text message:"
        " same content, first person, casual, one short line."
    )
    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(
            heard="", note="say hi and ask: do you live near the sea?", message="hey! do you live near the sea?"
        ),
        Demonstration(
            heard="Hi! Do you live near the sea?",
            note="i live in a tiny flat downtown",
            message="nah i'm in a tiny flat downtown",
        ),
        Demonstration(
            heard="You could try yoga, by the way.",
            note="i hate yoga; then ask back",
            message="ugh i hate yoga, do you do it?",
        ),
        Demonstration(
            heard="What did you do today?", note="my brother broke the tv", message="well my brother broke the tv lol"
        ),
    )
    sampling: Sampling = Sampling(temperature=0.6, min_p=0.1, max_tokens=30)
    attempts: int = 2

    async def label(self, turn: Turn, view: View, turns: Sequence[Turn], move: Move, services: Services) -> Turn:
        text = turn.text or ""
        asked = bool(turns) and turns[-1].role != view.role and is_question(turns[-1].text or "")
        told = [f for f in view.facts if f.id in move.fact_ids]
        if told and not await carries(text, told[0].text, services):
            raise InvalidOutput(f"the message does not say {told[0].text!r}: {text!r}", "fact_not_said")
        if move.intent == "ask" and not is_question(text):
            raise InvalidOutput(f"asked for a question, got {text!r}", "intent_not_met")
        if told and _PERSON.search(told[0].text) and not _PERSON.search(text):
            raise InvalidOutput(f"does not speak of itself: {text!r}", "fact_not_said")
        if move.intent == "ask" and not await carries(
            text, str(move.labels.get("question", text)), services, share=0.5
        ):
            raise InvalidOutput(f"asks something else: {text!r}", "intent_not_met")
        parroted(text, turns)
        if move.intent not in ("ask", "answer_ask", "bye") and is_question(text):
            raise InvalidOutput(f"asks where the move does not: {text!r}", "unwanted_question")
        clean = _written_out(text)
        known: dict[str, Any] = {
            "text": _typed(clean, view, turns),
            "labels": {**turn.labels, "clean": clean},
            "intent_detected": tag(text, *since(turns, view.role)).intent,
            "facts_disclosed": tuple(f.id for f in told),
            "facts_volunteered": () if asked else tuple(f.id for f in told),
            "acts": ("ask",) if is_question(text) else (),
        }
        return turn.model_copy(update=known)


def _written_out(text: str) -> str:
    """With capitals and a stop: models write like their examples, whoever they play."""
    text = re.sub(r"\bi\b", "I", text[:1].upper() + text[1:])
    return f"{text}." if text[-1:].isalnum() else text


def _typed(clean: str, view: View, turns: Sequence[Turn]) -> str:
    """The message as this person types it."""
    style = TypingStyle.model_validate_json(view.private[TYPING]) if TYPING in view.private else CLEAN
    names = [word for word in clean.split() if word.istitle() and word != "I"][1:]
    return typed(clean, style, rng(len(turns), TYPING, clean), keep=names)
