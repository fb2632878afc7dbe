"""Which turns work on common ground (methods §22): clarify checks an earlier utterance, ack does nothing but
acknowledge, followup asks on from what was said, repair sets right. By the program's labels where it planned a repair,
else by words.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue

Act = Literal["none", "clarify", "ack", "followup", "repair"]
ACTS: tuple[Act, ...] = get_args(Act)

_ACK_WORDS = 9
_ELLIPTIC = 6
_ACK = re.compile(
    r"^\W*(?:(?:oh|ah|ok|okay|well|yes|yeah|heck|hm+|and|very)\W+)*(?:ok(?:ay)?|i see|got it|gotcha|right|sure|yes|yeah"
    r"|yep|yup|mm+|mhm|hm+|uh[- ]?huh|al(?:l )?right|great|nice|cool|good|lovely|thanks?|makes sense|understood|oh|ah"
    r"|wow|fair enough|noted|true|exactly|correct|interesting|wonderful|perfect|excellent|well done|good (?:job|work)"
    r"|(?:that|it)(?:['’]?s| is| was| sounds) (?:an? |so |very |really )?(?:right|correct|true|it|great|good|nice"
    r"|awesome|fine|sad|terrible|interesting|wonderful|too bad))\b",
    re.I,
)
_REPLIES = re.compile(r"^\W*(?:yes|yeah|yep|yup|sure|ok(?:ay)?|right|true|correct|exactly|not? )\b", re.I)
"""To a question these are answers."""
_CLARIFY = re.compile(
    r"\b(?:(?:do|did|does) you mean|you mean|what do you mean|what (?:was|is) that|which one|say (?:that|it) again"
    r"|come again|pardon|sorry, what|(?:can|could) you (?:clarify|repeat|rephrase)|(?:are )?you(?:'re| are)?"
    r" saying|just to (?:check|confirm|be sure|clarify)|is that (?:right|correct|what)|did i (?:get|understand)"
    r"|if i understand|in other words|or (?:is|was|are) (?:it|that|those))\b|^\W*(?:what|huh|sorry|pardon)\W*\?",
    re.I,
)
_REPAIR = re.compile(
    r"\b(?:(?:no|sorry|oops|wait)\W+i mean|i meant|what i mean|let me rephrase|i should have said|my (?:bad|mistake)"
    r"|not what i (?:said|meant))\b|^\W*(?:no|sorry|oops|wait)\W+(?:not|i said)\b",
    re.I,
)
_QUESTION = re.compile(
    r"^\W*(?:(?:and|so|but|ok|okay|well|oh|now|then|hm+)\W+)*(?:what|which|who|where|when|why|how|tell me|(?:do|did|are"
    r"|have|can|could|would|will|were) (?:you|u|they|we)|is (?:it|that|she|he)|in which|anything else)\b",
    re.I,
)
"""Asks, whether or not a question mark is typed."""
_RETURNS = re.compile(r"\b(?:how|what) about (?:you|u)\b|\band (?:you|u)\W*$|\bwhat do you think\W*$", re.I)
"""Passes the turn on."""
_BACK = re.compile(r"\b(?:it|that|this|they|them|he|she|him|her|his|theirs?|yours)\b", re.I)
_WORDS = re.compile(
    r"\b(?!(?:about|also|been|could|does|from|have|here|into|just|like|much|really|some|than|thanks?|that|their|them|then"
    r"|there|these|they|this|those|very|wants?|were|what|when|where|which|while|will|with|would|your)\b)[a-z]{4,}"
)
"""Words of four letters or more that say something."""


class GroundingActs(Reward):
    """Share of the learner's utterances that are grounding acts, its base rate. `parts.acts`: the act of each turn, of
    both roles (None: silence or event); `parts.learner`, `parts.partner`: the share of each act.

    No goal: whoever acknowledges everything has 1. It is to be held against people: the rate within a quarter of
    theirs, and placed where theirs are (`kappa`). None where the learner says nothing.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        acts = grounding_acts(dialogue.turns)
        mine, theirs = (_of(dialogue, acts, role) for role in (dialogue.learner, dialogue.partner))
        parts: dict[str, Any] = {"acts": acts, "learner": shares(mine), "partner": shares(theirs)}
        if not mine:
            return [RewardValue(name="grounding_acts", value=None, parts=parts, reason="no_learner_turns")]
        return [RewardValue(name="grounding_acts", value=base_rate(mine), n=len(mine), parts=parts)]


def _of(dialogue: Dialogue, acts: Sequence[Act | None], role: str) -> list[Act]:
    return [act for act, turn in zip(acts, dialogue.turns, strict=True) if act is not None and turn.role == role]


def grounding_acts(turns: Sequence[Turn]) -> list[Act | None]:
    """One a turn; None of what says nothing."""
    found: list[Act | None] = []
    for n, turn in enumerate(turns):
        if turn.kind != "utterance" or not turn.text:
            found.append(None)
            continue
        heard = next((t.text or "" for t in reversed(turns[:n]) if t.role != turn.role and t.text), "")
        found.append(act_of(turn, heard))
    return found


def act_of(turn: Turn, heard: str) -> Act:
    """Of an utterance after what the other side said last. Nothing grounds where nothing was said."""
    text, part = turn.text or "", turn.labels.get("trouble_part")
    if part == "repair" or turn.labels.get("corrects"):
        return "repair"
    if part == "initiation":
        return "clarify"
    if not heard:
        return "none"
    if _REPAIR.search(text):
        return "repair"
    asked = [said for said in _sentences(text) if said.endswith("?") or _QUESTION.search(said)]
    asked += [text] if "ask" in turn.acts and not asked else []
    if asked:
        return _asking(asked[-1], text, heard)
    replies = heard.rstrip().endswith("?") and _REPLIES.search(text)
    return "ack" if _ACK.search(text) and len(text.split()) <= _ACK_WORDS and not replies else "none"


def _asking(question: str, text: str, heard: str) -> Act:
    """A question in return for a question, or a few words to be confirmed, check what was said."""
    alone, words = question.strip() == text.strip(), len(question.split())
    if _RETURNS.search(question):
        return "none"
    returned = alone and words <= _ACK_WORDS and heard.rstrip().endswith("?")
    if _CLARIFY.search(question) or returned or (alone and words <= _ELLIPTIC and not _QUESTION.search(question)):
        return "clarify"
    return "followup" if _content(question) & _content(heard) or _BACK.search(question) else "none"


def _sentences(text: str) -> list[str]:
    return [said.strip() for said in re.split(r"(?<=[.!?])\s+|\n+", text) if said.strip()]


def base_rate(acts: Sequence[str]) -> float:
    """BR: share of acts other than `none`, of at least one."""
    return sum(act != "none" for act in acts) / len(acts)


def shares(acts: Sequence[str]) -> dict[str, float]:
    return {act: acts.count(act) / len(acts) for act in ACTS} if acts else {}


def kappa(ours: Sequence[str], theirs: Sequence[str]) -> float | None:
    """Cohen's kappa of acts at the same positions; None where both say one and the same everywhere."""
    n = len(ours)
    agree = sum(a == b for a, b in zip(ours, theirs, strict=True)) / n if n else 0.0
    chance = sum(ours.count(act) * theirs.count(act) for act in ACTS) / n**2 if n else 1.0
    return None if chance == 1 else (agree - chance) / (1 - chance)


def _content(text: str) -> set[str]:
    """By their first five letters: donate, donation."""
    return {word[:5] for word in _WORDS.findall(text.lower())}
