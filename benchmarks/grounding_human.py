"""How often people work on common ground, and how well the program's rules read it (methods §22).

    python benchmarks/grounding_human.py [CORPORA] [--dialogues 300]

CORPORA: the folder with the Parquet files of real dialogues. Of each: the share of turns that are grounding acts, by
role, with a 95% interval bootstrapped over dialogues. Before that, agreement with what one reader found in 180 turns
(`docs/grounding_acts_read.csv`, marked before the rules were run on them): the rules were mended after the first 120
(`seen`) and not after the last 60 (`fresh`).
"""

import argparse
import csv
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np

from pipelines.calibration import bootstrapped
from pipelines.dialogue_files import read_dialogues
from rewards.grounding_acts import ACTS, Act, grounding_acts, kappa
from schemas.dialogue import Dialogue
from schemas.identity import derive
from schemas.judgement import shown

READ = Path(__file__).parents[1] / "docs" / "grounding_acts_read.csv"
FILES = (
    "negotiation__persuasion_for_good",
    "pedagogy__mathdial",
    "recommendation__ccpe",
    "recommendation__redial",
    "expert_intake__primock57",
    "open_domain__chitchat",
)


def against_reader(corpora: Path, sample: str) -> None:
    with READ.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["sample"] == sample]
    found: dict[tuple[str, str], Dialogue] = {}
    for name in {row["file"] for row in rows}:
        wanted = {row["dialogue_id"] for row in rows if row["file"] == name}
        for record in read_dialogues(corpora / f"{name}.parquet"):
            if record.dialogue.id in wanted:
                found[name, record.dialogue.id] = record.dialogue
    theirs = [cast(Act, row["act"]) for row in rows]
    ours = [grounding_acts(found[row["file"], row["dialogue_id"]].turns)[int(row["turn"])] or "none" for row in rows]
    places = [row["dialogue_id"] for row in rows]
    agreed = bootstrapped(lambda i: kappa([ours[n] for n in i], [theirs[n] for n in i]), places, derive(0, "kappa"))
    assert agreed is not None
    print(f"\n{sample}: kappa with the reader {shown(agreed)}, {len(rows)} turns")
    print("\n| act | by the reader | by the rules | both | precision | recall |\n|---|---|---|---|---|---|")
    for act in ACTS:
        both = sum(a == b == act for a, b in zip(ours, theirs, strict=True))
        said, read = ours.count(act), theirs.count(act)
        ratios = " | ".join(f"{both / n:.2f}" if n else "-" for n in (said, read))
        print(f"| {act} | {read} | {said} | {both} | {ratios} |")


def base_rates(dialogues: Sequence[Dialogue], role: str) -> str:
    """Share of turns with a grounding act, its interval, and the share of each act."""
    acts = [
        [a for a, t in zip(grounding_acts(d.turns), d.turns, strict=True) if a is not None and t.role == role]
        for d in dialogues
    ]
    acts = [of for of in acts if of]
    hits, sizes = np.array([[sum(a != "none" for a in of), len(of)] for of in acts], float).T
    names = [str(n) for n in range(len(acts))]
    rate = bootstrapped(lambda i: float(hits[i].sum() / sizes[i].sum()), names, derive(0, "rate"))
    assert rate is not None
    counts = Counter(a for of in acts for a in of)
    each = " | ".join(f"{counts[act] / sizes.sum():.3f}" for act in ACTS if act != "none")
    return f"{shown(rate, 3)} | {int(sizes.sum())}, {len(acts)} | {each}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpora", type=Path, nargs="?", metavar="CORPORA")
    parser.add_argument("--dialogues", type=int, default=300)
    given = parser.parse_args()
    if given.corpora is None:
        parser.print_help()
        return
    for sample in ("seen", "fresh"):
        against_reader(given.corpora, sample)
    print(
        "\n| people | base rate | turns, dialogues | clarify | ack | followup | repair |\n|---|---|---|---|---|---|---|"
    )
    for name in FILES:
        records = read_dialogues(given.corpora / f"{name}.parquet")
        dialogues = [r.dialogue for r in islice(records, given.dialogues)]
        for side in ("learner", "partner"):
            role = getattr(dialogues[0], side)
            print(f"| {name}, {role} | {base_rates(dialogues, role)} |")


if __name__ == "__main__":
    main()
