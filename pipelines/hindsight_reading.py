"""What experts ask for, and where their asking ends, read off the words (methods §12: hindsight labels).

By cues of English talk alone: what is a question about the case, what is none (a courtesy, a check whether one was
understood, a matter of form), and what tells findings or a plan. `pipelines.hindsight_judge` has a model read instead.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

_MARKUP = re.compile(r"<\s*/?\s*[A-Z_]+\s*/?\s*>")
_BREAK = re.compile(r"(?<=[.?!])\s+|\s+(?=(?:okay|alright|all right|now|and then|so|because)\b)", re.IGNORECASE)
_FILLER = re.compile(
    r"^(?:(?:um+|uh+|hmm+|mm-?hmm|ok(?:ay)?|o\.?k|all ?right|right|well|so|and|but|then|now|great|good|perfect|fine"
    r"|yeah|yes|no|sure|excellent|also|just|gotcha)\b[\s,.]*)+",
    re.IGNORECASE,
)
_AUX = r"(?:do|did|does|have|has|had|are|is|was|were|can|could|will|would|any)"
_WH = (
    r"(?:how (?:long|often|many|much|severe|bad|old|about|frequently|far|big|is|are|was|were|do|did|does|have|has)"
    r"|how'?s|how'?bout|what (?:is|are|was|were|do|did|does|about|kind|type|sort|makes|made|medic\w+|brings?|happened"
    r"|seems|have|can|would)|(?:where(?:abouts)?|when|who|why|which)(?: \w+)? (?:are|were|do|did|does|have|'s|would))\b"
)
_OPENS = re.compile(
    rf"^(?:{_AUX} (?:you|it|your|there|the|that|this|they|these|he|she|we|any\w*|other)\b|{_WH}"
    r"|(?:which|where(?:abouts)?|when|who|why) \w+|(?:tell|talk to) me\b|any\b)",
    re.IGNORECASE,
)
_HOLDS = re.compile(
    rf"\b{_WH}|\b(?:tell|talk to) me (?:a |more|about|what|how|where|when)|\b(?:can|could) you (?:describe|tell|show)\b"
    r"|(?<!what )(?<!how )\b(?:do|did|are|were|have|had) you\b|\b(?:does|did|is|was) (?:it|that|this|there)\b"
    rf"|\b(?:and|or) {_AUX} (?:your|there|they)\b|\bany (?:other|problems?|pain)\b|\bcorrect$",
    re.IGNORECASE,
)
"""In talk that was written down without stops."""
_EXAMINES = re.compile(
    r"\b(?:(?:do|move on to|start|complete|perform) (?:an? |your |my |his |her |the |just |quick |focused |physical )*"
    r"exam(?:ination)?\b|(?:go ahead and |let me |let's |gon ?na |going to )(?:just |also )*(?:examine|press|touch"
    r"|tap|check you|(?:have|take) a (?:quick |good )?(?:listen|look(?! at (?:your|the|some|those)(?: \w+){0,3}"
    r" (?:x-?rays?|results?|labs?|tests?|mri))))|(?:take a )?listen to your|deep breaths?|big breath"
    r"|(?:squeeze|bend|lift|push|pull|tilt|touch|raise|straighten|extend|open) (?:it|your|my|against)"
    r"|does (?:it|that|this) hurt|when i (?:press|push|touch|move|pull))\b",
    re.IGNORECASE,
)
_FORMAL = re.compile(
    r"\bquestions?\b(?! (?:about|is|on|around|regarding))|\bhow are (?:you|things)(?: doing)?(?: today)?\W*$|hear me"
    r"|\byour (?:full )?name\b|date of birth|\byour address\b|private place|quiet|confidential|speak freely"
    r"|able to talk|\bpharmacy\b|\brefills?\b|\b(?:is|does|do|would|will) (?:that|this|it) (?:be )?(?:sound|make|ok"
    r"|okay|alright|all right|work|good)|\bmakes? sense\b|\bsounds? (?:good|okay|ok|alright|all right|great)\b"
    r"|how does that sound|what do you think|\b(?:you|you're|be) (?:happy|okay|ok|agreeable|willing) (?:to|with)\b"
    r"|\bwould you (?:like|prefer)|\bdo you want\b|\bany ?thing else (?:i|we) can|(?:good|nice) to (?:see|meet)"
    r"|\b(?:help|help you|do for you)(?: today| this \w+)?\W*$|\bready to\b|(?:okay|ok|yeah|right)\s*\?\s*$"
    r"|repeat that|mind (?:me|if)",
    re.IGNORECASE,
)
"""Asked, but not to learn about the case."""
_TELLS = re.compile(
    r"\bassessment and\b|\bmy (?:assessment|plan|impression|thoughts)\b|\bplan (?:for|is)\b|\bin summary\b"
    r"|\bsummari[sz]e\b|\bbased on\b|\bgiven (?:that|the|your)\b|\b(?:i|we)(?:'d| would|'m| am|'re| are|'ll| will)?"
    r"(?: also| probably| really| just)* (?:think|suspect|believe|recommend|suggest|advise|prescrib\w+|refer\w*"
    r"|order\w*)\b|\bi(?:'d| would) (?:also |quite |really |probably )?like (?:to|you)\b|\bi(?: also)? (?:want you"
    r"|wan ?na (?:go ahead and )?(?:\w+ ){0,2}(?:order|start|put|get|send|continue|prescribe|refer|check|see))\b"
    r"|\b(?:i'm|we're|i am|we are|gon ?na|going to|i'll|we'll|we can|let's)(?: going to| gon ?na| go ahead and| also"
    r"| just)* (?:order|prescribe|refer|send|give|start|put|increase|decrease|continue|stop|book|see|get|do|set|try"
    r"|treat|keep|repeat|schedule|organi[sz]e|arrange)\b|\byou (?:should|can (?:take|try|use|get)|(?:will|would|'ll)"
    r" (?:need|probably)|could try|need to)\b|\bmake sure you\b|\bcome back\b|\bfollow ?-?up\b"
    r"|\bin the (?:meantime|interim)\b|\b(?:antibiotics?|tablets?|milligrams?|mg)\b"
    r"|\b(?:x-?ray|mri|ct|results?|labs?|test|panel|a1c)\b[^?]* (?:show\w*|look\w*|is|are|was|were|came)\b"
    r"|\bshow me (?:the|your)\b|\b(?:what's|what is) going on\b[^?]*$|\b(?:you|it)(?: probably| likely| may| might)?"
    r" (?:have|has|is|be|are having) (?:a |an )?(?:\w+ )*(?:sprain|infection|fracture|virus|viral|eczema|strain|flare)"
    r"|\b(?:it )?(?:looks|sounds) like\b|\bcalled\b|\bconsistent with\b|\bon (?:your |my |physical )?exam(?:ination)?\b"
    r"[^?]* (?:is|are|have|has|looks?|appreciate|there)\b",
    re.IGNORECASE,
)
_LEAST_WORDS = 3
"""Of a question that asks for something by itself: "pardon?" and "and you?" do not."""


class Asked(NamedTuple):
    """One thing that an expert asked for."""

    turn: int
    slot: str
    """In the expert's words, or a judge's."""
    value: str | None
    """What was answered; None where nothing was."""


class Reading(NamedTuple):
    """What an expert does in one go."""

    evidence: int
    """1 asks about the case, -1 tells findings or a plan, 0 neither."""
    slots: tuple[tuple[str, str | None], ...] = ()
    """What is asked for, each with what was answered."""


class Phase(NamedTuple):
    """How many goes of the expert belong to the asking. Where some could not be read, it lies between the two."""

    least: int
    most: int


def cleaned(text: str) -> str:
    """Without a transcriber's markup."""
    return " ".join(_MARKUP.sub(" ", text).split())


@lru_cache(maxsize=4096)
def questions(text: str) -> tuple[str, ...]:
    """The parts of a message that ask about the case, without what leads up to them."""
    return tuple(part.rstrip(" .") for part in _parts(text) if _asks(part))


def _parts(text: str) -> list[str]:
    return [_FILLER.sub("", part).strip(" ,-") for part in _BREAK.split(cleaned(text))]


def _asks(part: str) -> bool:
    if len(part.split()) < _LEAST_WORDS or _FORMAL.search(part):
        return False
    opens = part.endswith("?") or _OPENS.search(part) or _EXAMINES.search(part)
    return bool(opens or (not part.endswith((".", "!")) and _HOLDS.search(part)))


def read(text: str, reply: str | None) -> Reading:
    """One go of an expert, by cues. `reply`: what the other side said to it."""
    asked = questions(text)
    telling = sum(bool(_TELLS.search(part)) and not _asks(part) for part in _parts(text))
    evidence = max(-1, min(1, len(asked) - telling))
    return Reading(evidence, tuple((slot, reply) for slot in asked))


def phase(readings: Sequence[Reading | None]) -> Phase:
    """The asking is the beginning that fits best: it holds the most goes that ask and the fewest that tell. So a
    question or two amid the plan does not prolong it. None: could not be read, and counts once as either.
    """
    ends = [_end([other if r is None else r.evidence for r in readings]) for other in (-1, 1)]
    return Phase(min(ends), max(ends))


def _end(evidence: Sequence[int]) -> int:
    best = end = total = 0
    for n, value in enumerate(evidence, 1):
        total += value
        if total > best:
            best, end = total, n
    return end
