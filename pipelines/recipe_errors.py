"""Every fault of a recipe in one line: where, what, and the nearest thing that would be right."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from pipelines.recipe_yaml import Loc
from schemas.errors import did_you_mean

_SECRET = re.compile(r"key|token|secret|password|authorization", re.I)
_LONGEST = 60
_WANTED = {
    "model_type": "should be a mapping of `key: value` lines",
    "model_attributes_type": "should be a mapping of `key: value` lines",
    "dict_type": "should be a mapping of `key: value` lines",
    "tuple_type": "should be a list (lines that begin with `- `)",
    "list_type": "should be a list (lines that begin with `- `)",
    "string_type": "should be text; put it in quotes",
    "int_from_float": "should be a whole number",
    "too_short": "should have at least one entry",
    "string_too_short": "should not be empty",
    "string_pattern_mismatch": "should hold letters, digits, '.', '_' and '-' only, a letter or digit first",
}


def fault(message: str, *loc: int | str) -> ValidationError:
    """One ready-made message at `loc`, to be raised from a validator; the caller's own place is put before it."""
    return ValidationError.from_exception_data("recipe", [_detail(loc, message)])


def _detail(loc: Loc, message: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("recipe", "{message}", {"message": message}), loc=loc, input=None)


def in_words(error: ValidationError, model: type[BaseModel], also_valid: Iterable[str] = ()) -> ValidationError:
    """The same faults with messages of ours; `also_valid`: keys that may stand beside the fields of `model`."""
    return ValidationError.from_exception_data(
        "recipe", [_detail(loc, text) for loc, text in lines(error, model, also_valid)]
    )


def lines(error: ValidationError, model: type[BaseModel], also_valid: Iterable[str] = ()) -> list[tuple[Loc, str]]:
    """(where, what and remedy) of every fault: unknown keys first, for a misspelt key is also a missing one."""
    faults = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    return [(e["loc"], _say(e, model, also_valid)) for e in faults]


def dotted(loc: Loc) -> str:
    """`families[0].use`"""
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in loc).removeprefix(".")


def shown(value: Any, loc: Loc) -> str:
    """`value` for a message: short, and never a secret."""
    if any(isinstance(step, str) and _SECRET.search(step) for step in loc):
        return "what is there"
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _say(error: ErrorDetails, model: type[BaseModel], also_valid: Iterable[str]) -> str:
    kind, loc, value = error["type"], error["loc"], error["input"]
    if kind == "recipe":
        return error["msg"]
    if kind == "missing":
        return "is missing; it has no default"
    if kind == "extra_forbidden":
        key = str(loc[-1])
        if re.fullmatch(r"api_?key|token|secret|password", key, re.I):
            return (
                "a key does not belong in a recipe; put it into an environment variable and name that: "
                "`api_key_env: OPENAI_API_KEY`"
            )
        owner = _model_at(model, loc[:-1])
        names = set(owner.model_fields) if owner else set[str]()
        return f"no such key{did_you_mean(key, names | set(also_valid if len(loc) == 1 else ()))}"
    if kind in ("literal_error", "enum"):
        valid = re.findall(r"'([^']*)'", error["msg"])
        return f"{shown(value, loc)} is not a choice{did_you_mean(str(value), valid)}"
    if kind == "value_error":
        return str(error["ctx"]["error"]) if "ctx" in error else error["msg"]
    wanted = _WANTED.get(kind) or error["msg"].replace("Input should", "should").partition(",")[0]
    return f"{wanted}, not {shown(value, loc)}"


def _model_at(model: type[BaseModel], loc: Sequence[int | str]) -> type[BaseModel] | None:
    """The class whose key is wrong at `loc`, as far as annotations tell."""
    for step in loc:
        if isinstance(step, str) and step in model.model_fields:
            inner = _models(model.model_fields[step].annotation)
            if not inner:
                return None
            model = inner[0]
    return model


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Model classes inside an annotation: of `X | None`, `tuple[X, ...]`, `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for inner in get_args(annotation) for m in _models(inner)]
