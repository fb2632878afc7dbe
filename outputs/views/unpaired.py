"""Single messages of the learner, good or not, for trainers that need no pairs (KTO)."""

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.views.public import flat
from outputs.views.rows import assembled, of_turns, wrong
from outputs.views.said import Said, numbers, said
from outputs.views.shortcuts import Features, alone, questions
from outputs.views.stepwise import REWARD
from outputs.views.view import BOOL, COMPLETION, IDS, INT, PROMPT, STRING, Column, DatasetView

_COLUMNS = (
    PROMPT,
    COMPLETION,
    Column(
        "label",
        BOOL,
        "Of a turn that decides: whether that was due, and no wrong answer. Where no turn of the dialogue was judged, "
        "of its last message: whether the dialogue reached its goal.",
        "rewards.value, turns.answer_correct; success",
    ),
    Column("reward", STRING, "Name of the reward that gives the label: stop_decision or success.", "rewards.name"),
    Column("questions", INT, "Question marks of the completion.", "turns.text"),
    *IDS,
)


def _rows(table: pa.Table) -> pa.Table:
    talk = said(table)
    decided = of_turns(table, talk, REWARD)
    wanted = (talk.own & talk.spoken) & (numbers(table["published"]) & talk.on_policy)[talk.of]
    judged = wanted & ~np.isnan(decided)
    reached = numbers(pc.cast(table["success"], "float64"))[talk.of]
    ended = _last(talk, wanted) & ~talk.anywhere(judged)[talk.of] & ~np.isnan(reached)
    turns = np.flatnonzero(judged | ended)
    completion = talk.at(turns)
    values = {
        "prompt": talk.before(turns),
        "completion": completion,
        "label": np.where(judged, (decided == 1) & ~wrong(talk), reached == 1)[turns],
        "reward": pc.if_else(pa.array(judged[turns]), REWARD, "success"),
        "questions": questions(_words(completion)),
        "turn": talk.place[turns],
    }
    return assembled(_COLUMNS, table, talk.of[turns], values)


def _last(talk: Said, wanted: np.ndarray) -> np.ndarray:
    """bool, of each turn: whether it is the last of its dialogue's that are wanted."""
    places = np.flatnonzero(wanted)
    of = talk.of[places]
    found = np.zeros(len(wanted), bool)
    found[places[np.append(of[1:] != of[:-1], True)] if len(of) else places] = True
    return found


def _words(completions: pa.ListArray | pa.ChunkedArray) -> pa.Array:
    return pc.struct_field(flat(completions)[0], "content")


def _features(rows: pa.Table) -> Features:
    return alone(_words(rows["completion"]), rows["policy"], numbers(rows["label"]))


UNPAIRED = DatasetView(
    "unpaired",
    "A message of the learner that was right or not.",
    _COLUMNS,
    _rows,
    needs=("turns", "rewards"),
    features=_features,
)
