"""Whether two sides talk about like things. Where they do not, no classifier may see what they talk about."""

from collections import Counter
from collections.abc import Iterable, Sequence

from discriminators.cues import content, words
from discriminators.user_turns import Sample
from schemas.identity import derive

_LEAST = 100
"""Content words that a side must say for anything to be told of it."""
_LIKE = 0.5
"""Of the overlap that two halves of the real side have."""


def like_domains(real: Sequence[Sample], synthetic: Sequence[Sample], seed: int) -> bool:
    """Whether the words that users use beyond those of all kinds of talk overlap at least half as much between the
    sides as between halves of the real one. If not, compare `Sample.masked()`.
    """
    ranked = sorted({s.group for s in real}, key=lambda group: derive(seed, "halves", group))
    first = set(ranked[: len(ranked) // 2])
    one, other = ([s for s in real if (s.group in first) == side] for side in (True, False))
    counts = [_counts(side) for side in (one, other, synthetic)]
    least = min(count.total() for count in counts)
    if least < _LEAST:
        return False
    # of one size: the more is said, the more words are shared
    halves, apart = (_overlap(counts[0], _thinned(side, least)) for side in counts[1:])
    return apart >= _LIKE * halves


def _counts(samples: Iterable[Sample]) -> Counter[str]:
    return Counter(word for sample in samples for turn in sample.turns for word in content(words(turn.text)))


def _thinned(counts: Counter[str], size: int) -> dict[str, float]:
    return {word: n * size / counts.total() for word, n in counts.items() if n * size >= counts.total()}


def _overlap(real: Counter[str], other: dict[str, float]) -> float:
    size, total = real.total(), sum(other.values()) or 1.0
    return sum(min(real[word] / size, n / total) for word, n in other.items())
