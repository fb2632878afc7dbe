"""Dialogues for views: what two sides said, in a group, with what it came to."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from corpus_samples import to_table

from outputs.parquet import write_table
from outputs.views.public import public
from outputs.views.registry import VIEWS
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.identity import stable_hash
from schemas.judgement import RewardValue, Selection
from schemas.record import Record
from schemas.scenario import Policy, Scenario, Verifier, View


def record(
    *said: str | Turn,
    name: str = "d0",
    group: str = "g",
    base: str = "case",
    success: bool | None = True,
    policy: Policy = "proactive",
    rewards: Sequence[RewardValue] = (),
    **more: Any,
) -> Record:
    """`said`: the partner's words, then the learner's, in turn; other turns as they are. `more`: split, keep, verifier,
    public.
    """
    sides, turns = ("teacher", "student"), list[Turn]()
    for what in said:
        turns.append(Turn(role=sides[len(turns) % 2], text=what) if isinstance(what, str) else what)
    verifier: Verifier | None = more.get("verifier")
    scenario = Scenario(
        family="test",
        domain="trains",
        base_case_id=base,
        seed=0,
        goal="",
        views={side: View(role=side, brief="", public=more.get("public", "")) for side in sides},
        verifier=verifier,
        scenario_id=stable_hash("group", group),
        group_id=stable_hash("group", group),
        dialogue_id=name,
        policy=policy,
    )
    return Record(
        dialogue=Dialogue(
            scenario=scenario,
            turns=tuple(turns),
            ending=Ending(reason="goal_reached"),
            learner="student",
            partner="teacher",
            outcome={} if success is None else {"success": success},
        ),
        split=more.get("split", "train"),
        rewards=tuple(rewards),
        selection=Selection(keep=more.get("keep", True)),
    )


def own(text: str | None = None, **fields: Any) -> Turn:
    """A turn of the learner."""
    return Turn(role="student", text=text, kind="silence" if text is None else "utterance", **fields)


def view_rows(name: str, records: Iterable[Record]) -> list[dict[str, Any]]:
    """Of a view, shortcuts and all, as its schema declares them."""
    view = VIEWS[name]
    table = to_table(records)
    rows = view.rows(table if view.private else public(table, view.needs))
    assert rows.schema == view.schema
    return rows.to_pylist()


def of_turn(name: str, turn: int, value: float | None, **parts: Any) -> RewardValue:
    return RewardValue(name=name, scope="turn", turn=turn, value=value, parts=parts, reason=None if value else "none")


def texts(messages: Iterable[dict[str, str]]) -> list[str]:
    return [m["content"] for m in messages]


def table_file(path: Path, records: Iterable[Record]) -> Path:
    write_table(path, to_table(records))
    return path


def rows_of(tables: Iterable[pa.Table]) -> list[dict[str, Any]]:
    return [row for table in tables for row in table.to_pylist()]
