"""Maximum mean discrepancy (Gretton et al. 2012; methods §25), squared."""

import numpy as np

from discriminators.two_sample.kernel import DRAWS, Kernel, kernel_test
from discriminators.two_sample.points import Both, Compared

_SAMPLE = 1000


def mmd(both: Both, seed: int, draws: int = DRAWS) -> Compared:
    """Squared, by the mean of five Gaussian kernels: 0 where the sides are alike, at most 2; the unbiased estimate can
    be below 0.
    """
    if both.reason is not None:
        return kernel_test(_no_kernel, both, seed)
    return kernel_test(gaussians(_median_squared(both, seed)), both, seed, draws)


def gaussians(squared: float) -> Kernel:
    """Mean of Gaussian kernels whose squared bandwidths are 1/4, 1/2, 1, 2 and 4 times `squared`."""

    def kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        widest = np.exp(squared_distances(one, other) / np.float32(-8 * squared))
        total = widest.copy()
        for _ in range(4):
            widest *= widest
            total += widest
        return total / 5

    return kernel


def squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    norms = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None]
    return np.maximum(norms - 2 * (one @ other.T), 0)


def _median_squared(both: Both, seed: int) -> float:
    """Median squared distance between turns; 1 where most are equal."""
    features = np.concatenate([act.features for act in both.acts])
    rows = np.random.default_rng(seed).permutation(len(features))[:_SAMPLE]
    median = float(np.median(squared_distances(features[rows], features[rows])))
    return median or 1.0


def _no_kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.zeros((len(one), len(other)))
