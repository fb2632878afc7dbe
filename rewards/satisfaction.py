"""How a simulated partner liked the talk, by their own state (methods §21: s_t = rho s_{t-1} + (1 - rho) pref)."""

from statistics import fmean

from rewards.folds import learner_turns, success
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue


class Satisfaction(Reward):
    """Mean over the learner's turns of the partner's satisfaction after each, in [0, 1].

    Satisfaction and reaching the goal do not always go together: alone it pays to chat about what the partner likes. So
    `success` and `turns` stand beside it, the pair of methods §21. None, `no_state`, where a family keeps no such
    state.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        turns = learner_turns(dialogue)
        found = {n: turn.state["satisfaction"] for n, turn in turns if turn.state and "satisfaction" in turn.state}
        if not found:
            reason = "no_state" if turns else "no_learner_turns"
            return [RewardValue(name="satisfaction", value=None, reason=reason)]
        after = list(found.values())
        parts = {
            "after_turn": {str(n): value for n, value in found.items()},
            "end": after[-1],
            "lowest": min(after),
            "success": success(dialogue)[0],
            "turns": len(turns),
        }
        return [RewardValue(name="satisfaction", value=fmean(after), parts=parts)]
