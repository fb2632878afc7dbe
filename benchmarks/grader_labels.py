"""Writes what people said in public corpora as label files for `overture calibrate`, and how far two people agree.

    python benchmarks/grader_labels.py --out labels [--corpora ../shared/corpora] [--hindsight FILE.parquet]
                                       [--per-context 1] [--contexts 60] [--balanced]

    guidance, reveals_answer   replies of seven models, an expert and a novice to a student's mistake (MRBench)
    ask_or_tell                real chats up to a mistake, and what one or two expert teachers would do next (Bridge)
    teacher_move               messages of human teachers, labelled by themselves (MathDial; the students are a model)
    stop                       contexts of expert interviews (`overture hindsight`), and whether the expert asked on

Each has its grader in recipes/graders/. Agreement of people is of the first two who labelled one text, clustered by
context; only Bridge has two. Contexts and the texts within them are drawn by their hash: a larger file holds a smaller
one. `--balanced` takes equally many of each label, so that the commonest says nothing; the shares are then no longer
those of the corpus.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.calibrate_figures import Pair, agreement, majority
from rewards.grading import read_grader
from schemas.identity import stable_hash
from schemas.judgement import shown

GRADERS = Path(__file__).parents[1] / "recipes" / "graders"
TELLING = ("provide_hint", "provide_strategy", "provide_example", "explain_concept", "provide_correction")
ASKING = ("ask_question", "simplify_question", "provide_similar_problem")
BRIDGE = {**dict.fromkeys(ASKING, "ask"), **dict.fromkeys(TELLING, "tell")}
"""An expert's strategies; affirmation, encouragement and free text are left out."""
SCHEMA = pa.schema([(name, pa.string()) for name in ("group", "context", "text", "label", "label2")])


class Row(NamedTuple):
    group: str
    context: str
    text: str
    label: str
    label2: str | None = None


def table(corpora: Path, name: str) -> list[dict[str, Any]]:
    path = corpora / f"{name}.parquet"
    return pq.read_table(path).to_pylist() if path.is_file() else []


def replies(corpora: Path, dimension: str) -> Iterator[Row]:
    for problem in table(corpora, "problems__tutor_reply_ratings"):
        meta = orjson.loads(problem["meta"])
        lines = [line.strip() for line in problem["question"].replace("\xa0", " ").splitlines()]
        context = "\n".join(line for line in lines if line)
        for reply in meta["replies"].values():
            label = reply["annotation"].get(dimension)
            if label is not None and reply["response"].strip():
                text = f"Tutor: {reply['response'].replace(chr(160), ' ').strip().removeprefix('Tutor:').strip()}"
                yield Row(stable_hash(problem["question"]), context, text, label.split(" (")[0])


def chats(corpora: Path) -> Iterator[Row]:
    for row in table(corpora, "pedagogy__bridge"):
        meta = orjson.loads(row["meta"])
        said = row["turns"][: meta["original_response_starts_at"]]
        moves = [BRIDGE.get(a["strategy"]) for a in meta["expert_annotations"]]
        text = "\n".join(f"{'Tutor' if t['role'] == 'assistant' else 'Student'}: {t['text']}" for t in said)
        if text and moves and moves[0] is not None:
            yield Row(row["dialogue_id"], "", text, moves[0], moves[1] if len(moves) > 1 else None)


def moves(corpora: Path) -> Iterator[Row]:
    for row in table(corpora, "pedagogy__mathdial"):
        group = stable_hash(orjson.loads(row["meta"])["question"])
        lines = [f"{'Teacher' if t['role'] == 'assistant' else 'Student'}: {t['text']}" for t in row["turns"]]
        for place, turn in enumerate(row["turns"]):
            if turn["acts"]:
                yield Row(group, "\n".join(lines[:place]), lines[place], turn["acts"][0])


def stops(path: Path | None) -> Iterator[Row]:
    """Rows of `overture hindsight`: judged is the last message before the expert's turn."""
    for row in [] if path is None else pq.read_table(path).to_pylist():
        lines = [" ".join(f"{m['role'].capitalize()}: {m['content']}".split()) for m in row["context"]]
        if row["decision_truth"] is not None and lines:
            yield Row(row["group_id"], "\n".join(lines[:-1]), lines[-1], row["decision_truth"])


def drawn(rows: Sequence[Row], per_context: int | None, contexts: int | None, balanced: bool) -> list[Row]:
    by: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: stable_hash("drawn", *r[:3])):
        by[row.group].append(row)
    groups = sorted(by, key=lambda g: stable_hash("drawn", g))
    if not balanced:
        return [row for g in groups[:contexts] for row in by[g][:per_context]]
    wanted = (contexts or len(groups)) * (per_context or len(rows)) // len({r.label for r in rows})
    most = min(wanted, *Counter(r.label for r in rows).values())
    found, taken = list[Row](), Counter[str]()
    for group in groups:
        own = [r for r in by[group] if taken[r.label] < most]
        for row in sorted(own, key=lambda r: taken[r.label])[:per_context]:
            if taken[row.label] < most:
                taken[row.label] += 1
                found.append(row)
    return found


def people(rows: Sequence[Row], name: str) -> str:
    pairs = [Pair(r.group, r.label, r.label2) for r in rows if r.label2 is not None]
    if not pairs:
        return "- | - | 0"
    found = agreement(pairs, read_grader(GRADERS / f"{name}.yaml"), 7)
    return f"{shown(found.accuracy)} | {shown(found.kappa)} | {found.rows}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--hindsight", type=Path)
    parser.add_argument("--per-context", type=int)
    parser.add_argument("--contexts", type=int)
    parser.add_argument("--balanced", action="store_true")
    given = parser.parse_args()
    files = {
        "guidance": replies(given.corpora, "Providing_Guidance"),
        "reveals_answer": replies(given.corpora, "Revealing_of_the_Answer"),
        "ask_or_tell": chats(given.corpora),
        "teacher_move": moves(given.corpora),
        "stop": stops(given.hindsight),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    print("| labels | texts | contexts | labels | commonest | two people agree | kappa | n |")
    print("|---|---|---|---|---|---|---|---|")
    for name, found in files.items():
        whole = list(dict.fromkeys(found))
        if not whole:
            print(f"| {name} | nothing to read: skipped | | | | | | |")
            continue
        rows = drawn(whole, given.per_context, given.contexts, given.balanced)
        pq.write_table(pa.Table.from_pylist([r._asdict() for r in rows], schema=SCHEMA), given.out / f"{name}.parquet")
        shares = ", ".join(f"{label} {n}" for label, n in Counter(r.label for r in rows).most_common())
        sizes = f"{len(rows)} | {len({r.group for r in rows})}"
        print(f"| {name} | {sizes} | {shares} | {majority([r.label for r in rows]):.2f} | {people(whole, name)} |")


if __name__ == "__main__":
    main()
