"""The teacher of a tutoring dialogue: tells what is asked for, never the answer, typed the way its person types."""

import re
from collections.abc import Sequence

from generators.matching import carries
from generators.noise.typing import CLEAN, TypingStyle, typed
from generators.speakers.chat_user import TYPING
from generators.speakers.checks import pruned
from generators.speakers.prompted import Demonstration, PromptedSpeaker
from generators.tasks.problem import mentions
from schemas.chat import Sampling
from schemas.contracts import Services
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.identity import rng
from schemas.scenario import Fact, View

_PRAISES = re.compile(r"\b(correct|well done|right)\b", re.IGNORECASE)
_DENIES = re.compile(r"\bnot\b|n't\b", re.IGNORECASE)
_REJECTS = re.compile(r"\b(not|wrong|incorrect|but)\b", re.IGNORECASE)
_INSIDE = re.compile(r"(?<=[^.!?\s] )[A-Z][a-z]+")
"""Words with a capital inside a sentence."""
_NUMBERS = re.compile(
    r"\b(?:half|once|twice|double|triple|thirds?|quarters?|one|two|three|four|five|six|seven|eight|nine|ten|eleven"
    r"|twelve|dozen|hundred)\b",
    re.IGNORECASE,
)


class Teacher(PromptedSpeaker):
    """Rewrites the program's words (a fact, a hint, a judgement); what it says is checked for them and against the
    answer.
    """

    system: str = (
        "{brief} You rewrite your text messages to a student: keep what they say and every number, change a few words,"
        " one short line."
    )
    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(
            heard="How many boxes are there?",
            note="rewrite: There are 6 boxes.",
            message="Sure, there are 6 boxes.",
            intent="tell",
        ),
        Demonstration(
            heard="How tall is the door?",
            note="rewrite: The door is 2 metres tall.",
            message="It's a door of 2 metres.",
            intent="tell",
        ),
        Demonstration(
            heard="What colour is the old bike?",
            note="rewrite: The old bike is green. One thing at a time.",
            message="The old bike is a green one. One thing at a time!",
            intent="tell",
        ),
        Demonstration(
            heard="6 boxes of 2 kilos weigh 8 kilos.",
            note="rewrite: Not quite. Multiply the boxes by the weight of one.",
            message="Not quite, try multiplying the boxes by the weight of one.",
            intent="hint",
        ),
        Demonstration(
            heard="So 5 hens lay 15 eggs.",
            note="rewrite: Hm, not yet. Count the days first.",
            message="Hm, that's not it yet, first count the days.",
            intent="hint",
        ),
        Demonstration(
            heard="Ah, 12 kilos.", note="rewrite: Yes, that is right!", message="Yes, that's right!", intent="confirm"
        ),
        Demonstration(
            heard="Then Ben is the tallest.", note="rewrite: Correct, nice!", message="Nice, correct!", intent="confirm"
        ),
        Demonstration(
            heard="Is it 9 kilos then?",
            note="rewrite: No, still not. Let's meet again on Monday.",
            message="Still not, no. Let's meet on Monday again.",
            intent="close",
        ),
    )
    sampling: Sampling = Sampling(temperature=0.5, min_p=0.1, max_tokens=45)
    attempts: int = 2

    def note(self, move: Move) -> str:
        return f"rewrite: {move.fallback or move.instruction}"

    async def label(self, turn: Turn, view: View, turns: Sequence[Turn], move: Move, services: Services) -> Turn:
        if move.intent == "pose":
            return turn
        text = turn.text or ""
        heard = turns[-1].text if turns and turns[-1].role != view.role else None
        told = [f for f in view.facts if f.id in move.fact_ids]
        if move.verbatim is None:
            text = pruned(text, heard, asks=False) if turn.model else text
            await _says(text, told, move, services)
            _keeps_back(text, told, view, turns, move)
            _judges(text, move)
        clean = _finished(text)
        known = {
            "text": _typed(clean, view, turns),
            "labels": {**turn.labels, "clean": clean},
            "intent_detected": move.intent,
            "facts_disclosed": tuple(f.id for f in told),
        }
        return turn.model_copy(update=known)


async def _says(text: str, told: Sequence[Fact], move: Move, services: Services) -> None:
    """Raises InvalidOutput where the message lacks what it has to say."""
    for fact in told:
        if not (mentions(text, fact.value) and await carries(text, fact.text, services)):
            raise InvalidOutput(f"the message does not tell {fact.text!r}: {text!r}", "fact_not_said")
    hint, beside = move.labels.get("hint"), move.labels.get("says")
    if hint and not await carries(text, str(hint), services):
        raise InvalidOutput(f"the message does not hint {hint!r}: {text!r}", "hint_not_said")
    if beside and not await carries(text, str(beside), services, share=0.5):
        raise InvalidOutput(f"the message does not say {beside!r}: {text!r}", "intent_not_met")


def _keeps_back(text: str, told: Sequence[Fact], view: View, turns: Sequence[Turn], move: Move) -> None:
    """Raises InvalidOutput where the message holds the answer, or a fact that may not come out."""
    known = " ".join(t.text or "" for t in turns)
    answer = view.private.get("answer")
    if answer and move.intent != "confirm" and mentions(text, answer) and not mentions(known, answer):
        raise InvalidOutput(f"the message gives the answer away: {text!r}", "answer_leak")
    early = [f for f in view.facts if f not in told and mentions(text, f.value) and not mentions(known, f.value)]
    if early:
        raise InvalidOutput(f"the message tells {early[0].text!r} unasked: {text!r}", "unasked_fact")


def _judges(text: str, move: Move) -> None:
    """Raises InvalidOutput where the message calls right what is not, or wrong what is right."""
    if move.intent == "confirm":
        if _REJECTS.search(text):
            raise InvalidOutput(f"rejects a right answer: {text!r}", "wrong_feedback")
    elif _PRAISES.search(text) and not _DENIES.search(text) and not _PRAISES.search(move.fallback or ""):
        raise InvalidOutput(f"confirms what is not an answer, or a wrong one: {text!r}", "wrong_feedback")


def _finished(text: str) -> str:
    """With a capital and a stop: how much of them is typed is the typing's."""
    text = text[:1].upper() + text[1:]
    return f"{text}." if text[-1:].isalnum() else text


def _typed(clean: str, view: View, turns: Sequence[Turn]) -> str:
    """The message as this person types it; names, facts' values, the answer and numbers letter by letter."""
    style = TypingStyle.model_validate_json(view.private[TYPING]) if TYPING in view.private else CLEAN
    seen = " ".join([view.public, *(f"{f.text} {f.slot}" for f in view.facts)])
    names = [*re.findall(r"[^\W\d_]+", clean)[1:], *_INSIDE.findall(seen)]
    names = [word for word in names if word.istitle() and word != "I"]
    exact = [f.value for f in view.facts] + [view.private.get("answer", ""), *_NUMBERS.findall(clean), *names]
    return typed(clean, style, rng(len(turns), TYPING, clean), keep=exact)
