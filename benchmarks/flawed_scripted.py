"""Can the `flawed` simulation be won by habit, and does reading pay? Scripted assistants against its user.

    python benchmarks/flawed_scripted.py [--n 400] [--problems FILE] [--no-text]

No model: both sides say the program's own phrases, and who is told the missing number works the answer out. All
assistants meet the same people and problems, each as a flawed problem and as its control (2n dialogues of each). What a
habit scores follows from the shares of the cells: beside what was measured stands what was expected. Success has a
Wilson 95% interval at the size that is left when dialogues of one base case count as one another's neighbours. At last
the classifier of `flawed_text_only.py` on these very problems: what the wording alone gives away.

`marker` knows every phrase of "elsewhere"; `learned words` has learnt from the problems of half of the base cases which
words of the sentence in doubt go with a flaw, and is tried on the other half's.
"""

import argparse
import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flawed_text_only import Text, show
from recommendation_scripted import FIRST_SEED, OWN, Embedder, Says, mean, shown, success
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

from generators.clarifying import Inquiry
from generators.doubts import doubts, settling
from generators.families.flawed import Flawed
from generators.play import play
from generators.speakers.external import FREE
from generators.tasks.asides import ELSEWHERE
from generators.tasks.sentences import sentences
from schemas.contracts import Services, Speaker
from schemas.dialogue import Dialogue, Move, Turn
from schemas.identity import rng
from schemas.scenario import Policy, Scenario, View

WRONG = "-7654321"
STOPS = "It cannot be known."


@dataclass(frozen=True)
class Heard:
    """What an assistant knows that works out every problem it can."""

    inquiry: Inquiry
    seems: frozenset[str] = frozenset()
    """Problems whose words seem flawed to who has learnt from others."""

    @property
    def answer(self) -> str:
        """Right where nothing is lacking, or no longer."""
        verifier = self.inquiry.scenario.verifier
        able = not self.inquiry.flawed or self.inquiry.told
        return f"Answer: {verifier.answer if able and verifier is not None else WRONG}"

    @property
    def question(self) -> str:
        """For what the text leaves in doubt, whether that matters or not."""
        found = doubts(self.inquiry.problem)
        return f"{found[0].question}?" if found else "What do you mean?"

    def shares_a_word(self, whole: bool) -> bool:
        """Whether the sentence in doubt shares a longer word with the question, or with the whole rest."""
        found, said = doubts(self.inquiry.problem), sentences(self.inquiry.problem)
        rest = " ".join(s for s in said if s != found[0].sentence) if whole else said[-1]
        return bool(_long(found[0].sentence) & _long(rest))

    @property
    def is_marked(self) -> bool:
        """Whether it says itself that it is about something else."""
        return any(words.lower() in doubts(self.inquiry.problem)[0].sentence.lower() for words in ELSEWHERE)

    @property
    def asked(self) -> bool:
        return bool(self.inquiry.questions)


def _long(text: str) -> set[str]:
    return {word for word in re.findall(r"[a-z]+", text.lower()) if len(word) > 3}


def never_asks(h: Heard) -> str:
    return h.answer


def always_asks(h: Heard) -> str:
    """Until it is told."""
    return h.answer if h.inquiry.told else h.question


def asks_once(h: Heard) -> str:
    """Then it answers, or stops where the user does not know."""
    return h.question if not h.asked else STOPS if h.inquiry.unknown else h.answer


def always_stops(h: Heard) -> str:
    return STOPS


def at_random(h: Heard) -> str:
    """Asks of every second problem, then as who asks once."""
    return asks_once(h) if h.asked or rng(h.inquiry.scenario.seed, h.inquiry.problem).random() < 0.5 else h.answer


def keyword_of_the_question(h: Heard) -> str:
    return asks_once(h) if h.asked or h.shares_a_word(whole=False) else h.answer


def keyword_of_the_text(h: Heard) -> str:
    return asks_once(h) if h.asked or h.shares_a_word(whole=True) else h.answer


def marker(h: Heard) -> str:
    return h.answer if h.is_marked and not h.asked else asks_once(h)


def learned_words(h: Heard) -> str:
    return asks_once(h) if h.asked or h.inquiry.problem in h.seems else h.answer


def oracle(h: Heard) -> str:
    """It is given the hidden side."""
    if h.inquiry.session.initiative == "hopeless":
        return STOPS
    wants = h.inquiry.flawed and not h.inquiry.told
    return f"{settling(h.inquiry.scenario.plan['shown'])}?" if wants else h.answer


Script = Callable[[Heard], str]
MECHANICAL: Mapping[str, Script] = {
    "never asks": never_asks,
    "always asks": always_asks,
    "asks once": asks_once,
    "always stops": always_stops,
    "asks at random": at_random,
    "keyword of the question": keyword_of_the_question,
    "keyword of the text": keyword_of_the_text,
    "marker": marker,
    "learned words": learned_words,
}
SCRIPTS = {**MECHANICAL, "oracle": oracle}
CONTROL, NEEDED, IMPOSSIBLE = 0.5, 0.4, 0.1
EXPECTED = {
    "never asks": CONTROL,
    "always asks": NEEDED,
    "asks once": NEEDED + IMPOSSIBLE,
    "always stops": IMPOSSIBLE,
    "asks at random": (CONTROL + NEEDED + IMPOSSIBLE) / 2,
    "reactive": CONTROL,
    "privileged": 1.0,
    "oracle": 1.0,
}


class Plays(Speaker):
    """A script, or a policy's moves in the program's words."""

    scenario: Scenario
    script: str
    """A name of `SCRIPTS`, where the policy is external."""
    seems: frozenset[str]

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        h = Heard(Inquiry.of(self.scenario, turns), self.seems)
        if move.intent == FREE:
            return Turn(role=view.role, text=SCRIPTS[self.script](h), intent_requested=FREE)
        answer = h.answer.removeprefix("Answer: ") if move.intent == "answer" else None
        text = move.verbatim or (h.answer if answer else move.instruction.removeprefix("ask: "))
        return Turn(role=view.role, text=text, intent_requested=move.intent, acts=(move.intent,), answer=answer)


async def dialogues(
    family: Flawed, cases: Sequence[Scenario], seems: frozenset[str], policy: Policy, script: str = ""
) -> list[Dialogue]:
    played: list[Dialogue] = []
    for case in cases:
        scenario = case.model_copy(update={"policy": policy})
        speakers = {"assistant": Plays(scenario=scenario, script=script, seems=seems), "user": Says()}
        played.append(await play(family, speakers, scenario, Services(chat={}, embed=Embedder())))
    return played


def seeming(cases: Sequence[Scenario]) -> frozenset[str]:
    """Problems that seem flawed by the words of the sentence in doubt, to who learnt from other base cases."""
    problems, names = [str(c.plan["problem"]) for c in cases], [c.base_case_id for c in cases]
    words, flawed = [doubts(p)[0].sentence for p in problems], np.array([c.plan["flaw_type"] != "none" for c in cases])
    seems = np.zeros(len(cases), bool)
    for train, test in GroupKFold(2).split(words, flawed, names):
        model = make_pipeline(TfidfVectorizer(ngram_range=(1, 3), sublinear_tf=True), LogisticRegression(C=10.0))
        model.fit([words[n] for n in train], flawed[train])
        seems[test] = model.predict([words[n] for n in test])
    return frozenset(problem for problem, seem in zip(problems, seems, strict=True) if seem)


def totals(found: Mapping[str, Sequence[Dialogue]]) -> None:
    print("| assistant | expected | success | right answers | asks of flawed | false alarms | messages |")
    print("|" + "---|" * 7)
    for name, played in found.items():
        flawed = [d for d in played if d.outcome["flaw_type"] != "none"]
        control = [d for d in played if d.outcome["flaw_type"] == "none"]
        means = (
            mean([d.outcome["final_correct"] for d in played]),
            mean([d.outcome["asked"] for d in flawed]),
            mean([d.outcome["asked_on_answerable"] for d in control]),
            mean([len(d.turns) for d in played]),
        )
        expected = f"{EXPECTED[name]:.2f}" if name in EXPECTED else "-"
        print(f"| {name} | {expected} | {shown(success(played))} | {' | '.join(f'{m:.2f}' for m in means)} |")


def cells(found: Mapping[str, Sequence[Dialogue]]) -> None:
    counts = Counter(str(d.outcome["cell"]) for d in found["proactive"])
    print(f"\n| success by cell | {' | '.join(f'{c}, n = {n}' for c, n in counts.items())} |")
    print("|" + "---|" * (1 + len(counts)))
    for name, played in found.items():
        rows = (shown(success([d for d in played if d.outcome["cell"] == cell])) for cell in counts)
        print(f"| {name} | {' | '.join(rows)} |")


def verdicts(found: Mapping[str, Sequence[Dialogue]]) -> None:
    of = {name: success(played) for name, played in found.items()}
    off = [name for name, share in EXPECTED.items() if not of[name][1] <= share <= of[name][2]]
    print(f"\nexpected lies outside the interval of: {off}")
    print(f"oracle's interval is reached by: {[n for n in MECHANICAL if of[n][2] >= of['oracle'][1]]}")
    print(f"proactive's is reached by: {[n for n in MECHANICAL if of[n][2] >= of['proactive'][1]]}\n")


async def report(family: Flawed, n: int, text: bool) -> None:
    begun = time.monotonic()
    seeds = range(FIRST_SEED, FIRST_SEED + n)
    drawn = [family.sample(rng(seed, "case")).model_copy(update={"seed": seed}) for seed in seeds]
    cases = [family.vary(case, form) for case in drawn for form in range(family.variants)]
    seems = seeming(cases)
    found: dict[str, list[Dialogue]] = {p: await dialogues(family, cases, seems, p) for p in OWN}
    for name in SCRIPTS:
        found[name] = await dialogues(family, cases, seems, "external", name)
    print(f"## scripted flawed; {len(cases)} dialogues of each, {len({c.base_case_id for c in cases})} base cases\n")
    totals(found)
    cells(found)
    verdicts(found)
    if text:
        print("| set | flawed + control | AUC by wording | upper bound |\n|---|---|---|---|")
        show("these problems", [Text(c.plan["problem"], c.plan["flaw_type"] != "none", c.base_case_id) for c in cases])
    print(f"\n{time.monotonic() - begun:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=400)
    parser.add_argument("--problems", type=Path)
    parser.add_argument("--no-text", action="store_true")
    given = parser.parse_args()
    asyncio.run(report(Flawed(problems=given.problems), given.n, not given.no_text))


if __name__ == "__main__":
    main()
