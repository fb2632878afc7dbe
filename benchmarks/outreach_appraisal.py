"""How well does the `outreach` user read what an assistant says in words of its own?

    python benchmarks/outreach_appraisal.py [--weights FOLDER] [--show]

By kind: precision and recall on `tests/generators/appraisal_cases.yaml`, with hashed words as the embedder and, where
its weights are in the cache, with MiniLM; apart the cases the patterns were widened for, those the limits of the
examples were chosen on, and those nothing was fitted to. A pressure that is also read as a request counts as the
pressure only.
"""

import argparse
import asyncio
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # the cases are the tests'

from appraisal_cases import KINDS, MiniLM, appraisal_cases, read  # noqa: E402
from played import Embedder  # noqa: E402

from inference.catalogue import MINILM  # noqa: E402
from inference.weights import cache_folder  # noqa: E402
from schemas.contracts import Services  # noqa: E402
from schemas.judgement import Interval, shown  # noqa: E402


async def table(title: str, part: str, services: Services, show: bool) -> None:
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    for case in [c for c in appraisal_cases() if c.part == part]:
        found, does = await read(case, services), set(case.does)
        if "pressures" in found:
            found.discard("commits")
        for counts, labels in ((right, found & does), (wrong, found - does), (missed, does - found)):
            counts.update(label.partition(":")[0] for label in labels)
        if show and found != does:
            print(f"{sorted(does)} read as {sorted(found)}: {case.text}")
    print(f"\n| {title} | precision | recall |\n|---|---|---|")
    for kind in KINDS:
        if hits := right[kind] + wrong[kind] + missed[kind]:
            precision = f"{right[kind] / (right[kind] + wrong[kind]):.2f}" if hits > missed[kind] else "-"
            total = right[kind] + missed[kind]
            recall = f"{right[kind] / total:.2f}" if total else "-"
            print(f"| {kind} | {precision} ({wrong[kind]} false) | {recall} ({right[kind]} of {total}) |")
    every, false, lost = (sum(c.values()) for c in (right, wrong, missed))
    print(f"| all | {_share(every, every + false)} | {_share(every, every + lost)} |")


def _share(hits: int, n: int) -> str:
    if n == 0:
        return "- (n 0)"
    return f"{shown(Interval.of_share(hits / n, n))} (n {n})"


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", type=Path, default=cache_folder() / "weights" / MINILM.name)
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    embedders = {"hashed words": Services(chat={}, embed=Embedder())}
    if (given.weights / "config.json").is_file():
        embedders["MiniLM"] = Services(chat={}, embed=MiniLM(given.weights))
    for name, services in embedders.items():
        await table(f"{name}, cases the patterns were widened for", "patterns", services, given.show)
        await table(f"{name}, cases the limits were chosen on", "tuned", services, given.show)
        await table(f"{name}, cases nothing was fitted to", "fresh", services, given.show)


if __name__ == "__main__":
    asyncio.run(main())
