"""Dialogues of experts as `overture hindsight` reads them: the dialogue table, the corpora's schema, or JSON lines of
`messages`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson

from outputs.publish import split_of
from pipelines.dialogue_files import read_dialogues
from schemas.errors import DataError
from schemas.record import Record

EXCERPTS = frozenset({"mts_dialog"})
"""Sources whose dialogues are cut from longer ones: where they end tells nothing."""
_JSON_LINES = (".jsonl", ".ndjson")
_ROLES = ("system", "user", "assistant")


class Said(NamedTuple):
    turn: int
    """Place in the log."""
    expert: bool
    text: str


class Go(NamedTuple):
    """What the expert says in one go, be it several turns."""

    turn: int
    """Of its first turn."""
    text: str
    reply: str | None
    """What others say before the expert's next go; None where nothing."""


class Log(NamedTuple):
    dialogue_id: str
    group_id: str
    source: str
    split: str
    said: tuple[Said, ...]

    def goes(self) -> list[Go]:
        found: list[Go] = []
        before = False
        for said in self.said:
            if said.expert and before:
                found[-1] = found[-1]._replace(text=f"{found[-1].text} {said.text}")
            elif said.expert:
                found.append(Go(said.turn, said.text, None))
            elif found:
                found[-1] = found[-1]._replace(reply=" ".join(filter(None, (found[-1].reply, said.text))))
            before = said.expert
        return found

    def context(self, turn: int) -> list[dict[str, str]]:
        """What was said before a turn, as `messages`: nothing of it or later."""
        before = (s for s in self.said if s.turn < turn)
        return [{"role": "assistant" if s.expert else "user", "content": s.text} for s in before]


def read_logs(path: Path) -> Iterator[Log]:
    """In the order of the file. Raises DataError: file, row, field, remedy; also for an id that is there twice."""
    seen: set[str] = set()
    for log in _lines(path) if path.suffix in _JSON_LINES and path.is_file() else map(_log, read_dialogues(path)):
        if log.dialogue_id in seen:
            raise DataError(f"{path}: dialogue_id '{log.dialogue_id}' is there twice; give every dialogue its own")
        seen.add(log.dialogue_id)
        yield log


def _log(record: Record) -> Log:
    dialogue, scenario = record.dialogue, record.dialogue.scenario
    said = tuple(
        Said(n, turn.role == dialogue.learner, turn.text)
        for n, turn in enumerate(dialogue.turns)
        if turn.kind == "utterance" and turn.text
    )
    split = record.split or split_of(scenario.base_case_id)
    return Log(dialogue.id, scenario.base_case_id, scenario.domain, split, said)


def _lines(path: Path) -> Iterator[Log]:
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if not line.strip():
                continue
            where = f"{path}: row {number}"
            try:
                row: Any = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise DataError(f"{where}: no JSON ({error}); write one object a line") from None
            yield _line(row, where, f"{path.stem}:{number}", path.stem)


def _line(row: Any, where: str, name: str, source: str) -> Log:
    messages: Any = cast("dict[str, Any]", row).get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list):
        raise DataError(f"{where}: `messages` is no list; write a list of objects with `role` and `content`")
    said = [_message(m, n, where) for n, m in enumerate(cast("list[Any]", messages))]
    names = {key: str(row[key]) for key in ("dialogue_id", "group_id", "source", "split") if row.get(key)}
    dialogue_id = names.get("dialogue_id", name)
    group = names.get("group_id", dialogue_id)
    kept = tuple(s for s in said if s is not None)
    return Log(dialogue_id, group, names.get("source", source), names.get("split", split_of(group)), kept)


def _message(message: Any, number: int, where: str) -> Said | None:
    """None for the system's, and for one without words."""
    at = f"{where}: messages[{number}]"
    if not isinstance(message, dict):
        raise DataError(f"{at} is no object; write one with `role` and `content`")
    given = cast("dict[str, Any]", message)
    if given.get("role") not in _ROLES:
        raise DataError(f"{at}.role is {given.get('role')!r}; give one of {', '.join(_ROLES)}")
    if not isinstance(given.get("content"), str):
        raise DataError(f"{at}.content is {type(given.get('content')).__name__}; give a string")
    if given["role"] == "system" or not given["content"].strip():
        return None
    return Said(number, given["role"] == "assistant", given["content"])
