"""The learner's turns of successful dialogues as prompt and completion, for supervised fine-tuning (methods §2)."""

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.views.rows import assembled
from outputs.views.said import Said, numbers, said
from outputs.views.view import BOOL, COMPLETION, IDS, PROMPT, Column, DatasetView

_COLUMNS = (
    PROMPT,
    COMPLETION,
    Column(
        "question_substituted",
        BOOL,
        "Whether the question was put in the learner's mouth by somebody who knew more.",
        "turns.labels{question_substituted}",
    ),
    Column("answer_correct", BOOL, "What the verifier said of the answer; null where none is given.", "turns"),
    *IDS,
)


def _rows(table: pa.Table, primed: bool) -> pa.Table:
    """A turn that follows from what the learner could not know is heard and not learnt."""
    talk = said(table)
    learnt = succeeded(table) & (talk.anywhere(talk.own & talk.flag("question_substituted")) == primed)
    turns = np.flatnonzero(own_words(talk) & learnt[talk.of])
    values = {
        "prompt": talk.before(turns),
        "completion": talk.at(turns),
        "question_substituted": talk.flag("question_substituted")[turns],
        "answer_correct": talk.field("answer_correct").take(pa.array(turns)),
        "turn": talk.place[turns],
    }
    return assembled(_COLUMNS, table, talk.of[turns], values)


def succeeded(table: pa.Table) -> np.ndarray:
    """bool, of each dialogue: published, and a success."""
    return numbers(pc.and_(table["published"], pc.fill_null(table["success"], False)))


def own_words(talk: Said) -> np.ndarray:
    """bool, of each turn: the learner's message, said from what it could know."""
    return talk.own & talk.spoken & ~talk.flag("clairvoyant")


SFT = DatasetView(
    "sft",
    "A message of the learner in a dialogue that reached its goal, behind all that was said before it.",
    _COLUMNS,
    lambda table: _rows(table, primed=False),
)
SFT_PRIMED = DatasetView(
    "sft_primed",
    "The same of dialogues in which a question was put in the learner's mouth, each marked; to be added to `sft`.",
    _COLUMNS,
    lambda table: _rows(table, primed=True),
)
