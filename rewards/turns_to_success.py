"""How long the learner took (methods §2, `turns_to_success`)."""

from rewards.folds import is_correct, learner_turns
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue


class TurnsToSuccess(Reward):
    """Learner turns up to and including the first correct answer, from 1; None if there was none, or no way to tell."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        turns = learner_turns(dialogue)
        judged = [is_correct(dialogue, t) for _, t in turns]
        first = next((n for n, correct in enumerate(judged) if correct), None)
        parts = {"learner_turns": len(turns), "turn": None if first is None else turns[first][0]}
        if first is not None:
            return [RewardValue(name="turns_to_success", value=first + 1, parts=parts)]
        unknown = dialogue.scenario.verifier is None and all(correct is None for correct in judged)
        reason = "no_verifier" if unknown else "never_succeeded"
        return [RewardValue(name="turns_to_success", value=None, reason=reason, parts=parts)]
