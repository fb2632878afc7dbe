"""A file of an export while it is filled, and what lies beside the finished ones."""

from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import orjson
import pyarrow as pa
from pydantic import Field, ValidationError

from outputs.exports.place import Place
from outputs.files import storage_errors
from outputs.parquet import PartWriter
from schemas.scenario import Value

STATE = ".overture-export.json"
"""Hidden, so that no loader takes it for data."""


class Sink:
    """A staged file being filled; an error takes it away."""

    def __init__(self, path: Path, kind: Literal["parquet", "jsonl"]):
        self.path, self.rows, self._kind = path, 0, kind
        with storage_errors(path):
            self._file = path.open("wb")
        self._parquet: PartWriter | None = None

    def add(self, rows: pa.Table | list[dict[str, Any]]) -> None:
        with storage_errors(self.path):
            if isinstance(rows, list):
                self._file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
                self.rows += len(rows)
                return
            if self._parquet is None:
                self._parquet = PartWriter(self._file, rows.schema)
            self._parquet.add(rows)
            self.rows += rows.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            with storage_errors(self.path):
                if self._parquet is not None:
                    self._parquet.close()
        finally:
            self._file.close()
            if kind is not None:
                self.path.unlink(missing_ok=True)


class ExportedFile(Value):
    split: str
    rows: int
    bytes: int


class State(Value):
    mark: str
    """What the files were made from, and how."""
    files: dict[str, ExportedFile] = Field(default_factory=dict)
    whole: bool = False
    """All splits were written."""
    left_out: dict[str, int] = Field(default_factory=dict)

    def has(self, split: str | None) -> bool:
        return self.whole if split is None else any(file.split == split for file in self.files.values())


def read_state(place: Place, mark: str) -> State:
    """With the files that are still there whole. Those of another mark are taken away."""
    try:
        state = State.model_validate_json(place.read(STATE) or b"")
    except ValidationError:
        return State(mark=mark)
    if state.mark != mark:
        for name in state.files:
            place.remove(name)
        return State(mark=mark)
    there = {name: file for name, file in state.files.items() if place.size(name) == file.bytes}
    return state.model_copy(update={"files": there, "whole": state.whole and len(there) == len(state.files)})


def write_state(place: Place, state: State) -> None:
    staged = place.stage(STATE)
    with storage_errors(staged):
        staged.write_bytes(orjson.dumps(state.model_dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    place.put(staged, STATE)
