"""How simulated partners write and behave beside real ones: the behavioural fingerprint, feature by feature.

    python benchmarks/fingerprint_table.py RUN_DIR --reference SPEC --family NAME [--domain NAME]

Real: the reference's beginnings, as long as the simulated dialogues, of the test split (dev and fit are added below 200
dialogues). `floors away`: the difference of the means over what two real samples differ by. A feature is "met" when the
whole interval of the difference is within 3 floors, "not met" when the difference itself is beyond. Simulated: the
dialogues of the run's `data/`. Real dialogues are cut to length, so `messages` and `partner_ends` say little.
"""

import argparse
import time
from pathlib import Path

from intents_detected import real_side

from discriminators.fingerprint_compare import FeatureDifference, compare, markdown
from inference.weights import cache_folder
from pipelines.dialogue_files import read_dialogues
from pipelines.reference import load_reference

SEED = 7
FLOORS = 3.0
"""What a feature may be away."""
LEAST = 30
"""Groups below which an interval is too narrow to decide."""


def verdict(row: FeatureDifference) -> str:
    away = row.floors_away
    if row.difference is None or row.floor is None or away is None:
        return "cannot be told"
    if away > FLOORS:
        return "not met"
    bound = max(abs(row.difference.low), abs(row.difference.high))
    return "met" if bound <= FLOORS * row.floor and row.difference.n >= LEAST else "not shown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN_DIR")
    parser.add_argument("--reference", metavar="SPEC", default="pypi:chitchat-dataset")
    parser.add_argument("--family", default="conversation")
    parser.add_argument("--domain")
    wanted = parser.parse_args()
    if wanted.run is None:
        parser.print_help()
        return
    began = time.monotonic()
    dialogues = [
        d
        for d in (record.dialogue for record in read_dialogues(wanted.run))
        if d.scenario.family == wanted.family and wanted.domain in (None, d.scenario.domain)
    ]
    if not dialogues:
        parser.exit(2, f"{wanted.run}: no dialogue of {wanted.family} {wanted.domain or ''}\n")
    reference = load_reference(wanted.reference, cache_folder())
    real, used = real_side(reference, [len(d.turns) for d in dialogues])
    bases = len({d.scenario.base_case_id for d in dialogues})
    print(f"{len(dialogues)} simulated dialogues of {bases} base cases; {len(real)} real ones ({', '.join(used)})\n")
    rows = compare(real, dialogues, SEED)
    print(markdown(rows))
    print()
    for state in ("not met", "not shown", "cannot be told", "met"):
        names = [row.feature for row in rows if verdict(row) == state]
        print(f"{state} ({len(names)}): {', '.join(names) or '-'}")
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
