"""A seat that needs no model: every move in the words of the program."""

import re
from collections.abc import Mapping, Sequence

from generators.latents.tagger import is_question
from schemas.contracts import Services, Speaker
from schemas.dialogue import Move, Turn
from schemas.scenario import View

_PLAIN: Mapping[str, str] = {
    "short, friendly reaction": "I see.",
    "answer in a few words": "Not really.",
    "react, then say goodbye": "Alright, take care, bye!",
    "say nothing fits, then say goodbye": "Sorry, nothing fits. Goodbye!",
}
"""Instructions that leave the words to the speaker."""
_LEAD = re.compile(r"^.*?\b(?:bridge to [^:]+|offer|recommend|reaction|say|ask): ")


class Verbatim(Speaker):
    """Says what its move says: for families whose course follows from moves and not from how they are worded."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        text = None if move.kind == "silence" else in_words(move)
        free = {fact.id for fact in view.facts if fact.disclose == "volunteered"}
        return Turn(
            role=view.role,
            kind=move.kind,
            text=text,
            intent_requested=move.intent,
            intent_detected=move.intent,
            facts_asked=tuple(str(i) for i in move.labels.get("about", ())),
            facts_disclosed=move.fact_ids,
            facts_volunteered=tuple(i for i in move.fact_ids if i in free),
            acts=("ask",) if text and is_question(text) else (),
            labels={name: value for name, value in move.labels.items() if name != "about"},
        )


def in_words(move: Move) -> str:
    """A move's content as it stands."""
    if words := move.plain or _PLAIN.get(move.instruction):
        return words
    return _LEAD.sub("", move.instruction).replace("; ask: ", ". ").strip()
