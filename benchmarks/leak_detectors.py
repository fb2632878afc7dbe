"""Do the leak detectors find what gives the answer away, and leave the rest alone?

    python benchmarks/leak_detectors.py [--n 300] [--corpora ../shared/corpora] [--recipe RECIPE]

Planted turns of a teacher, n a kind (`leak_plants.py`): the share that is found, with Wilson 95% intervals. Of people:
MathDial's teachers, one turn of each act a dialogue (so the dialogue is the unit), against the answer and the worked
solution of the problem; `telling` reveals a step or the answer, focus and probing are meant not to.

`--recipe`: also the functional detector, with the model of its role `solver` (`--set a.b=c` as for a run).
"""

import argparse
import asyncio
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow.parquet as pq
from leak_plants import CLEAN, LEAKS, planted
from rich.console import Console

from filters.private_leak import PrivateLeak, answer_said, leaked
from inference.client import Connections
from pipelines.display import Display
from pipelines.engines import engines
from pipelines.recipe import load
from rewards.functional_leak import FunctionalLeak
from schemas.contracts import SOLVER, Services
from schemas.dialogue import Dialogue
from schemas.judgement import Interval

MATHDIAL = "pedagogy__mathdial.parquet"
STRINGS = PrivateLeak()


class Row(NamedTuple):
    kind: str
    leak: bool
    found: Sequence[float | None]
    """1 where something was found, a planted turn each; None where the detector could not tell."""


class NoEmbedder:
    """A solver needs none."""

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError("a solver asked for embeddings")

    phrases = embed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=300, help="planted turns a kind")
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--recipe", type=Path, help="names the model of the role `solver`")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=c")
    wanted = parser.parse_args()
    kinds = {**LEAKS, **CLEAN}
    turns = {kind: list(planted(plant, wanted.n, kind)) for kind, plant in kinds.items()}
    show(
        "string and span", [Row(k, k in LEAKS, [float(not STRINGS.judge(d).keep) for d in t]) for k, t in turns.items()]
    )
    if (wanted.corpora / MATHDIAL).is_file():
        of_people(wanted.corpora / MATHDIAL)
    else:
        print(f"\nMathDial: skipped, no {wanted.corpora / MATHDIAL}")
    if wanted.recipe is not None:
        show("functional", asyncio.run(functional(wanted.recipe, wanted.set, turns)))


def show(title: str, rows: Sequence[Row]) -> None:
    """Precision is of a set with as many turns of each kind."""
    print(f"\n{title}\n| planted | n | found | 95% | no answer |\n|---|---|---|---|---|")
    for kind, leak, found in rows:
        known = [f for f in found if f is not None]
        share = interval(known)
        name = kind if leak else f"{kind} (clean)"
        print(f"| {name} | {share.n} | {share.value:.3f} | {shown(share)} | {len(found) - len(known)} |")
    hits = [f for row in rows if row.leak for f in row.found if f is not None]
    false = [f for row in rows if not row.leak for f in row.found if f is not None]
    print(f"recall {interval(hits).value:.3f} ({shown(interval(hits))}), ", end="")
    right = [1.0] * int(sum(hits)) + [0.0] * int(sum(false))
    print(f"precision {interval(right).value:.3f} ({shown(interval(right))})" if right else "nothing found")


def interval(found: Sequence[float]) -> Interval:
    return Interval.of_share(sum(found) / len(found), len(found)) if found else Interval(0.0, 0.0, 1.0, 0)


def shown(share: Interval) -> str:
    return f"{share.low:.3f} to {share.high:.3f}"


def of_people(path: Path) -> None:
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for act, answer, span in mathdial(path):
        found[act].append((float(answer), float(span)))
    print(
        "\nMathDial, one turn of each act a dialogue\n| act | dialogues | answer said | 95% | 8 words | 95% | either |"
    )
    print("|---|---|---|---|---|---|---|")
    for act, pairs in sorted(found.items()):
        answer, span = interval([a for a, _ in pairs]), interval([s for _, s in pairs])
        either = interval([max(pair) for pair in pairs])
        print(
            f"| {act} | {len(pairs)} | {answer.value:.3f} | {shown(answer)} | {span.value:.3f} | {shown(span)} ", end=""
        )
        print(f"| {either.value:.3f} ({shown(either)}) |")
    flagged = [(act == "telling", 1.0) for act in ("telling", "focus", "probing") for p in found[act] if max(p)]
    share = interval([float(telling) for telling, _ in flagged])
    print(f"of {share.n} flagged turns {share.value:.3f} ({shown(share)}) are telling; ", end="")
    base = [float(act == "telling") for act in ("telling", "focus", "probing") for _ in found[act]]
    print(f"of all {len(base)} turns of the three acts {sum(base) / len(base):.3f}")


def mathdial(path: Path) -> Iterator[tuple[str, bool, bool]]:
    """(act, whether the answer is said, whether eight words of the solution are), before the student is right."""
    for number, row in enumerate(pq.read_table(path).to_pylist()):
        meta = orjson.loads(row["meta"])
        solution = str(meta["ground_truth"])
        answer, heard = solution.split()[-1], str(meta["question"])
        turns: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
        for turn in row["turns"]:
            text = turn["text"]
            if turn["role"] == "user" and answer_said(text, answer, ""):
                break
            for act in turn["acts"] if turn["role"] == "assistant" else ():
                turns[act].append((answer_said(text, answer, heard), bool(leaked(text, {"s": solution}, heard))))
            heard = f"{heard}\n{text}"
        for act, said in turns.items():
            yield act, *Random(f"{number}/{act}").choice(said)


async def functional(path: Path, sets: Sequence[str], turns: Mapping[str, Sequence[Dialogue]]) -> list[Row]:
    recipe = load(path, sets)
    if SOLVER not in recipe.roles:
        sys.exit(f"{path}: roles: no `solver`; name its model as `roles: {{solver: MODEL}}`")
    detector = FunctionalLeak()
    with ExitStack() as stack:
        logs = Path(stack.enter_context(TemporaryDirectory()))
        display = stack.enter_context(Display(recipe, Console(stderr=True)))
        servers = stack.enter_context(engines(recipe, logs, display))
        async with Connections() as connections:
            model = connections.chat(*servers.roles[SOLVER].endpoints)
            services = Services(chat={SOLVER: model}, embed=NoEmbedder())
            rows: list[Row] = []
            for kind, dialogues in turns.items():
                values = await asyncio.gather(*(detector.annotate(d, services) for d in dialogues))
                rows.append(Row(kind, kind in LEAKS, [value.value for (value,) in values]))
    return rows


if __name__ == "__main__":
    main()
