"""What each learner turn brought to light (methods §12: needed facts not yet revealed, the oracle target; §9: in bits,
where what is still possible can be counted).
"""

from typing import Any

from rewards.folds import Step, learner_turns, steps, wanted_facts
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue

NAME = "information_gain"


class InformationGain(Reward):
    """Share of the wanted facts that came out for the first time between this learner turn and the learner's next one.

    Wanted are the required facts others hold; without a verifier (open conversation) all the facts others hold. What
    came out before the learner's first turn is nobody's merit. None where nothing is wanted.

    `parts.bits`: how much less was open among the candidates that the family counts, entropy before less after; None
    with `parts.no_bits` where it counts none, or where nobody replied.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        wanted = {f.id for f in wanted_facts(dialogue)}
        if not learner_turns(dialogue):
            return [RewardValue(name=NAME, scope="turn", value=None, reason="no_learner_turns")]
        values: list[RewardValue] = []
        for step in steps(dialogue):
            ids = sorted(step.gained & wanted)
            values.append(
                RewardValue(
                    name=NAME,
                    scope="turn",
                    turn=step.place,
                    value=len(ids) / len(wanted) if wanted else None,
                    parts={"facts": ids, "wanted": len(wanted), **_bits(step)},
                    reason=None if wanted else "nothing_wanted",
                )
            )
        return values


def _bits(step: Step) -> dict[str, Any]:
    before = step.turn.labels.get("entropy")
    after = next((t.labels["entropy"] for t in reversed(step.replies) if "entropy" in t.labels), None)
    if before is None or after is None:
        return {"bits": None, "no_bits": "no_candidates" if before is None else "no_reply"}
    return {"bits": before - after, "entropy_before": before, "entropy_after": after}
