"""To speak or to stay silent (methods §15), at each turn at which the learner chose."""

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.views.rows import assembled
from outputs.views.said import last_words, numbers, said
from outputs.views.shortcuts import Features, alone
from outputs.views.view import BOOL, IDS, MESSAGES, PROMPT, Column, DatasetView

_COLUMNS = (
    PROMPT,
    Column("speak", BOOL, "Whether the learner spoke.", "turns.kind, turns.decision"),
    Column("completion", MESSAGES, "What it said: one message of the assistant, none where it was silent.", "turns"),
    *IDS,
)


def _rows(table: pa.Table) -> pa.Table:
    """Where speaking was the only choice nothing is learnt: a turn counts if it is a silence, or its decision is on
    record as one between the two.
    """
    talk = said(table)
    silent = talk.own & numbers(pc.fill_null(pc.equal(talk.field("kind"), "silence"), False))
    chose = talk.own & talk.spoken & numbers(pc.is_valid(talk.field("speaks"))) & ~talk.flag("clairvoyant")
    published = numbers(table["published"]) & talk.on_policy
    turns = np.flatnonzero((silent | chose) & published[talk.of])
    values = {
        "prompt": talk.before(turns),
        "speak": talk.spoken[turns],
        "completion": talk.at(turns),
        "turn": talk.place[turns],
    }
    return assembled(_COLUMNS, table, talk.of[turns], values)


def _features(rows: pa.Table) -> Features:
    """Of what was said last: the completion has the label in it."""
    return alone(last_words(rows["prompt"]), rows["policy"], numbers(rows["speak"]))


SILENCE = DatasetView(
    "silence",
    "A turn at which the learner chose between speaking and silence.",
    _COLUMNS,
    _rows,
    features=_features,
)
