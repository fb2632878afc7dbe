"""Whether words carry a content, and which fact a question is about: shared content words first, embeddings where
these are silent. What the domain files say in many ways is compared with all of them, less what else could be meant.
Where a recipe names a judge, its structured call decides, and what it says a message asks is checked by embedding.

SAME_MEANING, MEANING_GIVEN_AWAY and SAME_ASKED were chosen by `benchmarks/disclosure.py` on half of
`tests/generators/disclosure_cases.yaml`; it reports on the other.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from generators.judging import read
from generators.latents.tagger import is_question
from generators.meanings import Meaning, items_near, meaning, ways_to_ask
from generators.speakers.checks import content_words, coverage, plain
from schemas.contracts import Services
from schemas.scenario import Fact

if TYPE_CHECKING:
    import numpy as np

SAME_CONTENT = 0.65
"""Cosine similarity from which a message is taken to carry a content in other words."""
SAME_MEANING = 0.4
"""The same of a content that a domain says in many ways: similarity to all of them, plus how far that is above the
nearest other value or concern.
"""
GIVEN_AWAY = 0.75
"""Like SAME_CONTENT, from which a message gives away a fact it should not tell."""
MEANING_GIVEN_AWAY = 0.4
"""Like SAME_MEANING, for the same."""
SAME_QUESTION = 0.55
"""The same for two questions."""
SAME_ASKED = 0.35
"""The same for a question that a domain asks, whose slot and answers are looked at, too."""
JUDGED_ASKED = -0.15
"""How far from being near enough a question may be that a judge says is asked."""
SAME_SLOT = 0.5
"""The same for a question and the public words of a fact's slot, which are shorter."""

_OWN_WORDS = 0.6
"""Share of a clause's words in something harmless from which it is that."""
_ENDS = re.compile(r"[,.!?;:\n]+|\s+(?:and|but|so|because|or)\s+", re.IGNORECASE)


class Limits(NamedTuple):
    meaning: float
    """Of contents that the domains say in many ways."""
    alone: float
    """Of others."""


def clauses(text: str) -> list[str]:
    """The text, and its parts of three words or more."""
    parts = (part.strip() for part in _ENDS.split(text))
    return list(dict.fromkeys([text, *(part for part in parts if len(part.split()) >= 3)]))


async def above(pieces: Sequence[str], contents: Sequence[str], limits: Limits, services: Services) -> "np.ndarray":
    """float [pieces, contents]: how far each piece is above the limit from which it says that content."""
    import numpy as np  # 12 MB that a worker needs only where something is embedded

    meant = [(words, meaning(words)) for words in contents]
    alone = [words for words, m in meant if m is None]
    vectors = await services.embed.embed([*pieces, *alone])
    spoken, by_words = vectors[: len(pieces)], dict(zip(alone, vectors[len(pieces) :], strict=True))
    found: list[np.ndarray] = []
    for words, m in meant:
        if m is None:
            found.append(spoken @ by_words[words] - limits.alone)
        else:
            similar = spoken @ (await services.embed.phrases([m.own, *m.others])).T
            found.append(2 * similar[:, 0] - similar[:, 1:].max(axis=1) - limits.meaning)
    return np.stack(found, axis=1)


async def carries(text: str, content: str, services: Services, share: float = 0.6) -> bool:
    """Whether a message says a given content: at least `share` of its words, or the same in others."""
    if coverage(text, content) >= share:
        return True
    said = await above(clauses(text), [content], Limits(SAME_MEANING, SAME_CONTENT), services)
    return bool(said.max() >= 0)


async def told_early(text: str, said: Sequence[Fact], hidden: Sequence[Fact], services: Services) -> Fact | None:
    """The hidden fact a message gives away; None when it gives none. `said`: what it may tell, which excuses what
    resembles it.
    """
    bare = content_words(text) - {word for fact in said for word in content_words(fact.text)}
    for fact in hidden:
        words = content_words(fact.text)
        if len(words & bare) >= max(2, 0.75 * len(words)):
            return fact
    if not hidden or len(bare) < 2:
        return None
    judged = await read("tells", text, [fact.text for fact in hidden], services)
    if judged is not None:
        return hidden[judged[0]] if judged else None
    pieces = list(dict.fromkeys([*clauses(text), *clauses(_beyond(text, said))]))
    contents = [fact.text for fact in (*hidden, *said)]
    found = await above(pieces, contents, Limits(MEANING_GIVEN_AWAY, GIVEN_AWAY), services)
    most, early, asks = 0.0, None, is_question(text)
    for piece, row in zip(pieces, found.tolist(), strict=True):
        least = max([most, *row[len(hidden) :]])
        for fact, over in zip(hidden, row, strict=False):
            if over >= least and not _excused(piece, meaning(fact.text), asks):
                least, most, early = over, over, fact
    return early


def _beyond(text: str, said: Sequence[Fact]) -> str:
    """The text without the clauses that say what may be told."""
    parts = [part.strip() for part in _ENDS.split(text)]
    rest = [part for part in parts if not any(coverage(fact.text, part) >= _OWN_WORDS for fact in said)]
    return ", ".join(rest) if 0 < len(rest) < len(parts) else text


def _excused(piece: str, meant: Meaning | None, asks: bool) -> bool:
    """Whether a clause is nearly something that people say there and that gives nothing away."""
    words = content_words(piece)
    if meant is None:
        return False
    among = (*meant.harmless, *(meant.asking if asks else ()))
    return not words or any(len(words & other) >= _OWN_WORDS * len(words) for other in among)


def named(text: str, names: Sequence[str]) -> list[str]:
    """The names that stand in a text, in its order; the longer of two that overlap."""
    words = f" {' '.join(plain(text))} "
    found: list[tuple[int, str]] = []
    for name in sorted(names, key=len, reverse=True):
        wanted = f" {' '.join(plain(name))} "
        if (at := words.find(wanted)) >= 0:
            found.append((at, name))
            words = words.replace(wanted, f" {'_' * (len(wanted) - 2)} ")
    return [name for _, name in sorted(found)]


async def asked_for(text: str, questions: Mapping[str, str], services: Services) -> tuple[str, ...]:
    """Which of some questions (id -> its words) a message asks, in its order; each sentence at most one. A sentence
    that names something to recommend asks about nothing.
    """
    items = {name for words in questions.values() for name in items_near(words)}
    asked = [s for s in re.findall(r"[^.!?\n]+[.!?\n]*", text) if is_question(s) and not named(s, sorted(items))]
    if not asked or not questions:
        return ()
    ways = {i: ways_to_ask(words) for i, words in questions.items()}
    texts = [way for some in ways.values() for way in some]
    similar = await services.embed.embed(asked) @ (await services.embed.phrases(texts)).T
    judged = await read("asks", text, list(questions.values()), services)
    found: list[str] = []
    for sentence, row in zip(asked, similar, strict=True):
        over: dict[str, float] = {}
        at = 0
        for i, some in ways.items():
            near = float(row[at : at + len(some)].max())
            at += len(some)
            same = SAME_ASKED if len(some) > 1 else SAME_QUESTION
            over[i] = max(near - same, coverage(sentence, questions[i]) - SAME_QUESTION)
        if judged is not None:
            found += [i for n, i in enumerate(questions) if n in judged and over[i] >= JUDGED_ASKED]
        elif over[best := max(over, key=lambda i: over[i])] > 0:
            found.append(best)
    return tuple(dict.fromkeys(found))


async def nearest_fact(question: str, facts: Sequence[Fact], services: Services) -> Fact | None:
    """The fact a question is about; None when none is near."""
    if not facts:
        return None
    best, fact = max(((coverage(question, f.slot), f) for f in facts), key=lambda pair: pair[0])
    if best >= 0.6:
        return fact
    vectors = await services.embed.embed([question, *[f.slot for f in facts]])
    similar = vectors[1:] @ vectors[0]
    place = int(similar.argmax())
    return facts[place] if similar[place] >= SAME_SLOT else None
