"""A simulated person that leaves when nothing has ended: its question is open, or its program did not send it away."""

from typing import ClassVar

from filters.wording import clauses, says_bye, tokens
from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault

_LEAVES = frozenset({"bye", "close", "leave", "refuse", "accept", "withdraw", "quit", "end"})
"""Intents with which a program ends a dialogue."""


class PrematureStop(Detector):
    """Finds goodbyes of a person against its move, or with its own question unanswered."""

    kinds: ClassVar[tuple[str, ...]] = ("premature_stop",)

    def fault(self, said: Said) -> Fault | None:
        if not says_bye(said.text) or any(says_bye(t.text or "") for t in said.before[-3:]):
            return None
        wanted = said.turn.intent_requested
        if wanted in _LEAVES or (wanted is None and not _unanswered(said)):
            return None
        return Fault(turn=said.place, kind="premature_stop", detail=said.text[:80])


def _unanswered(said: Said) -> bool:
    """Its last message asked, and the other side has since said nothing that could be an answer."""
    mine = next((i for i in range(len(said.before) - 1, -1, -1) if said.before[i].role == said.turn.role), None)
    if mine is None or not (said.before[mine].text or "").rstrip().endswith("?"):
        return False
    since = " ".join(t.text or "" for t in said.before[mine + 1 :])
    return len(tokens(" ".join(clauses(since)))) < 2
