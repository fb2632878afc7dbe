"""Can the `tutoring` simulation be won by habit, and does asking pay? Scripted students against its teacher.

    python benchmarks/tutoring_scripted.py [--n 2000]

No model: both sides say the program's own phrases, and scripted students understand every word. Whoever answers is
right where all that is needed has come out; else it guesses: of several choices one it did not try yet, otherwise
something wrong; whoever holds a misconception answers by it first, but the oracle and the privileged. All students
meet the same teachers and problems. Success has a Wilson 95% interval at the size that is
left when dialogues of one base case count as one another's neighbours (design effect, at least 1); differences are
bootstrapped over base cases.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from recommendation_scripted import FIRST_SEED, OWN, Embedder, Says, by_cell, difference, mean, shown, success

from generators.families.tutoring import Tutoring
from generators.latents.tagger import is_question
from generators.play import play
from generators.speakers.external import FREE
from generators.teaching import Lesson
from schemas.contracts import Services, Speaker
from schemas.dialogue import Dialogue, Move, Turn
from schemas.identity import rng
from schemas.scenario import Policy, Scenario, View

WRONG = {"number": "-7654321", "date": "1900-01-01"}
"""By kind of answer; of the others `nobody`."""
GENERIC = (
    "How many are there?",
    "What is the price?",
    "How long does it take?",
    "What is the total?",
    "Who comes first?",
)
"""Asked without a look at the problem, those first that most problems are about."""


@dataclass(frozen=True)
class Heard:
    """What a student that understands every word knows."""

    lesson: Lesson

    @property
    def informed(self) -> bool:
        return not any(fact.required for fact in self.lesson.missing)

    @property
    def right(self) -> str:
        """Nothing is right where something that is needed cannot be known."""
        return self.lesson.view.private.get("answer", self.guess)

    @property
    def guess(self) -> str:
        plan, tried = self.lesson.scenario.plan, {t.answer for t in self.lesson.turns}
        if plan["choices"]:
            return next((c for c in plan["choices"] if c not in tried), plan["choices"][0])
        return WRONG.get(plan["answer_kind"], "nobody")

    @property
    def answer(self) -> str:
        if self.lesson.scenario.policy == "privileged":
            return self.right
        if taken := self.lesson.misconception:
            return taken.answer
        return self.right if self.informed else self.guess

    @property
    def questions(self) -> list[str]:
        """For what is visibly missing and may come out, as far as was said."""
        return [f"Can you tell me {fact.slot}?" for fact in self.lesson.open]

    @property
    def said(self) -> int:
        """Its messages so far."""
        return sum(t.role == "student" for t in self.lesson.turns)


def answers(h: Heard) -> str:
    return f"Answer: {h.answer}"


def always_asks(h: Heard) -> str:
    return [*h.questions, GENERIC[h.said % len(GENERIC)]][0]


def checklist(h: Heard) -> str:
    return GENERIC[h.said] if h.said < 3 else answers(h)


def short_checklist(h: Heard) -> str:
    return GENERIC[h.said] if h.said < 2 else answers(h)


def asks_once(h: Heard) -> str:
    return h.questions[0] if h.said == 0 and h.questions else answers(h)


def dumps(h: Heard) -> str:
    """All questions and a guess in every message: the teacher hears the guess alone."""
    return " ".join([*h.questions, *GENERIC, answers(h)])


def asks_and_guesses(h: Heard) -> str:
    """All questions in one message, a guess in the next, and again."""
    return answers(h) if h.said % 2 else " ".join([*h.questions, *GENERIC])


def pushes(h: Heard) -> str:
    """Guesses in every message, and asks again what was not told."""
    return " ".join([*h.questions[:1], answers(h)])


def at_random(h: Heard) -> str:
    draws = rng(h.lesson.scenario.seed, "random", h.said)
    return draws.choice([*h.questions, draws.choice(GENERIC), answers(h)])


def oracle(h: Heard) -> str:
    """It is given the hidden side."""
    return f"Answer: {h.right}"


Script = Callable[[Heard], str]
MECHANICAL: Mapping[str, Script] = {
    "never asks": answers,
    "always asks": always_asks,
    "checklist of three": checklist,
    "checklist of two": short_checklist,
    "asks once, then answers": asks_once,
    "dumps everything": dumps,
    "dumps and guesses in turn": asks_and_guesses,
    "always pushes": pushes,
    "random": at_random,
}
SCRIPTS = {**MECHANICAL, "oracle": oracle}


class Plays(Speaker):
    """A script, or a policy's moves in the program's words."""

    scenario: Scenario
    script: str
    """A name of `SCRIPTS`, where the policy is external."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        h = Heard(Lesson.of(self.scenario, turns))
        if move.intent == FREE:
            text = SCRIPTS[self.script](h)
            acts = ("ask",) if is_question(text) else ()
            return Turn(role=view.role, text=text, intent_requested=move.intent, acts=acts)
        answer = h.answer if move.intent == "answer" else None
        text = move.verbatim or (f"Answer: {answer}" if answer else move.instruction.removeprefix("ask: "))
        return Turn(role=view.role, text=text, intent_requested=move.intent, acts=(move.intent,), answer=answer)


async def dialogues(cases: Sequence[Scenario], policy: Policy, script: str = "") -> list[Dialogue]:
    played: list[Dialogue] = []
    for case in cases:
        scenario = case.model_copy(update={"policy": policy})
        speakers = {"student": Plays(scenario=scenario, script=script), "teacher": Says()}
        played.append(await play(Tutoring(), speakers, scenario, Services(chat={}, embed=Embedder())))
    return played


def totals(found: Mapping[str, Sequence[Dialogue]]) -> None:
    print("| student | success | first answer right | messages | questions | where none is needed | patience spent |")
    print("|" + "---|" * 7)
    for name, played in found.items():
        firsts = [next((t.answer_correct for t in d.turns if t.answer is not None), False) for d in played]
        elsewhere = [d.outcome["questions"] for d in played if d.outcome["initiative"] != "needed"]
        means = (
            mean([bool(f) for f in firsts]),
            mean([len(d.turns) for d in played]),
            mean([d.outcome["questions"] for d in played]),
            mean(elsewhere),
            mean([d.outcome["patience_spent"] for d in played]),
        )
        print(f"| {name} | {shown(success(played))} | {' | '.join(f'{m:.2f}' for m in means)} |")


def verdicts(found: Mapping[str, Sequence[Dialogue]]) -> None:
    of = {name: success(played) for name, played in found.items()}
    close = [name for name in MECHANICAL if of[name][2] >= of["proactive"][1]]
    reach = [name for name in MECHANICAL if of[name][2] >= of["oracle"][1]]
    leads = max(of, key=lambda n: of[n][0]) in ("oracle", "privileged")
    print(f"\noracle leads: {leads}; its interval is reached by: {reach}")
    print(f"proactive's is reached by: {close}")
    for cell in ("needed", "refuses"):
        print(f"\n{cell}: proactive less (paired, bootstrapped over base cases):")
        for name in [*MECHANICAL, "reactive"]:
            print(f"- {name}: {difference(found['proactive'], found[name], cell)}")


async def report(n: int) -> None:
    begun = time.monotonic()
    family = Tutoring()
    seeds = range(FIRST_SEED, FIRST_SEED + n)
    cases = [family.sample(rng(seed, "case")).model_copy(update={"seed": seed}) for seed in seeds]
    found: dict[str, list[Dialogue]] = {p: await dialogues(cases, p) for p in OWN}
    for name in SCRIPTS:
        found[name] = await dialogues(cases, "external", name)
    print(f"## scripted tutoring; {n} dialogues of each student, {len({c.base_case_id for c in cases})} base cases\n")
    totals(found)
    by_cell(found)
    verdicts(found)
    print(f"\n{time.monotonic() - begun:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=2000)
    asyncio.run(report(parser.parse_args().n))


if __name__ == "__main__":
    main()
