"""Can the `gradual` simulation be won by habit, and does asking or waiting pay? Scripted assistants against its user.

    python benchmarks/gradual_scripted.py [--n 400] [--problems FILE]

No model: both sides say the program's own phrases, and scripted assistants understand every word. Who answers is right
where every shard that is needed has come out, else wrong. All meet the same people with the same problems. `clean` is
success without an attempt before that. Intervals as in `tutoring_scripted.py`; differences are bootstrapped over base
cases.
"""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recommendation_scripted import FIRST_SEED, OWN, Embedder, difference, mean, shown, success

from generators.families.gradual import CELLS, Gradual
from generators.latents.tagger import is_question
from generators.piecing import TELLS_ALL, Telling
from generators.play import play
from generators.speakers.external import FREE
from generators.speakers.verbatim import Verbatim, in_words
from generators.tasks.sharding import load
from schemas.contracts import Services, Speaker
from schemas.dialogue import Dialogue, Move, Turn
from schemas.identity import rng
from schemas.scenario import Policy, Scenario, View

WRONG = {"number": "-7654321", "date": "1900-01-01"}
"""By kind of answer; of the others `nobody`."""
WAITS = ("Ok, go on.", "I see.", "Noted.", "Alright, go on.")
GENERIC = "Could you tell me more about it?"


@dataclass(frozen=True)
class Heard:
    """What an assistant that understands every word knows."""

    telling: Telling

    @property
    def answer(self) -> str:
        """Right where all that is needed was told; of choices one that was not tried yet."""
        scenario, tried = self.telling.scenario, {t.answer for t in self.telling.attempts}
        wrong = [c for c in scenario.plan["choices"] if c not in tried]
        guess = (wrong or [WRONG.get(scenario.plan["answer_kind"], "nobody")])[0]
        right = scenario.verifier.answer if scenario.verifier is not None else guess
        return f"Answer: {guess if self.telling.needed else right}"

    @property
    def questions(self) -> list[str]:
        """For each shard that was neither told nor said to be unknown, by its own words."""
        return [f"What about {f.slot}?" for f in self.telling.missing if f.id not in self.telling.denied]

    @property
    def wait(self) -> str:
        return WAITS[len(self.telling.turns) // 2 % len(WAITS)]


def attempts(h: Heard) -> str:
    return h.answer


def waits(h: Heard) -> str:
    return h.answer if h.telling.done or h.telling.at_once else h.wait


def never_answers(h: Heard) -> str:
    return h.wait


def always_asks(h: Heard) -> str:
    return [*h.questions, GENERIC][0]


def asks_generically(h: Heard) -> str:
    return h.answer if h.telling.done or h.telling.at_once else GENERIC


def interrogates(h: Heard) -> str:
    """All questions in each message, while there are any."""
    return " ".join(h.questions) or h.answer


def asks_once(h: Heard) -> str:
    asked = any(t.role == "assistant" and "ask" in t.acts for t in h.telling.turns)
    return h.answer if asked or not h.questions else h.questions[0]


def at_random(h: Heard) -> str:
    draws = rng(h.telling.scenario.seed, "random", len(h.telling.turns))
    return draws.choice([*h.questions[:1], h.wait, h.answer])


def oracle(h: Heard) -> str:
    """It is given the hidden side: who tells by themselves, what is held back, and what nobody knows."""
    needed = [f for f in h.telling.needed if f.disclose != "never"]
    if not needed:
        return "I leave it open." if h.telling.needed and h.telling.denied else h.answer
    return h.wait if h.telling.session.cell in TELLS_ALL else f"What about {needed[0].slot}?"


Script = Callable[[Heard], str]
MECHANICAL: Mapping[str, Script] = {
    "attempts every turn": attempts,
    "waits for all": waits,
    "never answers": never_answers,
    "always asks": always_asks,
    "asks for more, then answers": asks_generically,
    "asks for all at once": interrogates,
    "asks once, then answers": asks_once,
    "random": at_random,
}
SCRIPTS = {**MECHANICAL, "oracle": oracle}


class Plays(Speaker):
    """A script, or a policy's moves in the program's words."""

    scenario: Scenario
    script: str
    """A name of `SCRIPTS`, where the policy is external."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        h = Heard(Telling.of(self.scenario, turns))
        if move.intent == FREE:
            text = SCRIPTS[self.script](h)
            acts = ("ask",) if is_question(text) else ()
            return Turn(role=view.role, text=text, intent_requested=move.intent, acts=acts)
        open_question = move.intent == "ask" and "question" not in move.labels
        answer = h.answer.removeprefix("Answer: ") if move.intent == "answer" else None
        return Turn(
            role=view.role,
            text=h.answer if answer else always_asks(h) if open_question else in_words(move),
            intent_requested=move.intent,
            acts=(move.intent,),
            decision=move.intent,
            answer=answer,
        )


async def dialogues(family: Gradual, cases: Sequence[Scenario], policy: Policy, script: str = "") -> list[Dialogue]:
    played: list[Dialogue] = []
    for case in cases:
        scenario = case.model_copy(update={"policy": policy})
        speakers: dict[str, Speaker] = {"assistant": Plays(scenario=scenario, script=script), "user": Verbatim()}
        played.append(await play(family, speakers, scenario, Services(chat={}, embed=Embedder())))
    return played


def clean(d: Dialogue) -> bool:
    return bool(d.outcome["success"]) and not d.outcome["premature_attempts"]


def totals(found: Mapping[str, Sequence[Dialogue]]) -> None:
    print(
        "| assistant | success | clean | premature attempts | messages | questions | where none is needed | patience |"
    )
    print("|" + "---|" * 8)
    for name, played in found.items():
        elsewhere = [d.outcome["questions"] for d in played if d.outcome["initiative"] != "needed"]
        means = (
            mean([d.outcome["premature_attempts"] for d in played]),
            mean([len(d.turns) for d in played]),
            mean([d.outcome["questions"] for d in played]),
            mean(elsewhere),
            mean([d.outcome["patience_spent"] for d in played]),
        )
        cells = (shown(success(played)), f"{mean([clean(d) for d in played]):.3f}", *(f"{m:.2f}" for m in means))
        print(f"| {name} | {' | '.join(cells)} |")


def by(key: str, values: Sequence[str], found: Mapping[str, Sequence[Dialogue]]) -> None:
    counts = Counter(d.outcome[key] for d in found["proactive"])
    print(
        f"\n| success by {key} | {' | '.join(f'{v}, n = {counts[v]}' for v in values)} |\n|{'---|' * (len(values) + 1)}"
    )
    for name, played in found.items():
        some = [[d for d in played if d.outcome[key] == value] for value in values]
        print(f"| {name} | {' | '.join(shown(success(s)) if s else '-' for s in some)} |")


def verdicts(found: Mapping[str, Sequence[Dialogue]]) -> None:
    of = {name: success(played) for name, played in found.items()}
    leads = of["oracle"][0] == max(share for share, _, _ in of.values())
    print(
        f"\noracle leads: {leads}; its interval is reached by:", [n for n in MECHANICAL if of[n][2] >= of["oracle"][1]]
    )
    for cell in ("needed", "refuses"):
        print(f"\n{cell}: proactive less (paired, bootstrapped over base cases):")
        for name in [*MECHANICAL, "reactive"]:
            print(f"- {name}: {difference(found['proactive'], found[name], cell)}")
    turns = [t for played in found.values() for d in played for t in d.turns if t.role == "user"]
    later = [len(t.facts_disclosed) for t in turns if t.intent_requested != "request"]
    print(f"\nshards a turn after the first: {dict(sorted(Counter(later).items()))}")
    kinds = Counter(
        t.labels.get("response_type") for p in found.values() for d in p for t in d.turns if t.role != "user"
    )
    print(f"response types: {dict(kinds.most_common())}")
    print(f"faults: {Counter(d.ending.detail for p in found.values() for d in p if d.ending.reason == 'fault')}")


async def report(n: int, problems: Path | None) -> None:
    begun = time.monotonic()
    family = Gradual(problems=problems)
    seeds = range(FIRST_SEED, FIRST_SEED + n)
    cases = [family.sample(rng(seed, "case")).model_copy(update={"seed": seed}) for seed in seeds]
    found: dict[str, list[Dialogue]] = {p: await dialogues(family, cases, p) for p in OWN}
    for name in SCRIPTS:
        found[name] = await dialogues(family, cases, "external", name)
    print(f"## scripted gradual; {n} dialogues of each assistant, {len({c.base_case_id for c in cases})} base cases\n")
    if problems is not None:
        print(f"{problems}: {len(load(problems).problems)} problems, refused: {dict(load(problems).refused)}\n")
    totals(found)
    by("cell", list(CELLS), found)
    by("setting", list(family.settings), found)
    verdicts(found)
    print(f"\n{time.monotonic() - begun:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=400)
    parser.add_argument("--problems", type=Path)
    given = parser.parse_args()
    asyncio.run(report(given.n, given.problems))


if __name__ == "__main__":
    main()
