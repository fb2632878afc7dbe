"""How often a wrong answer is replaced by a question: does the share follow substitution^t (methods §2)? Scripted.

    python benchmarks/q_priming_scripted.py [--n 2000] [--substitution 0.75]

No model: a function answers wrongly and asks what the note says. The two policies that
are primed take turns, a case each.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random

import numpy as np
from recommendation_scripted import FIRST_SEED
from scipy.stats import chi2

from generators.families.tutoring import Tutoring
from generators.play import play
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import KNOWS_BOTH, Services
from schemas.identity import rng
from schemas.judgement import Interval


class WrongStudent:
    """Never right; asks in the words of the note."""

    async def ask(self, request: ChatRequest) -> ChatReply:
        said = request.messages[-1].content.rpartition("[")[2].removesuffix("]")
        data = None
        if request.json_schema is not None:
            answer = request.json_schema["properties"]["answer"]
            wrong = (answer.get("enum") or [answer.get("const")])[-1] or (
                "7777777" if "pattern" in answer else "nobody"
            )
            data = {"say": f"I worked it out in message {request.key.turn}.", "answer": wrong}
        elif ": " not in said:
            asks = request.key.step == KNOWS_BOTH
            said = f"{'Which step is wrong in' if asks else 'It was the sum in'} number {request.key.turn}{'?' * asks}"
        text = said.partition(": ")[2] or said
        return ChatReply(text, "function", "stop", prompt_tokens=0, completion_tokens=0, data=data)


class NoMeaning:
    """Every text in a direction of its own: words alone decide."""

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        draws = [Random(text) for text in texts]
        rows = np.array([[d.gauss(0, 1) for _ in range(64)] for d in draws], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    phrases = embed


async def counted(n: int, substitution: float) -> tuple[Counter[tuple[int, bool]], Counter[str]]:
    """(t, drawn) and what became of those drawn."""
    family = Tutoring(substitution=substitution)
    services = Services(chat=dict.fromkeys(family.speakers, WrongStudent()), embed=NoMeaning())
    drawn: Counter[tuple[int, bool]] = Counter()
    became: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + n):
        known = {"seed": seed, "policy": "reactive"}
        case = family.sample(rng(seed)).model_copy(update=known)
        dialogue = await play(family, family.speakers, case, services)
        mine = (t for t in dialogue.turns if t.role == "student")
        for t, labels in ((t, turn.labels) for t, turn in enumerate(mine, 1) if "p_q" in turn.labels):
            substituted = bool(labels["question_substituted"])
            drawn[t, substituted or "question_failed" in labels] += 1
            became.update(["substituted"] if substituted else [labels.get("question_failed", "not drawn")])
    return drawn, became


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=2000, help="cases")
    parser.add_argument("--substitution", type=float, default=0.75)
    wanted = parser.parse_args()
    drawn, became = asyncio.run(counted(wanted.n, wanted.substitution))
    squares, degrees = 0.0, 0
    print("| t | wrong answers | replaced | 95% | wanted |\n|---|---|---|---|---|")
    for t in sorted({t for t, _ in drawn}):
        n, p = drawn[t, True] + drawn[t, False], wanted.substitution**t
        share = Interval.of_share(drawn[t, True] / n, n)
        print(f"| {t} | {n} | {share.value:.3f} | {share.low:.3f} to {share.high:.3f} | {p:.3f} |")
        if n * min(p, 1 - p) >= 5:
            squares, degrees = squares + (drawn[t, True] - n * p) ** 2 / (n * p * (1 - p)), degrees + 1
    print(f"chi-square {squares:.2f}, {degrees} degrees of freedom, p = {chi2.sf(squares, degrees):.3f}")
    print("what became of them:", ", ".join(f"{count} {name}" for name, count in became.most_common()))


if __name__ == "__main__":
    main()
