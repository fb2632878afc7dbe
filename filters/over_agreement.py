"""A simulated person that agrees with everything, as simulated users do (methods §24)."""

import re
from typing import ClassVar

from schemas.contracts import Detector
from schemas.dialogue import Said
from schemas.judgement import Fault

_AGREES = re.compile(
    r"^\W*(?:(?:oh|well|haha|lol|wow|ah)\W+)?"
    r"(?:yes|yeah|yep|yup|sure|ok|okay|of course|definitely|absolutely|exactly|agreed|true|right|totally|i agree"
    r"|sounds (?:good|great|nice|fun|like)|great|perfect|wonderful|good (?:idea|point)|makes sense|i'?d love|will do"
    r"|that(?:'?s| is)? (?:sounds |a )?(?:good|great|nice|true|right|perfect|wonderful|cool))\b",
    re.I,
)


class OverAgreement(Detector):
    """Finds persons who have opened nearly every message so far by agreeing."""

    kinds: ClassVar[tuple[str, ...]] = ("over_agreement",)

    drops: bool = False

    share: float = 0.75
    """Agreeing openings from which it is too many."""
    least: int = 5
    """Messages below which nothing is said."""

    def fault(self, said: Said) -> Fault | None:
        messages = (*said.mine, said)
        if len(messages) < self.least or not _AGREES.match(said.text):
            return None
        agreeing = sum(bool(_AGREES.match(s.text)) for s in messages)
        if agreeing < self.share * len(messages):
            return None
        return Fault(turn=said.place, kind="over_agreement", detail=f"{agreeing} of {len(messages)} messages")
