"""Whether words carry a content, and which fact a question is about: shared content words first, embeddings where
these are silent.
"""

from collections.abc import Sequence

from generators.speakers.checks import coverage
from schemas.contracts import Services
from schemas.scenario import Fact

SAME_CONTENT = 0.65
"""Cosine similarity from which a message is taken to carry a content in other words."""
SAME_SLOT = 0.5
"""The same for a question and the public words of a fact's slot, which are shorter."""


async def carries(text: str, content: str, services: Services, share: float = 0.6) -> bool:
    """Whether a message says a given content: at least `share` of its words, or the same in others."""
    if coverage(text, content) >= share:
        return True
    vectors = await services.embed.embed([text, content])
    return float(vectors[0] @ vectors[1]) >= SAME_CONTENT


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
