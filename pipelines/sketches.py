"""What the selectors need of a pool, as Arrow tables: a million dialogues fit, as Python values they would not."""

from collections.abc import Sequence, Set
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.contracts import Selector
from schemas.judgement import Judged

_AT_ONCE = 1024


class Sketches:
    """Sketches of dialogues as they come, one table a selector."""

    def __init__(self, selectors: Sequence[Selector], at_once: int = _AT_ONCE):
        """`at_once`: dialogues whose sketches are held as Python values."""
        self._selectors = selectors
        self._at_once = at_once
        self._rows: list[list[dict[str, Any]]] = [[] for _ in selectors]
        self._batches: list[list[pa.RecordBatch]] = [[] for _ in selectors]

    def add(self, judged: Judged) -> None:
        ids = {"dialogue_id": judged.dialogue.id, "group_id": judged.dialogue.scenario.group_id}
        for rows, selector in zip(self._rows, self._selectors, strict=True):
            rows.append({**ids, **selector.sketch(judged)})
        if any(len(rows) >= self._at_once for rows in self._rows):
            self._flush()

    def tables(self) -> list[pa.Table]:
        """In the order of the selectors. Without a dialogue they have no columns."""
        self._flush()
        return [_table(batches) if batches else pa.table({}) for batches in self._batches]

    def _flush(self) -> None:
        for rows, batches in zip(self._rows, self._batches, strict=True):
            if rows:
                batches.append(pa.RecordBatch.from_pylist(rows))
                rows.clear()


def of_dialogues(table: pa.Table, ids: Set[str]) -> pa.Table:
    """The rows of these dialogues."""
    if not table.num_rows:
        return table
    wanted = pc.call_function("is_in", [table["dialogue_id"]], pc.SetLookupOptions(pa.array(ids, pa.string())))
    return table if pc.call_function("all", [wanted]).as_py() else table.filter(wanted)


def _table(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """The types of batches differ: in the fields of a struct, and where one has nothing but nulls."""
    schema = pa.unify_schemas([batch.schema for batch in batches], promote_options="permissive")
    fields = [field.with_type(_by_name(field.type)) for field in schema]
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    return pa.concat_tables([pa.schema(fields).empty_table(), *tables], promote_options="permissive")


def _by_name(of: pa.DataType) -> pa.DataType:
    """With the fields of a struct in the order of their names, whichever batch came first."""
    if not isinstance(of, pa.StructType):
        return of
    return pa.struct(sorted((of.field(i) for i in range(of.num_fields)), key=lambda field: field.name))
