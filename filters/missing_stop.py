"""A simulated person that stays on after it has left or given in."""

import re
from collections.abc import Iterator
from typing import ClassVar

from filters.wording import content, says_bye, spoken
from schemas.contracts import Detector
from schemas.dialogue import Dialogue
from schemas.judgement import Fault

_PLEASANTRY = re.compile(
    r"\b(bye|thanks?|thank you|thx|you too|u too|good ?night|take care|see (you|ya)|later|cya|have a|nice|welcome|lol"
    r"|haha|ttyl|great|good|ok(ay)?|talk|hope|worries)\b",
    re.I,
)


class MissingStop(Detector):
    """Finds a person that opens or asks something after its goodbye, or after its final yes."""

    kinds: ClassVar[tuple[str, ...]] = ("missing_stop",)

    def faults(self, dialogue: Dialogue, since: int = 0) -> Iterator[Fault]:
        left = 0
        """Turns up to its leaving; 0 while it has not left."""
        for said in spoken(dialogue):
            heard = len(said.before) > left and said.before[-1].role != said.turn.role
            if said.place >= since and left and heard and _goes_on(said.text):
                yield Fault(turn=said.place, kind="missing_stop", detail=said.text[:80])
            final = said.turn.decision == "stop" or said.turn.intent_requested == "bye"
            left = left or (said.place + 1 if final or says_bye(said.text) else 0)


def _goes_on(text: str) -> bool:
    return not says_bye(text) and not _PLEASANTRY.search(text) and len(content(text)) >= 2
