"""Does the loop learn what is missing? A world whose real people are known (`tests/steered_world.py`), whole runs.

    python benchmarks/closed_loop.py [--groups 1 16 1000] [--out FOLDER]

A scripted model says over HTTP what its latents ask of it. Three heads of its users begin .3 (total variation) from
real people's: two follow latents, the third follows none. For each number of groups: what came out, round by round;
and, of the largest, what the same selection needs without steering (`drift: 0`), which is over-generation. Acceptance
is what a round added to the dialogues that can be kept as real users are, over what it made.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
PATHS = [str(ROOT), str(ROOT / "tests")]  # in this order: folders of tests are named as ours
sys.path[:0] = PATHS
os.environ["PYTHONPATH"] = os.pathsep.join(PATHS)  # of the workers

from run_driver import Nobody  # noqa: E402
from scripted_server import ScriptedProcess  # noqa: E402
from steered_world import recipe, reference  # noqa: E402

from outputs.manifest import Manifest  # noqa: E402
from pipelines.recipe import load  # noqa: E402
from pipelines.run import build  # noqa: E402
from pipelines.rundir import RunDir  # noqa: E402

REAL = 3000


def run(path: Path, out: Path) -> Manifest:
    began = time.monotonic()
    result = build(load(path), RunDir(out), "if-possible", "benchmark", Nobody())
    found = result.manifest
    chosen = f"{found.accepted} of {found.target} dialogues, {found.status}"
    print(f"\n## {out.name}: {chosen}, {found.tokens['user'].calls} calls, {time.monotonic() - began:.0f} s\n")
    print("| round | made | valid | can be kept as real users are | acceptance |\n|---|---|---|---|---|")
    for row in found.rounds:
        rate = "-" if row.acceptance is None else f"{row.acceptance:.2f}"
        print(f"| {row.number} | {row.made} | {row.valid} | {row.matched} | {rate} |")
    for cell in found.moved:
        d = cell.detected
        effect = "not measured" if d is None else f"{d.value:+.2f} [{d.low:+.2f}, {d.high:+.2f}]"
        shares = f"{cell.fitted:.2f} -> {cell.drawn:.2f}"
        print(f"{cell.latent}={cell.value}: {shares}; {cell.head}={cell.label} {effect}, {cell.status}")
    for family in found.feasible:
        lacks = ", ".join(f"{x.head}={x.label} {x.turns:.0f} turns" for x in family.lacking) or "nothing"
        sizes = f"single {family.single}, joint {family.joint}, effective {family.effective}"
        print(f"{family.status}: {sizes}; lacks {lacks}")
    print(f"divergence {found.divergence}; no latent moves: {found.uncontrolled}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, nargs="+", default=[1, 16, 1000])
    wanted = parser.parse_args()
    with TemporaryDirectory() as name, ScriptedProcess("--reply", "steered_world:follows") as server:
        folder = Path(name)
        reference(folder / "real.parquet", REAL)
        for groups in wanted.groups:
            run(recipe(folder, server.base_url, groups, max_rounds=8), folder / f"{groups} groups")
        run(recipe(folder, server.base_url, max(wanted.groups), max_rounds=8, drift=0.0), folder / "without steering")


if __name__ == "__main__":
    main()
