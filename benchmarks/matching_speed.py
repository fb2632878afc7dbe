"""How long a selection takes, and how much memory: 200,000 of 1,000,000 dialogues by 12 heads and 50 Fourier features.

    python benchmarks/matching_speed.py [--dialogues N] [--keep N]

Sketches as a run makes them: groups of two siblings, six cells of initiative, a log density ratio, and residuals, those
of every other head skewed by .3 root mean squares. Times are of CPU, as the machine may have other work. Memory is the
peak of the process, the sketches included.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from filters.distribution_match import DistributionMatch

HEADS, LABELS, FOURIER = 12, 5, 50
SECONDS, GIGABYTES = 60.0, 4.0
CELLS = ("needed", "given", "useless", "hurry", "refuses", "impossible")
SHARES = (0.62, 0.08, 0.06, 0.07, 0.07, 0.10)


def residuals(rows: int, generator: np.random.Generator) -> np.ndarray:
    """float32 [rows, heads x (labels - 1) + Fourier features]"""
    width = HEADS * (LABELS - 1)
    found = generator.standard_normal((rows, width + FOURIER), dtype=np.float32)
    found[:, :width] = (found[:, :width] > 0.8) - np.float32(0.2)
    found[:, : width : 2 * (LABELS - 1)] += np.float32(0.12)
    return found


def sketches(rows: int, seed: int) -> pa.Table:
    generator = np.random.default_rng(seed)
    found = residuals(rows, generator)
    offsets = pa.py_buffer((np.arange(rows + 1) * found.shape[1] * 4).astype(np.int64))
    binary = pa.Array.from_buffers(pa.large_binary(), rows, [None, offsets, pa.py_buffer(found)])
    cells = np.repeat(generator.choice(len(CELLS), -(-rows // 2), p=SHARES), 2)[:rows]
    success = generator.random(rows) < 0.7
    acts = [pa.array(generator.poisson(1.5, rows).astype(np.int16)) for _ in range(4)]
    return pa.table(
        {
            "dialogue_id": [f"{i:032x}" for i in range(rows)],
            "group_id": [f"{i // 2:032x}" for i in range(rows)],
            "logw": np.clip(generator.normal(size=rows), -2.5, 2.5),
            "stratum": [CELLS[c] for c in cells.tolist()],
            "success": success.astype(float),
            "residuals": binary,
            "answered": pa.StructArray.from_arrays(acts, ["offer", "question", "statement", "closing"]),
        }
    )


def timed(what: Callable[[], object]) -> tuple[float, object]:
    began = time.process_time()
    found = what()
    return time.process_time() - began, found


def kept(table: pa.Table, target: int) -> tuple[int, str]:
    """How many, and the reason they carry."""
    chosen: Iterator[str] = (s.reason for _, s in DistributionMatch().select(table, target, seed=0).each if s.keep)
    reasons = list(chosen)
    return len(reasons), ", ".join(sorted(set(reasons)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialogues", type=int, default=1_000_000)
    parser.add_argument("--keep", type=int, default=200_000)
    wanted = parser.parse_args()
    made, table = timed(lambda: sketches(wanted.dialogues, seed=0))
    assert isinstance(table, pa.Table)
    seconds, found = timed(lambda: kept(table, wanted.keep))
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"sketches made in {made:.0f} s; kept: {found}\n")
    print("| selecting | ours | limit | |")
    print("|---|---|---|---|")
    size = f"{wanted.keep:,} of {wanted.dialogues:,}, {HEADS} heads, {FOURIER} Fourier features"
    for unit, ours, limit in (("s", seconds, SECONDS), ("GB at the peak", gigabytes, GIGABYTES)):
        print(f"| {size} | {ours:.1f} {unit} | {limit:.0f} {unit} | {'pass' if ours < limit else 'short'} |")


if __name__ == "__main__":
    main()
