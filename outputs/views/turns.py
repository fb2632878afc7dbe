"""Every turn of every published dialogue, flat."""

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.views.public import flat, listed
from outputs.views.rows import assembled
from outputs.views.said import numbers, said
from outputs.views.view import BOOL, FLOAT, IDS, INT, STRING, Column, DatasetView

_REWARD = pa.struct(
    [("name", STRING), ("value", FLOAT), ("n", INT), ("stderr", FLOAT), ("grader", STRING), ("reason", STRING)]
)
_COLUMNS = (
    *IDS[:2],
    Column("message", INT, "Place among the dialogue's messages, from 0; null for a silence or an event.", "messages"),
    Column("role", STRING, "assistant for the learner, user for everybody else.", "turns.role"),
    Column("speaker", STRING, "Who acted, as the family calls them.", "turns.role"),
    Column("kind", STRING, "utterance, silence or event.", "turns.kind"),
    Column("text", STRING, "The words; null exactly for a silence.", "turns.text"),
    Column("intent_detected", STRING, "Intent a detector found in the words.", "turns.intent_detected"),
    Column("acts", pa.list_(STRING), "Dialogue acts.", "turns.acts"),
    Column(
        "answer_correct",
        BOOL,
        "What the verifier said of the answer; null where none is given.",
        "turns.answer_correct",
    ),
    Column(
        "question_substituted",
        BOOL,
        "Whether the question was put in the learner's mouth; null where nobody could have.",
        "turns.labels{question_substituted}",
    ),
    Column(
        "clairvoyant", BOOL, "Whether it follows from what the speaker could not know.", "turns.labels{clairvoyant}"
    ),
    Column(
        "topic_shift",
        BOOL,
        "Whether it leaves the topic; null where topics are not followed.",
        "turns.labels{topic_shift}",
    ),
    Column(
        "premature_attempt",
        BOOL,
        "Whether it answers before all that is needed was said.",
        "turns.labels{premature_attempt}",
    ),
    Column(
        "rewards",
        pa.list_(_REWARD),
        "Rewards of the turn: value, samples behind it, standard error, who graded, or why there is none.",
        "rewards",
    ),
    Column("success", BOOL, "Whether the dialogue reached its goal; null where it has none.", "success"),
    *IDS[2:],
)


def _rows(table: pa.Table) -> pa.Table:
    talk = said(table)
    turns = np.flatnonzero(numbers(table["published"])[talk.of])
    rows = pa.array(turns)
    named = ("role", "speaker", "kind", "text", "intent_detected", "acts", "answer_correct")
    flags = ("question_substituted", "clairvoyant", "topic_shift", "premature_attempt")
    message = talk.message - talk.first[talk.of]
    values = {
        **{name: talk.field(name).take(rows) for name in (*named, *flags)},
        "turn": talk.place[turns],
        "message": pa.array(message[turns], mask=~talk.spoken[turns]),
        "rewards": _rewards(table, talk.of).take(rows),
    }
    return assembled(_COLUMNS, table, talk.of[turns], values)


def _rewards(table: pa.Table, of: np.ndarray) -> pa.ListArray:
    """Those of each turn, in their order."""
    rewards, lengths = flat(table["rewards"])
    turn = pc.fill_null(pc.struct_field(rewards, "turn"), -1).to_numpy(zero_copy_only=False)
    dialogue = np.repeat(np.arange(len(lengths)), lengths)
    sizes = np.bincount(of, minlength=len(lengths))
    starts = np.cumsum(sizes) - sizes
    scoped = numbers(pc.fill_null(pc.equal(pc.struct_field(rewards, "scope"), "turn"), False))
    chosen = np.flatnonzero(scoped & (turn >= 0) & (turn < sizes[dialogue]))
    number = starts[dialogue[chosen]] + turn[chosen]
    order = np.argsort(number, kind="stable")
    kept = rewards.take(pa.array(chosen[order]))
    fields = pa.StructArray.from_arrays([pc.struct_field(kept, f.name) for f in _REWARD], fields=list(_REWARD))
    return listed(fields, np.bincount(number, minlength=len(of)))


TURNS_VIEW = DatasetView(
    "turns",
    "A turn of a published dialogue, silences and events included.",
    _COLUMNS,
    _rows,
    needs=("turns", "rewards"),
)
