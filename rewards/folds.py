"""What rewards read off a dialogue: folds over its turns and its scenario."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from schemas.dialogue import Dialogue, Turn
from schemas.record import Record
from schemas.scenario import Fact

_ASKS = re.compile(r"\?[\s!?.\"'”’»)\]]*$")


def learner_turns(dialogue: Dialogue) -> list[tuple[int, Turn]]:
    """The learner's utterances and silences with their place among all turns."""
    return [(n, t) for n, t in enumerate(dialogue.turns) if t.role == dialogue.learner and t.kind != "event"]


class Step(NamedTuple):
    """A turn of the learner and what followed it."""

    place: int
    """Among all turns."""
    turn: Turn
    before: tuple[Turn, ...]
    known: frozenset[str]
    """Facts that had come out before it."""
    replies: tuple[Turn, ...]
    """What the others did until the learner's next turn."""

    @property
    def gained(self) -> frozenset[str]:
        """Facts that the replies brought out for the first time."""
        return frozenset(i for t in self.replies for i in (*t.facts_disclosed, *t.facts_volunteered)) - self.known


def steps(dialogue: Dialogue) -> list[Step]:
    """One a turn of the learner, in order."""
    mine = learner_turns(dialogue)
    ends = [*(n for n, _ in mine[1:]), len(dialogue.turns)]
    known = {n: facts for n, _, facts in before_each(dialogue)}
    turns = dialogue.turns
    return [
        Step(n, turn, turns[:n], known[n], tuple(t for t in turns[n + 1 : end] if t.role != dialogue.learner))
        for (n, turn), end in zip(mine, ends, strict=False)
    ]


def is_question(turn: Turn) -> bool:
    """A turn asks if its speaker labelled it so (`ask` among its acts) or its text ends with a question mark.

    A question mark in the middle does not count: what follows it took the turn somewhere else. A turn is one question.
    """
    return turn.kind == "utterance" and ("ask" in turn.acts or bool(_ASKS.search(turn.text or "")))


def is_correct(dialogue: Dialogue, turn: Turn) -> bool | None:
    """Whether the turn's answer verifies; without a verifier what was recorded, None without either."""
    verifier = dialogue.scenario.verifier
    if verifier is None or verifier.kind == "python":  # whose answers were run when they were given
        return turn.answer_correct
    return verifier.check(turn.answer)


def success(dialogue: Dialogue) -> tuple[float | None, str | None]:
    """1 if the learner's last answer verifies, else 0 (methods §2); without a verifier, and where to ask in vain is a
    failure (methods §4), what the family's program found; None with the reason where nothing can be said.
    """
    verifier = dialogue.scenario.verifier
    if verifier is None or "final_correct" in dialogue.outcome:  # that label says more counts than a right answer
        return _recorded(dialogue)
    answers = [t for _, t in learner_turns(dialogue) if t.answer is not None]
    if answers and is_correct(dialogue, answers[-1]):
        return 1.0, None
    if dialogue.ending.reason == "fault":
        return None, "fault"
    return 0.0, None if answers else "no_answer"


def _recorded(dialogue: Dialogue) -> tuple[float | None, str | None]:
    recorded = dialogue.outcome.get("success")
    if not isinstance(recorded, bool):
        return None, "no_verifier"
    return (None, "fault") if dialogue.ending.reason == "fault" and not recorded else (float(recorded), None)


def wanted_facts(dialogue: Dialogue) -> list[Fact]:
    """Facts of others that the learner should learn: the required ones, or all where nothing verifiable is at stake."""
    held = [f for f in dialogue.scenario.facts if f.holder != dialogue.learner]
    required = [f for f in held if f.required]
    return required if required or dialogue.scenario.verifier is not None else held


def substituted(dialogue: Dialogue) -> bool:
    """Whether somebody else's words stand for a turn of the learner's (Q-priming, methods §2)."""
    return any(t.labels.get("question_substituted") for _, t in learner_turns(dialogue))


def on_policy(dialogue: Dialogue) -> bool:
    """Whether the learner said every turn itself, and from what it could know."""
    return not substituted(dialogue) and not any(t.labels.get("clairvoyant") for _, t in learner_turns(dialogue))


def value_of(record: Record, name: str) -> tuple[float | None, str]:
    """What a dialogue has by a reward of the whole dialogue, or None and why."""
    found = next((r for r in record.rewards if r.name == name and r.scope == "dialogue"), None)
    return (None, f"no_{name}") if found is None else (found.value, found.reason or "ok")


def same_case(record: Record, other: Record) -> bool:
    """Whether two siblings played one form of their case: a group may hold counterfactual ones."""
    mine, theirs = record.dialogue.scenario, other.dialogue.scenario
    return (mine.views, mine.plan, mine.verifier) == (theirs.views, theirs.plan, theirs.verifier)


def before_each(dialogue: Dialogue) -> Iterator[tuple[int, Turn, frozenset[str]]]:
    """Every turn with its place and the facts that had come out before it."""
    known: frozenset[str] = frozenset()
    for n, turn in enumerate(dialogue.turns):
        yield n, turn, known
        known |= {*turn.facts_disclosed, *turn.facts_volunteered}
