"""Whether a message says the words of its instruction, or of a worked example, that were never meant to be said.

An instruction holds commands ("say it is not right") beside contents ("hint: divide first"). Contents may be said in
the very words: what stands behind a colon, facts, the program's own wording of the move, and whatever was heard. A run
of words that lies in none of these is the command itself.
"""

import re
from collections.abc import Iterable, Sequence

from generators.speakers.checks import plain
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.scenario import View

SPAN = 8
"""Words in a row that are no chance; a worked example's message of five words or more counts as a whole."""
_TO_SAY = re.compile(r":\s*([^;]+)")


def check_not_copied(text: str, view: View, turns: Sequence[Turn], move: Move, examples: Iterable[str]) -> None:
    """`examples`: messages of the demonstrations. Raises InvalidOutput."""
    said = _runs(text, SPAN)
    free = [view.public, move.fallback or "", *_TO_SAY.findall(move.instruction), *(t.text or "" for t in turns)]
    free += [part for fact in view.facts for part in (fact.text, fact.value, fact.slot)]
    free += [label for label in move.labels.values() if isinstance(label, str)]
    commands = said & _runs(move.instruction, SPAN)
    if commands and commands.difference(*(_runs(f, SPAN) for f in free)):
        raise InvalidOutput(f"says its instruction: {text!r}", "copied_instruction")
    for example in examples:
        words = plain(example)
        copied = _runs(text, min(SPAN, len(words))) & _runs(example, SPAN) if len(words) >= 5 else ()
        wanted = (*free, move.instruction)
        if copied and set(copied).difference(*(_runs(f, min(SPAN, len(words))) for f in wanted)):
            raise InvalidOutput(f"says a worked example: {text!r}", "copied_instruction")


def _runs(text: str, size: int) -> set[tuple[str, ...]]:
    """Runs of `size` words; of a shorter text the whole."""
    words = plain(text)
    return {tuple(words[i : i + size]) for i in range(max(1, len(words) - size + 1))} if words else set()
