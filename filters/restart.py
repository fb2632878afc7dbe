"""A conversation that begins anew in its middle: a second hello, or the first request again."""

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from filters.wording import Spoken, content, spoken
from schemas.contracts import Detector
from schemas.dialogue import Dialogue
from schemas.judgement import Fault

_HELLO = re.compile(r"^\W*(hi|hello|hey there|good (morning|afternoon|evening)|greetings)\b(?!\W*[?]|\W*again)", re.I)


class Restart(Detector):
    """Finds greetings and reopened requests of a person after both sides have talked."""

    kinds: ClassVar[tuple[str, ...]] = ("restart",)

    same: float = 0.8
    """Share of content words in common with the opening request."""

    def faults(self, dialogue: Dialogue, since: int = 0) -> Iterator[Fault]:
        mine: list[Spoken] = []
        for said in spoken(dialogue):
            if (
                said.place >= since
                and _under_way(said, mine)
                and (_HELLO.match(said.text) or self._reopens(said, mine))
            ):
                yield Fault(turn=said.place, kind="restart", detail=said.text[:80])
            mine.append(said)

    def _reopens(self, said: Spoken, mine: Sequence[Spoken]) -> bool:
        """The first request of several words, nearly word for word, two messages or more later."""
        first = next((s for s in mine[:2] if len(content(s.text)) >= 4), None)
        if first is None or first in mine[-2:]:
            return False
        new, old = content(said.text), content(first.text)
        return len(new & old) >= self.same * len(new | old)


def _under_way(said: Spoken, mine: Sequence[Spoken]) -> bool:
    """Both sides have talked: two of the other's messages, and one of its own that is more than a hello."""
    others = sum(t.role != said.turn.role and bool(t.text) for t in said.before)
    return others >= 3 and len(mine) >= 2 and any(len(s.text.split()) >= 4 for s in mine)
