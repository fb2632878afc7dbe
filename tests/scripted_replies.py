"""What the scripted server says: plausible sentences, instances of a JSON schema, vectors; all from a hash."""

import hashlib
import random
import zlib
from collections.abc import Callable
from typing import Any

import orjson

Reply = Callable[[dict[str, Any]], "str | dict[str, Any] | int"]
"""A request's body -> the answer's text, or the JSON value it holds, or a status to refuse it with."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


_THINGS = _words(
    "bread,guitar,garden,kettle,bicycle,novel,map,jacket,camera,recipe,puzzle,lamp,sketch,record,tent,ladder"
)
_PLACES = _words(
    "harbour,market,library,station,valley,museum,bakery,island,workshop,forest,bridge,theatre,lake,school"
)
_PEOPLE = _words("sister,neighbour,uncle,teacher,friend,cousin,colleague,brother,grandmother,flatmate,doctor,coach")
_MOODS = _words(
    "quiet,strange,cheap,lovely,slow,bright,noisy,useful,heavy,funny,warm,simple,late,famous,green,difficult"
)
_ACTS = _words(
    "repair,paint,visit,borrow,plan,sell,learn about,photograph,carry,measure,forget,describe,compare,finish"
)
_TIMES = _words(
    "yesterday,on Monday,last summer,this morning,every week,in March,after work,before dinner,at noon,tonight"
)
_FORMS = (
    "I went to the {place} {time} with my {person}.",
    "My {person} wants to {act} the {thing} {time}.",
    "Do you know a {mood} {place} near here?",
    "The {thing} was more {mood} than I thought.",
    "Why would anyone {act} a {mood} {thing}?",
    "We could {act} it at the {place} {time}.",
    "That sounds {mood}, tell me about your {person}.",
    "I never liked the {place}, it is too {mood}.",
    "Maybe your {person} can {act} the {thing}.",
    "How did you {act} that {mood} {thing}?",
    "A {mood} {thing} is enough for my {person}.",
    "Shall we meet at the {place} {time}?",
)


def digest(*parts: Any) -> int:
    data = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())


def schema_of(body: dict[str, Any]) -> dict[str, Any] | None:
    return ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")


def sentences(rng: random.Random) -> str:
    """One or two plausible short sentences."""
    pick = rng.choice
    made = [
        pick(_FORMS).format(
            place=pick(_PLACES),
            time=pick(_TIMES),
            person=pick(_PEOPLE),
            act=pick(_ACTS),
            thing=pick(_THINGS),
            mood=pick(_MOODS),
        )
        for _ in range(1 if rng.random() < 0.6 else 2)
    ]
    return " ".join(made)


def instance(schema: dict[str, Any], rng: random.Random, root: dict[str, Any] | None = None) -> Any:
    """A random value that fits a simple schema."""
    root = schema if root is None else root
    if "$ref" in schema:
        target: Any = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return instance(target, rng, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return instance(rng.choice(schema[union]), rng, root)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = rng.choice(kind)
    match kind:
        case "object":
            return {name: instance(part, rng, root) for name, part in schema.get("properties", {}).items()}
        case "array":
            low = schema.get("minItems", 0)
            size = rng.randint(low, min(schema.get("maxItems", low + 3), low + 5))
            return [instance(schema.get("items", {"type": "string"}), rng, root) for _ in range(size)]
        case "integer":
            low = int(schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1))
            return rng.randint(low, int(schema.get("maximum", schema.get("exclusiveMaximum", low + 11) - 1)))
        case "number":
            low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            return round(rng.uniform(low, schema.get("maximum", schema.get("exclusiveMaximum", low + 1))), 3)
        case "boolean":
            return rng.random() < 0.5
        case "null":
            return None
        case _:
            text = sentences(rng)
            while len(text) < schema.get("minLength", 0):
                text += " " + sentences(rng)
            return text[: schema.get("maxLength", len(text))].strip() or "a"


def answer_text(body: dict[str, Any], reply: Reply | None, ignore_schema: bool) -> str | int:
    schema = None if ignore_schema else schema_of(body)
    if reply is not None:
        made = reply(body)
        return made if isinstance(made, str | int) else orjson.dumps(made).decode()
    rng = random.Random(digest(body["messages"], body.get("seed"), schema))
    return sentences(rng) if schema is None else orjson.dumps(instance(schema, rng)).decode()


def embedding(text: str, dim: int = 64) -> list[float]:
    """Hashed bag of character 3- and 4-grams, by a hash that is the same everywhere."""
    vector = [0.0] * dim
    padded = f" {' '.join(text.lower().split())} "
    for size in (3, 4):
        for i in range(max(1, len(padded) - size + 1)):
            code = zlib.crc32(padded[i : i + size].encode())
            vector[code % dim] += 1.0 if code & 0x10000 else -1.0
    return vector if any(vector) else [1.0] + [0.0] * (dim - 1)
