"""Somebody speaks as the other.

A turn that opens with a speaker's name ("User: ..."), a party that is helped offering help, a person who turns out to
be a language model. And, where one side serves the other, roles that are swapped over a whole dialogue: the set phrases
of offering, confirming, examining and praising stand on one side, those of wanting, thanking and giving in on the other
(`role_phrases.json`, read off the training splits of task-oriented, teaching and medical corpora; their test splits
measure them). Between equals these phrases mean nothing: a third of real small talk would look swapped.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import orjson

from schemas.contracts import Detector
from schemas.dialogue import Dialogue
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


class RoleConfusion(Detector):
    """Finds roles that speak as another: `role_flip` on both sides, `assistant_speak` of a person."""

    kinds: ClassVar[tuple[str, ...]] = ("role_flip", "assistant_speak")

    swap_margin: int | None = None
    """By how many more set phrases must stand on the wrong sides than on the right ones for roles to count as swapped.

    3 for services, lessons and consultations; None between equals.
    """

    def faults(self, dialogue: Dialogue, since: int = 0) -> Iterator[Fault]:
        for i, turn in enumerate(dialogue.turns[since:], since):
            said = turn.text if turn.kind == "utterance" else None
            found = _confusion(said, turn.role, turn.role == dialogue.partner) if said else None
            if found:
                yield Fault(turn=i, kind=found[0], detail=f"{found[1]} ({turn.role}): {(turn.text or '')[:80]}")
        if self.swap_margin is not None and {dialogue.learner, dialogue.partner} & HELPED:
            margin = swapped_by(dialogue)
            if margin >= self.swap_margin:
                last = len(dialogue.turns) - 1
                yield Fault(turn=last, kind="role_flip", detail=f"roles_swapped by {margin} phrases")


def swapped_by(dialogue: Dialogue) -> int:
    """Set phrases on the wrong sides minus those on the right ones; each counts once a turn."""
    margin = 0
    for turn in dialogue.turns:
        if turn.text and turn.role in (dialogue.learner, dialogue.partner):
            text = turn.text.lower().replace("’", "'").replace(" '", "'")
            surplus = len(set(_HELPS.findall(text))) - len(set(_IS_HELPED.findall(text)))
            margin += surplus if turn.role in HELPED else -surplus
    return margin


@lru_cache(maxsize=1024)
def _confusion(text: str, role: str, simulated: bool) -> tuple[str, str] | None:
    """Kind of fault and what shows it; `simulated`: of the partner."""
    if _NAME.match(text):
        return "role_flip", "speaker_name_in_text"
    if role != "assistant" and _MODEL.search(text):
        return "assistant_speak", "speaks_as_a_model"
    if role in HELPED and _OFFER.search(text):
        return "role_flip", "helped_side_offers_help"
    if simulated and role not in SERVING and _SERVES.search(text):
        return "assistant_speak", "serves"
    return None


def _any_of(phrases: list[str]) -> re.Pattern[str]:
    """Every phrase's groups are made non-capturing, so that a match is its whole text."""
    return re.compile(r"(?<!\w)(?:" + "|".join(re.sub(r"\((?!\?)", "(?:", phrase) for phrase in phrases) + ")")


_PHRASES = orjson.loads(Path(__file__).with_name("role_phrases.json").read_bytes())
_HELPS, _IS_HELPED = _any_of(_PHRASES["helps"]), _any_of(_PHRASES["is_helped"])
