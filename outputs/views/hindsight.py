"""Learn-to-Ask (methods §12): before each of the learner's decisions, whether hindsight says to go on asking."""

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.views.public import flat
from outputs.views.rows import assembled
from outputs.views.said import last_words, numbers, said
from outputs.views.sft import own_words, succeeded
from outputs.views.shortcuts import Features, alone
from outputs.views.view import BOOL, COMPLETION, IDS, PROMPT, STRING, Column, DatasetView

_PARTS = "rewards.parts{decision_truth} of learn_to_ask"
_COLUMNS = (
    PROMPT,
    Column("decision", STRING, "continue where something asked for from here on was still unknown, else stop.", _PARTS),
    COMPLETION,
    Column("asks", BOOL, "Whether the completion goes on.", "rewards.parts{decision} of learn_to_ask"),
    Column("right", BOOL, "Whether that is what hindsight says.", _PARTS),
    *IDS,
)


def _rows(table: pa.Table) -> pa.Table:
    """Of dialogues that reached their goal: who asks on and on is never wrong by hindsight."""
    talk = said(table)
    found, lengths = flat(table["hindsight"])
    dialogue = np.repeat(np.arange(len(lengths)), lengths)
    sizes = np.bincount(talk.of, minlength=len(lengths))
    turn = numbers(pc.struct_field(found, "turn"))
    inside = np.flatnonzero(turn < sizes[dialogue])
    place = (np.cumsum(sizes) - sizes)[dialogue[inside]] + turn[inside]
    kept = (own_words(talk) & (succeeded(table) & talk.on_policy)[talk.of])[place]
    turns, rows = place[kept], pa.array(inside[kept])
    due = pc.struct_field(found, "due").take(rows)
    decision = pc.struct_field(found, "decision").take(rows)
    values = {
        "prompt": talk.before(turns),
        "decision": due,
        "completion": talk.at(turns),
        "asks": pc.equal(decision, "continue"),
        "right": pc.equal(decision, due),
        "turn": talk.place[turns],
    }
    return assembled(_COLUMNS, table, talk.of[turns], values)


def _features(rows: pa.Table) -> Features:
    """Of what was said last: the completion has the learner's decision in it."""
    return alone(last_words(rows["prompt"]), rows["policy"], numbers(pc.equal(rows["decision"], "continue")))


HINDSIGHT_VIEW = DatasetView(
    "hindsight",
    "A decision of the learner in a dialogue that reached its goal: to go on asking, or to stop.",
    _COLUMNS,
    _rows,
    needs=("turns", "hindsight"),
    features=_features,
)
