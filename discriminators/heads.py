"""Label heads: small questions about one turn of a user, to be answered as often as real users answer them.

The third realism measure of methods §1, taken turn by turn and given what the turn answers (§26.5). They work by cues,
so they are the same on both sides and cost nothing; what a cue misses it misses in real and in synthetic text alike.
No head asks how late in a dialogue something comes, or whether it is new: a learner that saves turns would change that.
Where a head is about change, it is compared given the user's turn before, too (`context`), and absent from the first.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from discriminators import cues
from schemas.judgement import UserTurn


def turn_labels(line: str, before: Mapping[str, str]) -> dict[str, str]:
    """`before`: the labels of the same user's turn before; empty for the first."""
    labels = {name: head(line) for name, head in LINE_HEADS.items()}
    return labels | ({name: labels[of] for name, of in CHANGES.items()} if before else {})


def context(turn: UserTurn, head: str) -> str:
    """What a head of a turn is compared given: the act it answers, and for a change what was before."""
    return f"{turn.given}>{turn.before[CHANGES[head]]}" if head in CHANGES else turn.given


def summary(turns: Iterable[UserTurn]) -> dict[str, str]:
    """By head the most frequent label of a dialogue; the alphabet decides a tie. Empty for a silent user."""
    counts: dict[str, Counter[str]] = {}
    for turn in turns:
        for head, label in turn.labels.items():
            counts.setdefault(head, Counter())[label] += 1
    return {head: min(count, key=lambda label: (-count[label], label)) for head, count in counts.items()}


def length(line: str) -> str:
    count = len(line.split())
    bounds = ((3, "1-3"), (6, "4-6"), (10, "7-10"), (16, "11-16"), (25, "17-25"))
    return next((name for bound, name in bounds if count <= bound), "26+")


def question(line: str) -> str:
    asked = [cues.is_question(part) for part in cues.sentences(line)] or [False]
    return "asks" if all(asked) else "tells_and_asks" if any(asked) or cues.is_question(line) else "none"


def politeness(line: str) -> str:
    return ("none", "one", "more")[min(2, cues.polite_marks(line))]


def sentiment(line: str) -> str:
    score = cues.sentiment(line)
    return "positive" if score > 0 else "negative" if score < 0 else "neutral"


def typing(line: str) -> str:
    return "chat" if cues.chatty(line) else "exclaims" if "!" in line else "plain"


def pushback(line: str) -> str:
    return "refuses" if cues.REFUSES.search(line) else "corrects" if cues.CORRECTS.search(line) else "none"


def person(line: str) -> str:
    return {(True, True): "both", (True, False): "self", (False, True): "other", (False, False): "none"}[
        cues.persons(line)
    ]


def wish(line: str) -> str:
    return "wishes" if cues.WISH.search(line) else "none"


def disclosure(line: str) -> str:
    """How much it tells of the user. Whether that is new is not asked: it depends on what the learner asked before.
    What users tell unasked shows in the turns given `start` and those that answer no question.
    """
    return ("nothing", "one", "several")[min(2, len(cues.told(line)))]


LINE_HEADS: Mapping[str, Callable[[str], str]] = {
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
CHANGES: Mapping[str, str] = {"act_change": "act", "sentiment_change": "sentiment", "length_change": "length"}
"""Head -> the head whose label it is, compared given the user's own label before."""
OF_THE_TURN = tuple(name for name in LINE_HEADS if name != "topic")
"""Those that a classifier may see. The other heads would tell it how early a turn comes or what was answered before it,
and so how the learner acts."""
MATCHED = (*OF_THE_TURN, *CHANGES, "ends")
"""Heads that selection matches."""
REPORTED_ONLY = ("topic",)
"""Lexical: says something only where both sides talk about like things."""
