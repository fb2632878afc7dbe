"""A simulated person that stays on after it has left or given in."""

import re
from typing import ClassVar

from filters.wording import content, says_bye
from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault

_PLEASANTRY = re.compile(
    r"\b(bye|thanks?|thank you|thx|you too|u too|good ?night|take care|see (you|ya)|later|cya|have a|nice|welcome|lol"
    r"|haha|ttyl|great|good|ok(ay)?|talk|hope|worries)\b",
    re.I,
)


class MissingStop(Detector):
    """Finds a person that opens or asks something after its goodbye, or after its final yes."""

    kinds: ClassVar[tuple[str, ...]] = ("missing_stop",)

    def fault(self, said: Said) -> Fault | None:
        left = next((s.place for s in said.mine if _leaves(s)), None)
        if left is None or said.place == left + 1 or said.before[-1].role == said.turn.role or not _goes_on(said.text):
            return None
        return Fault(turn=said.place, kind="missing_stop", detail=said.text[:80])


def _leaves(said: Said) -> bool:
    return said.turn.decision == "stop" or said.turn.intent_requested == "bye" or says_bye(said.text)


def _goes_on(text: str) -> bool:
    return not says_bye(text) and not _PLEASANTRY.search(text) and len(content(text)) >= 2
