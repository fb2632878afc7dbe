"""The hand-written dialogues of `fault_cases.yaml`."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from talks import talk

from schemas.dialogue import Dialogue, Turn
from schemas.scenario import Fact, View

_LINE = re.compile(r"(?P<who>[au])(?: \[(?P<notes>[^]]*)\])?: (?P<text>.*)")
_ROLES = {"a": "assistant", "u": "user"}


class HandCase(NamedTuple):
    kind: str
    faulty: bool
    dialogue: Dialogue


def hand_cases() -> list[HandCase]:
    given: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "filters" / "fault_cases.yaml").read_text())
    return [HandCase(c["kind"], c["faulty"], _dialogue(c, f"hand-{n}")) for n, c in enumerate(given)]


def _dialogue(case: dict[str, Any], name: str) -> Dialogue:
    facts = tuple(
        Fact(id=i, holder="user", slot=slot, value=text if value == "-" else value, text=text)
        for i, slot, value, text in case.get("facts", ())
    )
    views = [View(role="assistant", brief=""), View(role="user", brief=case.get("brief", ""), facts=facts)]
    return talk(*map(_turn, case["say"]), name=name, views=views)


def _turn(line: str) -> Turn:
    found = _LINE.fullmatch(line)
    assert found, line
    notes = (found["notes"] or "").split()
    told = tuple(n[1:] for n in notes if n.startswith("+"))
    intent = next((n.removeprefix("intent=") for n in notes if n.startswith("intent=")), None)
    return Turn(role=_ROLES[found["who"]], text=found["text"], facts_disclosed=told, intent_requested=intent)
