"""Studies of several corpora and seeds: measured one seed at a time, kept on disk, shown as tables with intervals."""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
from scipy.stats import t as student


class Measured(NamedTuple):
    """What one seed gives."""

    figures: Mapping[str, Mapping[str, float]]
    """Method -> metric -> value."""
    said: str = ""
    """Beside the figures; shown for the first seed."""


Measure = Callable[[int, int, int], Measured]
"""Seed, size of the pool, how many are kept."""


class Study(NamedTuple):
    doc: str | None
    corpora: Sequence[str]
    prepare: Callable[[str], Measure]
    """Reads a corpus, once for all of its seeds."""
    counts: Sequence[str]
    """Metrics of which the mean is shown, and no interval."""
    metrics: Sequence[str]
    base: str
    """The method that every other is compared with, paired by seed."""
    size: int
    keep: int


def main(study: Study) -> None:
    """The command line. A seed whose figures lie in --results is not measured again, so that a study goes on where it
    stopped, and several processes may share the folder.
    """
    parser = argparse.ArgumentParser(description=study.doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="seed")
    parser.add_argument("--pool", type=int, default=study.size)
    parser.add_argument("--keep", type=int, default=study.keep)
    parser.add_argument("--corpora", nargs="+", default=study.corpora)
    parser.add_argument("--results", type=Path, help="folder of what was measured before, and is now")
    wanted = parser.parse_args()
    everything: list[Measured] = []
    for corpus in wanted.corpora:
        measure: Measure | None = None
        rows: list[tuple[Measured, float]] = []
        for seed in range(wanted.first, wanted.first + wanted.seeds):
            file = wanted.results and wanted.results / f"{corpus}-{wanted.pool}-{wanted.keep}-{seed}.json"
            if file and file.exists():
                kept = orjson.loads(file.read_bytes())
                rows.append((Measured(kept["figures"], kept["said"]), kept["seconds"]))
                continue
            began = time.monotonic()
            measure = measure or study.prepare(corpus)
            found = measure(seed, wanted.pool, wanted.keep)
            rows.append((found, time.monotonic() - began))
            if file:
                _write(file, *rows[-1])
        seconds = sum(s for _, s in rows)
        print(f"\n## {corpus}: {wanted.keep} of {wanted.pool}, {len(rows)} seeds, {seconds:.0f} s\n")
        print(f"{tables(study, [found for found, _ in rows])}\n{rows[0][0].said}", flush=True)
        everything += [found for found, _ in rows]
    if len(wanted.corpora) > 1:
        print(f"\n## All {len(wanted.corpora)} corpora, {len(everything)} seeds\n\n{tables(study, everything)}")


def _write(file: Path, found: Measured, seconds: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(orjson.dumps({"figures": found.figures, "said": found.said, "seconds": seconds}))
    part.replace(file)


def tables(study: Study, rows: Sequence[Measured]) -> str:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for method, figures in row.figures.items():
            for metric, value in figures.items():
                values[method][metric].append(value)
    heads = [*study.counts, *study.metrics]
    out = [f"| | {' | '.join(heads)} |", f"|{'---|' * (len(heads) + 1)}"]
    for method, found in values.items():
        counts = [f"{np.mean(found[c]):.1f}" if c in found else "" for c in study.counts]
        out.append(f"| {method} | {' | '.join([*counts, *(interval(found[m]) for m in study.metrics)])} |")
    out += ["", f"| less {study.base} | {' | '.join(study.metrics)} |", f"|{'---|' * (len(study.metrics) + 1)}"]
    for method, found in values.items():
        if method != study.base:
            apart = [np.subtract(found[m], values[study.base][m]) for m in study.metrics]
            out.append(f"| {method} | {' | '.join(interval(a, '+') for a in apart)} |")
    return "\n".join(out)


def interval(values: Sequence[float] | np.ndarray, sign: str = "") -> str:
    """The mean with its 95% t-interval over seeds."""
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return f"{mean:{sign}.3f}"
    half = float(student.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return f"{mean:{sign}.3f} [{mean - half:{sign}.3f}, {mean + half:{sign}.3f}]"
