"""Each learner turn behind two renderings of what came before it, for self-distillation from a teacher that sees more
(methods §19).
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from outputs.publish import split_of
from outputs.views.view import COMPLETION, FLOAT, IDS, MESSAGES, Column, DatasetView
from schemas.chat import Message
from schemas.record import Record, from_row
from schemas.renderings import renderings

_PARTNER = "views, turns.state"
_COLUMNS = (
    Column("view_public", MESSAGES, "All that was said before; empty where the learner opens.", "turns"),
    Column(
        "view_privileged",
        MESSAGES,
        "The same behind a system message: what the partner knows and how it feels, as it was then.",
        _PARTNER,
    ),
    COMPLETION,
    Column("state_transition", FLOAT, "What the turn changed in the partner; null without that reward.", "rewards"),
    *IDS,
)


def _rows(table: pa.Table) -> pa.Table:
    records = (record for record in map(from_row, table.to_pylist()) if published(record))
    return pa.Table.from_pylist([row for record in records for row in _of(record)], schema=DISTILLATION.schema)


def published(record: Record) -> bool:
    return record.selection is None or record.selection.keep


def ids(record: Record, place: int) -> dict[str, Any]:
    """What a row about turn number `place` has of its dialogue."""
    scenario = record.dialogue.scenario
    split = record.split or split_of(scenario.base_case_id)
    names = ("group_id", "base_case_id", "family", "domain", "policy")
    known = {name: getattr(scenario, name) for name in names}
    return {"dialogue_id": record.dialogue.id, "turn": place, "split": split, **known}


def plain(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _of(record: Record) -> Iterator[dict[str, Any]]:
    shaped = {r.turn: r.value for r in record.rewards if r.name == "state_transition" and r.scope == "turn"}
    for rendered in renderings(record.dialogue):
        yield {
            "view_public": plain(rendered.public),
            "view_privileged": plain(rendered.privileged),
            "completion": plain([rendered.said]),
            "state_transition": shaped.get(rendered.place),
            **ids(record, rendered.place),
        }


DISTILLATION = DatasetView(
    "distillation",
    "A message of the learner behind what it could know, and behind what a teacher that sees both sides knows.",
    _COLUMNS,
    _rows,
    private=True,
)
