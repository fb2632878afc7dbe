"""What people said of texts, for `overture calibrate`: a Parquet, CSV or JSON-lines file, split by context."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import orjson

from outputs.store import read_table
from rewards.grading import Grader
from schemas.errors import DataError, did_you_mean
from schemas.identity import stable_hash

Split = Literal["fit", "dev", "test"]
SPLITS: tuple[Split, ...] = ("fit", "dev", "test")
SHARES: Mapping[Split, float] = {"fit": 0.3, "dev": 0.3, "test": 0.4}
LEAST_GROUPS = 3
"""In a split, for an interval."""
_COLUMNS = ("text", "label")


class Labelled(NamedTuple):
    id: str
    group: str
    """What may not straddle a split: the context, unless the file names another."""
    context: tuple[str, ...]
    """A line a message."""
    text: str
    label: str
    second: str | None
    """What a second person said."""

    @property
    def split(self) -> Split:
        """By the group alone: the same in every file, so that a grader's next versions are tested on what none of
        them has seen.
        """
        draw = int(stable_hash("calibrate", self.group, bits=32), 16) / 2**32
        return "fit" if draw < SHARES["fit"] else "dev" if draw < SHARES["fit"] + SHARES["dev"] else "test"


class Labels(NamedTuple):
    rows: list[Labelled]
    unlabelled: int

    def of(self, split: Split) -> list[Labelled]:
        return [row for row in self.rows if row.split == split]

    def groups(self, split: Split) -> int:
        return len({row.group for row in self.of(split)})

    @property
    def told(self) -> str:
        """How many there are, and how often people say what."""
        counts = Counter(row.label for row in self.rows).most_common()
        shares = ", ".join(f"{name} {100 * n / len(self.rows):.0f}%" for name, n in counts)
        without = f" ({self.unlabelled} without a label left out)" if self.unlabelled else ""
        return f"{len(self.rows)} labelled texts{without}: {shares}"


def read_labels(path: Path, grader: Grader) -> Labels:
    """Columns `text` and `label`; if there `context` (text with a line a message, or a list of those), `label2` and
    `group`. Equal rows count once. Raises DataError: file, row, field, remedy.
    """
    found: dict[str, Labelled] = {}
    unlabelled = 0
    for number, row in enumerate(_rows(path)):
        if missing := [name for name in _COLUMNS if name not in row]:
            raise DataError(f"{path}: column '{missing[0]}' is missing{did_you_mean(missing[0], map(str, row))}")
        if _said(row["label"]) is None:
            unlabelled += 1
            continue
        labelled = _labelled(row, f"{path}: row {number}", grader)
        found.setdefault(labelled.id, labelled)
    labels = Labels(list(found.values()), unlabelled)
    for split in SPLITS:
        if (n := labels.groups(split)) < LEAST_GROUPS:
            raise DataError(
                f"{path}: {n} contexts fall into {split}, at least {LEAST_GROUPS} are needed; label texts of more"
                " contexts (column `group`)"
            )
    return labels


def _labelled(row: Mapping[str, Any], where: str, grader: Grader) -> Labelled:
    text, label, second = _said(row["text"]), _said(row["label"]), _said(row.get("label2"))
    if text is None:
        raise DataError(f"{where}: text is empty; leave the row out")
    for name, given in (("label", label), ("label2", second)):
        if given is not None and given not in grader.names:
            raise DataError(f"{where}: {name}: the grader has no choice '{given}'{did_you_mean(given, grader.names)}")
    context = _context(row.get("context"), where)
    group = _said(row.get("group")) or stable_hash(context or text)
    known = stable_hash("calibrate", group, context, text)
    return Labelled(known, group, context, text, str(label), second)


def _said(value: Any) -> str | None:
    text = "" if value is None else str(value).strip()
    return text or None


def _context(value: Any, where: str) -> tuple[str, ...]:
    lines = cast("list[Any]", value) if isinstance(value, list) else str(value or "").splitlines()
    found: list[str] = []
    for line in lines:
        if isinstance(line, Mapping):
            said = cast("Mapping[str, Any]", line)
            if not {"role", "content"} <= said.keys():
                raise DataError(f"{where}: context: a message has `role` and `content`")
            found.append(f"{str(said['role']).capitalize()}: {said['content']}")
        elif isinstance(line, str):
            found.append(line.strip())
        else:
            raise DataError(f"{where}: context: should be text or a list of messages, not {type(line).__name__}")
    return tuple(line for line in found if line)


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file; give labels as .parquet, .csv or .jsonl")
    if path.suffix == ".parquet":
        yield from read_table(path).to_pylist()
    elif path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)
    elif path.suffix == ".jsonl":
        for number, line in enumerate(path.read_bytes().splitlines()):
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise DataError(f"{path}: row {number}: is not JSON ({error})") from None
            if not isinstance(row, dict):
                raise DataError(f"{path}: row {number}: should be an object with `text` and `label`")
            yield cast("Mapping[str, Any]", row)
    else:
        raise DataError(f"{path}: cannot tell its kind; name it .parquet, .csv or .jsonl")
