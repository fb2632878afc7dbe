"""User turns as numbers, with users who resemble themselves and acts that change what is said."""

from collections.abc import Sequence

import numpy as np

from discriminators.two_sample.points import Points


def users(
    seed: int, groups: int = 60, mix: Sequence[float] = (0.5, 0.5), shift: float = 0.0, turns: int = 4, dims: int = 6
) -> Points:
    """`mix`: of the acts answered, each of which moves and spreads what is said; `shift`: of all features."""
    generator = np.random.default_rng(seed)
    owners = np.repeat(np.arange(groups), turns)
    given = generator.choice(len(mix), p=mix, size=len(owners))
    manner = generator.normal(size=(groups, dims)) / 2
    said = manner[owners] + generator.normal(size=(len(owners), dims)) * (1 + given[:, None] / 2)
    return Points((said + given[:, None] + shift).astype(np.float32), owners, given)


def labelled(points: Points) -> Points:
    """By the mean of the features, four labels."""
    return points._replace(features=np.digitize(points.features.mean(axis=1), [-0.3, 0.5, 1.2]))


def none() -> Points:
    return Points(np.zeros((0, 6), np.float32), np.zeros(0, int), np.zeros(0, int))
