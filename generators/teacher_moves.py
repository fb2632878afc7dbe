"""What a teacher's turn does, in the four kinds that MathDial's teachers labelled their own turns with: focus (a hint
towards the next step), probing (has the student look at or explain their own work), telling (reveals a fact, a step or
the answer), generic (everything else).

What the program decided says it of a simulated teacher; of anybody's words a rule guesses it.
"""

import re
from typing import Literal

TeacherMove = Literal["focus", "probing", "telling", "generic"]
MOVES: tuple[TeacherMove, ...] = ("focus", "probing", "telling", "generic")
INTENTS: dict[str, TeacherMove] = {"tell": "telling", "hint": "focus", "probe": "probing", "redirect": "probing"}
"""Of the program's intents; the others are generic."""

_PROBES = re.compile(
    r"\b(why|how (did|do|would|can) you|explain|are you sure|what do you mean|check|again|what would|do you think"
    r"|did you|can you (see|spot|show)|look (over|back)|where did|which (part|step))\b",
    re.IGNORECASE,
)
_GENERIC = re.compile(
    r"\b(walk me through|talk me through|well done|good job|great job|excellent|perfect|thank|hi|hello|bye|goodbye"
    r"|see you|congratulations|how are you|your solution)\b",
    re.IGNORECASE,
)
_GUIDES = re.compile(
    r"\b(remember|think|first|try|let'?s|need to|should|what|how (many|much|long|old|far)|hint|consider|read|look"
    r"|find|focus|start)\b",
    re.IGNORECASE,
)


def by_words(text: str) -> TeacherMove:
    """The kind its words speak for; how often that is what the teacher labelled is in docs/families.md."""
    short = len(text.split()) <= 4 and not re.search(r"\d", text)
    if short or (_GENERIC.search(text) and not re.search(r"\d", text)):
        return "generic"
    asks = "?" in text
    if re.search(r"\d\s*[-+*/x×]\s*\$?\d.*=|\banswer\b", text) and not asks:
        return "telling"
    if _PROBES.search(text):
        return "probing"
    if asks or _GUIDES.search(text):
        return "focus"
    return "telling" if re.search(r"\d|\bis\b|\bare\b", text) else "generic"
