"""Files of dialogues: the dialogue table of ours, or the reference corpora's schema.

`user` is the partner of `assistant`; in a symmetric corpus the second speaker to appear is the partner (the first
opened the conversation, as our learners do).
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from outputs.store import read_dialogue_tables
from schemas import record, table
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.errors import DataError, did_you_mean
from schemas.identity import stable_hash
from schemas.scenario import Scenario, View

_GROUP_KEYS = ("question", "topic_desc", "meeting", "log")


def parquet_files(path: Path) -> list[Path]:
    """A Parquet file itself, or those of a folder: of `data/` for a run directory. Raises DataError."""
    if path.is_file():
        return [path]
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    folder = path / "data" if (path / "data").is_dir() else path
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise DataError(f"{folder}: no *.parquet file in it; give a Parquet file or a finished run's directory")
    return files


def read_dialogues(path: Path) -> Iterator[record.Record]:
    """Every dialogue of a Parquet file, folder or run directory: the dialogue table, or the reference corpora's schema.

    Streamed in small batches. A corpus row gets a minimal scenario: nothing private, policy `external`.
    Raises DataError.
    """
    for file in parquet_files(path):
        yield from read_records(file) if is_our_table(file) else _converted(file, read_rows(file), _wrapped)


def read_records(file: Path) -> Iterator[record.Record]:
    """Of a file of the dialogue table, of whatever version."""
    rows = (row for batch in read_dialogue_tables(file) for row in batch.to_pylist())
    return _converted(file, rows, record.from_row)


def _converted(
    file: Path, rows: Iterable[dict[str, Any]], convert: Callable[[dict[str, Any]], record.Record]
) -> Iterator[record.Record]:
    for i, row in enumerate(rows):
        try:
            yield convert(row)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, (error.title.lower(), *first["loc"])))
            raise DataError(f"{file}: row {i} is no dialogue: {where}: {first['msg']}; mend or drop the row") from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{file}: row {i} is no dialogue: {str(error).splitlines()[0]}") from error


def _wrapped(row: dict[str, Any]) -> record.Record:
    turns = [
        Turn(role=t["role"], text=t["text"], acts=tuple(t.get("acts") or ()))
        for t in row["turns"]
        if t["text"] and t["text"].strip()
    ]
    roles = list(dict.fromkeys(t.role for t in turns))
    learner, partner = sides(roles, None)
    dialogue = bare_dialogue(
        row["dialogue_id"],
        row["dialogue_id"],
        turns,
        family=row.get("family") or "external",
        domain=row.get("corpus") or "external",
        roles=(learner or "assistant", partner or "user"),
        base_case=source_group(row),
    )
    outcome = {} if row.get("outcome") is None else {"recorded": row["outcome"]}
    return record.Record(dialogue=dialogue.model_copy(update={"outcome": outcome}), split=row.get("split"))


def bare_dialogue(
    name: str,
    group: str,
    turns: list[Turn],
    *,
    family: str,
    domain: str,
    roles: tuple[str, str],
    base_case: str | None = None,
) -> Dialogue:
    """`roles`: learner, partner."""
    speakers = dict.fromkeys([*roles, *(t.role for t in turns)])
    scenario = Scenario(
        family=family,
        domain=domain,
        base_case_id=base_case or group,
        seed=0,
        goal="",
        views={role: View(role=role, brief="") for role in speakers},
        max_turns=len(turns),
        scenario_id=name,
        group_id=group,
        dialogue_id=name,
        policy="external",
    )
    return Dialogue(
        scenario=scenario, turns=tuple(turns), ending=Ending(reason="external"), learner=roles[0], partner=roles[1]
    )


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(batch_size=256):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> DataError:
    said = str(error).splitlines()[0]
    return DataError(f"{file}: not a readable Parquet file ({said}); it may be cut off: copy or write it again")


def is_our_table(file: Path) -> bool:
    """True: the dialogue table's schema; False: the reference corpora's; DataError for neither."""
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file, error) from error
    if table.VERSION_KEY in (schema.metadata or {}) or "views" in schema.names:
        schema = table.migrated(schema.empty_table(), table.version_of(schema, file)).schema
        _check_columns(file, schema, {field.name: field.type for field in table.SCHEMA})
        return True
    _check_columns(file, schema, {"dialogue_id": pa.string()})
    if "turns" not in schema.names:
        raise DataError(f"{file}: column 'turns' is missing{did_you_mean('turns', schema.names)}")
    kind = schema.field("turns").type
    structs = pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)
    if not structs or not {"role", "text"} <= {field.name for field in kind.value_type}:
        raise DataError(f"{file}: column 'turns' is {kind}; it must be a list of structs with `role` and `text`")
    return False


def _check_columns(file: Path, schema: pa.Schema, wanted: dict[str, pa.DataType]) -> None:
    for name, kind in wanted.items():
        if name not in schema.names:
            raise DataError(f"{file}: column '{name}' is missing{did_you_mean(name, schema.names)}")
        if schema.field(name).type != kind:
            raise DataError(f"{file}: column '{name}' is {schema.field(name).type}; it must be {kind}")


def sides(roles: list[str], partner: str | None, learner: str | None = None) -> tuple[str | None, str | None]:
    """(learner, partner); None for a side that never speaks."""
    order = list(dict.fromkeys(roles))
    if partner is None and {"user", "assistant"} & set(order):
        partner, learner = "user", "assistant"
    if partner is None:
        partner = order[1] if len(order) > 1 else None
    others = [r for r in order if r != partner]
    if learner is None:
        learner = others[0] if others else None
    return (learner if learner in order else None), (partner if partner in order else None)


def source_group(row: dict[str, Any]) -> str:
    if row.get("group_id"):
        return row["group_id"]
    meta = orjson.loads(row.get("meta") or "{}")
    source = next((meta[key] for key in _GROUP_KEYS if meta.get(key)), None)
    return row["dialogue_id"] if source is None else stable_hash(source)
