"""Pairs of what a learner could say after the same words, one of which turned out better: of siblings (the same
scenario under several policies or seeds) and of the candidates that were played on (methods §3).

A pair needs a gap that exceeds its error: CollabLLM's score gap, and one standard error of the difference (§3). What a
sibling came to was seen once and has no error, unless several siblings said the same there.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import sqrt
from statistics import fmean, stdev
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.views.public import flat, listed
from outputs.views.rows import assembled, of_turns, played
from outputs.views.said import Said, numbers, said
from outputs.views.sft import own_words
from outputs.views.shortcuts import Features, coded, first_words, questions, words
from outputs.views.view import FLOAT, IDS, INT, MESSAGES, PROMPT, STRING, Column, DatasetView
from schemas.table import MESSAGE

GAP = 0.02
"""Of the scores, that a pair needs at least."""
_RETURN, _SUCCESS, _ROLLED = "discounted_return", "success", "multiturn_aware"
_SCORE = "In units of the reward; of several samples their mean."
_COLUMNS = (
    PROMPT,
    Column("chosen", MESSAGES, "The better answer: one message of the assistant.", "turns; rewards.parts{candidates}"),
    Column("rejected", MESSAGES, "The worse one.", "turns; rewards.parts{candidates}"),
    Column("score_chosen", FLOAT, f"What the better one came to. {_SCORE}", "rewards"),
    Column("score_rejected", FLOAT, f"What the worse one came to. {_SCORE}", "rewards"),
    Column("margin", FLOAT, "score_chosen less score_rejected.", "rewards"),
    Column("margin_stderr", FLOAT, "Standard error of the margin; null where a side was seen once.", "rewards"),
    Column(
        "reward", STRING, "Name of the reward that scores: discounted_return, success or multiturn_aware.", "rewards"
    ),
    Column("source", STRING, "siblings, or candidates of one turn.", "group_id; rewards.parts{candidates}"),
    Column("n_chosen", INT, "Samples behind score_chosen.", "rewards"),
    Column("n_rejected", INT, "Samples behind score_rejected.", "rewards"),
    Column("questions_chosen", INT, "Question marks of the better one.", "turns.text"),
    Column("questions_rejected", INT, "Question marks of the worse one.", "turns.text"),
    Column("policy_chosen", STRING, "How the learner of the better one was played.", "policy"),
    Column("policy_rejected", STRING, "How the learner of the worse one was played.", "policy"),
    Column("rejected_id", STRING, "Dialogue of the worse one; dialogue_id is that of the better.", "dialogue_id"),
    Column("candidate_chosen", INT, "Number of the better candidate, 0 as it was said; null of siblings.", "rewards"),
    Column("candidate_rejected", INT, "Number of the worse candidate; null of siblings.", "rewards"),
    *IDS,
)


class Side(NamedTuple):
    """What could be said at a turn, and what it came to."""

    turn: int
    """Among all turns of the table."""
    text: str
    reward: str
    score: float
    n: int
    stderr: float | None
    candidate: int | None = None


class Pair(NamedTuple):
    chosen: Side
    rejected: Side

    @property
    def margin(self) -> float:
        return self.chosen.score - self.rejected.score

    @property
    def stderr(self) -> float | None:
        one, other = self.chosen.stderr, self.rejected.stderr
        return None if one is None or other is None else sqrt(one * one + other * other)

    @property
    def clear(self) -> bool:
        return self.margin > max(GAP, self.stderr or 0.0)


def _rows(table: pa.Table) -> pa.Table:
    talk = said(table)
    pairs = [*_of_siblings(table, talk), *_of_candidates(table, talk)]
    chosen, rejected = [p.chosen for p in pairs], [p.rejected for p in pairs]
    turns = np.array([s.turn for s in chosen], np.int64)
    others = talk.of[np.array([s.turn for s in rejected], np.int64)]
    better, worse = (pa.array([s.text for s in sides], STRING) for sides in (chosen, rejected))
    values = {
        "prompt": talk.before(turns),
        "chosen": _messages(better),
        "rejected": _messages(worse),
        "score_chosen": [s.score for s in chosen],
        "score_rejected": [s.score for s in rejected],
        "margin": [p.margin for p in pairs],
        "margin_stderr": [p.stderr for p in pairs],
        "reward": [s.reward for s in chosen],
        "source": ["siblings" if s.candidate is None else "candidates" for s in chosen],
        "n_chosen": [s.n for s in chosen],
        "n_rejected": [s.n for s in rejected],
        "questions_chosen": questions(better),
        "questions_rejected": questions(worse),
        "policy_chosen": table["policy"].take(pa.array(talk.of[turns])),
        "policy_rejected": table["policy"].take(pa.array(others)),
        "rejected_id": table["dialogue_id"].take(pa.array(others)),
        "candidate_chosen": [s.candidate for s in chosen],
        "candidate_rejected": [s.candidate for s in rejected],
        "turn": talk.place[turns],
    }
    return assembled(_COLUMNS, table, talk.of[turns], values)


def matched(sides: Sequence[Side]) -> Iterator[Pair]:
    """The best with the worst, the second best with the second worst: nothing is in two pairs."""
    ranked = sorted(sides, key=lambda side: -side.score)
    pairs = (Pair(ranked[n], ranked[-1 - n]) for n in range(len(ranked) // 2))
    return (pair for pair in pairs if pair.clear)


def _of_siblings(table: pa.Table, talk: Said) -> Iterator[Pair]:
    """At the first turn at which the learners of siblings said different things."""
    eligible = numbers(table["published"]) & talk.on_policy & numbers(pc.is_valid(table["success"]))
    turns = np.flatnonzero(talk.own & talk.spoken & eligible[talk.of])
    states = talk.states(played(table))[turns]
    _, inverse, counts = np.unique(states, return_inverse=True, return_counts=True)
    shared = counts[inverse] > 1
    order = np.argsort(states[shared], kind="stable")
    turns, states = turns[shared][order], states[shared][order]
    scores = of_turns(table, talk, _RETURN)[turns]
    reached = numbers(pc.cast(table["success"].take(pa.array(talk.of[turns])), FLOAT))
    whole = np.isnan(scores)
    texts = talk.field("text").take(pa.array(turns)).to_pylist()
    given = zip(
        states.tolist(), turns.tolist(), texts, np.where(whole, reached, scores).tolist(), whole.tolist(), strict=True
    )
    for _, heard in groupby(given, key=lambda row: row[0]):
        rows = list(heard)
        for kind, name in ((False, _RETURN), (True, _SUCCESS)):
            said_there: dict[str, list[tuple[int, float]]] = {}
            for _, turn, text, score, of_whole in rows:
                if of_whole == kind:
                    said_there.setdefault(text, []).append((turn, score))
            yield from matched([_side(text, name, seen) for text, seen in said_there.items()])


def _side(text: str, reward: str, seen: Sequence[tuple[int, float]]) -> Side:
    scores = [score for _, score in seen]
    error = stdev(scores) / sqrt(len(scores)) if len(scores) > 1 else None
    return Side(seen[0][0], text, reward, fmean(scores), len(scores), error)


def _of_candidates(table: pa.Table, talk: Said) -> Iterator[Pair]:
    """Of the turns that were played on."""
    found, lengths = flat(table["candidates"])
    sizes = np.bincount(talk.of, minlength=len(lengths))
    begins = np.repeat(np.cumsum(sizes) - sizes, lengths)
    eligible = own_words(talk) & (numbers(table["published"]) & talk.on_policy)[talk.of]
    rows = zip(begins.tolist(), np.repeat(sizes, lengths).tolist(), found.to_pylist(), strict=True)
    for (begin, size, place), told in groupby(rows, key=lambda row: (row[0], row[1], row[2]["turn"])):
        if place < size and eligible[begin + place]:
            sides = [
                Side(begin + place, c["text"], _ROLLED, c["value"], c["n"], c["stderr"], c["number"])
                for _, _, c in told
            ]
            yield from matched(sides)


def _messages(texts: pa.Array) -> pa.ListArray:
    roles = pa.array(["assistant"] * len(texts), STRING)
    messages = pa.StructArray.from_arrays([roles, texts], fields=list(MESSAGE))
    return listed(messages, np.ones(len(texts), np.int64)).cast(MESSAGES)


def _features(rows: pa.Table) -> Features:
    better, worse = (pc.struct_field(flat(rows[side])[0], "content") for side in ("chosen", "rejected"))
    longer = np.sign(words(better) - words(worse))
    asking = np.sign(numbers(rows["questions_chosen"]) - numbers(rows["questions_rejected"]))
    return Features(
        ours={
            "length": longer,
            "question_marks": asking,
            "policy": coded(rows["policy_chosen"]),
            "first_word": first_words(better),
        },
        theirs={
            "length": -longer,
            "question_marks": -asking,
            "policy": coded(rows["policy_rejected"]),
            "first_word": first_words(worse),
        },
        good=np.ones(rows.num_rows, bool),
    )


PREFERENCE = DatasetView(
    "preference",
    "Two things the learner could say after the same words, of which one came to more than the other.",
    _COLUMNS,
    _rows,
    needs=("turns", "rewards", "candidates", "case"),
    features=_features,
)
