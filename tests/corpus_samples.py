"""Parquet files in the schema of the reference corpora, and tables of ours."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.record import Record, to_row
from schemas.table import SCHEMA

TURN = pa.struct([("role", pa.string()), ("text", pa.string()), ("acts", pa.list_(pa.string()))])
CORPUS = pa.schema(
    [(name, pa.string()) for name in ("dialogue_id", "corpus", "family", "split")]
    + [("turns", pa.list_(TURN)), ("outcome", pa.string()), ("meta", pa.string())]
)


def row(number: int, roles: Sequence[str] = ("user", "assistant"), turns: int = 6, **more: Any) -> dict[str, Any]:
    said = [{"role": roles[i % len(roles)], "text": f"Message {i} of {number}.", "acts": []} for i in range(turns)]
    names = {"dialogue_id": f"toy:{number}", "corpus": "toy", "family": "pedagogy", "split": "train", "meta": "{}"}
    return {**names, "turns": said, "outcome": None, **more}


def write(path: Path, rows: list[dict[str, Any]], schema: pa.Schema = CORPUS) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, row_group_size=7)
    return path


def to_table(records: Iterable[Record]) -> pa.Table:
    return pa.Table.from_pylist([to_row(r) for r in records], schema=SCHEMA)
