"""What rewards read off a dialogue: folds over its turns and its scenario."""

import re
from collections.abc import Iterator

from schemas.dialogue import Dialogue, Turn
from schemas.scenario import Fact

_ASKS = re.compile(r"\?[\s!?.\"'”’»)\]]*$")


def learner_turns(dialogue: Dialogue) -> list[tuple[int, Turn]]:
    """The learner's utterances and silences with their place among all turns."""
    return [(n, t) for n, t in enumerate(dialogue.turns) if t.role == dialogue.learner and t.kind != "event"]


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
    """1 if the learner's last answer verifies, else 0 (methods §2); without a verifier what the family's program found;
    None with the reason where nothing can be said.
    """
    verifier = dialogue.scenario.verifier
    if verifier is None:
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


def before_each(dialogue: Dialogue) -> Iterator[tuple[int, Turn, frozenset[str]]]:
    """Every turn with its place and the facts that had come out before it."""
    known: frozenset[str] = frozenset()
    for n, turn in enumerate(dialogue.turns):
        yield n, turn, known
        known |= {*turn.facts_disclosed, *turn.facts_volunteered}
