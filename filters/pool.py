"""Sketches of dialogues -> arrays of their groups, whatever the order of the rows."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.balancing import Pool
from schemas.errors import DataError

_ROWS = 1 << 15
_NOTHING = 1e-10
"""Part of a spread that is none but for rounding."""
_FIRM = 20.0
"""Success is balanced that much more closely than a label: what sampling leaves unknown is no excuse for it."""
_STRATA = 62
"""Different strata of dialogues that are told apart; further ones count as one."""


class Groups(NamedTuple):
    """Whole groups in the order of (stratum, id), so that those of a stratum lie side by side."""

    pool: Pool
    of: np.ndarray
    """int [rows]: which group a row of the sketches belongs to."""
    ids: list[str]
    scored: np.ndarray
    """bool [groups]: a log ratio is known; the others have the median."""
    scale: np.ndarray
    """float64 [dims]: spread of a dialogue's value about 0; 0 for dimensions that are left out of the pool."""
    errors: np.ndarray
    """float64 [dims of the pool]: of a dialogue's mean value, the standard error that the reference's own size brings,
    in units of its spread. 0 for acts and success, which are held to the pool itself.
    """
    features: int
    """Dimensions of the sketches' residuals; those after them hold the learner's acts where they are."""
    success: np.ndarray
    """float64 [groups]: share of the dialogues that reached their goal, of those of which it is known; -1: of none."""
    labels: int
    """Dimensions of the pool's residuals that are features or acts. Where success differs, one more holds what it is
    beyond what those tell of it.
    """

    @property
    def matchable(self) -> bool:
        """Whether anything is known of how real its groups are."""
        return bool(self.features or self.scored.any())


def read_groups(sketches: pa.Table, errors: Mapping[str, np.ndarray] = {}) -> Groups:
    """Columns dialogue_id, group_id, logw, stratum, success, residuals (bytes of float32, all of one length) and
    answered. `errors`: see `Selector.select`.

    A group's log ratio is the mean of its members', its residuals their sum, its stratum the set of theirs. Members
    that have none of it are passed over. Raises DataError where a number is none.
    """
    of, names = _codes(sketches["group_id"])
    strata = _strata(sketches["stratum"], of, len(names))
    place = np.lexsort((np.arange(len(names)), strata))
    rank = np.empty(len(names), dtype=np.int64)
    rank[place] = np.arange(len(names))
    of = rank[of]
    dialogues, _ = _codes(sketches["dialogue_id"])
    rows = np.lexsort((dialogues, of))
    sizes = np.bincount(of).astype(np.float64)
    logw, scored = _mean_logw(sketches, of, rows)
    success = _success(sketches, of)
    values, features = _mean_values(sketches, rows, sizes)
    scale = _scale(values[:, :-1], sizes)
    used = np.append(scale > 0, len(np.unique(success[success >= 0])) > 1)
    values, labels = values if used.all() else values[:, used], int(used[:-1].sum())
    values[:, :labels] /= scale[scale > 0].astype(np.float32)
    if used[-1]:
        values[:, -1] = _beyond(success, values[:, :labels], sizes)
    bounds = [0, *(np.flatnonzero(np.diff(strata[place])) + 1).tolist(), len(names)]
    slices = [slice(a, b) for a, b in pairwise(bounds)]
    pool = Pool(logw, sizes, slices, values)
    found = np.zeros(len(used))
    np.divide(_errors(sketches, errors, features), scale[:features], found[:features], where=used[:features])
    named = [names[i] for i in place]
    return Groups(pool, of, named, scored, scale, found[used], features, success, labels)


def left_over(values: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, int]:
    """[n, k] less what linear regression on `given` [n, dims] tells of it; and the rank of that."""
    centre = given.mean(axis=0, dtype=np.float64)
    values = values - values.mean(axis=0)
    gram, cross = np.zeros((given.shape[1], given.shape[1])), np.zeros((given.shape[1], values.shape[1]))
    for first in range(0, len(given), _ROWS):
        rows = given[first : first + _ROWS] - centre
        gram += rows.T @ rows
        cross += rows.T @ values[first : first + _ROWS]
    slopes = np.linalg.pinv(gram, rcond=_NOTHING, hermitian=True) @ cross
    for first in range(0, len(given), _ROWS):
        values[first : first + _ROWS] -= (given[first : first + _ROWS] - centre) @ slopes
    return values, int(np.linalg.matrix_rank(gram, rtol=_NOTHING, hermitian=True)) if len(gram) else 0


def _success(sketches: pa.Table, of: np.ndarray) -> np.ndarray:
    given = sketches["success"].cast(pa.float64())
    count = np.bincount(of, given.is_valid().to_numpy())
    return np.divide(np.bincount(of, given.fill_null(0.0).to_numpy()), count, out=-np.ones(len(count)), where=count > 0)


def _beyond(success: np.ndarray, labels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """What success is beyond what labels tell of it, its root mean square `_FIRM`; 0 of groups without one."""
    known = success >= 0
    left, _ = left_over(success[known, None], labels[known])
    scale = np.sqrt(sizes[known] @ np.square(left[:, 0]) / sizes.sum())
    found = np.zeros(len(success))
    if scale > _NOTHING:
        found[known] = left[:, 0] * (_FIRM / scale)
    return found


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """int [rows], numbered in the order of the names; and those."""
    encoded = column.combine_chunks().dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()  # pyright: ignore[reportAttributeAccessIssue]
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[encoded.indices.to_numpy(zero_copy_only=False)], encoded.dictionary.take(order).to_pylist()


def _strata(column: pa.ChunkedArray, of: np.ndarray, groups: int) -> np.ndarray:
    codes, _ = _codes(column)
    members = np.zeros(groups, dtype=np.int64)
    np.bitwise_or.at(members, of, np.int64(1) << np.minimum(codes, _STRATA))
    return members


def _mean_logw(sketches: pa.Table, of: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    given = sketches["logw"].cast(pa.float64())
    logw = given.fill_null(0.0).to_numpy()
    _refuse(sketches, np.arange(len(logw))[~np.isfinite(logw)], "realism score")
    known = given.is_valid().to_numpy()
    count = np.bincount(of, known)
    mean = np.divide(np.bincount(of[rows], logw[rows]), count, out=np.zeros(len(count)), where=count > 0)
    scored = count > 0
    if scored.any():
        mean[~scored] = np.median(mean[scored])  # neither real-like nor not
    return mean, scored


def _mean_values(sketches: pa.Table, rows: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, int]:
    """float32 [groups, dims + 1]: a dialogue's mean residuals, then how far the learner's acts are from the pool's
    mean; the last column is free. And how many are residuals.
    """
    residuals, acts = _residuals(sketches), _acts(sketches)
    features = residuals.shape[1]
    mean = np.zeros((len(sizes), features + acts.shape[1] + 1), np.float32)
    starts = np.concatenate([[0], np.cumsum(sizes).astype(np.int64)])
    for first in range(0, len(sizes), _ROWS):
        last = min(first + _ROWS, len(sizes))
        chosen = rows[starts[first] : starts[last]]
        part = np.hstack([residuals[chosen], acts[chosen]])
        _refuse(sketches, chosen[~np.isfinite(part).all(axis=1)], "residual")
        mean[first:last, :-1] = np.add.reduceat(part, starts[first:last] - starts[first], axis=0)
        mean[first:last] /= sizes[first:last, None]
    return mean, features


def _residuals(sketches: pa.Table) -> np.ndarray:
    """float32 [rows, dims]; 0 where a dialogue has none."""
    column = sketches["residuals"].cast(pa.large_binary()).combine_chunks()
    given = column.drop_null()
    lengths = np.unique(pc.binary_length(given).to_numpy())  # pyright: ignore[reportAttributeAccessIssue]
    if len(lengths) > 1:
        raise DataError(
            f"sketches: residuals of {' and '.join(str(n // 4) for n in lengths)} dimensions in one pool; "
            "judge all of its dialogues against the same reference"
        )
    dims = int(lengths[0]) // 4 if len(lengths) else 0
    if not dims:
        return np.zeros((len(column), 0), np.float32)
    column = pc.fill_null(column, bytes(4 * dims))
    _, offsets, data = column.buffers()
    start = int(np.frombuffer(offsets, np.int64)[column.offset]) // 4
    return np.frombuffer(data, np.float32)[start : start + len(column) * dims].reshape(-1, dims)


def _acts(sketches: pa.Table) -> np.ndarray:
    """float32 [rows, acts]: turns that answer an act, less their mean."""
    column = sketches["answered"].combine_chunks()
    if not pa.types.is_struct(column.type) or not column.type.num_fields:
        return np.zeros((len(column), 0), np.float32)
    counts = [column.field(i).cast(pa.float32()).fill_null(0.0).to_numpy() for i in range(column.type.num_fields)]
    return np.column_stack([count - count.mean(dtype=np.float64) for count in counts]).astype(np.float32)


def _errors(sketches: pa.Table, by_act: Mapping[str, np.ndarray], features: int) -> np.ndarray:
    """float64 [features]: of a dialogue's mean residual, at the pool's mix of acts. One act's errors are independent of
    another's, as residuals are less the mean given the act.
    """
    column = sketches["answered"].combine_chunks()
    found = np.zeros(features)
    if pa.types.is_struct(column.type) and features:
        for act in (field.name for field in column.type if field.name in by_act):
            turns = pc.call_function("sum", [column.field(act)]).as_py() or 0
            found += np.square(turns / len(column) * by_act[act].astype(np.float64))
    return np.sqrt(found)


def _scale(mean: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Root mean squares. What no group has, or every group, shows no spread of its own: it gets that of rare events,
    whose variance is their mean, or a label that the pool lacks could never be expected rarely enough.
    """
    total, squares = np.zeros(mean.shape[1]), np.zeros(mean.shape[1])
    some_below, some_above = np.zeros(mean.shape[1], bool), np.zeros(mean.shape[1], bool)
    for first in range(0, len(mean), _ROWS):
        rows, size = mean[first : first + _ROWS].astype(np.float64), sizes[first : first + _ROWS]
        total += size @ rows
        squares += size @ np.square(rows)
        some_below |= (rows < 0).any(axis=0)
        some_above |= (rows > 0).any(axis=0)
    rare = np.where(some_below & some_above, 0.0, np.abs(total))
    return np.sqrt(np.maximum(squares, rare) / sizes.sum())


def _refuse(sketches: pa.Table, rows: np.ndarray, what: str) -> None:
    if len(rows):
        name = sketches["dialogue_id"][int(rows[0])].as_py()
        raise DataError(f"dialogue '{name}': its {what} is not a number; judge it again, or leave it out")
