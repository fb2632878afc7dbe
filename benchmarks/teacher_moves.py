"""What teachers do: the simulated one beside people, and how well the rule by words says what a person labelled.

    python benchmarks/teacher_moves.py [--n 400] [--corpora ../shared/corpora]

Ours is scripted (a student that answers wrongly half the time): mechanics, no quality. Shares are of all turns of a
teacher but the problem itself, with 95% bootstrap intervals over dialogues. Labelled are ours by the program and
MathDial's by those who said them. CIMA's and Bridge's labels are mapped to the four kinds as in `CIMA` and `BRIDGE`;
they are of other taxonomies, and Bridge's say what an expert would do instead, so the columns by words are what
compares: one rule on all sides. Last, how often a teacher probes where they might hint, right after a wrong solution.
"""

import argparse
import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet as pq
from q_priming_scripted import NoMeaning, WrongStudent
from recommendation_scripted import FIRST_SEED

from generators.families.tutoring import Tutoring
from generators.play import play
from generators.teacher_moves import MOVES, TeacherMove, by_words
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import Services
from schemas.dialogue import Dialogue
from schemas.identity import rng
from schemas.judgement import Interval
from schemas.scenario import Policy

CIMA: Mapping[str, TeacherMove] = {
    "hint": "focus",
    "question": "probing",
    "correction": "telling",
    "confirmation": "generic",
    "other": "generic",
}
BRIDGE: Mapping[str, TeacherMove] = {
    "ask_question": "probing",
    "simplify_question": "probing",
    "provide_similar_problem": "probing",
    "provide_hint": "focus",
    "provide_strategy": "focus",
    "provide_example": "focus",
    "explain_concept": "telling",
    "provide_correction": "telling",
    "affirm_correct_answer": "generic",
    "encourage_student": "generic",
}
Dialogues = Sequence[Sequence[TeacherMove]]
POLICIES: tuple[Policy, ...] = ("reactive", "proactive")


class HalfRight(WrongStudent):
    """Right in half of the lessons, as their seeds fall."""

    def __init__(self, answer: str, right: bool):
        self._answer, self._right = answer, right

    async def ask(self, request: ChatRequest) -> ChatReply:
        if request.json_schema is None or not self._right or "const" in request.json_schema["properties"]["answer"]:
            return await super().ask(request)  # a misconception leaves one answer
        data = {"say": f"I worked it out in message {request.key.turn}.", "answer": self._answer}
        return ChatReply("", "function", "stop", prompt_tokens=0, completion_tokens=0, data=data)


async def simulated(n: int) -> list[Dialogue]:
    family, found = Tutoring(), list[Dialogue]()
    for seed in range(FIRST_SEED, FIRST_SEED + n):
        known = {"seed": seed, "policy": POLICIES[seed % 2]}
        case = family.sample(rng(seed)).model_copy(update=known)
        answer = case.verifier.answer if case.verifier else ""
        model = HalfRight(answer, rng(seed, "right").random() < 0.5)
        services = Services(chat=dict.fromkeys(family.speakers, model), embed=NoMeaning())
        found.append(await play(family, family.speakers, case, services))
    return found


def rows(corpora: Path, name: str) -> list[dict[str, object]]:
    path = corpora / f"pedagogy__{name}.parquet"
    return pq.read_table(path).to_pylist() if path.is_file() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=400, help="simulated lessons")
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    wanted = parser.parse_args()
    played = asyncio.run(simulated(wanted.n))
    lessons = [[t for t in d.turns[1:] if t.role == "teacher"] for d in played]
    columns: dict[str, Dialogues] = {
        "ours (scripted), labelled": [[t.labels["teacher_move"] for t in turns] for turns in lessons],
        "ours (scripted), by words": [[by_words(t.text or "") for t in turns] for turns in lessons],
    }
    agreed: dict[TeacherMove, Counter[TeacherMove]] = defaultdict(Counter)
    for name in ("mathdial", "bridge", "cima"):
        found = rows(wanted.corpora, name)
        if not found:
            print(f"{name}: skipped, not in {wanted.corpora}")
            continue
        said = [[t for t in row["turns"] if t["role"] == "assistant" and t["text"]] for row in found]  # pyright: ignore
        columns[f"{name}, by words"] = [[by_words(t["text"]) for t in turns] for turns in said]
        if name == "mathdial":
            columns["mathdial, labelled"] = [[a for t in turns for a in t["acts"]] for turns in said]
            for turn in (t for turns in said for t in turns if t["acts"]):
                agreed[turn["acts"][0]][by_words(turn["text"])] += 1
        elif name == "cima":
            columns["cima, labelled"] = [[CIMA[a] for t in turns for a in t["acts"]] for turns in said]
        else:
            experts = [orjson.loads(str(row["meta"]))["expert_annotations"] for row in found]
            columns["bridge, labelled"] = [[BRIDGE.get(a["strategy"], "generic") for a in e] for e in experts]
    print("| move | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    print("| dialogues, turns | " + " | ".join(f"{len(d)}, {sum(map(len, d))}" for d in columns.values()) + " |")
    for move in MOVES:
        print(f"| {move} | " + " | ".join(share(d, move) for d in columns.values()) + " |")
    probing("ours (scripted)", [moves for d in played if (moves := after_a_wrong_answer(d))])
    for split in ("train", "test"):
        found = [row for row in rows(wanted.corpora, "mathdial") if row["split"] == split]
        probing(f"mathdial, {split}", [after_the_solution(row["turns"]) for row in found])  # pyright: ignore
    if agreed:
        agreement(agreed)


def share(dialogues: Dialogues, move: TeacherMove) -> str:
    counts = np.array([[sum(m == move for m in d), len(d)] for d in dialogues])
    draws = np.random.default_rng(7)
    again = (counts[draws.integers(len(counts), size=len(counts))].sum(axis=0) for _ in range(1000))
    low, high = np.percentile([hits / max(n, 1) for hits, n in again], [2.5, 97.5])
    return f"{counts[:, 0].sum() / counts[:, 1].sum():.2f} ({low:.2f} to {high:.2f})"


def after_the_solution(turns: Sequence[Mapping[str, Any]]) -> list[TeacherMove]:
    """What the teacher does right after the student's first message, the wrong solution; at most one move."""
    first = next((n for n, turn in enumerate(turns) if turn["role"] == "user"), len(turns))
    return [turn["acts"][0] for turn in turns[first + 1 : first + 2] if turn["role"] == "assistant" and turn["acts"]]


def after_a_wrong_answer(dialogue: Dialogue) -> list[TeacherMove]:
    """The same of ours, where nothing needed is missing."""
    if dialogue.outcome["initiative"] != "needless":
        return []
    first = next((n for n, turn in enumerate(dialogue.turns) if turn.answer_correct is False), len(dialogue.turns))
    return [turn.labels["teacher_move"] for turn in dialogue.turns[first + 1 : first + 2]]


def probing(name: str, dialogues: Dialogues) -> None:
    both = [move for moves in dialogues for move in moves if move in ("probing", "focus")]
    if both:
        share = Interval.of_share(both.count("probing") / len(both), len(both))
        interval = f"({share.low:.3f} to {share.high:.3f})"
        print(f"{name}: probing / (probing + focus) {share.value:.3f} {interval}, n = {len(both)}")


def agreement(agreed: Mapping[TeacherMove, Counter[TeacherMove]]) -> None:
    """Of MathDial's turns, as labelled by those who said them."""
    print("\n| labelled \\ by words | " + " | ".join(MOVES) + " | recall |\n|---|" + "---|" * (len(MOVES) + 1))
    for move in MOVES:
        row = agreed[move]
        right = Interval.of_share(row[move] / row.total(), row.total())
        cells = " | ".join(str(row[other]) for other in MOVES)
        print(f"| {move} | {cells} | {right.value:.2f} ({right.low:.2f} to {right.high:.2f}) |")
    n = sum(row.total() for row in agreed.values())
    right = Interval.of_share(sum(agreed[m][m] for m in MOVES) / n, n)
    most = max(row.total() for row in agreed.values()) / n
    print(f"agreement {right.value:.3f} ({right.low:.3f} to {right.high:.3f}) of {n} turns; always focus: {most:.3f}")


if __name__ == "__main__":
    main()
