"""A scripted model that obeys the note in brackets, so that whole dialogues of the built-in families can be played without a model."""

import random
import re
from typing import Any

from scripted_replies import digest, instance, schema_of, sentences

_REACTIONS = (
    "Oh nice.",
    "I see.",
    "Good to hear.",
    "Fair enough.",
    "That is lovely.",
    "Interesting.",
    "Well done.",
    "Cosy.",
)


def obey(body: dict[str, Any]) -> str | dict[str, Any]:
    """The reply of a model that does what it is told, in varied words; a function of messages, seed and schema."""
    rng = random.Random(digest(body["messages"], body.get("seed"), schema_of(body)))
    schema = schema_of(body)
    if schema is not None:
        return _answer(schema, rng)
    notes = re.findall(r"\[([^\[\]]*)\]", body["messages"][-1]["content"])
    note = notes[-1] if notes else ""
    if note.startswith("rewrite: "):
        words = note.removeprefix("rewrite: ")
        return f"{rng.choice(('', 'well ', 'ok ', 'so '))}{words}"
    for pattern, make in _MOVES:
        if found := re.search(pattern, note):
            return make(found, rng)
    tell, _, back = note.partition("; then ask back")
    return f"{tell}{', how about you?' if ';' in note and not back else ''}" if tell else sentences(rng)


def chatty(body: dict[str, Any]) -> str | dict[str, Any]:
    """As `obey`, but who rewrites says more than that."""
    said = obey(body)
    rewrites = "[rewrite: " in body["messages"][-1]["content"]
    return f"{said} on this sunny afternoon outside" if rewrites else said


def _answer(schema: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    if "numbers" in schema["properties"]:  # a judge, who finds nothing
        return {"numbers": []}
    made = instance(schema, rng)
    if "answer" in made and "say" in made:
        fixed = {"enum", "const"} & schema["properties"]["answer"].keys()
        made["answer"] = made["answer"] if fixed else str(rng.randint(1, 60))
        made["say"] = f"{sentences(rng)[:60]} so {made['answer']}"
    return made


def _react(rng: random.Random) -> str:
    return rng.choice(_REACTIONS)


_MOVES = (
    (r"say hi and ask: (.*)", lambda m, r: f"{r.choice(('Hi', 'Hey', 'Hello'))}! {m[1]}"),
    (r"then bridge to \w+: (.*); ask: (.*)", lambda m, r: f"{_react(r)} {m[1]}. {m[2]}"),
    (r"recommend: (.*)", lambda m, r: f"{_react(r)} Take {m[1]}."),
    (r"react, then ask: (.*)", lambda m, r: f"{_react(r)} {m[1]}"),
    (r"then offer: (.*)", lambda m, r: f"{_react(r)} {m[1]}."),
    (r"say it is (?:still )?not right; hint: (.*)", lambda m, r: f"Not quite, number {r.randint(1, 999)}. {m[1]}"),
    (r"say it is right", lambda m, r: f"Yes, that's right, number {r.randint(1, 999)}!"),
    (r"tell: (.*)", lambda m, r: f"Sure. {m[1]}"),
    (
        r"then say goodbye",
        lambda m, r: f"{_react(r)} Goodbye, it was {r.choice(('good', 'fun', 'kind'))} to talk.",
    ),
    (
        r"ask one question about it",
        lambda m, r: f"{_react(r)} Why do you {r.choice(('like', 'say', 'do', 'think'))} that?",
    ),
    (r"say you have to go now", lambda m, r: f"gotta run, bye {r.choice(('now', 'then', 'for today'))}"),
    (r"say bye", lambda m, r: f"bye {r.choice(('then', 'robin', 'for now'))}"),
    (r"in one short sentence (how you got|what your)", lambda m, r: sentences(r).replace("?", ".")),
    (r"^ask: (.*)", lambda m, r: f"{r.choice(('so', 'and', 'hm'))} {m[1]}"),
    (r"^say: (.*); ask: (.*)", lambda m, r: f"Well, {m[1]}. {m[2]}"),
    (r"^say: (.*)", lambda m, r: f"Well, {m[1]}."),
    (r"reaction|few words", lambda m, r: sentences(r).replace("?", ".")),
)
