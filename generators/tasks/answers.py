"""The answer in a message that may say anything: read only where it is plain, else there is none."""

import re
from collections.abc import Sequence

from generators.latents.tagger import is_question
from generators.matching import named
from generators.tasks.problem import AnswerKind

_MARK = re.compile(r"\banswer\W{0,4}(?:(?:is|would be|must be)\b|[:=])[\s*_:=]*", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])-?\$?\d[\d,]*(?:\.\d+)?(?:\s*/\s*\d+)?")
_FENCED = re.compile(r"```(?:python\b|py\b)?(.*?)```", re.DOTALL | re.IGNORECASE)
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def read_answer(text: str, kind: AnswerKind, choices: Sequence[str] = ()) -> str | None:
    """What follows the last "answer: " or "the answer is"; unmarked, the only number, date or choice of a message that
    asks nothing. A program is the last fenced block.
    """
    if kind == "python":
        return next((found.strip() for found in reversed(_FENCED.findall(text))), None)
    marked = [text[m.end() :] for m in _MARK.finditer(text)]
    if marked:
        return _first(marked[-1], kind, choices)
    return None if is_question(text) else _only(text, kind, choices)


def _first(text: str, kind: AnswerKind, choices: Sequence[str]) -> str | None:
    """What stands at the beginning; of a sum, what it makes."""
    line = next((part.strip() for part in text.splitlines() if part.strip()), "")
    match kind:
        case "number":
            found = _numbers(line)
            at_once = bool(_NUMBER.match(line)) or len(found) == 1
            return None if not found else found[-1] if "=" in line else found[0] if at_once else None
        case "date":
            return next(iter(_DATE.findall(line)), None)
        case "choice":
            return next(iter(named(line, choices)), None)
        case _:
            return line.strip(" .!*\"'") or None


def _only(text: str, kind: AnswerKind, choices: Sequence[str]) -> str | None:
    """What stands there alone."""
    match kind:
        case "number":
            found = _numbers(text)
        case "date":
            found = _DATE.findall(text)
        case "choice":
            found = named(text, choices)
        case _:
            found = list[str]()
    return found[0] if len(found) == 1 else None


def _numbers(text: str) -> list[str]:
    return [found.rstrip(",") for found in _NUMBER.findall(text.replace("−", "-"))]
