"""Branches of a dialogue that was played: what rewards that look ahead roll on, and what of it becomes a row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from generators.play import Start, Watch, play
from pipelines.recipe_families import FamilyEntry
from pipelines.services import DialogueCalls
from schemas.contracts import Rolled, Services
from schemas.dialogue import Dialogue, Turn
from schemas.identity import derive, stable_hash
from schemas.judgement import RewardValue
from schemas.record import Record


@dataclass(frozen=True, slots=True)
class Branches:
    """Of one dialogue; a `schemas.contracts.Roll`. A branch's answers are journalled under the dialogue's id and the
    branch's path, its draws come from both: it is played the same whatever was played before it.
    """

    entry: FamilyEntry
    dialogue: Dialogue
    watch: Watch
    calls: DialogueCalls
    """Of the dialogue."""
    services: Callable[[DialogueCalls], Services]
    """With which a branch is played."""
    kept: dict[str, Record] = field(default_factory=dict[str, Record])
    """By the branch's id."""

    async def on(self, turns: Sequence[Turn], path: str, most: int) -> Rolled:
        scenario, calls = self.dialogue.scenario, self.calls.branched(path)
        of = scenario.dialogue_id
        own = {"dialogue_id": stable_hash(of, path), "seed": derive(scenario.seed, "branch", of, path)}
        dialogue = await play(
            self.entry.family,
            self.entry.cast(scenario.policy),
            scenario.model_copy(update=own),
            self.services(calls),
            Start(turns, most),
            self.watch,
        )
        took = calls.took
        return Rolled(dialogue, took.calls, took.prompt_tokens, took.completion_tokens)

    def keep(self, branch: Dialogue, rewards: Sequence[RewardValue]) -> None:
        self.kept[branch.id] = Record(dialogue=branch, rewards=tuple(rewards))

    def records(self, recipe: str, round_: int) -> list[Record]:
        """What was kept, of a run."""
        return [r.model_copy(update={"recipe": recipe, "round": round_}) for r in self.kept.values()]

    def offered(self) -> Services:
        """Those of the dialogue, for its rewards."""
        return replace(self.services(self.calls), roll=self)
