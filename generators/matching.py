"""Whether words carry a content, and which fact a question is about: shared content words first, embeddings where
these are silent.
"""

import re
from collections.abc import Mapping, Sequence

from generators.latents.tagger import is_question
from generators.speakers.checks import content_words, coverage, plain
from schemas.contracts import Services
from schemas.scenario import Fact

SAME_CONTENT = 0.65
"""Cosine similarity from which a message is taken to carry a content in other words."""
GIVEN_AWAY = 0.75
"""The same, from which a message gives away a fact it should not tell."""
SAME_QUESTION = 0.55
"""The same for two questions."""
SAME_SLOT = 0.5
"""The same for a question and the public words of a fact's slot, which are shorter."""


async def carries(text: str, content: str, services: Services, share: float = 0.6) -> bool:
    """Whether a message says a given content: at least `share` of its words, or the same in others."""
    if coverage(text, content) >= share:
        return True
    vectors = await services.embed.embed([text, content])
    return float(vectors[0] @ vectors[1]) >= SAME_CONTENT


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
    vectors = await services.embed.embed([text, *[fact.text for fact in (*hidden, *said)]])
    similar = vectors[1:] @ vectors[0]
    place = int(similar.argmax())
    return hidden[place] if place < len(hidden) and similar[place] >= GIVEN_AWAY else None


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
    """Which of some questions (id -> its words) a message asks, in its order; each sentence at most one."""
    asked = [s for s in re.findall(r"[^.!?\n]+[.!?\n]*", text) if is_question(s)]
    if not asked:
        return ()
    ids = list(questions)
    vectors = await services.embed.embed([*asked, *questions.values()])
    found: list[str] = []
    for n, sentence in enumerate(asked):
        similar = vectors[len(asked) :] @ vectors[n]
        score = [max(float(s), coverage(sentence, questions[i])) for s, i in zip(similar, ids, strict=True)]
        best = max(range(len(ids)), key=score.__getitem__)
        if score[best] >= SAME_QUESTION:
            found.append(ids[best])
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
