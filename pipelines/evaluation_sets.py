"""Sets that models are evaluated with: files or names of a hub, every text of every row."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from outputs.store import read_batches
from pipelines.reference import hub_splits
from schemas.errors import DataError, did_you_mean

_IDS = ("id", "task_id", "question_id", "problem_id", "dialogue_id", "uid", "idx")


class Item(NamedTuple):
    id: str
    """As the set calls it, else `row N`, from 0."""
    texts: list[str]


def read_set(spec: str) -> Iterator[Item]:
    """`FILE` (.jsonl, .json, .csv, .parquet) or `hf:owner/name[:config]`; `#columns=a,b` behind it: these alone.

    Raises DataError.
    """
    where, _, option = spec.partition("#")
    if option and not option.removeprefix("columns="):
        raise DataError(f"--against '{spec}': '#{option}' names no columns; write #columns=question,answer")
    if option and not option.startswith("columns="):
        raise DataError(f"--against '{spec}': '#{option}' is no option; the only one is #columns=a,b")
    columns = tuple(option.removeprefix("columns=").split(",")) if option else ()
    for number, row in enumerate(_rows(where)):
        if not isinstance(row, dict):
            raise DataError(f"{where}: row {number} is no object with named columns; write one JSON object a line")
        if lacking := [name for name in columns if name not in row]:
            raise DataError(f"{where}: row {number} has no column '{lacking[0]}'{did_you_mean(lacking[0], row)}")
        name = next((str(row[key]) for key in _IDS if row.get(key) is not None), f"row {number}")
        chosen = {key: row[key] for key in columns} if columns else row
        yield Item(name, list(dict.fromkeys(_strings(chosen))))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for part in value:
            yield from _strings(part)


def _rows(where: str) -> Iterator[Any]:
    if where.startswith("hf:"):
        for rows in hub_splits(f"--against '{where}'", where.removeprefix("hf:")).values():
            yield from rows
        return
    path = Path(where).expanduser()
    readers: dict[str, Callable[[Path], Iterable[Any]]] = {
        ".jsonl": _lines,
        ".json": _json,
        ".csv": _csv,
        ".parquet": lambda p: (row for batch in read_batches(p) for row in batch.to_pylist()),
    }
    if path.suffix not in readers:
        raise DataError(f"--against '{where}': give a file ({', '.join(readers)}) or hf:owner/name")
    if not path.is_file():
        raise DataError(f"--against {path}: no such file; check the path")
    yield from readers[path.suffix](path)


def _lines(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _parsed(line, f"{path}: line {number}")


def _json(path: Path) -> Iterable[Any]:
    data = _parsed(path.read_bytes(), str(path))
    return data if isinstance(data, list) else [data]


def _parsed(text: bytes, where: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error}); mend it") from None


def _csv(path: Path) -> Iterator[Any]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not CSV in UTF-8 ({error}); write it again") from None
