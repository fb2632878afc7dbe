"""A simulated person that agrees with everything, as simulated users do (methods §24)."""

import re
from collections.abc import Iterator
from typing import ClassVar

from filters.wording import spoken
from schemas.contracts import Detector
from schemas.dialogue import Dialogue
from schemas.judgement import Fault

_AGREES = re.compile(
    r"^\W*(?:(?:oh|well|haha|lol|wow|ah)\W+)?"
    r"(?:yes|yeah|yep|yup|sure|ok|okay|of course|definitely|absolutely|exactly|agreed|true|right|totally|i agree"
    r"|sounds (?:good|great|nice|fun|like)|great|perfect|wonderful|good (?:idea|point)|makes sense|i'?d love|will do"
    r"|that(?:'?s| is)? (?:sounds |a )?(?:good|great|nice|true|right|perfect|wonderful|cool))\b",
    re.I,
)


class OverAgreement(Detector):
    """Finds persons who open nearly every message by agreeing; judged over the dialogue, at its last message."""

    kinds: ClassVar[tuple[str, ...]] = ("over_agreement",)

    drops: bool = False

    share: float = 0.75
    """Agreeing openings from which it is too many."""
    least: int = 5
    """Messages below which nothing is said."""

    def faults(self, dialogue: Dialogue, since: int = 0) -> Iterator[Fault]:
        said = list(spoken(dialogue))
        agreeing = sum(bool(_AGREES.match(s.text)) for s in said)
        if len(said) >= self.least and said[-1].place >= since and agreeing >= self.share * len(said):
            yield Fault(turn=said[-1].place, kind="over_agreement", detail=f"{agreeing} of {len(said)} messages")
