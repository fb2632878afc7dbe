"""Trials for other places where people judge, and their answers back: CSV and JSON lines, as crowdsourcing platforms
take them, and Label Studio. What leaves has no key: nothing in it says which side is real.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from outputs.files import write_text
from schemas.errors import DataError, InputError, did_you_mean
from schemas.trial import QUESTION, Answer, Line, Trial

LABELS = {"left": "1 is real", "unsure": "cannot tell", "right": "2 is real"}
_CHOICES = {name: choice for choice, label in LABELS.items() for name in (choice, label)}
_COLUMNS = {
    "trial": ("trial", "id", "Input.id"),
    "rater": ("rater", "WorkerId"),
    "choice": ("choice", "Answer.choice"),
    "seconds": ("seconds", "WorkTimeInSeconds"),
}
"""Field of an answer -> the names it may have: ours, and those of Mechanical Turk's result files."""


def _shown(side: str) -> str:
    return f'<Paragraphs name="{side}" value="${side}" layout="dialogue" nameKey="speaker" textKey="text"/>'


LABELLING = f"""<View>
  <Header value="{QUESTION}"/>
  <View style="display: flex; gap: 1rem">
    <View style="flex: 50%"><Header value="1"/>{_shown("left")}</View>
    <View style="flex: 50%"><Header value="2"/>{_shown("right")}</View>
  </View>
  <Choices name="choice" toName="left" choice="single" required="true" showInline="true">
    {"".join(f'<Choice value="{label}" alias="{choice}"/>' for choice, label in LABELS.items())}
  </Choices>
</View>
"""


class Found(NamedTuple):
    """An answer of a file, not yet checked, and where it stands."""

    place: str
    values: Mapping[str, Any]


def write_tasks(trials: Sequence[Trial], format: str, folder: Path) -> list[Path]:
    """Writes the trials in a format, the files it takes. Raises InputError."""
    if format not in FORMATS:
        raise InputError(f"--export: no format '{format}'{did_you_mean(format, FORMATS)}")
    written: list[Path] = []
    for name, text in FORMATS[format](trials).items():
        write_text(folder / name, text)
        written.append(folder / name)
    return written


def _csv(trials: Sequence[Trial]) -> dict[str, str]:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(("id", "question", "left", "right"))
    writer.writerows((t.id, QUESTION, _text(t.left), _text(t.right)) for t in trials)
    return {"trials.csv": file.getvalue()}


def _text(lines: Sequence[Line]) -> str:
    """A line a message; each begins with who speaks, so that no cell is a spreadsheet's formula."""
    return "\n".join(f"{line.speaker.upper()}: {line.text}" for line in lines)


def _jsonl(trials: Sequence[Trial]) -> dict[str, str]:
    rows = ({"id": t.id, "question": QUESTION, **_sides(t)} for t in trials)
    return {"trials.jsonl": "".join(orjson.dumps(row).decode() + "\n" for row in rows)}


def _label_studio(trials: Sequence[Trial]) -> dict[str, str]:
    tasks = [{"data": {"id": t.id, **_sides(t)}} for t in trials]
    text = orjson.dumps(tasks, option=orjson.OPT_INDENT_2).decode()
    return {"label-studio.json": text, "label-studio.xml": LABELLING}


def _sides(trial: Trial) -> dict[str, Any]:
    return {
        side: [line.model_dump() for line in lines] for side, lines in (("left", trial.left), ("right", trial.right))
    }


FORMATS: Mapping[str, Callable[[Sequence[Trial]], dict[str, str]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "label-studio": _label_studio,
}


def read_answers(path: Path, trials: frozenset[str]) -> list[Answer]:
    """Of a .csv, .jsonl or Label Studio's .json file. Raises DataError, which names file, place and field."""
    readers = {".csv": _from_csv, ".jsonl": _from_jsonl, ".json": _from_label_studio}
    if path.suffix not in readers:
        raise DataError(f"--import {path}: cannot tell its format; give a .csv, .jsonl or Label Studio's .json file")
    try:
        found = list(readers[path.suffix](path))
    except (OSError, UnicodeDecodeError, csv.Error, orjson.JSONDecodeError) as error:
        raise DataError(f"--import {path}: cannot be read ({error})") from error
    return [_answer(path, one, trials) for one in found]


def _answer(path: Path, found: Found, trials: frozenset[str]) -> Answer:
    values = {name: str(value).strip() for name, value in found.values.items() if value not in (None, "")}
    for name in ("trial", "rater", "choice"):
        if name not in values:
            raise DataError(f"{path}: {found.place}: no '{name}'; it may be called {' or '.join(_COLUMNS[name])}")
    if values["trial"] not in trials:
        raise DataError(f"{path}: {found.place}: 'trial' {values['trial']!r} is not one of these trials")
    if values["choice"] not in _CHOICES:
        raise DataError(
            f"{path}: {found.place}: 'choice' {values['choice']!r}{did_you_mean(values['choice'], _CHOICES)}"
        )
    try:
        return Answer.model_validate({**values, "choice": _CHOICES[values["choice"]]})
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{path}: {found.place}: '{first['loc'][0]}': {first['msg']}") from None


def _from_csv(path: Path) -> Iterator[Found]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield Found(f"line {reader.line_num}", _named(row))


def _from_jsonl(path: Path) -> Iterator[Found]:
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            yield Found(f"line {number}", _named(_mapping(path, f"line {number}", orjson.loads(line))))


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    names = {field: next((n for n in known if n in row), None) for field, known in _COLUMNS.items()}
    return {field: row[name] for field, name in names.items() if name is not None}


def _from_label_studio(path: Path) -> Iterator[Found]:
    """The export "JSON": tasks with their annotations; skipped ones answer nothing."""
    tasks = orjson.loads(path.read_bytes())
    if not isinstance(tasks, list):
        raise DataError(f"{path}: not Label Studio's export: it must be a list of tasks (its format JSON)")
    for number, entry in enumerate(tasks):
        place = f"task {number}"
        task = _mapping(path, place, entry)
        trial = _mapping(path, place, task.get("data")).get("id")
        for given in task.get("annotations") or ():
            annotation = _mapping(path, place, given)
            if not annotation.get("was_cancelled"):
                yield Found(place, {"trial": trial, **_annotated(annotation)})


def _annotated(annotation: Mapping[str, Any]) -> dict[str, Any]:
    who = annotation.get("completed_by")
    if isinstance(who, dict):
        who = who.get("email") or who.get("id")
    results = [r for r in annotation.get("result") or () if isinstance(r, dict) and r.get("from_name") == "choice"]
    chosen = [c for r in results for c in (r.get("value") or {}).get("choices") or ()]
    return {"rater": who, "choice": chosen[0] if chosen else None, "seconds": annotation.get("lead_time")}


def _mapping(path: Path, place: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{path}: {place}: not an object")
    return value
