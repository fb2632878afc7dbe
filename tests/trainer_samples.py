"""Dialogues that have rows for every trainer: siblings of which now the one that asks wins, now the one that answers."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from outputs.parquet import write_table
from outputs.publish import split_of
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.identity import stable_hash
from schemas.judgement import RewardValue, Selection
from schemas.record import Record, to_row
from schemas.scenario import Fact, Policy, Scenario, Verifier, View
from schemas.table import SCHEMA

HIDDEN = "One pencil costs forty-one cents."
SECRETS = (
    *("a private plan", "a private thought", "a private word", "a private part", "a private state", "a private belief"),
    *("You teach.", "41 * n", "patience", "price of a pencil"),
)
"""What one side alone knew, of every kind, and nobody says."""


SECRET_NOTES = {
    "thought": "a private thought",
    "labels": {"says": "a private word"},
    "state": {"mood": "a private state"},
    "belief": {"a private belief": 1.0},
}


def balanced(groups: int) -> list[Record]:
    return [sibling(group, asks) for group in range(groups) for asks in (True, False)]


def sibling(group: int, asks: bool) -> Record:
    """Asking is right where the number of pencils is even; else the price was told before."""
    wins = asks == (group % 2 == 0)
    policy: Policy = "proactive" if asks else "reactive"
    dialogue = Dialogue(
        scenario=_scenario(group, policy),
        turns=_turns(group, asks, wins),
        ending=Ending(reason="goal_reached" if wins else "max_turns", by="student"),
        learner="student",
        partner="teacher",
        outcome={"success": wins},
    )
    decided = RewardValue(name="stop_decision", scope="turn", turn=1, value=float(wins))
    return Record(
        dialogue=dialogue,
        recipe="sample",
        split=split_of(dialogue.scenario.base_case_id),
        rewards=(decided, RewardValue(name="success", value=float(wins), parts={"answer": "a private part"})),
        selection=Selection(keep=True),
    )


def write(path: Path, records: Sequence[Record]) -> Path:
    write_table(path, pa.Table.from_pylist([to_row(r) for r in records], schema=SCHEMA))
    return path


def _turns(group: int, asks: bool, wins: bool) -> tuple[Turn, ...]:
    answer = str((2 + group) * 41 if wins else group)
    asked = Turn(role="teacher", text=f"What do {group + 2} pencils cost?")
    last = Turn(role="student", text=f"It is {answer} cents.", answer=answer, answer_correct=wins)
    if not asks:
        return asked, last
    return (
        asked,
        Turn(
            role="student",
            text="What is one pencil?" if group % 4 < 2 else "It is how much each?",
            facts_asked=("price",),
        ),
        Turn(role="teacher", text=HIDDEN, facts_disclosed=("price",), **SECRET_NOTES),
        last,
    )


def _scenario(group: int, policy: Policy) -> Scenario:
    fact = Fact(id="price", holder="teacher", slot="the price of a pencil", value="41", text=HIDDEN)
    return Scenario(
        family="tutoring",
        domain="word_arithmetic",
        base_case_id=f"pencils-{group}",
        seed=group,
        goal="the price",
        views={
            "teacher": View(role="teacher", brief="You teach.", facts=(fact,), private={"solution": "41 * n"}),
            "student": View(role="student", brief="You learn.", public=f"What do {group + 2} pencils cost?"),
        },
        session_latents={"patience": 3},
        verifier=Verifier(kind="number", answer=str((2 + group) * 41)),
        plan={"route": "a private plan"},
        index=group,
        scenario_id=f"s{group}",
        group_id=f"g{group}",
        dialogue_id=stable_hash("trainer", group, policy),
        policy=policy,
    )
