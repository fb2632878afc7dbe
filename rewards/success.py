"""Did the learner reach the goal (methods §2: R is 1 if the answer verifies, else 0)."""

from rewards.folds import learner_turns, success
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue


class Success(Reward):
    """1 if the learner's last answer verifies, 0 if it does not or none was given. Without a verifier `recorded`, what
    the family's program found at the end; None without either.

    Recomputed from the turns where it can be, so it also holds for dialogues from elsewhere.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        value, reason = success(dialogue)
        answers = [t.answer for _, t in learner_turns(dialogue) if t.answer is not None]
        parts = {
            "answer": answers[-1] if answers else None,
            "answers": len(answers),
            "recorded": dialogue.outcome.get("success"),
        }
        return [RewardValue(name="success", value=value, reason=reason, parts=parts)]
