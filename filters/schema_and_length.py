"""A dialogue must be one: both sides speak, in words, neither too briefly nor too long."""

from schemas.contracts import Filter
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import KEEP, Verdict


class LengthBounds(Filter):
    """Drops dialogues that ended in a fault, lack a side, or have too few, too many, empty or overlong turns."""

    min_turns: int = 2
    """Utterances."""
    max_turns: int = 400
    """Turns of every kind."""
    max_words: int = 400
    """Words a turn."""

    def judge(self, dialogue: Dialogue) -> Verdict:
        if dialogue.ending.reason == "fault":
            return Verdict(keep=False, reason=dialogue.ending.detail or "fault")
        for i, turn in enumerate(dialogue.turns):
            wrong = self._wrong(turn, dialogue)
            if wrong:
                return Verdict(keep=False, reason=wrong, detail=f"turn {i} ({turn.role})")
        utterances = [turn for turn in dialogue.turns if turn.kind == "utterance"]
        if len(utterances) < self.min_turns:
            return Verdict(keep=False, reason="too_few_turns", detail=f"{len(utterances)} of {self.min_turns}")
        if len(dialogue.turns) > self.max_turns:
            return Verdict(keep=False, reason="too_many_turns", detail=f"{len(dialogue.turns)} of {self.max_turns}")
        for role in (dialogue.learner, dialogue.partner):
            if all(turn.role != role for turn in utterances):
                return Verdict(keep=False, reason="one_side_silent", detail=role)
        return KEEP

    def _wrong(self, turn: Turn, dialogue: Dialogue) -> str | None:
        if turn.kind == "silence":
            return "silence_with_text" if turn.text else None
        if not turn.text or not turn.text.strip():
            return "empty_turn"
        if len(turn.text.split()) > self.max_words:
            return "turn_too_long"
        if turn.kind == "utterance" and turn.role not in dialogue.scenario.views:
            return "unknown_role"
        return None
