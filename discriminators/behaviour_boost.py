"""Behaviour as numbers: combinations and thresholds that no linear classifier sees."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from discriminators import cues
from discriminators.turn_scores import by_dialogue, weighted
from schemas.contracts import Discriminator, EmbedTexts, Turns

_HEDGES = frozenset(["maybe", "probably", "think", "guess", "perhaps", "might", "kinda", "sort", "suppose"])
_LINKS = frozenset(["and", "but", "so", "because", "then", "also", "though", "or"])
_NODE = ("feature_idx", "num_threshold", "left", "right", "is_leaf", "value")


class BehaviourBoost(Discriminator):
    """Gradient boosting over cheap numbers of a turn: lengths, marks, stance, variety. Not of the turn before, which
    would tell what the learner did there.
    """

    trees: int = 100
    """One a step of boosting."""
    leaves: int = 8
    """Most leaves a tree."""
    rate: float = 0.08
    """How much of its tree a step takes."""

    def fit(self, real: Sequence[Turns], synthetic: Sequence[Turns], embed: EmbedTexts, seed: int) -> "FittedTrees":
        from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import, and only fitting needs it

        labels, weights, acts = weighted(real, synthetic)
        used = np.flatnonzero(weights)
        if len(used) < 2:
            return FittedTrees({name: np.zeros((0, 1)) for name in _NODE}, 0.0, acts)
        model = HistGradientBoostingClassifier(
            max_iter=self.trees,
            max_leaf_nodes=self.leaves,
            learning_rate=self.rate,
            l2_regularization=1.0,
            early_stopping=False,  # pyright: ignore[reportArgumentType]
            random_state=seed % 2**32,
        )
        model.fit(numbers([*real, *synthetic])[used], labels[used], sample_weight=weights[used])
        return _as_arrays(model, acts)

    def restore(self, arrays: Mapping[str, np.ndarray], embed: EmbedTexts) -> "FittedTrees":
        nodes = {name: arrays[name] for name in _NODE}
        return FittedTrees(nodes, float(arrays["baseline"]), frozenset(arrays["acts"].tolist()))


@dataclass(frozen=True, slots=True)
class FittedTrees:
    nodes: Mapping[str, np.ndarray]
    """By field: [trees, nodes], padded with leaves."""
    baseline: float
    acts: frozenset[str]

    def scores(self, dialogues: Iterable[Turns]) -> Iterator[float]:
        return by_dialogue(dialogues, self.acts, lambda known: self.of_turns(numbers(known)))

    def of_turns(self, features: np.ndarray) -> np.ndarray:
        """[turns]: every turn goes down all trees at once."""
        nodes, trees = self.nodes, np.arange(len(self.nodes["value"]))
        at = np.zeros((len(features), len(trees)), dtype=np.intp)
        while not nodes["is_leaf"][trees, at].all():
            below = np.take_along_axis(features, nodes["feature_idx"][trees, at], axis=1)
            left = below <= nodes["num_threshold"][trees, at]
            following = np.where(left, nodes["left"][trees, at], nodes["right"][trees, at])
            at = np.where(nodes["is_leaf"][trees, at], at, following)
        return self.baseline + nodes["value"][trees, at].sum(axis=1)

    def arrays(self) -> dict[str, np.ndarray]:
        acts = np.array(sorted(self.acts), dtype=np.str_)
        return {**self.nodes, "baseline": np.array(self.baseline), "acts": acts}


def _as_arrays(model: Any, acts: frozenset[str]) -> FittedTrees:
    """The trees as plain arrays, which can be saved without pickle. scikit-learn has no public way to them; a test
    holds the result to its own predictions.
    """
    trees = [predictors[0].nodes for predictors in model._predictors]
    most = max(len(tree) for tree in trees)
    nodes: dict[str, np.ndarray] = {}
    for name in _NODE:
        kind = np.float64 if name in ("num_threshold", "value") else np.bool_ if name == "is_leaf" else np.intp
        nodes[name] = np.full((len(trees), most), name == "is_leaf", dtype=kind)
        for row, tree in zip(nodes[name], trees, strict=True):
            row[: len(tree)] = tree[name]
    return FittedTrees(nodes, float(np.ravel(model._baseline_prediction)[0]), acts)


def numbers(dialogues: Sequence[Turns]) -> np.ndarray:
    """float64 [turns, features]"""
    rows = [_numbers(turn.text) for turns in dialogues for turn in turns]
    return np.array(rows, dtype=np.float64).reshape(len(rows), -1)


def _numbers(text: str) -> list[float]:
    line = cues.Line.of(text)
    words, content = line.words, cues.content(line.words)
    count = max(1, len(words))
    speaks, addresses = cues.persons(line)
    return [
        len(words),
        sum(map(len, words)) / count,
        len(set(words)) / count,
        len(content) / count,
        len(cues.sentences(text)),
        text.count("?"),
        text.count("!"),
        text.count(","),
        text.count("'") / count,
        sum(letter.isdigit() for letter in text),
        cues.polite_marks(line),
        cues.sentiment(line),
        cues.is_question(text),
        cues.chatty(line),
        speaks,
        addresses,
        len(cues.told(line)),
        sum(word in _HEDGES for word in words),
        sum(word in _LINKS for word in words),
        cues.AGREES.match(text) is not None,
        cues.REFUSES.found(line),
        cues.CORRECTS.found(line),
        cues.WISH.found(line),
    ]
