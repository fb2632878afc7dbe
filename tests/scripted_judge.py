"""For graders: a scripted judge that is wrong, and unusable, as often as it is told; and texts that people labelled."""

import re
from pathlib import Path
from random import Random
from typing import Any

import orjson
import yaml
from scripted_replies import Reply, digest

LABELS = ("full", "some", "none")
"""In the order of the scale."""
_TRUTH = re.compile(r"true=(\w+)")
GRADER: dict[str, Any] = {
    "judges": "guidance",
    "of": "partner",
    "instruction": "You judge a message.",
    "question": "Does it help?",
    "choices": [{"name": "full", "value": 1}, {"name": "some", "value": 0.5}, {"name": "none", "value": 0}],
}


def grader(folder: Path, **changes: Any) -> Path:
    path = folder / "grader.yaml"
    path.write_text(yaml.safe_dump({**GRADER, **changes}))
    return path


def judge(error: float = 0.0, nonsense: float = 0.0, cured_by: str | None = None) -> Reply:
    """Reads the truth off the text and is wrong in a share `error` of the texts, unless its prompt holds `cured_by`; in
    a share `nonsense` it answers what is none of the schema's.
    """

    def reply(body: dict[str, Any]) -> dict[str, Any] | str | int:
        text = body["messages"][-1]["content"]
        draw = Random(digest(text))
        if draw.random() < nonsense:
            return "well, it depends"
        truth = str(_TRUTH.findall(text)[-1])
        cured = cured_by is not None and any(cured_by in m["content"] for m in body["messages"][:-1])
        wrong = draw.random() < error and not cured
        said = draw.choice([name for name in LABELS if name != truth]) if wrong else truth
        return str(LABELS.index(said) + 1)

    return reply


def labelled(path: Path, contexts: int, each: int = 1, second: float | None = None, seed: int = 0) -> Path:
    """JSON lines of texts that hold what they truly are; `second`: how often a second person agrees."""
    draw = Random(seed)
    rows: list[dict[str, Any]] = []
    for context in range(contexts):
        for n in range(each):
            label = draw.choice(LABELS)
            row = {"context": f"Student: question {context}", "text": f"Tutor: {n} of {context}, true={label}"}
            other = None if second is None else label if draw.random() < second else draw.choice(LABELS)
            rows.append({**row, "label": label, "label2": other})
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def recipe(folder: Path, base_url: str, **changes: Any) -> Path:
    """A judge of its own; whoever speaks, and the embedder, are nowhere."""
    remote = {"use": "remote", "base_url": base_url, "model": "scripted"}
    nowhere = {"use": "remote", "base_url": "http://127.0.0.1:9", "model": "nobody"}
    data = {
        "target": 4,
        "families": [{"use": "generators.families.tutoring.Tutoring", "policies": ["reactive", "proactive"]}],
        "models": {"default": nowhere, "reader": remote},
        "roles": {"judge": "reader"},
        "embedder": nowhere,
        **changes,
    }
    path = folder / "judge.yaml"
    path.write_text(yaml.safe_dump(data))
    return path
