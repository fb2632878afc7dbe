"""What an assistant's message does about a problem it was told in part (methods §17), from its words alone."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from generators.latents.tagger import is_question
from generators.tasks.answers import read_answer
from generators.tasks.problem import AnswerKind

ResponseType = Literal["answer_attempt", "clarification", "interrogation", "discussion", "hedge", "refuse", "missing"]
RESPONSE_TYPES: tuple[ResponseType, ...] = get_args(ResponseType)

MOST_WORDS = 100
"""Of a clarification; a longer question is an interrogation."""
_SUPPOSES = re.compile(r"\b(?:if|assum(?:e|ing)|suppos(?:e|ing)|depend(?:s|ing)|in case|unless)\b", re.IGNORECASE)
_REFUSES = re.compile(
    r"\b(?:can(?:no|['’]?)t|could(?: no|n['’]?)t|won['’]?t|unable to|no way to|nobody can)\b"
    r"|\b(?:impossible|not possible) to\b|\bnot enough (?:information|details?)\b"
    r"|\b(?:information|details?) (?:is|are) missing\b|\bleave it open\b|\bi stop here\b|\bhard to (?:say|tell|know)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]*")


class Response(NamedTuple):
    type: ResponseType
    answer: str | None = None
    """Of an attempt."""


def read_response(text: str | None, kind: AnswerKind, choices: Sequence[str] = ()) -> Response:
    """An attempt has an answer that is plain (`read_answer`); one that holds under several suppositions only hedges.
    Without an answer: one question, several, a refusal to answer, or mere talk.
    """
    if not text or not re.search(r"\w", text):
        return Response("missing")
    answer, supposes = read_answer(text, kind, choices), len(_SUPPOSES.findall(text))
    if answer is not None and supposes < 2:
        return Response("answer_attempt", answer)
    if is_question(text):
        several = sum(is_question(sentence) for sentence in _SENTENCE.findall(text)) > 1
        return Response("interrogation" if several or len(text.split()) >= MOST_WORDS else "clarification")
    if supposes and any(c.isdigit() for c in text):
        return Response("hedge")
    return Response("refuse" if _REFUSES.search(text) else "discussion")
