"""A conversation that begins anew in its middle: a second hello, or the first request again."""

import re
from typing import ClassVar

from filters.wording import content
from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault

_HELLO = re.compile(r"^\W*(hi|hello|hey there|good (morning|afternoon|evening)|greetings)\b(?!\W*[?]|\W*again)", re.I)


class Restart(Detector):
    """Finds greetings and reopened requests of a person after both sides have talked."""

    kinds: ClassVar[tuple[str, ...]] = ("restart",)

    same: float = 0.8
    """Share of content words in common with the opening request."""

    def fault(self, said: Said) -> Fault | None:
        if not _under_way(said) or not (_HELLO.match(said.text) or self._reopens(said)):
            return None
        return Fault(turn=said.place, kind="restart", detail=said.text[:80])

    def _reopens(self, said: Said) -> bool:
        """The first request of several words, nearly word for word, two messages or more later."""
        first = next((s for s in said.mine[:2] if len(content(s.text)) >= 4), None)
        if first is None or first.place >= said.mine[-2].place:
            return False
        new, old = content(said.text), content(first.text)
        return len(new & old) >= self.same * len(new | old)


def _under_way(said: Said) -> bool:
    """Both sides have talked: three of the other's messages, and one of its own that is more than a hello."""
    others = sum(t.role != said.turn.role and bool(t.text) for t in said.before)
    return others >= 3 and len(said.mine) >= 2 and any(len(s.text.split()) >= 4 for s in said.mine)
