"""What each learner turn was worth in the light of the end (methods §2: G_t = gamma^(T-t) R)."""

from pydantic import Field

from rewards.folds import learner_turns, success
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue


class DiscountedReturn(Reward):
    """For learner turn t of T: gamma^(T-t) times the success of the dialogue; later turns are worth more.

    The discount counts learner turns, not tokens or messages. None, with success's reason, for every turn of a dialogue
    without a success value.
    """

    gamma: float = Field(default=0.7, gt=0, le=1)
    """Discount per learner turn."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        value, reason = success(dialogue)
        turns = [n for n, _ in learner_turns(dialogue)]
        if not turns:
            return [RewardValue(name="discounted_return", scope="turn", value=None, reason="no_learner_turns")]
        return [
            RewardValue(
                name="discounted_return",
                scope="turn",
                turn=n,
                value=None if value is None else self.gamma**exponent * value,
                parts={"gamma": self.gamma, "exponent": exponent, "success": value},
                reason=reason,
            )
            for n, exponent in zip(turns, reversed(range(len(turns))), strict=True)
        ]
