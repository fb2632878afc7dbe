"""What a learner still needs before each of its turns: the hidden side that questions and decisions are measured by
(methods §12: hidden facts not yet revealed that the goal needs, the oracle target).
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from rewards.folds import Step, is_question, steps, wanted_facts
from schemas.dialogue import Dialogue, Turn
from schemas.scenario import Fact

_MIND = {"cooperation", "emotion", "trust", "patience", "concerns", "severity", "decision"}


class Need(NamedTuple):
    """Before a turn of the learner."""

    step: Step
    open: tuple[Fact, ...]
    """Wanted, and not out."""
    denied: frozenset[str]
    """Ids of what somebody said they do not know."""
    refused: bool
    """Whether questions were turned down."""

    @property
    def askable(self) -> list[Fact]:
        """What a question may bring out, as far as was said."""
        return [] if self.refused else [f for f in self.open if f.id not in self.denied]

    @property
    def coming(self) -> list[Fact]:
        """What comes out by itself."""
        return [f for f in self.open if f.disclose == "volunteered" and f.id not in self.denied]

    @property
    def unknown(self) -> bool:
        """Whether something is open, and all of it was said to be unknown."""
        return bool(self.open) and all(f.id in self.denied for f in self.open)


def needs(dialogue: Dialogue) -> list[Need]:
    """One a turn of the learner, in order."""
    wanted = wanted_facts(dialogue)
    found: list[Need] = []
    for step in steps(dialogue):
        denied = frozenset(i for t in step.before for i in t.labels.get("denied", ()))
        left = tuple(f for f in wanted if f.id not in step.known)
        found.append(Need(step, left, denied, _refused(step.before)))
    return found


def asks(turn: Turn) -> bool:
    """Whether a turn asks for something it needs to know: no question that comes with a greeting, no request."""
    greets = "greet" in (turn.intent_requested, turn.intent_detected)
    return bool(turn.facts_asked) or (is_question(turn) and not greets and "appraisal" not in turn.labels)


def mind(dialogue: Dialogue, turns: Iterable[Turn]) -> dict[str, Any] | None:
    """The state of the partner's mind (methods §19) after these turns; None where the family keeps none."""
    start = dialogue.scenario.plan.get("state")
    found = next((t.state for t in reversed(list(turns)) if t.state), start)
    return found if isinstance(found, dict) and found.keys() >= _MIND else None


def _refused(before: tuple[Turn, ...]) -> bool:
    """Questions are turned down for good (`refuses`), nothing is needed (`decided`), or an attempt is wanted first
    (the intent `refuse`). Who turns down a request has not turned down questions unless nothing would move them.
    """
    if not before:
        return False
    last = before[-1]
    if last.state is not None and "never" in last.state:
        return bool(last.state["never"] and last.state["refused"])
    said = any(t.labels.get("refuses") or t.labels.get("decided") for t in before)
    return said or last.intent_requested == "refuse"
