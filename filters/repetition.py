"""Loops inside a turn, and turns said again: what small models do and people hardly ever."""

import re
from collections.abc import Sequence
from itertools import pairwise

from schemas.contracts import Filter
from schemas.dialogue import Dialogue
from schemas.judgement import KEEP, Verdict


class Repetition(Filter):
    """Drops dialogues with a phrase repeated over and over in a turn, or a turn that repeats an earlier one."""

    max_loops: int = 3
    """How often in a row a phrase of two words or more may be said; a single word twice as often, and twice more."""
    min_words: int = 6
    """Shorter turns may be said again: "sounds good to me"."""
    similarity: float = 0.85
    """Shared word pairs (Jaccard) from which a turn counts as said again."""
    max_repeats: int = 0
    """Turns that may be said again; people in service roles use set phrases."""

    def judge(self, dialogue: Dialogue) -> Verdict:
        said: list[tuple[str, frozenset[tuple[str, str]]]] = []
        repeats = 0
        for i, turn in enumerate(dialogue.turns):
            if turn.kind != "utterance" or not turn.text:
                continue
            words = re.findall(r"\w+", turn.text.lower())
            phrase = looped(words, self.max_loops)
            if phrase:
                return Verdict(keep=False, reason="loop_in_turn", detail=f"turn {i}: {phrase}")
            if len(words) < self.min_words:
                continue
            pairs = frozenset(pairwise(words))
            earlier = next((role for role, other in said if _alike(pairs, other, self.similarity)), None)
            repeats += earlier is not None
            if repeats > self.max_repeats:
                reason = "repeats_itself" if earlier == turn.role else "echoes_the_other"
                return Verdict(keep=False, reason=reason, detail=f"turn {i}: {' '.join(words[:12])}")
            said.append((turn.role, pairs))
        return KEEP


def looped(words: Sequence[str], most: int) -> str | None:
    """A phrase said more than `most` times in a row (a word: more than twice that and two), or None."""
    if len(words) - len(set(words)) < 2 * most:
        return None  # a loop would say more words again
    for size in range(1, min(12, len(words) // (most + 1)) + 1):
        limit = most if size > 1 else 2 * most + 2
        run = 0
        for i in range(size, len(words)):
            run = run + 1 if words[i] == words[i - size] else 0
            if run >= size * limit and (size == 1 or len(set(words[i - size + 1 : i + 1])) > 1):
                return " ".join(words[i - size + 1 : i + 1])
    return None


def _alike(first: frozenset[tuple[str, str]], second: frozenset[tuple[str, str]], share: float) -> bool:
    """Whether their Jaccard similarity reaches `share`."""
    if min(len(first), len(second)) < share * max(len(first), len(second)) or first.isdisjoint(second):
        return not first and not second
    shared = len(first & second)
    return shared >= share * (len(first) + len(second) - shared)
