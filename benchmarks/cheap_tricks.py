"""Does a cheap trick earn a reward? Every reward that asks no model, on scripted assistants of every family.

    python benchmarks/cheap_tricks.py [FAMILY...] [--n 100]     (n cases of each domain; default: all six families)

The players are those of the families' own `*_scripted.py`: both sides say the program's words. The oracle is the policy
`privileged`, which is given the hidden side and asks for it where that is welcome. Of a dialogue a reward by turns
counts as the mean of its turns. Means have a 95% interval, bootstrapped over base cases, and the number of dialogues
that have a value. A reward of a group compares a dialogue with the reactive one of its case. `=` marks a mechanical
assistant whose interval reaches the oracle's, `>` one whose mean is better; rewards of which neither more nor less is
better have no marks.
"""

import argparse
import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple, Self, get_args

import conversation_scripted as conversation
import flawed_scripted as flawed
import gradual_scripted as gradual
import numpy as np
import outreach_scripted as outreach
import recommendation_scripted as recommendation
import tutoring_scripted as tutoring

from generators.domains import outreach as outreach_domains
from generators.domains import recommendation as recommendation_domains
from generators.domains import small_talk
from generators.families.flawed import Flawed
from generators.families.gradual import Gradual
from generators.families.tutoring import Tutoring
from pipelines.recipe_stages import build, builtin
from schemas.contracts import GroupReward, Reward, Services
from schemas.dialogue import Dialogue
from schemas.identity import rng
from schemas.judgement import Interval, shown
from schemas.record import Record
from schemas.scenario import Policy, Scenario

ORACLE = "oracle"
OWN: Mapping[str, Policy] = {ORACLE: "privileged", "reactive": "reactive", "proactive": "proactive"}
"""The families' own policies, by what they are called here."""
LESS_IS_BETTER = ("turns_to_success",)
DESCRIPTIVE = ("questions_asked", "grounding_acts")
"""Neither more nor less of them is better."""
DRAWS = 1000

Players = Callable[[Policy, str], Awaitable[list[Dialogue]]]
"""The same cases under a policy; for `external`, by the script of that name."""


def talks(n: int) -> tuple[Players, Sequence[str]]:
    domains = get_args(small_talk.Domain)
    return lambda p, s: conversation.dialogues(domains, n, 8, p, s), list(conversation.MECHANICAL)


def choices(n: int) -> tuple[Players, Sequence[str]]:
    domains = get_args(recommendation_domains.Domain)
    return lambda p, s: recommendation.dialogues(domains, n, p, s), list(recommendation.MECHANICAL)


def requests(n: int) -> tuple[Players, Sequence[str]]:
    async def played(policy: Policy, script: str) -> list[Dialogue]:
        found = [await outreach.dialogues(d, n, policy, script) for d in get_args(outreach_domains.Domain)]
        return [dialogue for domain in found for dialogue in domain]

    return played, list(outreach.MECHANICAL)


def lessons(n: int) -> tuple[Players, Sequence[str]]:
    cases = _cases(Tutoring(), n)
    return lambda p, s: tutoring.dialogues(cases, p, s), list(tutoring.MECHANICAL)


def problems(n: int) -> tuple[Players, Sequence[str]]:
    family = Flawed()
    cases = [family.vary(case, form) for case in _cases(family, n) for form in range(family.variants)]
    seems = flawed.seeming(cases)
    return lambda p, s: flawed.dialogues(family, cases, seems, p, s), list(flawed.MECHANICAL)


def pieces(n: int) -> tuple[Players, Sequence[str]]:
    family = Gradual()
    cases = _cases(family, n)
    return lambda p, s: gradual.dialogues(family, cases, p, s), list(gradual.MECHANICAL)


def _cases(family: Tutoring | Flawed | Gradual, n: int) -> list[Scenario]:
    seeds = range(recommendation.FIRST_SEED, recommendation.FIRST_SEED + n)
    return [family.sample(rng(seed, "case")).model_copy(update={"seed": seed}) for seed in seeds]


FAMILIES: Mapping[str, tuple[Callable[[int], tuple[Players, Sequence[str]]], int]] = {
    "conversation": (talks, 1),
    "recommendation": (choices, 1),
    "outreach": (requests, 1),
    "tutoring": (lessons, 3),
    "flawed": (problems, 2),
    "gradual": (pieces, 3),
}
"""How each is played, and how many times n cases: those with three domains have three times as many anyway."""


async def rewarded(played: Iterable[Dialogue], rewards: Sequence[Reward]) -> list[Record]:
    services = Services(chat={}, embed=recommendation.Embedder())
    found: list[Record] = []
    for dialogue in played:
        values = [value for reward in rewards for value in await reward.annotate(dialogue, services)]
        found.append(Record(dialogue=dialogue, rewards=tuple(values)))
    return found


def beside(records: Sequence[Record], reactive: Sequence[Record], rewards: Sequence[Reward]) -> list[Record]:
    """With what each is worth beside the reactive one of its case."""
    groups = [stage for stage in rewards if isinstance(stage, GroupReward)]
    found: list[Record] = []
    for mine, other in zip(records, reactive, strict=True):
        values = [stage.compare((mine, other))[0] for stage in groups]
        found.append(mine.model_copy(update={"rewards": (*mine.rewards, *values)}))
    return found


Column = dict[str, list[tuple[str, float]]]
"""Reward and scope -> (base case, mean value) of each dialogue that has one."""


def column(records: Iterable[Record]) -> Column:
    found: Column = defaultdict(list)
    for record in records:
        of: dict[str, list[float]] = defaultdict(list)
        for value in record.rewards:
            if value.value is not None:
                of[f"{value.name}, {value.scope}"].append(value.value)
        for name, values in of.items():
            found[name].append((record.dialogue.scenario.base_case_id, fmean(values)))
    return found


def measured(values: Sequence[tuple[str, float]]) -> Interval | None:
    """None: of fewer than three cases."""
    cases: dict[str, list[float]] = defaultdict(list)
    for case, value in values:
        cases[case].append(value)
    if len(cases) < 3:
        return None
    sums, sizes = (np.array([f(c) for c in cases.values()], float) for f in (sum, len))
    drawn = np.random.default_rng(0).integers(0, len(sums), (DRAWS, len(sums)))
    low, high = np.percentile(sums[drawn].sum(1) / sizes[drawn].sum(1), (2.5, 97.5))
    return Interval(float(sums.sum() / sizes.sum()), float(low), float(high), len(values))


def mark(reward: str, found: Interval, oracle: Interval | None) -> str:
    if oracle is None or reward.startswith(DESCRIPTIVE):
        return ""
    if reward.startswith(LESS_IS_BETTER):
        found, oracle = (Interval(-i.value, -i.high, -i.low, i.n) for i in (found, oracle))
    if found.value > oracle.value:
        return " >"
    return " =" if found.high >= oracle.low else ""


class Line(NamedTuple):
    """One reward in one family."""

    reward: str
    figures: Mapping[str, Interval | None]
    marks: Mapping[str, str]
    """Of the mechanical players."""

    @classmethod
    def of(cls, reward: str, columns: Mapping[str, Column]) -> Self:
        figures = {player: measured(c.get(reward, [])) for player, c in columns.items()}
        habits = {player: found for player, found in figures.items() if found and player not in OWN}
        return cls(reward, figures, {p: mark(reward, found, figures[ORACLE]) for p, found in habits.items()})

    @property
    def brief(self) -> str:
        """The oracle, and the habit that earns most."""
        sign = -1 if self.reward.startswith(LESS_IS_BETTER) else 1
        best = max(self.marks, key=lambda p: sign * _figure(self.figures[p]).value, default=None)
        if best is None:
            return shown(self.figures[ORACLE])
        found = f"{best} {_figure(self.figures[best]).value:.2f}{self.marks[best]}"
        return f"{shown(self.figures[ORACLE])}; {found}"


def _figure(found: Interval | None) -> Interval:
    assert found is not None
    return found


def table(lines: Sequence[Line], players: Sequence[str]) -> None:
    print(f"| reward | {' | '.join(players)} |\n|{'---|' * (len(players) + 1)}")
    for line in lines:
        cells = [
            f"{shown(found)} {found.n}{line.marks.get(player, '')}" if (found := line.figures[player]) else "-"
            for player in players
        ]
        print(f"| {line.reward} | {' | '.join(cells)} |")
    earned = [(line.reward, [f"{p}{sign}" for p, sign in line.marks.items() if sign]) for line in lines]
    print("\nearned by habit:", *(f"- {reward}: {', '.join(close)}" for reward, close in earned if close), sep="\n")


async def report(name: str, n: int, rewards: Sequence[Reward]) -> dict[str, str]:
    """Prints the table of a family; gives the brief of each reward."""
    begun = time.monotonic()
    make, times = FAMILIES[name]
    play, scripts = make(n * times)
    own = {called: await rewarded(await play(policy, ""), rewards) for called, policy in OWN.items()}
    played = {**own, **{script: await rewarded(await play("external", script), rewards) for script in scripts}}
    columns = {player: column(beside(r, own["reactive"], rewards)) for player, r in played.items()}
    cases = len({r.dialogue.scenario.base_case_id for r in own[ORACLE]})
    print(f"\n## scripted {name}: {len(own[ORACLE])} dialogues of each, {cases} base cases\n")
    lines = [Line.of(reward, columns) for reward in sorted({r for c in columns.values() for r in c})]
    table(lines, list(columns))
    print(f"\n{time.monotonic() - begun:.0f} s", flush=True)
    return {line.reward: line.brief for line in lines}


def overview(briefs: Mapping[str, Mapping[str, str]]) -> None:
    print(f"\n## All: the oracle; the habit that earns most\n\n| reward | {' | '.join(briefs)} |")
    print(f"|{'---|' * (len(briefs) + 1)}")
    for reward in sorted({r for of in briefs.values() for r in of}):
        print(f"| {reward} | {' | '.join(of.get(reward, '-') for of in briefs.values())} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--n", type=int, default=100)
    given = parser.parse_args()
    rewards = [build(reward.import_path(), Reward) for reward in builtin(Reward)]
    if unknown := set(given.families) - set(FAMILIES):
        parser.error(f"no family {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")
    overview({name: asyncio.run(report(name, given.n, rewards)) for name in given.families or FAMILIES})


if __name__ == "__main__":
    main()
