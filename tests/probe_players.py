"""For `overture probe`: scripted models that know a fact only where their prompt says it; one asks whatever it is given,
the other where something is missing, if one of the prompts tells it to.
"""

import random
import re
from typing import Any

from scripted_replies import digest, schema_of

from pipelines.probe_questions import ASKING, MOST_PROBLEMS, problem_questions

SEED = 7
"""Of a recipe that names none."""
OBEYED = "check"
"""The prompt that the second one obeys."""
_NAME = re.compile(r"[A-Z][a-z]+(?: [A-Z][a-z]+)?")
_MISSING = {q.text: q.missing.slot for q in problem_questions(MOST_PROBLEMS, SEED) if q.missing is not None}


def always_asks(body: dict[str, Any]) -> str | dict[str, Any]:
    return "Could you tell me more about it?" if schema_of(body) is None else _chosen(body)


def asks_if_told(body: dict[str, Any]) -> str | dict[str, Any]:
    if schema_of(body) is not None:
        return _chosen(body)
    told, problem = body["messages"][0]["content"], body["messages"][-1]["content"]
    missing = _MISSING.get(problem) if told == ASKING[OBEYED] else None
    return "I do not know." if missing is None else f"Before I begin: please tell me {missing}."


def asks_at_once(body: dict[str, Any]) -> str | dict[str, Any]:
    """As `always_asks`, and talks on."""
    told = "Once I know more about it I can work it out for you, and not before that."
    return f"{always_asks(body)} {told}" if schema_of(body) is None else _chosen(body)


def asks_and_names_none(body: dict[str, Any]) -> str | dict[str, Any]:
    """As `always_asks`; no answer of it is of the schema."""
    return "Could you tell me more about it?" if schema_of(body) is None else {"choice": "none of these"}


def _chosen(body: dict[str, Any]) -> dict[str, Any]:
    schema = schema_of(body)
    assert schema is not None
    choices = schema["properties"]["choice"]["enum"]
    first_word, rest = body["messages"][-1]["content"].split("?")[0].split(" ", 1)
    [subject] = _NAME.findall(rest)
    lines = body["messages"][0]["content"].splitlines() if len(body["messages"]) > 1 else []
    told = [choice for choice in choices if any(subject in line and choice in line for line in lines)]
    guess = random.Random(digest(first_word, body["messages"])).choice(choices)
    return {"choice": told[0] if told else guess}
