"""The same conversation twice: MinHash sketches, compared where they meet in a band.

Siblings are not duplicates of each other: they share a scenario on purpose. Between groups a duplicate costs its whole
group, the one whose smallest dialogue id is larger, whatever the order of the rows.

Bands are sorted as one array each, and what meets nobody, most of it, is never looked at again: a table of buckets
would not hold a million dialogues (benchmarks/realism_speed.py).
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue]

from schemas.contracts import Selector
from schemas.judgement import Choice, Judged, Selection

_PERMUTATIONS = 128
_BANDS = 32
"""Of four rows: dialogues that share 55% of their shingles meet in a band with probability .953, 60%: .988, 70%: .9998.
Of 6,300 planted copies two met in none; bands of three rows would compare ten times as many that are unlike.
"""
_BLOCK = 1 << 16
_WORD = re.compile(r"\w+")
_KEPT = Selection(keep=True)
_TWIN = Selection(keep=False, reason="near_duplicate")


class NearDuplicate(Selector):
    """Keeps one of any groups that share most of their wording."""

    threshold: float = 0.55
    """Estimated Jaccard similarity of word shingles from which dialogues are the same. Copies with one word in twenty
    exchanged have .82 on average, the shortest less (docs/benchmarks.md). People's conversations that nobody copied
    hardly reach .4, but those along a script reach .5.
    """
    shingle: int = 2
    """Words a shingle."""

    def sketch(self, judged: Judged) -> dict[str, Any]:
        words = _WORD.findall("\n".join(judged.dialogue.texts()).lower())
        size = min(self.shingle, len(words))
        shingles = set(map(" ".join, zip(*(words[i:] for i in range(size)), strict=False))) if words else {""}
        minhash = RMinHash(num_perm=_PERMUTATIONS, seed=1)
        minhash.update(shingles)
        return {"minhash": np.array(minhash.digest(), dtype=np.uint32).tobytes()}

    def select(self, sketches: pa.Table, target: int, seed: int, errors: Mapping[str, np.ndarray] = {}) -> Choice:
        if sketches.num_rows == 0:
            return Choice(iter(()))
        order, starts = _in_order(sketches)
        hashes = _hashes(sketches["minhash"])[order]
        dropped = np.empty(len(order), dtype=bool)
        dropped[order] = np.repeat(self._duplicates(hashes, starts), np.diff(starts))
        ids = (name for chunk in sketches["dialogue_id"].iterchunks() for name in chunk.to_pylist())
        twins = zip(ids, dropped.tolist(), strict=True)
        return Choice((name, _TWIN if twin else _KEPT) for name, twin in twins)

    def _duplicates(self, hashes: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """bool [groups]: has a dialogue like one of a group kept before it. `hashes`: [rows, permutations], the rows of
        group g from `starts[g]` to `starts[g + 1]`.
        """
        kept = _Kept(hashes, self.threshold)
        dropped = np.zeros(len(starts) - 1, dtype=bool)
        meeting = np.logical_or.reduceat(kept.meets, starts[:-1])
        for group in np.flatnonzero(meeting).tolist():
            rows = range(starts[group], starts[group + 1])
            met = np.concatenate([kept.met_by(row) for row in rows])
            if len(met) and any(kept.like(met, row) for row in rows):
                dropped[group] = True
            else:
                for row in rows:
                    kept.add(row)
        return dropped


class _Kept:
    """Rows that stay, found by the bands they share with others."""

    def __init__(self, hashes: np.ndarray, threshold: float):
        self._hashes, self._threshold = hashes, threshold
        self._bytes = hashes.astype(np.uint8)
        """The lowest byte of each hash: as many of them agree as hashes do, or more, and they are read in a fraction of
        the time."""
        self._bucket, sizes = _buckets(hashes)
        self._from = np.concatenate([[0], np.cumsum(sizes)])
        self._rows = np.empty(self._from[-1], dtype=np.int32)
        self._filled = np.zeros(len(sizes), dtype=np.int32)
        self.meets = (self._bucket >= 0).any(axis=1)

    def add(self, row: int) -> None:
        buckets = self._of(row)
        self._rows[self._from[buckets] + self._filled[buckets]] = row
        self._filled[buckets] += 1

    def met_by(self, row: int) -> np.ndarray:
        """Kept rows in a bucket of this row; one may come several times."""
        buckets = self._of(row)
        filled = self._filled[buckets]
        if not filled.any():
            return self._rows[:0]
        ends = self._from[buckets] + filled
        bounds = zip((ends - filled).tolist(), ends.tolist(), strict=True)
        return np.concatenate([self._rows[start:end] for start, end in bounds])

    def like(self, met: np.ndarray, row: int) -> bool:
        """Whether one of these rows is as much like this one as makes a duplicate."""
        for start in range(0, len(met), _BLOCK):
            some = met[start : start + _BLOCK]
            near = some[_agreeing(self._bytes[some], self._bytes[row]) >= self._threshold * _PERMUTATIONS]
            if len(near) and (np.mean(self._hashes[near] == self._hashes[row], axis=1) >= self._threshold).any():
                return True
        return False

    def _of(self, row: int) -> np.ndarray:
        buckets = self._bucket[row]
        return buckets[buckets >= 0]


def _agreeing(many: np.ndarray, one: np.ndarray) -> np.ndarray:
    """How many of the bytes of each row are those of `one`: eight comparisons are added up at a time, in the bytes of a
    word.
    """
    words = (many == one).view(np.uint64).sum(axis=1)
    return (words * np.uint64(0x0101010101010101)) >> np.uint64(56)


def _in_order(sketches: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Rows by the smallest id of their group, then by their own; and where each group starts, and the last ends."""
    by_id = pc.call_function("sort_indices", [sketches["dialogue_id"]]).to_numpy()
    groups = sketches["group_id"].combine_chunks().dictionary_encode().indices.to_numpy()[by_id]
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    place = first[group]
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    return by_id[order], np.append(starts, len(order))


def _hashes(column: pa.ChunkedArray) -> np.ndarray:
    """uint32 [rows, permutations]"""
    found = np.empty((len(column), _PERMUTATIONS), dtype=np.uint32)
    for start in range(0, len(column), _BLOCK):
        data = b"".join(column.slice(start, _BLOCK).to_pylist())
        found[start : start + _BLOCK] = np.frombuffer(data, dtype=np.uint32).reshape(-1, _PERMUTATIONS)
    return found


def _buckets(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int32 [rows, bands]: which bucket of two rows or more a row falls into in a band, -1 for none; and the size of
    each bucket.
    """
    found = np.full((len(hashes), _BANDS), -1, dtype=np.int32)
    sizes: list[np.ndarray] = []
    count = 0
    bands = hashes.view(np.uint64).reshape(len(hashes), _BANDS, -1)
    for band in range(_BANDS):
        # one word for the two of a band: rows that meet by chance alone are told apart when they are compared
        key = bands[:, band, 0] * np.uint64(0x9E3779B97F4A7C15) + bands[:, band, 1] * np.uint64(0xC2B2AE3D27D4EB4F)
        order = np.argsort(key)
        begins = np.flatnonzero(np.append(True, np.diff(key[order]) != 0))
        size = np.diff(begins, append=len(order))
        shared = size > 1
        bucket = np.where(shared, np.cumsum(shared) - 1 + count, -1)
        found[order, band] = np.repeat(bucket, size)
        sizes.append(size[shared])
        count += int(shared.sum())
    return found, np.concatenate(sizes)
