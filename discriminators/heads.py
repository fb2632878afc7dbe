"""Label heads: small questions about the partner side, to be answered as often as in real dialogue.

The third realism measure of methods §1. A head is a function from a dialogue to one of a few labels. They work by cues,
so they are the same on both sides and cost nothing; what a cue misses it misses in real and in synthetic text alike.
`who_ends` is reported and never matched: no discriminator sees it.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson

from discriminators.features import normalised
from schemas.contracts import Texts
from schemas.dialogue import Dialogue


def labels(dialogue: Dialogue) -> dict[str, str]:
    """Every head's label of the dialogue's partner side."""
    return {name: head(dialogue) for name, head in HEADS.items()}


def text_labels(texts: Texts) -> dict[str, str]:
    """The labels that follow from the partner's utterances alone."""
    lines = [line for line in map(normalised, texts) if line]
    return {name: head(lines) for name, head in TEXT_HEADS.items()}


def _bucket(value: float, bounds: Sequence[tuple[float, str]], last: str) -> str:
    return next((name for bound, name in bounds if value <= bound), last)


def length(lines: Sequence[str]) -> str:
    """Mean words an utterance."""
    words = sum(len(line.split()) for line in lines) / max(1, len(lines))
    return _bucket(words, ((3, "1-3"), (6, "4-6"), (10, "7-10"), (16, "11-16"), (25, "17-25")), "26+")


def question(lines: Sequence[str]) -> str:
    """How much of what the partner says asks something."""
    share = sum(_is_question(line) for line in lines) / max(1, len(lines))
    return _bucket(share, ((0, "none"), (1 / 3, "some")), "often")


def act(lines: Sequence[str]) -> str:
    """What most utterances do; the rarer act wins a tie."""
    counts = Counter(_act(line) for line in lines)
    return max(counts, key=lambda name: (counts[name], -_ACT_ORDER.index(name))) if counts else "statement"


def politeness(lines: Sequence[str]) -> str:
    """Marks of politeness an utterance."""
    marks = sum(len(_POLITE.findall(line)) for line in lines)
    return _bucket(marks / max(1, len(lines)), ((0, "none"), (1 / 3, "some")), "much")


def topic(lines: Sequence[str]) -> str:
    """The topic with most of its words said; the first of the list wins a tie."""
    words = Counter(word for line in lines for word in re.findall(r"[a-z']+", line))
    hits = {name: sum(words[w] for w in vocabulary) for name, vocabulary in _TOPICS.items()}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] else "other"


def who_ends(dialogue: Dialogue) -> str:
    """Who has the last word."""
    speakers = [turn.role for turn in dialogue.turns if turn.kind == "utterance" and turn.text]
    if not speakers:
        return "nobody"
    return {dialogue.partner: "partner", dialogue.learner: "learner"}.get(speakers[-1], "other")


_POLITE = re.compile(
    r"\b(please|thanks?|thank you|thx|sorry|apologies|excuse me|appreciate|could you|would you|pardon|you're welcome"
    r"|my pleasure|kindly)\b"
)
_QUESTION_START = re.compile(
    r"^(?:(?:and|so|but|well|ok|okay|oh|hey|hi|yeah)[, ]+)*"
    r"(what|why|how|who|where|when|which|whose|do|does|did|is|are|was|were|can|could|would|will|should|have|has)"
    r" (you|i|we|they|he|she|it|the|that|this|there|your|my|about|is|are|do|does|did|many|much|kind|was|were|would"
    r"|can)\b"
)
_ACTS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(cues)
    for name, cues in {
        "greeting": r"^(hi|hello|hey|hiya|howdy|good (morning|afternoon|evening))\b(?!.*\?)",
        "closing": r"\b(bye|goodbye|see (you|ya)|good night|take care|have a (good|nice|great)|gotta go|talk later)\b",
        "thanking": r"^(ok(ay)?,? |great,? |oh,? )?(thanks?|thank you|thx)\b",
        "refusal": r"^(no|nope|nah|not really|i don't (think|want)|i disagree|never mind|i'd rather not)\b",
        "agreement": r"^(yes|yeah|yep|yup|ya|sure|ok|okay|right|true|exactly|definitely|absolutely|of course|agreed"
        r"|i agree|for sure|same|me too|got it|sounds good)\b",
        "request": r"\b(i (want|need|would like)|i'd like|i'm looking for|can you|could you|please|tell me|let me"
        r"|help me|show me|find me)\b",
        "reaction": r"^(wow|oh|ah|(ha){2,}h?|lol|cool|nice|awesome|great|good|interesting|really|hmm+|aw+|yay|omg|damn"
        r"|that's)\b",
    }.items()
}
_ACT_ORDER = (*_ACTS, "question", "statement")


def _is_question(line: str) -> bool:
    return "?" in line or _QUESTION_START.match(line) is not None


def _act(line: str) -> str:
    if _is_question(line):
        return "question"
    return next((name for name, pattern in _ACTS.items() if pattern.search(line)), "statement")


_TOPICS: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in orjson.loads(Path(__file__).with_name("topics.json").read_bytes()).items()
}

TEXT_HEADS: Mapping[str, Callable[[Sequence[str]], str]] = {
    "length": length,
    "question": question,
    "act": act,
    "politeness": politeness,
    "topic": topic,
}
"""Heads over normalised utterances: what `HeadLogistic` sees."""


def _over_partner(head: Callable[[Sequence[str]], str]) -> Callable[[Dialogue], str]:
    def labelled(dialogue: Dialogue) -> str:
        return head([line for line in map(normalised, dialogue.texts(dialogue.partner)) if line])

    return labelled


HEADS: Mapping[str, Callable[[Dialogue], str]] = {
    **{name: _over_partner(head) for name, head in TEXT_HEADS.items()},
    "who_ends": who_ends,
}
"""A new head is a function and a line here."""
