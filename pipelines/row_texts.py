"""Every text of a row of the dialogue table, private ones too: read, or rewritten where it stands."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from outputs.store import read_dialogue_tables
from pipelines.dialogue_files import is_our_table, parquet_files, read_dialogues
from schemas.record import to_json, to_row

Change = Callable[[str, str], str]
"""(where it stands, as `turns[3].text` or `views.user.brief`; text) -> text"""

_PLAIN = ("goal",)
_JSON = ("verifier", "session_latents", "views", "plan", "outcome")
_IN = {  # column of structs -> (fields that are text, fields that are JSON)
    "messages": (("content",), ()),
    "facts": (("slot", "value", "text"), ()),
    "rewards": ((), ("parts",)),
    "turns": (("text", "answer", "thought"), ("labels", "state", "belief")),
}


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Of a run's `data/`, a folder or a file; a corpus' dialogues as rows of the dialogue table. Raises DataError."""
    for file in parquet_files(path):
        if is_our_table(file):
            for table in read_dialogue_tables(file):
                yield from table.to_pylist()
        else:
            yield from map(to_row, read_dialogues(file))


def texts(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(where it stands, text)"""
    found: list[tuple[str, str]] = []

    def kept(where: str, text: str) -> str:
        found.append((where, text))
        return text

    rewritten(row, kept)
    yield from found


def rewritten(row: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """The row with every text changed. JSON in which no text changed stays as it is, to the byte."""
    new = dict(row)
    _fields(new, "", _PLAIN, _JSON, change)
    for column, (plain, coded) in _IN.items():
        cells: list[dict[str, Any]] = [dict(cell) for cell in row[column] or ()]
        for number, cell in enumerate(cells):
            _fields(cell, f"{column}[{number}].", plain, coded, change)
        new[column] = cells
    if row["ending"] is not None:
        new["ending"] = dict(row["ending"])
        _fields(new["ending"], "ending.", ("detail",), (), change)
    return new


def _fields(cell: dict[str, Any], at: str, plain: tuple[str, ...], coded: tuple[str, ...], change: Change) -> None:
    for name in plain:
        if cell[name]:
            cell[name] = change(at + name, cell[name])
    for name in coded:
        if cell[name]:
            value = orjson.loads(cell[name])
            changed = _leaves(value, at + name, change)
            if changed != value:
                cell[name] = to_json(changed)


def _leaves(value: Any, at: str, change: Change) -> Any:
    match value:
        case str():
            return change(at, value)
        case dict():
            return {key: _leaves(part, f"{at}.{key}", change) for key, part in value.items()}
        case list():
            return [_leaves(part, f"{at}[{n}]", change) for n, part in enumerate(value)]
        case _:
            return value
