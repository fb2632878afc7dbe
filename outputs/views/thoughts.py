"""What the learner thought to itself before its turns, silent ones too, and whether it was said (methods §14)."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from outputs.views.distillation import ids, published
from outputs.views.view import BOOL, FLOAT, IDS, INT, MESSAGES, PROMPT, STRING, Column, DatasetView
from schemas.dialogue import Dialogue
from schemas.record import Record, from_row, messages

_REWARD = "intrinsic_motivation"
_THOUGHT = pa.struct(
    [("type", STRING), ("text", STRING), ("score_raw", FLOAT), ("score_adj", FLOAT), ("selected", BOOL)]
)
_PARTS = f"rewards.parts of {_REWARD}"
_COLUMNS = (
    PROMPT,
    Column(
        "thoughts",
        pa.list_(_THOUGHT),
        "Each with how much the learner wants to say it, from 1 to 5, as rated and with the time it was silent.",
        _PARTS,
    ),
    Column("decision", STRING, "speak, silent or interrupt, as follows from the scores.", _PARTS),
    Column("speak", BOOL, "Whether the learner spoke.", _PARTS),
    Column("completion", MESSAGES, "What it said: one message of the assistant, none where it was silent.", "turns"),
    Column("floor", STRING, "Whose turn it was: mine, anyone or theirs.", _PARTS),
    Column("turns_silent", INT, "Turns since the learner spoke last.", _PARTS),
    *IDS,
)


def _rows(table: pa.Table) -> pa.Table:
    records = (record for record in map(from_row, table.to_pylist()) if published(record))
    return pa.Table.from_pylist([row for record in records for row in _of(record)], schema=THOUGHTS.schema)


def _of(record: Record) -> Iterator[dict[str, Any]]:
    for reward in record.rewards:
        if reward.name == _REWARD and reward.turn is not None and reward.value is not None:
            parts, dialogue = reward.parts, record.dialogue
            yield {
                "prompt": _said(dialogue, 0, reward.turn),
                "thoughts": [{f.name: t[f.name] for f in _THOUGHT} for t in parts["thoughts"]],
                **{name: parts[name] for name in ("decision", "floor", "turns_silent")},
                "speak": parts["spoke"],
                "completion": _said(dialogue, reward.turn, reward.turn + 1) if parts["spoke"] else [],
                **ids(record, reward.turn),
            }


def _said(dialogue: Dialogue, start: int, stop: int) -> list[dict[str, str]]:
    return messages(dialogue.model_copy(update={"turns": dialogue.turns[start:stop]}))


THOUGHTS = DatasetView(
    "thoughts",
    "What the learner thought before a turn of its own, said or withheld.",
    _COLUMNS,
    _rows,
    private=True,
)
