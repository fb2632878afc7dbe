"""Problems from a file: JSONL or Parquet, a row a problem, read as a stream.

Columns: `question` and `answer`; where there are any also `problem_id`, `solution`, `answerable`, `choices` and `meta`
(a JSON string or object). With `tests`, Python statements that raise where a program is wrong, the answer is a program
that passes them. A row whose answer no code can check is refused with a reason, never guessed at.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from generators.tasks.executable import Executable, Unreadable, executable
from generators.tasks.misconceptions import of_executable
from generators.tasks.problem import Altered, Problem, answer_format
from schemas.errors import DataError, did_you_mean
from schemas.identity import rng, stable_hash
from schemas.scenario import Verifier, parse_number

COLUMNS = ("problem_id", "question", "answer", "solution", "answerable", "choices", "tests", "meta")
SOURCE_KEYS = ("task_id", "original_problem_id")
"""Where `meta` may name the problem a row was made from, so that all its variants lie in one split."""
BATCH = 1_000
MOST_WORDS = 5
"""A longer answer cannot be compared word for word."""
NO_ANSWER = frozenset({"", "none", "null", "unknown", "na", "n/a", "nan", "not available", "not applicable"})


@dataclass(frozen=True, slots=True)
class Refused:
    """`row` counts from 1. Reasons: no_question, no_answer, not_answerable, no_verifiable_answer, not_python."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    problems: tuple[Problem, ...]
    refused: Mapping[str, int]
    """Rows refused, by reason."""


def stream(path: Path) -> Iterator[Problem | Refused]:
    """Every row of the file, in order, as a problem or as refused. Raises DataError at the row that cannot be read."""
    return (item for _, item in with_rows(path))


def with_rows(path: Path) -> Iterator[tuple[Mapping[str, Any], Problem | Refused]]:
    """As `stream`, each beside its row, whose `meta` is parsed."""
    rows = _parquet(path) if path.suffix == ".parquet" else _jsonl(path)
    return ((row | {"meta": _meta(row.get("meta"))}, _problem(number, row)) for number, row in enumerate(rows, 1))


def load(path: Path, limit: int | None = None) -> Loaded:
    """The first `limit` problems of the file (all of them by default) and what was refused on the way."""
    refused: Counter[str] = Counter()

    def accepted() -> Iterator[Problem]:
        for item in stream(path):
            if isinstance(item, Problem):
                yield item
            else:
                refused[item.reason] += 1

    problems = tuple(islice(accepted(), limit))
    if not problems and limit != 0:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items())) or "it is empty"
        raise DataError(f"{path}: no problem with an answer that can be checked ({reasons})")
    return Loaded(problems, dict(refused))


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            _require(path, names)
            for batch in file.iter_batches(BATCH, columns=[n for n in names if n in COLUMNS]):
                yield from batch.to_pylist()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such problem file") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not readable as Parquet: {str(error).splitlines()[0]}") from error


def _jsonl(path: Path) -> Iterator[dict[str, Any]]:
    number = 0
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = orjson.loads(line)
                if not isinstance(row, dict):
                    raise DataError(f"{path}: line {number} is not a JSON object")
                row = cast(dict[str, Any], row)
                _require(path, row, f" in line {number}")
                yield row
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such problem file") from error
    except orjson.JSONDecodeError as error:
        raise DataError(
            f"{path}: line {number} is not JSON ({error.msg}); expected is one object a line, or a name in .parquet"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _require(path: Path, names: Iterable[str], where: str = "") -> None:
    present = list(names)
    for name in ("question", "answer"):
        if name not in present:
            raise DataError(f"{path}: no column '{name}'{where}{did_you_mean(name, present)}")


def _problem(number: int, row: Mapping[str, Any]) -> Problem | Refused:
    question, answer = _text(row["question"]), _text(row["answer"])
    meta = _meta(row.get("meta"))
    given = row.get("choices")
    choices = tuple(str(c) for c in cast(list[Any], given)) if isinstance(given, list) else ()
    if row.get("answerable") is False:
        return Refused(number, "not_answerable")
    if not question:
        return Refused(number, "no_question")
    if answer.lower().strip(" .") in NO_ANSWER:
        return Refused(number, "no_answer")
    if tests := _text(row.get("tests")):
        if not (_is_python(answer) and _is_python(tests)):
            return Refused(number, "not_python")
        verifier = Verifier(kind="python", answer=answer, tests=tests)
    else:
        verifier = _verifier(answer, choices)
    if verifier is None:
        return Refused(number, "no_verifiable_answer")
    source = next((str(meta[k]) for k in SOURCE_KEYS if meta.get(k)), _text(row.get("problem_id")))
    program = _program(question, f"{_text(row.get('solution'))} {answer}", verifier)
    return Problem(
        template_id=f"external.{source or stable_hash(question, bits=64)}",
        kind="external",
        public=question,
        solution=_text(row.get("solution")) or _worked(answer) or f"The answer is {verifier.answer}.",
        verifier=verifier,
        answer_format=answer_format(verifier.kind, choices),
        choices=choices,
        altered=_altered(program) if program else None,
        misconceptions=of_executable(program) if program else (),
    )


def _program(question: str, worked: str, verifier: Verifier) -> Executable | None:
    """Where the solution has calculator annotations that say how the question's numbers make the answer."""
    number = parse_number(verifier.answer) if verifier.kind == "number" and "<<" in worked else None
    if number is None:
        return None
    try:
        return executable(question, worked, number)
    except Unreadable:
        return None


def _altered(program: Executable) -> Altered | None:
    """With other numbers."""
    other = program.vary(rng(0, "altered", program.question))
    return None if other is None else Altered(question=other[0], answer=_shown(other[1]))


def _shown(number: Fraction) -> str:
    return str(number.numerator) if number.denominator == 1 else f"{float(number):.6g}"


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _meta(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, str):
        return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return {}
    return cast(dict[str, Any], parsed) if isinstance(parsed, dict) else {}


def _final(answer: str) -> str:
    """What stands after `####` (a worked solution as in GSM8K), without the brackets of a one-element list."""
    return answer.rsplit("####", 1)[-1].strip().removeprefix("[").removesuffix("]").strip()


def _worked(answer: str) -> str:
    """The solution before `####`, without calculator annotations."""
    solution, mark, _ = answer.rpartition("####")
    return re.sub(r"<<[^<>]*>>", "", solution).strip() if mark else ""


def _verifier(answer: str, choices: tuple[str, ...]) -> Verifier | None:
    final = _final(answer)
    if choices:
        verifier = Verifier(kind="choice", answer=final)
        return verifier if any(verifier.check(choice) for choice in choices) else None
    if not final or "\n" in final or len(final.split()) > MOST_WORDS:
        return None
    if _is_date(final):
        return Verifier(kind="date", answer=final)
    number = parse_number(final)
    if number is not None:
        return Verifier(kind="number", answer=str(number) if number.denominator == 1 else final)
    return None if any(c.isdigit() for c in final) else Verifier(kind="text", answer=final)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):  # ValueError: a null byte
        return False
    return True


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
