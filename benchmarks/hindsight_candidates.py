"""What questions earn in contexts of real experts: the expert's own, another dialogue's, a model's.

    python benchmarks/hindsight_candidates.py [FILE.parquet ...] [--corpora FOLDER]

FILEs are what `overture hindsight` has written, with a judge's grades and a model's questions where it was given a
recipe. Without any, the three corpora of expert intake are read by program (default: ../shared/corpora).

R_a of the expert's own question is 1 by construction, since it is among what is asked for later. So it is shown against
what is asked after it alone, too: graded by words, of the contexts after which something is still asked.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines.hindsight import Order, hindsight
from pipelines.hindsight_rows import overlap
from pipelines.hindsight_summary import SOURCES, mean_of
from schemas.judgement import shown

ROOT = Path(__file__).parents[1]
CORPORA = ("aci_bench", "primock57", "mts_dialog")
Row = Mapping[str, Any]


def graded(rows: Sequence[Row], source: str, figure: str) -> list[tuple[str, float, Row]]:
    """(group, value, row) where the expert asks."""
    found: list[tuple[str, float, Row]] = []
    for row in rows:
        for candidate in row["candidates"]:
            if candidate["source"] == source and row["asks"] and candidate[figure] is not None:
                found.append((row["group_id"], candidate[figure], row))
    return found


def later(rows: Sequence[Row], source: str) -> list[tuple[str, float, Row]]:
    """R_a by words, against what is asked after the expert's own turn."""
    found: list[tuple[str, float, Row]] = []
    for row in rows:
        slots = [asked["slot"] for asked in row["info_truth"] or () if asked["turn"] > row["turn"]]
        text = next((c["text"] for c in row["candidates"] if c["source"] == source), None)
        if row["asks"] and slots and text:
            found.append((row["group_id"], overlap(text, slots), row))
    return found


def less(one: Sequence[tuple[str, float, Row]], other: Sequence[tuple[str, float, Row]]) -> str:
    """The mean difference over the contexts that both have."""
    theirs = {row["cid"]: value for _, value, row in other}
    return shown(mean_of([(group, value - theirs[row["cid"]]) for group, value, row in one if row["cid"] in theirs]), 3)


def table(name: str, rows: Sequence[Row]) -> None:
    for title, of in (
        ("R_a", lambda s: graded(rows, s, "R_a")),
        ("product", lambda s: graded(rows, s, "reward_product")),
        ("R_a, asked after it", lambda s: later(rows, s)),
    ):
        found = {source: of(source) for source in SOURCES}
        if not found["expert"]:
            continue
        groups = len({group for group, _, _ in found["expert"]})
        cells = [shown(mean_of([(g, v) for g, v, _ in found[s]]), 3) if found[s] else "-" for s in SOURCES]
        gap = less(found["expert"], found["other"])
        print("|", " | ".join([name, title, f"{groups}, {len(found['expert'])}", *cells, gap]), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora")
    wanted = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        files: list[Path] = list(wanted.files)
        for name in () if files else CORPORA:
            files.append(Path(folder) / f"{name}.parquet")
            hindsight(Order(wanted.corpora / f"expert_intake__{name}.parquet", files[-1]))
        print("\n| contexts | of | dialogues, contexts | expert | model | other | expert - other |")
        print("|---|---|---|---|---|---|---|")
        for file in files:
            table(file.stem, pq.read_table(file).to_pylist())
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
