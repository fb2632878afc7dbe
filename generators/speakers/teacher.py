"""The teacher of a tutoring dialogue: tells what is asked for, never the answer."""

import re
from collections.abc import Sequence

from generators.matching import carries
from generators.speakers.prompted import Demonstration, PromptedSpeaker
from generators.tasks.problem import mentions
from schemas.chat import Sampling
from schemas.contracts import Services
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.scenario import View


class Teacher(PromptedSpeaker):
    """Tells the fact that was asked for, hints, confirms; its words are checked for the fact and against the answer."""

    system: str = (
        "{brief} You text with a student. Text one short sentence: what the note in brackets says, and nothing more."
    )
    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(
            heard="How many boxes are there?",
            note="tell: There are 6 boxes.",
            message="Sure, there are 6 boxes.",
            intent="tell",
        ),
        Demonstration(
            heard="How tall is the door?",
            note="tell: The door is 2 metres tall.",
            message="The door is 2 metres tall.",
            intent="tell",
        ),
        Demonstration(
            heard="6 boxes of 2 kilos weigh 8 kilos.",
            note="say it is not right; hint: Multiply the boxes by the weight of one.",
            message="Not quite. Try multiplying the boxes by the weight of one.",
            intent="hint",
        ),
        Demonstration(
            heard="So 5 hens lay 15 eggs.",
            note="say it is not right; hint: Check each step from the start.",
            message="Hm, not yet. Check each step from the start.",
            intent="hint",
        ),
        Demonstration(heard="Ah, 12 kilos.", note="say it is right", message="Yes, that's right!", intent="confirm"),
    )
    sampling: Sampling = Sampling(temperature=0.5, min_p=0.1, max_tokens=35)
    attempts: int = 2

    async def label(self, turn: Turn, view: View, turns: Sequence[Turn], move: Move, services: Services) -> Turn:
        if move.intent == "pose":
            return turn
        text = turn.text or ""
        told = [f for f in view.facts if f.id in move.fact_ids]
        if told and not (mentions(text, told[0].value) and await carries(text, told[0].text, services)):
            raise InvalidOutput(f"the message does not tell {told[0].text!r}: {text!r}", "fact_not_said")
        hint = move.labels.get("hint")
        if hint and not await carries(text, str(hint), services):
            raise InvalidOutput(f"the message does not hint {hint!r}: {text!r}", "hint_not_said")
        known = " ".join(t.text or "" for t in turns)
        if (
            move.intent != "confirm"
            and mentions(text, view.private["answer"])
            and not mentions(known, view.private["answer"])
        ):
            raise InvalidOutput(f"the message gives the answer away: {text!r}", "answer_leak")
        early = [f for f in view.facts if f not in told and mentions(text, f.value) and not mentions(known, f.value)]
        if early:
            raise InvalidOutput(f"the message tells {early[0].text!r} unasked: {text!r}", "unasked_fact")
        praises = re.search(r"\b(correct|well done|right)\b", text, re.I) and not re.search(
            r"\bnot\b|n't\b", text, re.I
        )
        if move.intent != "confirm" and praises:
            raise InvalidOutput(f"confirms what is not an answer, or a wrong one: {text!r}", "wrong_feedback")
        if move.intent == "confirm" and re.search(r"\b(not|wrong|incorrect|but)\b", text, re.I):
            raise InvalidOutput(f"rejects a right answer: {text!r}", "wrong_feedback")
        return turn.model_copy(update={"intent_detected": move.intent, "facts_disclosed": tuple(f.id for f in told)})
