"""The same conversation twice: MinHash sketches, compared band by band.

Siblings are not duplicates of each other: they share a scenario on purpose. Between groups a duplicate costs its whole
group, the one whose smallest dialogue id is larger, whatever the order of the rows.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue]

from schemas.contracts import Selector
from schemas.judgement import Judged, Selection

_PERMUTATIONS = 128
_BANDS = 32
"""Of four rows: dialogues that share 60% of their shingles meet in a band with probability .988, 70%: .9998."""


class NearDuplicate(Selector):
    """Keeps one of any groups that share most of their wording."""

    threshold: float = 0.6
    """Estimated Jaccard similarity of word shingles from which dialogues are the same."""
    shingle: int = 2
    """Words a shingle."""

    def sketch(self, judged: Judged) -> dict[str, Any]:
        words = re.findall(r"\w+", "\n".join(judged.dialogue.texts()).lower())
        size = min(self.shingle, len(words))
        shingles = {" ".join(words[i : i + size]) for i in range(len(words) - size + 1)} if words else {""}
        minhash = RMinHash(num_perm=_PERMUTATIONS, seed=1)
        minhash.update(sorted(shingles))
        return {"minhash": np.asarray(minhash.digest(), dtype=np.uint32).tobytes()}

    def select(
        self, sketches: pa.Table, reference: pa.Table | None, target: int, seed: int
    ) -> Iterator[tuple[str, Selection]]:
        if sketches.num_rows == 0:
            return
        ids: list[str] = sketches["dialogue_id"].to_pylist()
        groups: list[str] = sketches["group_id"].to_pylist()
        hashes = np.frombuffer(b"".join(sketches["minhash"].to_pylist()), dtype=np.uint32).reshape(-1, _PERMUTATIONS)
        dropped = self._duplicates(ids, groups, hashes)
        for name, group in zip(ids, groups, strict=True):
            twin = group in dropped
            yield name, Selection(keep=not twin, reason="near_duplicate" if twin else "ok")

    def _duplicates(self, ids: list[str], groups: list[str], hashes: np.ndarray) -> set[str]:
        """Groups with a dialogue like one of a group kept before them, in the order of their smallest ids."""
        rows: dict[str, list[int]] = defaultdict(list)
        for i in sorted(range(len(ids)), key=lambda i: ids[i]):
            rows[groups[i]].append(i)
        buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
        dropped: set[str] = set()
        for group, members in rows.items():
            met = {j for i in members for band in _bands(hashes[i]) for j in buckets.get(band, ())}
            if any(np.mean(hashes[i] == hashes[j]) >= self.threshold for i in members for j in met):
                dropped.add(group)
                continue
            for i in members:
                for band in _bands(hashes[i]):
                    buckets[band].append(i)
        return dropped


def _bands(minhash: np.ndarray) -> list[tuple[int, bytes]]:
    return [(band, part.tobytes()) for band, part in enumerate(minhash.reshape(_BANDS, -1))]
