"""Which evaluation items a text repeats: n-grams of words, hashed; short items as a whole.

Runs of 13 words that both have, lower-cased and without punctuation, are what GPT-3 was checked by (Brown et al. 2020,
appendix C) and what evaluation harnesses use since. An item of fewer words has no such run: it counts where all its
letters and digits stand in a text in a row, whatever is between the words, as GPT-4 was checked by substrings of 50
characters and by the whole of shorter items (OpenAI 2023, appendix C). Below 20 characters chance alone would find it,
and what more than ten items say is a set phrase ("talk me through your solution"): both are counted, not looked for.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from schemas.identity import stable_hash

WORDS = 13
SHORTEST = 20
"""Letters and digits of an item that is looked for."""
COMMON = 10
"""Items that may share a short text; GPT-3's check had this bound for runs of words."""
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd: no power of it is 0
_POWERS = [np.uint64(pow(int(_BASE), WORDS - 1 - k, 1 << 64)) for k in range(WORDS)]


class Hit(NamedTuple):
    item: int
    """Number of the item, as it was added."""
    shared: str
    """What both have: 13 words, or the whole item."""


class Index:
    """N-grams of evaluation items: 12 bytes for each different one."""

    def __init__(self, items: Iterable[tuple[int, str]]):
        """`items`: (number, text); several texts may have one number."""
        self.too_short = 0
        """Texts with fewer than SHORTEST letters and digits."""
        short: dict[str, list[int]] = {}
        hashes: list[np.ndarray] = []
        numbers: list[np.ndarray] = []
        for number, text in items:
            words = _words(text)
            if len(words) >= WORDS:
                hashes.append(_grams(words))
                numbers.append(np.full(len(hashes[-1]), number, dtype=np.uint32))
            elif len(squeezed := "".join(words)) >= SHORTEST:
                short.setdefault(squeezed, []).append(number)
            else:
                self.too_short += 1
        self.common = 0
        """Different short texts that more than COMMON items have."""
        self._short: dict[str, list[tuple[str, int]]] = {}
        """First SHORTEST characters -> (characters, item)"""
        for text, having in short.items():
            if len(set(having)) > COMMON:
                self.common += 1
            else:
                self._short.setdefault(text[:SHORTEST], []).append((text, having[0]))
        joined = np.concatenate(hashes) if hashes else np.empty(0, dtype=np.uint64)
        self._hashes, first = np.unique(joined, return_index=True)
        self._items = np.concatenate(numbers)[first] if numbers else np.empty(0, dtype=np.uint32)

    @property
    def nbytes(self) -> int:
        """Of memory, short items at what their characters take."""
        short = sum(2 * len(text) for several in self._short.values() for text, _ in several)
        return self._hashes.nbytes + self._items.nbytes + short

    def hits(self, text: str) -> list[Hit]:
        """Each item once, in the order of the text."""
        words = _words(text)
        found = dict[int, str]()
        for item, shared in (*self._long(words), *self._whole("".join(words))):
            found.setdefault(item, shared)
        return [Hit(item, shared) for item, shared in found.items()]

    def _long(self, words: list[str]) -> Iterator[tuple[int, str]]:
        if len(words) < WORDS or not len(self._hashes):
            return
        grams = _grams(words)
        at = np.minimum(np.searchsorted(self._hashes, grams), len(self._hashes) - 1)
        for place in np.flatnonzero(self._hashes[at] == grams).tolist():
            yield int(self._items[at[place]]), " ".join(words[place : place + WORDS])

    def _whole(self, squeezed: str) -> Iterator[tuple[int, str]]:
        if not self._short:
            return
        for place in range(len(squeezed) - SHORTEST + 1):
            for whole, item in self._short.get(squeezed[place : place + SHORTEST], ()):
                if squeezed.startswith(whole, place):
                    yield item, whole


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("’", ""))


@lru_cache(maxsize=1 << 16)
def _number(word: str) -> int:
    return int(stable_hash(word, bits=64), 16)


def _grams(words: list[str]) -> np.ndarray:
    """uint64 [len(words) - 12]: a polynomial of the words' hashes, the same in every process."""
    numbers = np.fromiter(map(_number, words), dtype=np.uint64, count=len(words))
    size = len(words) - WORDS + 1
    total = np.zeros(size, dtype=np.uint64)
    for k, power in enumerate(_POWERS):
        total += numbers[k : k + size] * power
    return total
