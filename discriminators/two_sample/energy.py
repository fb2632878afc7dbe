"""Energy distance (Székely and Rizzo): 2 E|x - y| - E|x - x'| - E|y - y'|; nothing to choose (methods §25)."""

import numpy as np

from discriminators.two_sample.kernel import DRAWS, kernel_test
from discriminators.two_sample.mmd import squared_distances
from discriminators.two_sample.points import Both, Compared


def energy(both: Both, seed: int, draws: int = DRAWS) -> Compared:
    """In the units of the features."""
    return kernel_test(_nearness, both, seed, draws)


def _nearness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return -np.sqrt(squared_distances(one, other))
