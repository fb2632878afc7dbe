"""What each learner turn brought to light (methods §12: needed facts not yet revealed, the oracle target)."""

from rewards.folds import before_each, learner_turns, wanted_facts
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue


class InformationGained(Reward):
    """Share of the wanted facts that came out for the first time between this learner turn and the learner's next one.

    Wanted are the required facts others hold; without a verifier (open conversation) all the facts others hold. What
    came out before the learner's first turn is nobody's merit. None where nothing is wanted.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        wanted = {f.id for f in wanted_facts(dialogue)}
        turns = [n for n, _ in learner_turns(dialogue)]
        if not turns:
            return [RewardValue(name="information_gained", scope="turn", value=None, reason="no_learner_turns")]
        gained: dict[int, list[str]] = {n: [] for n in turns}
        for place, turn, known in before_each(dialogue):
            credited = max((n for n in turns if n < place), default=None)
            if credited is not None and turn.role != dialogue.learner:
                out = {*turn.facts_disclosed, *turn.facts_volunteered}
                gained[credited] += sorted((out & wanted) - known)
        return [
            RewardValue(
                name="information_gained",
                scope="turn",
                turn=n,
                value=len(ids) / len(wanted) if wanted else None,
                parts={"facts": ids, "wanted": len(wanted)},
                reason=None if wanted else "nothing_wanted",
            )
            for n, ids in gained.items()
        ]
