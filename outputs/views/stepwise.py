"""Dialogues step by step, each step with a label, for process rewards."""

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.views.public import listed
from outputs.views.rows import assembled, of_turns, wrong
from outputs.views.said import Said, numbers, said
from outputs.views.view import BOOL, INT, OF_DIALOGUE, PROMPT, STRING, Column, DatasetView

REWARD = "stop_decision"
_COLUMNS = (
    PROMPT._replace(meaning="All that was said before the learner's first message; empty where it opens."),
    Column(
        "completions",
        pa.list_(STRING),
        "The steps: each ends with a message of the learner, behind what was said since the step before. Lines begin "
        "with assistant or user and a colon.",
        "turns",
    ),
    Column(
        "labels",
        pa.list_(BOOL),
        "Of each step: whether going on, committing or leaving was due, and no wrong answer.",
        "rewards.value, turns.answer_correct",
    ),
    Column("turns", pa.list_(INT), "Of each step: place of its learner's message among all turns, from 0.", "turns"),
    Column("reward", STRING, "Name of the reward that gives the labels.", "rewards.name"),
    *OF_DIALOGUE,
)


def _rows(table: pa.Table) -> pa.Table:
    """Messages of the learner that decide nothing are part of the step that comes after them."""
    talk = said(table)
    values = of_turns(table, talk, REWARD)
    wanted = numbers(table["published"]) & talk.on_policy
    steps = np.flatnonzero(talk.own & talk.spoken & ~np.isnan(values) & wanted[talk.of])
    of, counts = np.unique(talk.of[steps], return_counts=True)
    opening = _openings(talk)[of]
    fields = {
        "prompt": talk.before(opening),
        "completions": listed(_texts(talk, steps, opening), counts),
        "labels": listed(pa.array((values == 1)[steps] & ~wrong(talk)[steps]), counts),
        "turns": listed(pa.array(talk.place[steps], INT), counts),
        "reward": pa.array([REWARD] * len(of), STRING),
    }
    return assembled(_COLUMNS, table, of, fields)


def _openings(talk: Said) -> np.ndarray:
    """Of each dialogue the learner's first message; 0 where it has none."""
    own = np.flatnonzero(talk.own & talk.spoken)
    of, first = np.unique(talk.of[own], return_index=True)
    found = np.zeros(len(talk.first), np.int64)
    found[of] = own[first]
    return found


def _texts(talk: Said, steps: np.ndarray, opening: np.ndarray) -> pa.Array:
    """What was said since the step before, or since the learner's first message."""
    lines = pc.binary_join_element_wise(
        pc.struct_field(talk.messages, "role"), pc.struct_field(talk.messages, "content"), ": "
    ).to_pylist()
    begins = np.unique(talk.of[steps], return_index=True)[1]
    stops = talk.message[steps] + 1
    starts = np.concatenate([[0], stops[:-1]]) if len(stops) else stops
    starts[begins] = talk.message[opening]
    return pa.array(["\n".join(lines[a:b]) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)], STRING)


STEPWISE = DatasetView(
    "stepwise",
    "A dialogue in the steps of its learner, each labelled for what it decided.",
    _COLUMNS,
    _rows,
    needs=("turns", "rewards"),
)
