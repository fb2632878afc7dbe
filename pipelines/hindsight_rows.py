"""Contexts of an expert's dialogue with what the expert did next and asked for later, and what questions earn there
(methods §12).
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from filters.wording import telling, tokens
from pipelines.hindsight_logs import Go, Log
from pipelines.hindsight_reading import Asked, Reading, cleaned, phase, questions
from rewards.learn_to_ask import Decision, Parts, fused
from schemas.identity import derive
from schemas.table import MESSAGE

Source = Literal["expert", "other", "model"]
_GRADES = [(name, pa.float64()) for name in ("R_s", "R_a", "P", "reward_product", "reward_sum")]
_TEXTS = ("source", "text", "decision", "grader", "reason")
HINDSIGHT = pa.schema(
    [
        *((name, pa.string()) for name in ("cid", "dialogue_id", "group_id", "source", "split")),
        ("turn", pa.int32()),
        ("context", pa.list_(MESSAGE)),
        ("question", pa.string()),
        ("asks", pa.bool_()),
        ("decision_truth", pa.string()),
        ("info_truth", pa.list_(pa.struct([("turn", pa.int32()), ("slot", pa.string()), ("value", pa.string())]))),
        ("extractor", pa.string()),
        ("reason", pa.string()),
        ("candidates", pa.list_(pa.struct([*((name, pa.string()) for name in _TEXTS), *_GRADES]))),
    ],
    metadata={"overture.hindsight": "1"},
)
STOP = "STOP"
"""What a model says instead of a question."""
PROGRAM = "program"
UNREAD = "unread_turns"
"""The judge failed at a turn on which it depends."""
EXCERPT = "excerpt"
_GENERIC = telling(
    "other else anything anyone nothing kind sort type current moment notice tell more bit mind ask question couple"
    " move happen start experience regularly usually normally recently ever now today still long often um uh erm you've"
    " what's how's who's when's where's term first able aware either"
)
"""What any question may hold."""
_SAME = 0.5
_POOL = 20_000
"""Most questions that candidates from other dialogues are drawn from: the first of the file."""


class Cut(NamedTuple):
    """The dialogue before one go of the expert."""

    log: Log
    go: Go
    asks: bool
    decision: Decision | None
    info: tuple[Asked, ...] | None
    reason: str | None
    """Why the one or the other is None."""

    @property
    def cid(self) -> str:
        return f"{self.log.dialogue_id}_{self.go.turn}"


class Candidate(NamedTuple):
    """What could be said next."""

    source: Source
    text: str | None
    decision: Decision | None
    reason: str | None = None
    """Why there is no text."""


class Micro(NamedTuple):
    value: float | None
    grader: str
    reason: str | None = None


def cuts(log: Log, readings: Sequence[Reading | None], excerpt: bool) -> list[Cut]:
    """At every go of the asking, and at the one that ends it. Empty where nothing is asked.

    Of an excerpt no decision is known. A reading that is None makes unknown what depends on it: the decision between
    the earliest and the latest end of the asking, and what is asked for later.
    """
    goes = log.goes()
    asking = phase(readings)
    found: list[Cut] = []
    for n, go in enumerate(goes[: asking.most + 1]):
        ends = n == asking.most
        if ends and excerpt:
            break
        decision: Decision | None = "stop" if ends else "continue"
        if excerpt or (asking.least < asking.most and asking.least <= n):
            decision = None
        later = list(zip(goes, readings, strict=True))[n : asking.most]
        lost = any(reading is None for _, reading in later) or (decision is None and not excerpt)
        asked = tuple(Asked(g.turn, slot, value) for g, r in later if r is not None for slot, value in r.slots)
        reading = readings[n]
        reason = UNREAD if lost else EXCERPT if excerpt else None
        asks = bool(reading is not None and reading.slots) and not ends
        found.append(Cut(log, go, asks, decision, None if lost else asked, reason))
    return found if asking.most else []


class Pool:
    """Questions of all dialogues of a file, to be asked where they do not belong."""

    def __init__(self, logs: Iterable[Log]):
        self._of: dict[str, list[tuple[str, str]]] = {}
        for log in logs:
            held = self._of.setdefault(log.source, [])
            if len(held) < _POOL:
                held += [(log.group_id, go.text) for go in log.goes() if questions(go.text)]

    def other(self, cut: Cut) -> Candidate:
        """A question of another group of the same source, drawn by the context's id."""
        held = self._of.get(cut.log.source, [])
        start = derive(0, "other", cut.cid) % len(held) if held else 0
        for group, text in (*held[start:], *held[:start]):
            if group != cut.log.group_id:
                return Candidate("other", text, "continue")
        return Candidate("other", None, None, "no_other_dialogue")


def overlap(text: str, slots: Collection[str]) -> float:
    """R_a by words: 1 where a question of `text` shares half of its content with something that was asked for later
    (Jaccard of word stems; of questions without content, of all words), .5 where it shares any, else 0.
    """
    best = 0.0
    for question in questions(text) or (text,):
        about = _stems(question)
        for slot in slots:
            theirs = _stems(slot)
            if about and theirs:
                share = _jaccard(about, theirs)
                best = max(best, 1.0 if share >= _SAME else 0.5 if share else 0.0)
            elif not about and not theirs and _jaccard(_words(question), _words(slot)) >= _SAME:
                best = 1.0
    return best


def _stems(text: str) -> frozenset[str]:
    return telling(cleaned(text)) - _GENERIC


def _words(text: str) -> frozenset[str]:
    return frozenset(tokens(cleaned(text)))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def graded_by_words(cut: Cut, candidate: Candidate) -> Micro:
    if (known := known_grade(cut, candidate)) is not None:
        return known
    return Micro(overlap(str(candidate.text), [a.slot for a in cut.info or ()]), PROGRAM)


def known_grade(cut: Cut, candidate: Candidate) -> Micro | None:
    """What needs no grader; None where one is needed."""
    if candidate.text is None:
        return Micro(None, PROGRAM, candidate.reason)
    if candidate.source == "expert" and cut.decision != "stop" and not cut.asks:
        return Micro(None, PROGRAM, UNREAD if cut.info is None else "asks_nothing")
    if cut.info is None:
        return Micro(None, PROGRAM, cut.reason)
    if cut.decision == "stop":
        return Micro(1.0 if candidate.decision == "stop" else 0.0, PROGRAM)
    return Micro(0.0, PROGRAM) if candidate.decision == "stop" else None


def row(cut: Cut, extractor: str, graded: Iterable[tuple[Candidate, Micro]], beta: float) -> dict[str, Any]:
    return {
        "cid": cut.cid,
        "dialogue_id": cut.log.dialogue_id,
        "group_id": cut.log.group_id,
        "source": cut.log.source,
        "split": cut.log.split,
        "turn": cut.go.turn,
        "context": cut.log.context(cut.go.turn),
        "question": cut.go.text,
        "asks": cut.asks,
        "decision_truth": cut.decision,
        "info_truth": None if cut.info is None else [asked._asdict() for asked in cut.info],
        "extractor": extractor,
        "reason": cut.reason,
        "candidates": [_candidate(cut, candidate, micro, beta) for candidate, micro in graded],
    }


def _candidate(cut: Cut, candidate: Candidate, micro: Micro, beta: float) -> dict[str, Any]:
    parts = _parts(cut, candidate, micro, beta)
    return {
        **candidate._asdict(),
        "grader": micro.grader,
        "reason": micro.reason or (cut.reason if cut.decision is None else None),
        "R_s": None if parts is None else parts.R_s,
        "R_a": micro.value if parts is None else parts.R_a,
        "P": None if parts is None else parts.P,
        "reward_product": None if parts is None else parts.product,
        "reward_sum": None if parts is None else parts.sum,
    }


def _parts(cut: Cut, candidate: Candidate, micro: Micro, beta: float) -> Parts | None:
    if candidate.text is None or candidate.decision is None or cut.decision is None or micro.value is None:
        return None
    asked = len(questions(candidate.text))
    form = float(asked == 1 if candidate.decision == "continue" else asked == 0)
    return fused(candidate.decision, cut.decision, micro.value, form, beta)
