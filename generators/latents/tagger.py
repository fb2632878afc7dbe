"""The intent of a partner's message, and the act of the other side's last one.

The taxonomy is that of `docs/intents.md`. Intents are found by a linear model over words and context, trained on
messages labelled by hand (`benchmarks/intent_tagger.py` trains it and prints how well it agrees); acts by rules.
Only what it agrees about with the labels of a reference is fitted there (`pipelines.fitting`).
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import pairwise, takewhile
from typing import Literal, NamedTuple, get_args

import orjson

from schemas.dialogue import Turn

Intent = Literal[
    "greet",
    "ask",
    "answer",
    "answer_ask",
    "share",
    "request",
    "propose",
    "accept",
    "decline",
    "object",
    "react",
    "repair",
    "bye",
]
INTENTS: tuple[Intent, ...] = get_args(Intent)

Act = Literal["start", "ask", "offer", "tell", "close"]
"""What the other side's last messages did: nothing yet; asked; proposed, recommended or appealed; told; took leave."""
ACTS: tuple[Act, ...] = get_args(Act)

_TOKEN = re.compile(r"[a-z']+|\d+|[?!.@$:]")
_LENGTHS = ((1, "1"), (2, "2"), (3, "3"), (6, "6"), (12, "12"), (25, "25"))
_TAIL = re.compile(r"[,.]?\s*\b(?:right|you know|no|huh|eh|lol|isn'?t it|don'?t you think)\s*\?+\W*$", re.I)
"""Passes the turn on and asks nothing."""
_HOW_ARE_YOU = re.compile(r"\bhow(?:'s| is| are|'re)? (?:it going|you|u|things)\b[^.?!]{0,20}$|\bhru\b", re.I)
_QUESTION_START = re.compile(
    r"^\W*(?:(?:and|so|but|ok|okay|well|oh|hmm+)\W+)*(?:what|which|who|where|when|why|how|(?:do|did|are|have|can|could"
    r"|would|will) (?:you|u)|is (?:it|there|that)|wbu|hbu)\b",
    re.I,
)
_WANTS_TELLING = re.compile(
    r"\btell me\b|\b(?:describe|name|give me|explain) (?:a|an|one|some|why|what|how)\b|\blet me know\b", re.I
)
_OFFERS = re.compile(
    r"\b(?:how|what) about\b|\bwhat if (?:i|you|we)\b|\bi(?:'d| would|can| could)? (?:highly )?(?:recommend|suggest)\b"
    r"|\b(?:have|did) you (?:ever )?(?:seen?|watch(?:ed)?|tr(?:y|ied)|heard of)\b|\bby the way\b|\bcheck out\b"
    r"|\byou (?:should|could|might|may|can) (?:\w+ )?(?:like|watch|try|check|enjoy|love|donate|give|take|have|get)\b"
    r"|\b(?:would|do|will|could|can) you (?:\w+ )?(?:like|want|be willing|be interested|consider|care|be able|be ok)\b"
    r"[^?]{0,40}\b(?:donat\w*|giv\w*|help|contribut\w*|trade|take|accept|watch|see|try|split|spare|hear)\b"
    r"|\bi(?:'ll| can| could| will| would) (?:give|offer|trade|let|take|spare)\b|\bdeal\W*\?|^\W*submit-deal"
    r"|\b(?:you|i) (?:get|take|keep|have)\b[^.?!]{0,30}\b(?:\d|one|two|three|all|half)\b|^\W*@\d+"
    r"|\bhow much (?:do|would|will|are|can|did) you\b",
    re.I,
)
_LEAVES = re.compile(
    r"\b(?:bye|goodbye|good ?night|see (?:you|ya)|take care|have a (?:\w+ )?(?:one|day|night|time))\b", re.I
)


class Tagged(NamedTuple):
    intent: Intent
    sure: float
    """Its probability, by the model."""


def is_question(text: str) -> bool:
    """Asks something; a tag that only passes the turn on ("right?") does not."""
    if "?" in _TAIL.sub("", text) or _HOW_ARE_YOU.search(text):
        return True
    return bool(_QUESTION_START.match(text) and len(text.split()) > 2 and "." not in text)


def act_of(others: Sequence[str]) -> Act:
    """Of the other side's messages since the partner's last ones, oldest first."""
    if not others:
        return "start"
    joined = " ".join(others)
    if _OFFERS.search(joined):
        return "offer"
    if any(is_question(t) for t in others) or _WANTS_TELLING.search(joined):
        return "ask"
    return "close" if _LEAVES.search(others[-1]) else "tell"


def tag(text: str, others: Sequence[str], mine: Sequence[str] = ()) -> Tagged:
    """`others`: what the other side said before it, since the partner's last turn; `mine`: what the partner said since
    then. Oldest first.
    """
    model = _model()
    scores = list(model.bias)
    for name, value in features(text, others, mine).items():
        weights = model.weights.get(name)
        if weights is not None:
            for n, weight in enumerate(weights):
                scores[n] += value * weight
    best = max(range(len(scores)), key=scores.__getitem__)
    return Tagged(INTENTS[best], 1 / sum(2.718281828459045 ** (s - scores[best]) for s in scores))


def since(turns: Sequence[Turn], role: str) -> tuple[list[str], list[str]]:
    """At the end of `turns`: what the others said since `role`'s last turn, and what `role` has said since then."""
    texts = [(t.role == role, t.text) for t in turns if t.text]
    mine = list(takewhile(lambda said: said[0], reversed(texts)))
    others = takewhile(lambda said: not said[0], reversed(texts[: len(texts) - len(mine)]))
    return [text for _, text in others][::-1], [text for _, text in mine][::-1]


def features(text: str, others: Sequence[str], mine: Sequence[str]) -> dict[str, float]:
    """Name -> value of what the model looks at."""
    words, before = _tokens(text)[:60], _tokens(" ".join(others))[-40:]
    asks, asked, act = is_question(text), any(is_question(t) for t in others), act_of(others)
    found: dict[str, float] = {f"u:{w}": 1.0 for w in words}
    found |= {f"b:{a} {b}": 1.0 for a, b in zip(["^", *words], [*words, "$"], strict=True)}
    found |= {f"p{place}:{w}": 1.0 for place, w in enumerate(words[:3])}
    found |= {f"o:{w}": 0.5 for w in before} | {f"ob:{a} {b}": 0.5 for a, b in pairwise(before)}
    length = next((name for most, name in _LENGTHS if len(words) <= most), "more")
    flags = {
        "first": not others and not mine,
        "continues": bool(mine),
        "asked": asked,
        "asked last": bool(others) and others[-1].rstrip().endswith("?"),
        "asks": asks,
        "asks last": text.rstrip().endswith("?"),
        "asks back": asks and asked,
        f"act:{act}": True,
        f"length:{length}": True,
        f"length:{length}|{act}": True,
    }
    return found | {name: 1.0 for name, holds in flags.items() if holds}


def _tokens(text: str) -> list[str]:
    return ["<n>" if t.isdigit() else t for t in _TOKEN.findall(text.lower().replace("’", "'"))]


class _Model(NamedTuple):
    bias: tuple[float, ...]
    weights: Mapping[str, tuple[float, ...]]


@cache
def _model() -> _Model:
    stored = orjson.loads(resources.files("generators.latents").joinpath("tagger.json").read_bytes())
    assert stored["intents"] == list(INTENTS)
    weights = {name: tuple(w / 100 for w in row) for name, row in stored["weights"].items()}
    return _Model(tuple(w / 100 for w in stored["bias"]), weights)
