"""What somebody who thinks along decides, from what its thoughts are worth to it: the formulas of Inner Thoughts
(methods §14), without any model.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rewards.folds import is_question
from schemas.dialogue import Dialogue, Turn

SILENCE = 1.01
LOW, HIGH = 1.0, 5.0
Floor = Literal["mine", "anyone", "theirs"]
Decision = Literal["speak", "silent", "interrupt"]


class Thresholds(NamedTuple):
    im: float
    """From which a thought is said where anybody may speak."""
    interrupt: float
    """From which it is said where it is another's turn."""
    quick: float
    """How often a quick thought is said where anybody may speak and no thought reaches `im`."""


class Scored(NamedTuple):
    type: Literal["quick", "slow"]
    """A reflex (system 1), or what memory brings up (system 2)."""
    score_adj: float


def adjusted(score_raw: float, turns_silent: int) -> float:
    """clip(score 1.01^(turns silent), 1, 5)"""
    return min(HIGH, max(LOW, score_raw * SILENCE**turns_silent))


def decide(thoughts: Sequence[Scored], floor: Floor, draw: float, given: Thresholds) -> tuple[Decision, int | None]:
    """And the number of the thought that is said. `draw`: uniform in [0, 1), for the quick one. Of equal thoughts the
    first counts.
    """
    best = max(range(len(thoughts)), key=lambda n: thoughts[n].score_adj)
    if floor == "mine":
        return "speak", best
    if floor == "theirs":
        return ("interrupt", best) if thoughts[best].score_adj >= given.interrupt else ("silent", None)
    if thoughts[best].score_adj >= given.im:
        return "speak", best
    quick = next((n for n, thought in enumerate(thoughts) if thought.type == "quick"), None)
    return ("speak", quick) if quick is not None and draw < given.quick else ("silent", None)


def floor_of(before: Sequence[Turn], learner: str) -> Floor:
    """Whose turn it is in a talk of two: the learner's where it was asked, the other's where its own words stand last,
    else anybody's. The method asks a model for the next speaker; of two people the words decide.
    """
    last = next((t for t in reversed(before) if t.kind == "utterance"), None)
    if last is None:
        return "anyone"
    if last.role == learner:
        return "theirs"
    return "mine" if is_question(last) else "anyone"


def turns_silent(before: Sequence[Turn], learner: str) -> int:
    """Since the learner's last words, or from the start where it has said none."""
    spoke = [n for n, t in enumerate(before) if t.role == learner and t.kind == "utterance"]
    return len(before) - (spoke[-1] + 1 if spoke else 0)


class Occasion(NamedTuple):
    place: int
    """Of the learner's turn, or of the turn that the other took in its place."""
    spoke: bool
    """Whether the learner said something then."""


def occasions(dialogue: Dialogue) -> list[Occasion]:
    """Where the learner could speak: its utterances, its silences, and where the other said two things in a row."""
    found: list[Occasion] = []
    for n, turn in enumerate(dialogue.turns):
        mine = turn.role == dialogue.learner and turn.kind != "event"
        passed = n > 0 and turn.kind == "utterance" and dialogue.turns[n - 1].kind == "utterance"
        if mine or (passed and turn.role == dialogue.turns[n - 1].role == dialogue.partner):
            found.append(Occasion(n, mine and turn.kind == "utterance"))
    return found
