"""What somebody with a problem does who plays freely or is told to: asks, answers, or says that it cannot be known."""

import re
from collections.abc import Sequence

from generators.latents.tagger import is_question
from generators.matching import nearest_fact
from generators.tasks.answers import read_answer
from generators.tasks.problem import AnswerKind
from schemas.contracts import Services
from schemas.dialogue import Move, Turn
from schemas.scenario import Fact

_CANNOT = re.compile(
    r"\b(?:can(?:not|['’]?t| not)(?: be)?|impossible to|(?:un|not )able to|no way to|nobody can|not possible to)"
    r" (?:\w+ ){0,3}?(?:know|known|determine[d]?|answer(?:ed)?|solve[d]?|calculate[d]?|compute[d]?|tell|say|find|found|"
    r"work(?:ed)?|figure[d]?)\b"
    r"|\b(?:not|isn['’]?t|n['’]t|no) (?:\w+ ){0,2}?enough (?:information|data|details)\b"
    r"|\binsufficient (?:information|data)"
    r"|\b(?:information|number|value|detail|data)s? (?:is|are) (?:missing|not given|not stated|contradictory)\b"
    r"|\bcontradict",
    re.IGNORECASE,
)

_WHICH = re.compile(r"\bwhich\b[^.?!]*\?", re.IGNORECASE)
"""Ends in "right?" now and then, as tags do."""


def answering(role: str, instruction: str, kind: AnswerKind, choices: Sequence[str] = ()) -> Move:
    """An answer as `{say, answer}`."""
    labels = {"answer_kind": kind, "choices": choices}
    return Move(role=role, intent="answer", instruction=instruction, labels=labels)


def read(turn: Turn, kind: AnswerKind, choices: Sequence[str] = ()) -> Turn:
    """What a free message does: asks, says that it cannot be known (`stop`), answers, or none of these (`say`). A
    marked answer counts whatever stands beside it; a number in a message that asks or gives up is none.
    """
    text = turn.text or ""
    marked = re.search(r"\banswer\s*[:=]", text, re.IGNORECASE)
    asks, stops = is_question(text) or bool(_WHICH.search(text)), bool(_CANNOT.search(text))
    answer = read_answer(text, kind, choices) if marked or not stops else None
    done = "answer" if answer is not None else "ask" if asks else "stop" if stops else "say"
    return turn.model_copy(update={"answer": answer, "acts": (done,), "intent_detected": done, "decision": done})


async def facts_asked(text: str, facts: Sequence[Fact], services: Services) -> tuple[str, ...]:
    """Ids of what a message asks for, in its order; each of several questions for one thing at most.

    `facts`: of equally near ones the first counts.
    """
    sentences = [s for s in re.findall(r"[^.!?\n]+[.!?\n]*", text) if is_question(s)]
    found = [await nearest_fact(q, facts, services) for q in (sentences if len(sentences) > 1 else [text])]
    return tuple(dict.fromkeys(fact.id for fact in found if fact is not None))
