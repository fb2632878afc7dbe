"""Where experts' asking ends: cues against marks made by hand on 40 visits (docs/hindsight_stops.csv).

    python benchmarks/hindsight_stop.py [--corpora FOLDER]

Needs aci_bench and primock57 (default: ../shared/corpora). The unit of every interval is the dialogue. Beside the cues
stand who takes the end for what follows the last question of any kind, and who takes the mean place of the other marks.
"""

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

import numpy as np

from pipelines.calibration import bootstrapped
from pipelines.hindsight_logs import Go, read_logs
from pipelines.hindsight_reading import phase, questions, read
from schemas.judgement import Interval, shown

ROOT = Path(__file__).parents[1]
MARKS = ROOT / "docs" / "hindsight_stops.csv"
CORPORA = ("aci_bench", "primock57")


class Marked(NamedTuple):
    """A dialogue, in goes of the expert."""

    dialogue_id: str
    goes: int
    hand: int
    """The first that belongs to the asking no more."""
    cues: int
    last_question: int
    place: int = 0


def marked(corpora: Path) -> list[Marked]:
    with MARKS.open() as file:
        marks = {row["dialogue_id"]: int(row["turn"]) for row in csv.DictReader(file)}
    found: list[Marked] = []
    for name in CORPORA:
        for log in read_logs(corpora / f"expert_intake__{name}.parquet"):
            if log.dialogue_id in marks:
                found.append(_marked(log.dialogue_id, log.goes(), marks[log.dialogue_id]))
    return [m._replace(place=_place(m, found)) for m in found]


def _marked(dialogue_id: str, goes: Sequence[Go], mark: int) -> Marked:
    hand = max(n for n, go in enumerate(goes) if go.turn <= mark)
    cues = phase([read(go.text, go.reply) for go in goes]).least
    last = max((n + 1 for n, go in enumerate(goes) if questions(go.text) or "?" in go.text), default=0)
    return Marked(dialogue_id, len(goes), hand, cues, last)


def _place(one: Marked, found: Sequence[Marked]) -> int:
    return round(one.goes * fmean(m.hand / m.goes for m in found if m is not one))


def over(some: Sequence[Marked], by: str) -> Interval | None:
    """Balanced accuracy over all goes of "the asking is over"."""
    truth = np.concatenate([np.arange(m.goes) >= m.hand for m in some])
    told = np.concatenate([np.arange(m.goes) >= getattr(m, by) for m in some])
    return _balanced(truth, told, [m.dialogue_id for m in some for _ in range(m.goes)])


def stops(some: Sequence[Marked], by: str) -> Interval | None:
    """Balanced accuracy of "it ends with this go", over the goes up to the later of the two ends."""
    most = [min(max(m.hand, getattr(m, by)) + 1, m.goes) for m in some]
    truth = np.concatenate([np.arange(n) == m.hand for m, n in zip(some, most, strict=True)])
    told = np.concatenate([np.arange(n) == getattr(m, by) for m, n in zip(some, most, strict=True)])
    return _balanced(truth, told, [m.dialogue_id for m, n in zip(some, most, strict=True) for _ in range(n)])


def _balanced(truth: np.ndarray, told: np.ndarray, groups: Sequence[str]) -> Interval | None:
    def figure(rows: np.ndarray) -> float | None:
        true, said = truth[rows], told[rows]
        if true.all() or not true.any():
            return None
        return float((said[true].mean() + (~said[~true]).mean()) / 2)

    return bootstrapped(figure, groups, seed=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora")
    began = time.monotonic()
    found = marked(parser.parse_args().corpora)
    print("| visits | n, goes | end by | the same go | within one | median off | over, balanced | this go, balanced |")
    print("|---|---|---|---|---|---|---|---|")
    for name in (*CORPORA, ""):
        some = [m for m in found if m.dialogue_id.startswith(name)]
        for by in ("cues", "last_question", "place"):
            off = [getattr(m, by) - m.hand for m in some]
            same, near = (Interval.of_share(fmean(abs(d) <= k for d in off), len(off)) for k in (0, 1))
            cells = [name or "both", f"{len(some)}, {sum(m.goes for m in some)}", by, shown(same), shown(near)]
            print("|", " | ".join([*cells, f"{median(off):+g}", shown(over(some, by)), shown(stops(some, by))]), "|")
    prevalence = [(m.goes - m.hand) / m.goes for m in found], [1 / (m.hand + 1) for m in found]
    goes = sum(m.goes for m in found)
    print(f"\nprevalence: {sum(m.goes - m.hand for m in found) / goes:.2f} of the goes lie behind the end by hand;")
    print(f"{len(found) / sum(m.hand + 1 for m in found):.3f} of the contexts up to it are stops.")
    print(
        f"A visit's end lies at {1 - fmean(prevalence[0]):.2f} of its goes on average. {time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
