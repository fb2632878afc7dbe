"""One line of code must not tell who wins. How often a feature tells is measured on base cases that it was not learnt
on, and rows are left out until none tells more often than BAR.
"""

import zlib
from collections.abc import Mapping, Sequence
from itertools import count
from math import sqrt
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.manifest import Shortcut
from schemas.judgement import Interval, Z

Name = Literal["length", "question_marks", "policy", "first_word"]
NAMES: tuple[Name, ...] = ("length", "question_marks", "policy", "first_word")
BAR = 0.60
LESS_ASKING = 0.30
"""Share of the pairs that the side with fewer question marks must win."""
FOLDS = 5
_GOLDEN = 0x9E3779B97F4A7C15
_MIX = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
"""Of splitmix64."""
_FIRST = r"^\W*(?P<word>[\w']*)"


class Features(NamedTuple):
    """What one line of code sees: by name a code (int64) for each row."""

    ours: Mapping[Name, np.ndarray]
    """Of the side that is chosen; of rows that stand alone, of the row."""
    theirs: Mapping[Name, np.ndarray] | None
    """Of the side that is rejected; None where rows stand alone."""
    good: np.ndarray
    """bool: the label of a row that stands alone; of pairs True."""


class Chosen(NamedTuple):
    keep: np.ndarray
    """bool, of each row."""
    dropped: Mapping[str, int]
    """Rows by reason."""
    shortcuts: tuple[Shortcut, ...] = ()
    """Of the rows that are kept."""
    less_asking: Interval | None = None
    reason: str = ""
    """Why nothing is kept."""


class _Rows(NamedTuple):
    ours: Mapping[Name, np.ndarray]
    """Codes from 0, as `theirs`."""
    theirs: Mapping[Name, np.ndarray] | None
    good: np.ndarray
    unit: np.ndarray
    """Base case, a number."""
    less: np.ndarray
    """bool: of a pair, whether the side with fewer question marks wins."""
    key: np.ndarray

    def of(self, rows: np.ndarray) -> "_Rows":
        ours: dict[Name, np.ndarray] = {name: codes[rows] for name, codes in self.ours.items()}
        theirs: dict[Name, np.ndarray] = {name: codes[rows] for name, codes in (self.theirs or {}).items()}
        others = (self.good[rows], self.unit[rows], self.less[rows], self.key[rows])
        return _Rows(ours, None if self.theirs is None else theirs, *others)

    @property
    def weights(self) -> np.ndarray:
        """Those of rows that stand alone count each label for a half."""
        shares = np.where(self.good, self.good.mean(), 1 - self.good.mean())
        return np.ones(len(shares)) if self.theirs is not None else 0.5 / shares

    @property
    def lacks(self) -> str:
        """What cannot be told apart."""
        if len(self.unit) == 0:
            return "no_rows"
        if self.theirs is None and self.good.all() | ~self.good.any():
            return "one_label"
        return "too_few_base_cases" if (self.unit == self.unit[0]).all() else ""


def without_shortcuts(features: Features, base_cases: np.ndarray, keys: np.ndarray) -> Chosen:
    """`base_cases`, `keys`: a number (int64) for each row. Who is left out first is drawn by the keys, so the order of
    the rows does not matter.
    """
    rows = _numbered(features, base_cases, keys)
    nothing = np.zeros(len(keys), bool)
    if rows.lacks:
        return Chosen(nothing, {rows.lacks: len(nothing)} if len(nothing) else {}, reason=rows.lacks)
    before = {name: _mean(_right(rows, name), rows)[0] for name in NAMES}
    kept = np.argsort(keys, kind="stable")
    dropped: dict[str, int] = {}
    for step in count():
        reason, out = _too_many(rows.of(kept), step)
        if not len(out):
            break
        dropped[reason] = dropped.get(reason, 0) + len(out)
        kept = np.delete(kept, out)
        if lacks := rows.of(kept).lacks:
            return Chosen(nothing, {**dropped, lacks: len(kept)} if len(kept) else dropped, reason=reason)
    last = rows.of(kept)
    keep = nothing.copy()
    keep[kept] = True
    share = None if last.theirs is None else _interval(last.less.astype(float), last)
    return Chosen(keep, dropped, tuple(_shortcut(name, last, before[name]) for name in NAMES), share)


def _too_many(rows: _Rows, step: int) -> tuple[str, np.ndarray]:
    """Why some have to be left out, and which: numbers of rows, none where all may stay."""
    if rows.theirs is not None:
        others = np.flatnonzero(~rows.less)
        most = int(rows.less.sum() / LESS_ASKING) - int(rows.less.sum())
        if len(others) > most:
            return "less_asking_wins_too_seldom", _drawn(others, rows.key, step)[most:]
    told = {name: _right(rows, name) for name in NAMES}
    worst = max(NAMES, key=lambda name: _mean(told[name], rows)[0])
    weights = rows.weights
    over = float(told[worst] @ weights) - BAR * float(weights.sum())
    if over <= 1e-9:
        return "", np.array([], np.int64)
    places = _drawn(np.flatnonzero(told[worst] == 1), rows.key, step)
    needed = int(np.searchsorted(np.cumsum(weights[places]), over / (1 - BAR))) + 1
    return f"told_by_{worst}", places[: max(needed, len(weights) // 500)]


def _drawn(places: np.ndarray, keys: np.ndarray, step: int) -> np.ndarray:
    """In an order of chance that the keys decide, another one at each step: who was passed over in one is not the first
    to go in the next.
    """
    mixed = keys[places].astype(np.uint64) + np.uint64((step + 1) * _GOLDEN % 2**64)
    for shift, factor in _MIX:
        mixed = (mixed ^ (mixed >> shift)) * factor
    return places[np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable")]


def _right(rows: _Rows, name: Name) -> np.ndarray:
    """Of each row 1 where what was learnt on other base cases is right about it, 0 where it is wrong, else .5.

    Learnt is how much more often a code is among those that win, or are good, than among the others.
    """
    ours, theirs = rows.ours[name], None if rows.theirs is None else rows.theirs[name]
    codes = 1 + int(max(ours.max(), -1 if theirs is None else theirs.max()))
    fold = np.unique(rows.unit, return_inverse=True)[1] % FOLDS

    def shares(code: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Of each code [folds, codes] on the other folds."""
        inside = np.bincount(fold * codes + code, which, FOLDS * codes).reshape(FOLDS, codes)
        outside = inside.sum(0) - inside
        return outside / np.maximum(outside.sum(1, keepdims=True), 1)

    wins = shares(ours, rows.good)
    losses = shares(ours, ~rows.good) if theirs is None else shares(theirs, rows.good)
    score = (wins - losses) / (wins + losses + 2 / len(fold))
    lead = score[fold, ours] - (0 if theirs is None else score[fold, theirs])
    lead = np.where(np.abs(lead) < 1e-9, 0, lead)
    return 0.5 + 0.5 * np.sign(lead) * np.where(rows.good, 1, -1)


def _mean(values: np.ndarray, rows: _Rows) -> tuple[float, float]:
    """With its standard error, clustered by base case."""
    weights = rows.weights
    mean = float(values @ weights / weights.sum())
    sums = np.bincount(np.unique(rows.unit, return_inverse=True)[1], weights * (values - mean))
    return mean, sqrt(float(sums @ sums) * len(sums) / max(1, len(sums) - 1)) / float(weights.sum())


def _interval(values: np.ndarray, rows: _Rows) -> Interval:
    mean, error = _mean(values, rows)
    return Interval(mean, max(0.0, mean - Z * error), min(1.0, mean + Z * error), len(np.unique(rows.unit)))


def _shortcut(name: Name, rows: _Rows, before: float) -> Shortcut:
    found = _interval(_right(rows, name), rows)
    return Shortcut(
        feature=name,
        value=found.value,
        low=found.low,
        high=found.high,
        before=before,
        n=len(rows.unit),
        units=found.n,
    )


def _numbered(features: Features, base_cases: np.ndarray, keys: np.ndarray) -> _Rows:
    ours: dict[Name, np.ndarray] = {}
    theirs: dict[Name, np.ndarray] = {}
    n = len(base_cases)
    for name in NAMES:
        both = features.ours[name] if features.theirs is None else [*features.ours[name], *features.theirs[name]]
        codes = np.unique(np.asarray(both), return_inverse=True)[1]
        ours[name], theirs[name] = codes[:n], codes[n:]
    less = np.zeros(n, bool)
    if features.theirs is not None:
        less = features.ours["question_marks"] < features.theirs["question_marks"]
    unit = np.unique(base_cases, return_inverse=True)[1]
    return _Rows(ours, None if features.theirs is None else theirs, features.good, unit, less, keys)


def alone(texts: pa.Array, policies: pa.ChunkedArray, good: np.ndarray) -> Features:
    """Of rows with a label: lengths by powers of the square root of two, question marks up to three."""
    ours: dict[Name, np.ndarray] = {
        "length": np.floor(2 * np.log2(words(texts) + 1)).astype(np.int64),
        "question_marks": np.minimum(questions(texts), 3),
        "policy": coded(policies),
        "first_word": first_words(texts),
    }
    return Features(ours, None, good)


def joined(found: Sequence[Features]) -> Features:
    """Of rows one after the other."""
    ours: dict[Name, np.ndarray] = {n: np.concatenate([f.ours[n] for f in found]) for n in NAMES}
    good = np.concatenate([f.good for f in found])
    if any(f.theirs is None for f in found):
        return Features(ours, None, good)
    theirs: dict[Name, np.ndarray] = {n: np.concatenate([f.theirs[n] for f in found if f.theirs]) for n in NAMES}
    return Features(ours, theirs, good)


def words(texts: pa.Array) -> np.ndarray:
    """How many, of each text."""
    return pc.count_substring_regex(texts, r"\S+").to_numpy(zero_copy_only=False).astype(np.int64)


def questions(texts: pa.Array) -> np.ndarray:
    """Question marks, of each text."""
    return pc.count_substring(texts, "?").to_numpy(zero_copy_only=False).astype(np.int64)


def first_words(texts: pa.Array) -> np.ndarray:
    found = pc.extract_regex(pc.utf8_lower(texts), _FIRST)
    return coded(pc.struct_field(found, "word"))


def coded(texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A number for each text, the same everywhere."""
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    found = array.dictionary_encode()
    numbers = np.array([zlib.crc32(text.encode()) for text in found.dictionary.to_pylist()], np.int64)
    return numbers[found.indices.to_numpy(zero_copy_only=False)]
