"""Rows of a view, put together from its columns and the dialogues they come from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.views.public import flat
from outputs.views.said import Said, numbers
from outputs.views.view import Column


def assembled(columns: tuple[Column, ...], table: pa.Table, of: np.ndarray, values: Mapping[str, Any]) -> pa.Table:
    """`of`: the dialogue of each row, a row of `table`; a column without values is what that dialogue has."""
    rows = pa.array(of)
    given = (values[c.name] if c.name in values else table[c.name].take(rows) for c in columns)
    arrays = [
        pc.cast(v, c.type) if isinstance(v, pa.Array | pa.ChunkedArray) else pa.array(v, c.type)
        for c, v in zip(columns, given, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema([(c.name, c.type) for c in columns]))


def of_turns(table: pa.Table, talk: Said, reward: str) -> np.ndarray:
    """Of each turn the value of a reward of turns; NaN where it has none."""
    rewards, lengths = flat(table["rewards"])
    dialogue = np.repeat(np.arange(len(lengths)), lengths)
    turn = numbers(pc.fill_null(pc.struct_field(rewards, "turn"), -1))
    wanted = pc.and_(pc.equal(pc.struct_field(rewards, "name"), reward), pc.is_valid(pc.struct_field(rewards, "value")))
    sizes = np.bincount(talk.of, minlength=len(lengths))
    chosen = np.flatnonzero(numbers(pc.fill_null(wanted, False)) & (turn >= 0) & (turn < sizes[dialogue]))
    found = np.full(len(talk.of), np.nan)
    place = (np.cumsum(sizes) - sizes)[dialogue[chosen]] + turn[chosen]
    found[place] = numbers(pc.struct_field(rewards, "value").take(pa.array(chosen)))
    return found


def played(table: pa.Table) -> np.ndarray:
    """int64, of each dialogue: equal for siblings that played one form of their case."""
    groups = numbers(table["group_id"].combine_chunks().dictionary_encode().indices).astype(np.int64)
    return groups * table.num_rows + numbers(table["case"])


def wrong(talk: Said) -> np.ndarray:
    """bool, of each turn: whether it gives an answer that is not right."""
    return ~numbers(pc.fill_null(talk.field("answer_correct"), True))
