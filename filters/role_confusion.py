"""Somebody speaks as the other.

A turn that opens with a speaker's name ("User: ..."), a party that is helped offering help, a person who turns out to
be a language model. And, where one side serves the other, roles that are swapped over a whole dialogue: the set phrases
of offering, confirming, examining and praising stand on one side, those of wanting, thanking and giving in on the other
(`role_phrases.json`, read off the training splits of task-oriented, teaching and medical corpora; their test splits
measure them). Between equals these phrases mean nothing: a third of real small talk would look swapped.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import orjson

from filters.wording import has_any
from schemas.contracts import Detector
from schemas.dialogue import Said, Turn
from schemas.judgement import Fault

HELPED = frozenset({"user", "student", "customer", "patient", "seeker", "client"})
"""Roles that a counterpart helps."""
SERVING = frozenset({"assistant", "teacher", "tutor", "doctor", "agent", "system"})
"""Roles whose set phrases those of an assistant are."""

_NAME = re.compile(
    r"^\W*(user|assistant|system|human|ai|bot|student|teacher|tutor|doctor|patient|customer|agent)\W{0,2}:\s", re.I
)
_MODEL = re.compile(
    r"\b(as an? (ai|(large )?language model)( (language )?model| assistant)?(,| i\b)"
    r"|i('m| am) (just |only )?an? (ai\b|artificial intelligence|(large )?language model|virtual assistant)"
    r"|i was (trained|created) by (openai|anthropic|google|alibaba|meta)\b|my training data)",
    re.I,
)
_OFFER = re.compile(
    r"\b(how (can|may|could) i (help|assist) you|(what|anything else) (can|may) i (do for|help) you"
    r"|anything else i can (help|assist|do for) you|i('m| am) here to (help|assist) you"
    r"|i('d| would) be (happy|glad) to (help|assist) you|feel free to ask( me)?\b)",
    re.I,
)
_SERVES = re.compile(
    r"\b(thank you for (sharing (that|this|your)|reaching out|your patience)|i understand your (concern|frustration)"
    r"|let me know if you (need (any|help|more|further)\w*|have any (other |more |further )?questions)"
    r"|feel free to (ask|reach|let me)|i'm here to (help|assist)|(can|may) (i|also) (help|assist) you with"
    r"|assist you with|(please )?don't hesitate to|i hope this helps|that's a great question"
    r"|it's important to (note|remember)|here are (some|a few) (tips|ways|options|suggestions)"
    r"|i apologi[sz]e for (any|the) (confusion|inconvenience))\b",
    re.I,
)

_IN_A_MODEL = (" ai", "language model", "artificial intelligence", "virtual assistant", "i was ", "training data")
_IN_AN_OFFER = ("help", "assist", "do for", "feel free")
_IN_SERVICE = (
    *("thank you for", "i understand your", "let me know", "feel free", "here to", "assist", "help", "hesitate"),
    *("great question", "important to", "here are", "i apologi"),
)
"""Parts one of which is in everything that the patterns find."""


class RoleConfusion(Detector):
    """Finds roles that speak as another: `role_flip` on both sides, `assistant_speak` of a person."""

    kinds: ClassVar[tuple[str, ...]] = ("role_flip", "assistant_speak")
    both_sides: ClassVar[bool] = True

    swap_margin: int | None = None
    """By how many more set phrases must stand on the wrong sides than on the right ones for roles to count as swapped.

    3 for services, lessons and consultations; None between equals.
    """

    def fault(self, said: Said) -> Fault | None:
        role = said.turn.role
        if found := _confusion(said.turn.text or "", role, said.partner):
            return Fault(turn=said.place, kind=found[0], detail=f"{found[1]} ({role}): {said.text[:80]}")
        if self.swap_margin is not None:
            margin = swapped_by((*said.before, said.turn))
            if margin >= self.swap_margin:
                return Fault(turn=said.place, kind="role_flip", detail=f"roles_swapped by {margin} phrases")
        return None


def swapped_by(turns: Iterable[Turn]) -> int:
    """Set phrases on the wrong sides minus those on the right ones; each counts once a turn. Nobody is helped: 0."""
    said = [t for t in turns if t.text]
    if not any(t.role in HELPED for t in said):
        return 0
    return sum(_surplus(t.text or "") * (1 if t.role in HELPED else -1) for t in said)


@lru_cache(maxsize=1024)
def _surplus(text: str) -> int:
    """Set phrases of the side that helps, less those of the side that is helped."""
    text = text.lower().replace("’", "'").replace(" '", "'")
    return len(set(_HELPS.findall(text))) - len(set(_IS_HELPED.findall(text)))


def _confusion(text: str, role: str, simulated: bool) -> tuple[str, str] | None:
    """Kind of fault and what shows it; `simulated`: of the partner."""
    if ":" in text and _NAME.match(text):
        return "role_flip", "speaker_name_in_text"
    if role != "assistant" and has_any(text, _IN_A_MODEL) and _MODEL.search(text):
        return "assistant_speak", "speaks_as_a_model"
    if role in HELPED and has_any(text, _IN_AN_OFFER) and _OFFER.search(text):
        return "role_flip", "helped_side_offers_help"
    if simulated and role not in SERVING and has_any(text, _IN_SERVICE) and _SERVES.search(text):
        return "assistant_speak", "serves"
    return None


def _any_of(phrases: list[str]) -> re.Pattern[str]:
    """Every phrase's groups are made non-capturing, so that a match is its whole text."""
    return re.compile(r"(?<!\w)(?:" + "|".join(re.sub(r"\((?!\?)", "(?:", phrase) for phrase in phrases) + ")")


_PHRASES = orjson.loads(Path(__file__).with_name("role_phrases.json").read_bytes())
_HELPS, _IS_HELPED = _any_of(_PHRASES["helps"]), _any_of(_PHRASES["is_helped"])
