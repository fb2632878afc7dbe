"""A dataset view: rows of one shape, made from the dialogue table, that a trainer loads as a config of its own."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa

from outputs.views.shortcuts import Features
from schemas.table import MESSAGE

MESSAGES = pa.list_(MESSAGE)
STRING, INT, FLOAT, BOOL = pa.string(), pa.int32(), pa.float64(), pa.bool_()


class Column(NamedTuple):
    name: str
    type: pa.DataType
    meaning: str
    """With its unit; ends with a full stop."""
    source: str
    """Where it comes from: paths in the dialogue table."""


Rows = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class DatasetView:
    name: str
    """Of the config."""
    row: str
    """What a row is, in one sentence."""
    columns: tuple[Column, ...]
    rows: Rows
    """From dialogues of whole groups, with the `needs`, to rows of the schema. Of a private view: from rows of the
    dialogue table.
    """
    needs: Collection[str] = ("turns",)
    """Nested columns of `outputs.views.public.PUBLIC` that are read."""
    private: bool = False
    """Holds what one side knew: no config, and in no export unless named."""
    features: Callable[[pa.Table], Features] | None = None
    """Of its rows, of which some are left out until none of these tells who wins, or the label; they do not stream."""

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.schema([(column.name, column.type) for column in self.columns])


IDS = (
    Column("dialogue_id", STRING, "Dialogue the row was made from.", "dialogue_id"),
    Column("turn", INT, "Place among the dialogue's turns of the one it is about, from 0.", "turns"),
    Column("group_id", STRING, "Siblings (the same scenario under several policies) share it.", "group_id"),
    Column("base_case_id", STRING, "What the scenario was derived from; the unit of the splits.", "base_case_id"),
    Column("family", STRING, "Kind of dialogue.", "family"),
    Column("domain", STRING, "What it is about within the family.", "domain"),
    Column("policy", STRING, "How the learner was played: reactive, proactive, privileged or external.", "policy"),
    Column("split", STRING, "train, validation or test, by base case.", "split"),
)
OF_DIALOGUE = tuple(column for column in IDS if column.name != "turn")

PROMPT = Column("prompt", MESSAGES, "All that was said before; empty where the learner opens.", "turns")
COMPLETION = Column("completion", MESSAGES, "What the learner said then: one message of the assistant.", "turns")
