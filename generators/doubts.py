"""What a reader may doubt in a problem, from its text alone: a quantity that is only "some", and one that is said twice
and not the same. Whoever reads knows what has no bearing: what is so elsewhere or was so before, what is about
something else, and how many there are of what nothing else is said about.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from generators.tasks.asides import is_elsewhere
from generators.tasks.executable import find_quantities
from generators.tasks.flawed import AGAIN
from generators.tasks.sentences import about, blurs, persons, sentences

_BEFORE = re.compile(r"\b(?:last (?:week|month|year)|yesterday|other)\b", re.IGNORECASE)


class Doubt(NamedTuple):
    question: str
    """What would settle it, in words that stand in the text."""
    sentence: str
    matters: bool
    """Whether it seems to bear on what is asked."""


def doubts(text: str) -> list[Doubt]:
    """In the order of the text."""
    said = sentences(text)
    found: list[Doubt] = []
    for n, sentence in enumerate(said[:-1]):
        rest = [s for m, s in enumerate(said) if m != n]
        again = next((sentence.removeprefix(words) for words in AGAIN if sentence.startswith(words)), None)
        if again is None:
            shown = blurs(sentence)[:1]
        else:
            first = next((s for s in rest if _frame(s) == _frame(again)), again)
            shown = [_numbers(first), _numbers(again)] if first != again else []
            rest = [s for s in rest if s != first]
        if shown:
            meant = again or sentence
            away = is_elsewhere(meant, said[-1]) or _of_others(meant, said) or _BEFORE.search(meant)
            bears = not away and about(meant, " ".join(rest)) and (len(shown) > 1 or _counts(shown[0], rest))
            found.append(Doubt(settling(shown), sentence, bears))
    return found


def _counts(some: str, rest: Sequence[str]) -> bool:
    """Whether anything else is said about what is counted."""
    *_, thing = some.lower().split()
    return thing == "money" or re.search(rf"\b{thing[:-1]}", " ".join(rest).lower()) is not None


def _of_others(sentence: str, said: Sequence[str]) -> bool:
    """Whether it is about somebody whom the question does not name while it names others."""
    everybody = persons(" ".join(said))
    here, asked = ({name for name in everybody if name in text} for text in (sentence, said[-1]))
    return bool(here and asked) and not here & asked


def settling(shown: Sequence[str]) -> str:
    """The question for what only "some cups" or two numbers stand for."""
    if len(shown) > 1:
        return f"which number is correct, {' or '.join(shown)}"
    return f'{"how much is" if shown[0].endswith("money") else "how many are"} "{shown[0]}"'


def _frame(sentence: str) -> str:
    """Without its numbers."""
    for quantity in reversed(list(find_quantities(sentence))):
        sentence = f"{sentence[: quantity.start]}#{sentence[quantity.end :]}"
    return sentence


def _numbers(sentence: str) -> str:
    return " ".join(sentence[q.start : q.end] for q in find_quantities(sentence))
