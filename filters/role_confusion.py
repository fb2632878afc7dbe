"""Somebody speaks as the other.

A turn that opens with a speaker's name ("User: ..."), a party that is helped offering help, a person who turns out to
be a language model. And, where one side serves the other, roles that are swapped over a whole dialogue: the set phrases
of offering, confirming, examining and praising stand on one side, those of wanting, thanking and giving in on the other
(`role_phrases.json`, read off the training splits of task-oriented, teaching and medical corpora; their test splits
measure them). Between equals these phrases mean nothing: a third of real small talk would look swapped.
"""

import re
from pathlib import Path

import orjson

from schemas.contracts import Filter
from schemas.dialogue import Dialogue
from schemas.judgement import KEEP, Verdict

HELPED = frozenset({"user", "student", "customer", "patient", "seeker", "client"})
"""Roles that a counterpart helps."""

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


class RoleConfusion(Filter):
    """Drops dialogues in which a role speaks as another."""

    swap_margin: int | None = None
    """By how many more set phrases must stand on the wrong sides than on the right ones for roles to count as swapped.

    3 for services, lessons and consultations; None between equals.
    """

    def judge(self, dialogue: Dialogue) -> Verdict:
        for i, turn in enumerate(dialogue.turns):
            reason = _confusion(turn.role, turn.text) if turn.kind == "utterance" and turn.text else None
            if reason:
                return Verdict(keep=False, reason=reason, detail=f"turn {i} ({turn.role}): {(turn.text or '')[:80]}")
        if self.swap_margin is not None and {dialogue.learner, dialogue.partner} & HELPED:
            margin = swapped_by(dialogue)
            if margin >= self.swap_margin:
                return Verdict(keep=False, reason="roles_swapped", detail=f"by {margin} phrases")
        return KEEP


def swapped_by(dialogue: Dialogue) -> int:
    """Set phrases on the wrong sides minus those on the right ones; each counts once a turn."""
    margin = 0
    for turn in dialogue.turns:
        if turn.text and turn.role in (dialogue.learner, dialogue.partner):
            text = turn.text.lower().replace("’", "'").replace(" '", "'")
            surplus = len(set(_HELPS.findall(text))) - len(set(_IS_HELPED.findall(text)))
            margin += surplus if turn.role in HELPED else -surplus
    return margin


def _confusion(role: str, text: str) -> str | None:
    if _NAME.match(text):
        return "speaker_name_in_text"
    if role != "assistant" and _MODEL.search(text):
        return "speaks_as_a_model"
    if role in HELPED and _OFFER.search(text):
        return "helped_side_offers_help"
    return None


def _any_of(phrases: list[str]) -> re.Pattern[str]:
    """Every phrase's groups are made non-capturing, so that a match is its whole text."""
    return re.compile(r"(?<!\w)(?:" + "|".join(re.sub(r"\((?!\?)", "(?:", phrase) for phrase in phrases) + ")")


_PHRASES = orjson.loads(Path(__file__).with_name("role_phrases.json").read_bytes())
_HELPS, _IS_HELPED = _any_of(_PHRASES["helps"]), _any_of(_PHRASES["is_helped"])
