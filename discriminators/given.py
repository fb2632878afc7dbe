"""What real users do given what they answer, and how far from it a dialogue's user is (methods §26.2, §26.5).

Fitted on the reference's `fit` split: for each head P(label | act answered), and for the embeddings of turns the mean
of their random Fourier features given the act. A dialogue's residuals are, summed over its user's turns, what each turn
is less what real users are on average there. Over any set of dialogues of real-like users they sum to 0 in expectation,
whatever the learner did and however long the dialogues are: this is the constraint that selection balances.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import NamedTuple

import numpy as np

from discriminators.heads import CHANGES, ENDS, MATCHED, context
from discriminators.user_turns import Sample
from schemas.contracts import EmbedTexts
from schemas.identity import derive
from schemas.judgement import UserTurn

LEAST_OF_AN_ACT = 20
"""Real turns that answer an act, below which nothing is known of such turns: they add nothing to residuals. So where
they are all of one group."""
_PRIOR = 5.0
"""Turns that shares weigh which are taken for granted, where those given more than the act are estimated."""
_FEATURES = 512
_COMPONENTS = 50
_BATCH = 256


class Shares(NamedTuple):
    """P(label | context) of one head."""

    labels: Mapping[str, int]
    """Their columns."""
    contexts: Mapping[str, int]
    """Their rows: acts, and for some heads more (`heads.context`)."""
    table: np.ndarray
    """[contexts, labels]"""

    def rows(self, turns: Sequence[UserTurn], head: str) -> np.ndarray:
        """[turns]: -1 where nothing is known."""
        row = self.contexts.get
        if head in CHANGES or head == ENDS:
            return np.array([row(context(t, head), -1) if head in t.labels else -1 for t in turns], dtype=np.intp)
        return np.array([row(t.given, -1) for t in turns], dtype=np.intp)

    def columns(self, turns: Sequence[UserTurn], head: str) -> np.ndarray:
        """[turns]: -1 for no label, one too many for a label that no real turn has."""
        column, other = self.labels.get, len(self.labels)
        labels = [t.labels.get(head) for t in turns]
        return np.array([-1 if label is None else column(label, other) for label in labels], dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Fourier:
    """Principal components of random Fourier features of unit vectors: inner products of the features approach a
    Gaussian kernel whose width is the median distance (Rahimi & Recht 2007).
    """

    frequencies: np.ndarray
    """float32 [dim, features]"""
    phases: np.ndarray
    centre: np.ndarray
    """float32 [features]"""
    components: np.ndarray
    """float32 [features, r]"""

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """float32 [turns, dim] -> [turns, r]"""
        return (np.cos(vectors @ self.frequencies + self.phases) - self.centre) @ self.components


@dataclass(frozen=True, slots=True)
class Given:
    """A fitted reference."""

    heads: Mapping[str, Shares]
    fourier: Fourier | None
    """None where too few real turns were there to fit one."""
    means: Mapping[str, np.ndarray]
    """By act: float32 [r], of the Fourier features."""
    acts: Mapping[str, int]
    """Real turns by act they answer, of the acts that are known well enough."""
    names: tuple[str, ...]
    """What each residual is about: `head=label`, `fourier 0`, ..."""
    errors: Mapping[str, np.ndarray]
    """By act: float32 [residuals], the standard error of the mean residual of a turn that the reference's own finite
    size brings, by groups.
    """
    embed: EmbedTexts

    def residuals(self, samples: Iterable[Sample]) -> Iterator[np.ndarray]:
        """float32 [residuals], one a dialogue, in order; sums over turns."""
        source = iter(samples)
        while batch := list(islice(source, _BATCH)):
            yield from self._batch([sample.turns for sample in batch])

    def unknown(self, turns: Sequence[UserTurn]) -> int:
        """Turns whose act the reference hardly has: they add nothing to residuals."""
        return sum(turn.given not in self.acts for turn in turns)

    def _batch(self, dialogues: Sequence[Sequence[UserTurn]]) -> np.ndarray:
        known = [[turn for turn in turns if turn.given in self.acts] for turns in dialogues]
        rows = np.repeat(np.arange(len(known)), [len(turns) for turns in known])
        flat = [turn for turns in known for turn in turns]
        found = np.zeros((len(known), len(self.names)), dtype=np.float32)
        np.add.at(found, rows, self.of_turns(flat))
        return found

    def of_turns(self, turns: Sequence[UserTurn]) -> np.ndarray:
        """float32 [turns, residuals]. `turns`: those that answer one of `acts`."""
        found = np.zeros((len(turns), len(self.names)), dtype=np.float32)
        at = 0
        for head, shares in self.heads.items():
            rows, columns, width = shares.rows(turns, head), shares.columns(turns, head), len(shares.labels) - 1
            known = np.flatnonzero((rows >= 0) & (columns >= 0))
            found[known, at : at + width] = -shares.table[rows[known], :width]
            counted = known[columns[known] < width]
            found[counted, at + columns[counted]] += 1
            at += width
        if self.fourier is not None and turns:
            expected = np.stack([self.means[turn.given] for turn in turns])
            found[:, at:] = self.fourier.apply(self.embed([turn.text for turn in turns])) - expected
        return found


def fit_given(
    real: Sequence[Sample], embed: EmbedTexts, seed: int, heads: Sequence[str] = MATCHED, components: int = _COMPONENTS
) -> Given:
    """`components`: Fourier features a turn; 0 for none. With next to no real turns there is nothing to fit: `acts` and
    `names` are then empty.
    """
    counts = Counter(turn.given for sample in real for turn in sample.turns)
    groups = Counter(act for _, act in {(sample.group, turn.given) for sample in real for turn in sample.turns})
    acts = {act: n for act, n in sorted(counts.items()) if n >= LEAST_OF_AN_ACT and groups[act] > 1}
    turns = [turn for sample in real for turn in sample.turns if turn.given in acts]
    shares = {head: found for head in heads if len((found := _shares(turns, head)).labels) > 1}
    fourier, means = None, dict[str, np.ndarray]()
    if turns and components:
        vectors = np.asarray(embed([turn.text for turn in turns]))
        fourier = fit_fourier(vectors, components, derive(seed, "fourier"))
        features = fourier.apply(vectors)
        means = {act: features[[turn.given == act for turn in turns]].mean(axis=0) for act in acts}
    width = 0 if fourier is None else fourier.components.shape[1]
    names = [f"{head}={label}" for head, found in shares.items() for label in [*found.labels][:-1]]
    names += [f"fourier {n}" for n in range(width)]
    given = Given(shares, fourier, means, acts, tuple(names), {}, embed)
    return replace(given, errors=_errors(given, real))


def fit_fourier(vectors: np.ndarray, components: int, seed: int) -> Fourier:
    """`vectors`: [turns, dim], at least one."""
    generator = np.random.default_rng(seed)
    pairs = generator.integers(len(vectors), size=(2, 2000))
    distances = np.linalg.norm(vectors[pairs[0]] - vectors[pairs[1]], axis=1)
    apart = distances[distances > 0]
    width = float(np.median(apart)) if len(apart) else 1.0
    frequencies = generator.standard_normal((vectors.shape[1], _FEATURES)) / width
    phases = generator.uniform(0, 2 * np.pi, _FEATURES)
    some = vectors[generator.permutation(len(vectors))[:5000]]
    features = np.sqrt(2 / _FEATURES) * np.cos(some @ frequencies + phases)
    centre = features.mean(axis=0)
    rank = min(components, len(some), _FEATURES)
    _, _, axes = np.linalg.svd(features - centre, full_matrices=False)
    scale = np.sqrt(2 / _FEATURES)
    parts = (frequencies, phases, centre / scale, axes[:rank].T * scale)
    return Fourier(*(part.astype(np.float32) for part in parts))


def _shares(turns: Sequence[UserTurn], head: str) -> Shares:
    """Where more than the act counts, shares given both are drawn towards what they would be if neither changed what
    the other does: `P(label | act) P(label | more) / P(label)`.
    """
    marked = [(context(turn, head).partition(">"), label) for turn in turns if (label := turn.labels.get(head))]
    labels = {label: n for n, label in enumerate(sorted({label for _, label in marked}))}
    acts, more = (sorted({where[part] for where, _ in marked}) for part in (0, 2))
    places = [{name: n for n, name in enumerate(names)} for names in (acts, more)]
    counts = np.zeros((len(acts), len(more), len(labels)))
    for (act, _, rest), label in marked:
        counts[places[0][act], places[1][rest], labels[label]] += 1
    if more == [""] or not marked:
        return Shares(labels, places[0], _normalised(counts[:, 0] if marked else counts.reshape(0, 0)))
    overall = _normalised(counts.sum(axis=(0, 1)))
    given_act, given_more = (_normalised(counts.sum(axis=axis) + overall) for axis in (1, 0))
    table = _normalised(counts + _PRIOR * _normalised(given_act[:, None] * given_more / overall))
    contexts = {f"{act}>{rest}": n for n, (act, rest) in enumerate(product(acts, more))}
    return Shares(labels, contexts, table.reshape(len(contexts), -1))


def _normalised(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum(axis=-1, keepdims=True)


def _errors(given: Given, real: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Linearised: the mean residual is a ratio estimator, whose error is the root of the squared sums of the groups."""
    found: dict[str, np.ndarray] = {}
    for act in given.acts:
        some = [(sample.group, turn) for sample in real for turn in sample.turns if turn.given == act]
        names, owners = np.unique([group for group, _ in some], return_inverse=True)
        sums = np.zeros((len(names), len(given.names)))
        np.add.at(sums, owners, given.of_turns([turn for _, turn in some]))
        squares = np.square(sums).sum(axis=0) * len(names) / (len(names) - 1)
        found[act] = (np.sqrt(squares) / len(some)).astype(np.float32)
    return found
