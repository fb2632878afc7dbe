"""How often are the fault detectors right, and how often do they cry wolf on people?

    python benchmarks/fault_detectors.py [--split test] [--each 16] [--seed 7] [--show KIND ...]

By kind, with Wilson 95% intervals: precision and recall on hand-written cases and on faults planted in real dialogues
(controls are the same dialogues unplanted), and false alarms on real people as they are. Real chats are
cut to their first 16 turns, the size of simulated ones. "Kept to a card": people who hold as facts what they told, so
that every fault of disclosure or knowledge found is a false alarm; what they say beyond it is not made up, so
`hallucinated_fact` has no meaning there.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # the cases are the tests'

from fault_cases import hand_cases  # noqa: E402
from fault_plants import CHATS, KINDS, TURNS, carded, chats, planted, services  # noqa: E402
from talks import CORPORA  # noqa: E402

from generators.play import Watch  # noqa: E402
from pipelines.recipe_stages import build, builtin  # noqa: E402
from schemas.contracts import Detector, Filter  # noqa: E402
from schemas.dialogue import Dialogue, listened  # noqa: E402
from schemas.judgement import Interval, shown  # noqa: E402

MOST = 1000
"""Real dialogues of a source."""
WATCH = Watch(tuple(d for d in (build(f.import_path(), Filter) for f in builtin(Filter)) if isinstance(d, Detector)))


def share(hits: int, n: int) -> str:
    if n == 0:
        return "- (n 0)"
    return f"{shown(Interval.of_share(hits / n, n))} (n {n})"


def kinds(dialogue: Dialogue) -> dict[str, str]:
    return {f.kind: f.detail for said in listened(dialogue) for _, f in WATCH.found(said)}


def table(title: str, cases: Iterable[tuple[str, bool, Dialogue]], shown: Sequence[str]) -> None:
    """`cases`: (kind, whether it is faulty, dialogue). Any kind found in a case without fault is a false alarm."""
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    for kind, faulty, dialogue in cases:
        found = kinds(dialogue)
        right[kind] += faulty and kind in found
        missed[kind] += faulty and kind not in found
        if kind in shown and faulty and kind not in found:
            print("missed", kind, [t.text for t in dialogue.turns][-4:])
        for other, detail in {} if faulty else found.items():
            wrong[other] += 1
            if other in shown:
                print("false alarm", other, detail)
    print(f"\n| {title} | precision | recall |\n|---|---|---|")
    for kind in KINDS:
        hits = right[kind]
        print(f"| {kind} | {share(hits, hits + wrong[kind])} | {share(hits, hits + missed[kind])} |")


def alarms(title: str, dialogues: Sequence[Dialogue], shown: Sequence[str]) -> None:
    began, counts = time.perf_counter(), Counter[str]()
    for dialogue in dialogues:
        for kind, detail in kinds(dialogue).items():
            counts[kind] += 1
            if kind in shown:
                print("false alarm", kind, detail)
    each = 1000 * (time.perf_counter() - began) / max(1, len(dialogues))
    found = ", ".join(f"{k} {100 * counts[k] / len(dialogues):.1f}" for k in KINDS if counts[k]) or "none"
    print(f"| {title} | {len(dialogues)} | {found} | {each:.1f} |")


def cut(dialogue: Dialogue) -> Dialogue:
    return dialogue.model_copy(update={"turns": dialogue.turns[:TURNS]})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--split", default="test")
    parser.add_argument("--each", type=int, default=16)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--show", nargs="*", default=[], choices=KINDS)
    given = parser.parse_args()
    shown: list[str] = given.show
    table("hand-written", hand_cases(), shown)
    if not CORPORA.is_dir():
        print(f"\nplanted faults and real people: skipped, {CORPORA} is not there")
        return
    made = planted(given.each, given.seed, given.split)
    controls = {p.control.id: p.control for p in made}
    cases = [(p.kind, True, p.faulty) for p in made] + [("", False, c) for c in controls.values()]
    table(f"planted in real dialogues ({len(made)} faults, {len(controls)} controls)", cases, shown)
    print("\n| real people | dialogues | false alarms per 100 | ms each |\n|---|---|---|---|")
    for name in CHATS:
        talks = [cut(d) for d in chats(name, given.split)][:MOST]
        alarms(name, talks, shown)
        alarms(f"{name}, kept to a card", [c for d in talks if (c := carded(d)) is not None], shown)
    alarms("task_oriented__sgd, kept to a card", services(given.split)[:MOST], shown)


if __name__ == "__main__":
    main()
