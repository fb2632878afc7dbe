"""Label heads: small questions about one turn of a user, to be answered as often as real users answer them.

The third realism measure of methods §1, taken turn by turn and given what the turn answers (§26.5). They work by cues,
so they are the same on both sides and cost nothing; what a cue misses it misses in real and in synthetic text alike.
No head asks how late in a dialogue something comes, or whether it is new: a learner that saves turns would change that.
Where a head is about change, it is compared given the user's turn before, too (`context`), and absent from the first;
`disclosure_timing` given how much the user had told by then, which goes on the faster the more a learner asks. `ends`,
which is asked of no learner that saves turns, is compared given the place of the turn, too: people leave the sooner the
longer a dialogue goes on, and real ones are cut to the lengths of others.
"""

from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from discriminators import cues
from discriminators.cues import Line
from schemas.judgement import UserTurn


def turn_labels(text: str, before: Mapping[str, str]) -> dict[str, str]:
    """`text`: normalised. `before`: what is remembered of the same user's turn before; empty for the first."""
    line = Line.of(text)
    labels = {name: head(line) for name, head in LINE_HEADS.items()}
    if before:
        labels |= {name: labels[change.of] for name, change in CHANGES.items()}
    return labels


def remembered(labels: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """What the next turn is compared given: the labels of this one, how much was told so far and in how many turns."""
    told = int(before.get(_TOLD, "0")) + _DISCLOSED.index(labels["disclosure"])
    return {**labels, _TOLD: str(min(_MOST_TOLD, told)), TURNS: str(_turns(before) + 1)}


def context(turn: UserTurn, head: str) -> str:
    """What a head is compared given: the act the turn answers; for a change what was before; for an end the place."""
    if head == ENDS:
        return f"{turn.given}>{bisect(_PLACES, _turns(turn.before))}"
    return f"{turn.given}>{turn.before[CHANGES[head].given]}" if head in CHANGES else turn.given


def _turns(before: Mapping[str, str]) -> int:
    return int(before.get(TURNS, "0"))


def summary(turns: Iterable[UserTurn]) -> dict[str, str]:
    """By head the most frequent label of a dialogue; the alphabet decides a tie. Empty for a silent user."""
    counts: dict[str, Counter[str]] = {}
    for turn in turns:
        for head, label in turn.labels.items():
            counts.setdefault(head, Counter())[label] += 1
    return {head: min(count, key=lambda label: (-count[label], label)) for head, count in counts.items()}


_LENGTHS = ("1-3",) * 4 + ("4-6",) * 3 + ("7-10",) * 4 + ("11-16",) * 6 + ("17-25",) * 9
_DISCLOSED = ("nothing", "one", "several")
_TOLD, _MOST_TOLD = "told_so_far", 4
TURNS = "turns_so_far"
_PLACES = (1, 2, 3, 4, 5, 6, 8, 12, 20)
"""Turns so far from which a further one is in the next place."""
_PERSONS = {(True, True): "both", (True, False): "self", (False, True): "other", (False, False): "none"}


def length(line: Line) -> str:
    count = len(line.text.split())
    return _LENGTHS[count] if count < len(_LENGTHS) else "26+"


def question(line: Line) -> str:
    asked = [cues.is_question(part) for part in cues.sentences(line.text)] or [False]
    return "asks" if all(asked) else "tells_and_asks" if any(asked) or cues.is_question(line.text) else "none"


def politeness(line: Line) -> str:
    return ("none", "one", "more")[min(2, cues.polite_marks(line))]


def sentiment(line: Line) -> str:
    score = cues.sentiment(line)
    return "positive" if score > 0 else "negative" if score < 0 else "neutral"


def typing(line: Line) -> str:
    return "chat" if cues.chatty(line) else "exclaims" if "!" in line.text else "plain"


def pushback(line: Line) -> str:
    return "refuses" if cues.REFUSES.found(line) else "corrects" if cues.CORRECTS.found(line) else "none"


def person(line: Line) -> str:
    return _PERSONS[cues.persons(line)]


def wish(line: Line) -> str:
    return "wishes" if cues.WISH.found(line) else "none"


def disclosure(line: Line) -> str:
    """How much it tells of the user. Whether that is new is not asked: it depends on what the learner asked before.
    What users tell unasked shows in the turns given `start` and those that answer no question.
    """
    return _DISCLOSED[min(2, len(cues.told(line)))]


LINE_HEADS: Mapping[str, Callable[[Line], str]] = {
    "act": cues.act,
    "sentiment": sentiment,
    "question": question,
    "politeness": politeness,
    "length": length,
    "typing": typing,
    "opening": cues.opening,
    "pushback": pushback,
    "person": person,
    "wish": wish,
    "disclosure": disclosure,
    "topic": cues.topic,
}
"""Heads of a turn's own words. A new head is a function and a line here."""


class Change(NamedTuple):
    of: str
    """The head whose label it is."""
    given: str
    """What of the turn before it is compared given."""


CHANGES: Mapping[str, Change] = {
    "act_change": Change("act", "act"),
    "sentiment_change": Change("sentiment", "sentiment"),
    "length_change": Change("length", "length"),
    "disclosure_timing": Change("disclosure", _TOLD),
}
"""Heads that are compared given the user's turn before, too."""
OF_THE_TURN = tuple(name for name in LINE_HEADS if name != "topic")
"""Those that a classifier may see. The other heads would tell it how early a turn comes or what was answered before it,
and so how the learner acts."""
ENDS = "ends"
MATCHED = (*OF_THE_TURN, *CHANGES, ENDS)
"""Heads that selection matches."""
REPORTED_ONLY = ("topic",)
"""Lexical: says something only where both sides talk about like things."""
