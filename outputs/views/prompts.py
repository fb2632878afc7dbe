"""What the learner has before it when it speaks, to sample answers from in reinforcement learning."""

import numpy as np
import orjson
import pyarrow as pa

from outputs.arrow import pc
from outputs.views.rows import assembled, played
from outputs.views.said import Said, numbers, said
from outputs.views.view import BOOL, IDS, MESSAGES, STRING, Column, DatasetView

_ANSWERS = "Holds the answer: for a reward, never for a prompt."
_COLUMNS = (
    Column("prompt", MESSAGES, "All that was said before the learner speaks; never empty.", "turns"),
    Column("ground_truth", STRING, f"The right answer; null without a verifier. {_ANSWERS}", "verifier{answer}"),
    Column("verifier", STRING, f"JSON: how an answer is checked by code; null without one. {_ANSWERS}", "verifier"),
    Column("data_source", STRING, "overture/ and the family: which reward is meant, as verl reads it.", "family"),
    Column("opening", BOOL, "Whether it is what comes before the learner's first message.", "turns"),
    Column("scenario_id", STRING, "Stable id of the sampled case.", "scenario_id"),
    *IDS,
)


def _rows(table: pa.Table) -> pa.Table:
    """What several siblings have before them is one row, of the first of them."""
    talk = said(table)
    published = numbers(table["published"])[talk.of]
    turns = np.flatnonzero(talk.own & talk.spoken & published & (talk.message > talk.first[talk.of]))
    _, first = np.unique(talk.states(played(table))[turns], return_index=True)
    turns = turns[np.sort(first)]
    of = pa.array(talk.of[turns])
    values = {
        "prompt": talk.before(turns),
        "ground_truth": _answers(table["verifier"]).take(of),
        "data_source": pc.binary_join_element_wise("overture", table["family"].take(of), "/"),
        "opening": ~_spoke_before(talk)[turns],
        "turn": talk.place[turns],
    }
    return assembled(_COLUMNS, table, talk.of[turns], values)


def _answers(verifiers: pa.ChunkedArray) -> pa.Array:
    coded = verifiers.combine_chunks().dictionary_encode()
    answers = [orjson.loads(verifier)["answer"] for verifier in coded.dictionary.to_pylist()]
    return pa.array(answers, STRING).take(coded.indices)


def _spoke_before(talk: Said) -> np.ndarray:
    """bool, of each turn: whether the learner has said something before it."""
    own = np.concatenate([[0], np.cumsum(talk.own & talk.spoken)])
    starts = np.searchsorted(talk.of, talk.of)
    return own[:-1] > own[starts]


PROMPTS = DatasetView(
    "prompts",
    "What was said before a message of the learner, with what checks an answer; each once in its group.",
    _COLUMNS,
    _rows,
    needs=("turns", "case", "verifier"),
)
