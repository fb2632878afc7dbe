"""Rolling on: dialogues played to their end from a turn of one that was played, each a row with an origin."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import NamedTuple

import numpy as np

from generators.play import Start, Watch, play
from generators.resampling import Public, Weighed, candidates, effective, weigh
from pipelines.forecast_rows import LEAST_EFFECTIVE, Cut, Rate
from pipelines.recipe_families import FamilyEntry
from schemas.contracts import Embedder, Services, Speaker
from schemas.dialogue import Dialogue, Origin, Turn
from schemas.identity import derive, rng, stable_hash
from schemas.scenario import Scenario


class Rolled(NamedTuple):
    rate: Rate
    dialogues: tuple[Dialogue, ...] = ()


class Branch(NamedTuple):
    """What is rolled on: a hidden side, and the turns seen as its own."""

    scenario: Scenario
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Remembered:
    """An Embedder that asks for the same texts once: rollouts of one cut say much the same."""

    embedder: Embedder
    known: dict[tuple[str, ...], np.ndarray]

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        key = tuple(texts)
        if key not in self.known:
            self.known[key] = await self.embedder.embed(texts)
        return self.known[key]

    async def phrases(self, texts: Sequence[str]) -> np.ndarray:
        return await self.embedder.phrases(texts)


@dataclass(frozen=True, slots=True)
class Roller:
    """Of one family. Draws come from `seed`, the dialogue's id and the branch."""

    entry: FamilyEntry
    prior: Mapping[Public, Sequence[int]]
    """See `generators.resampling.prior`."""
    seed: int
    case: Callable[[Scenario], Random]
    """The stream that a scenario of the run was sampled from."""
    speakers: Mapping[str, Speaker] | None
    """None: those of the recipe."""
    watch: Watch
    services: Callable[[str], Services]
    """By the name under which answers are journalled."""
    rollouts: int
    known: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict[tuple[str, ...], np.ndarray])
    """Vectors of the dialogue that is rolled on; see `of_one`."""

    def of_one(self) -> "Roller":
        """To roll on one dialogue."""
        return replace(self, known={})

    async def privileged(self, cut: Cut) -> Rolled:
        """With the hidden side it was played with, and new draws."""
        whole = Branch(cut.record.dialogue.scenario, cut.seen.turns)
        return await self._rolled(cut, "privileged", [whole] * self.rollouts)

    async def public(self, cut: Cut) -> Rolled:
        """With hidden sides that could be: each drawn by its weight."""
        weighed, candidates = await self._weighed(cut)
        weights = [case.weight for case in weighed]
        ess = effective(weights)
        if ess < LEAST_EFFECTIVE:
            return Rolled(Rate(0, 0, 0, ess, candidates))
        draws = rng(self.seed, cut.record.dialogue.id, cut.turn, "cases")
        chosen = draws.choices(weighed, weights, k=self.rollouts)
        rolled = await self._rolled(cut, "public", [Branch(case.scenario, case.turns) for case in chosen])
        return rolled._replace(rate=rolled.rate._replace(ess=ess, candidates=candidates))

    async def _weighed(self, cut: Cut) -> tuple[list[Weighed], int]:
        """Those that can be, and of how many."""
        scenario, family = cut.record.dialogue.scenario, self.entry.family
        services = self._services(stable_hash(scenario.dialogue_id, cut.turn, "weigh"))
        public, tried = Public.of(family, scenario), 0
        variant = scenario.sibling // len(self.entry.policies)
        drawn, stream = self.prior.get(public, ()), partial(self.case, scenario)
        found: list[Weighed] = []
        for case in candidates(family, public, drawn, stream, self.seed, variant):
            weighed = await weigh(family, scenario, self._placed(case, scenario, tried), cut.seen.turns, services)
            found += [weighed] if weighed is not None else []
            tried += 1
            await asyncio.sleep(0)  # others speak meanwhile
        return found, tried

    def _placed(self, case: Scenario, scenario: Scenario, number: int) -> Scenario:
        """A draw from the prior in the place of `scenario`."""
        seed = derive(self.seed, scenario.dialogue_id, "case", number)
        return case.model_copy(update={**{name: getattr(scenario, name) for name in _PLACE}, "seed": seed})

    async def _rolled(self, cut: Cut, kind: str, branches: Sequence[Branch]) -> Rolled:
        async with asyncio.TaskGroup() as tasks:
            playing = [tasks.create_task(self._played(cut, kind, n, branch)) for n, branch in enumerate(branches)]
        dialogues = tuple(task.result() for task in playing)
        ended = [d for d in dialogues if d.ending.reason != "fault"]
        hits = sum(bool(d.outcome["success"]) for d in ended)
        return Rolled(Rate(hits, len(ended), len(dialogues) - len(ended)), dialogues)

    async def _played(self, cut: Cut, kind: str, n: int, branch: Branch) -> Dialogue:
        of, family = cut.record.dialogue.id, self.entry.family
        name = stable_hash(of, cut.turn, kind, n)
        scenario = branch.scenario.model_copy(
            update={"dialogue_id": name, "seed": derive(self.seed, of, cut.turn, kind, n)}
        )
        speakers = self.speakers or self.entry.cast(scenario.policy)
        dialogue = await play(family, speakers, scenario, self._services(name), Start(branch.turns), self.watch)
        return dialogue.model_copy(update={"origin": Origin(dialogue_id=of, turn=cut.turn, candidate=n)})

    def _services(self, name: str) -> Services:
        given = self.services(name)
        return replace(given, embed=Remembered(given.embed, self.known))


_PLACE = ("index", "scenario_id", "group_id", "dialogue_id", "policy", "sibling", "max_turns")
