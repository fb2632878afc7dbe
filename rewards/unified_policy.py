"""What to ask, what to offer and when, as one decision: rewards by part and the return to go (methods §18)."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from rewards.folds import Step, is_correct, steps, wanted_facts
from rewards.needs import asks
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue

NAME = "unified_policy"
PAYS: Mapping[str, float] = {
    "ask_success": 0.01,
    "ask_fail": -0.1,
    "offer_success": 1.0,
    "offer_fail": -0.1,
    "out_of_turns": -0.3,
}
"""Of one turn each; `ask`: a wanted fact came out before the learner's next turn. `offer`: a recommendation that is
taken and fits, an answer that is right. `out_of_turns`: the last turn of a dialogue that was cut or that the partner
gave up.
"""


class UnifiedPolicy(Reward):
    """Of each learner turn: the return to go, r_t + gamma r_(t+1) + ..., where r is the sum of `parts.rewards`.

    `parts` has the action, its probability under the policy that acted and, before and after it, the candidates and
    their entropy in bits, where the family logs them; None with a reason where not. None where nothing is offered that
    could be right, and where a fault cut the dialogue off. That it was right to leave is worth nothing here.
    """

    gamma: float = Field(default=0.999, gt=0, le=1)
    """Discount per learner turn."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        found = steps(dialogue)
        offers = dialogue.scenario.verifier is not None or any("candidates" in s.turn.labels for s in found)
        if not found or not offers or dialogue.ending.reason == "fault":
            reason = "no_learner_turns" if not found else "fault" if offers else "nothing_to_offer"
            return [RewardValue(name=NAME, scope="turn", value=None, reason=reason)]
        values: list[RewardValue] = []
        to_go = 0.0
        for step in reversed(found):
            rewards = _rewards(dialogue, step, step is found[-1])
            to_go = sum(rewards.values()) + self.gamma * to_go
            parts = {"rewards": rewards, "gamma": self.gamma, **_action(step)}
            values.append(RewardValue(name=NAME, scope="turn", turn=step.place, value=to_go, parts=parts))
        return values[::-1]


def _rewards(dialogue: Dialogue, step: Step, last: bool) -> dict[str, float]:
    """What the turn earned, by part."""
    names: list[str] = []
    turn = step.turn
    if asks(turn):
        hit = step.gained & {f.id for f in wanted_facts(dialogue)}
        names.append("ask_success" if hit else "ask_fail")
    item = turn.labels.get("item")
    if turn.answer is not None:
        names.append("offer_success" if is_correct(dialogue, turn) else "offer_fail")
    elif item is not None:
        later = dialogue.turns[step.place + 1 :]  # who asks about it first takes it only then
        taken = any(t.labels.get("verdict") == item and t.labels.get("fits") for t in later)
        names.append("offer_success" if taken else "offer_fail")
    if last and dialogue.ending.reason in ("max_turns", "gave_up"):
        names.append("out_of_turns")
    return {name: PAYS[name] for name in names}


def _action(step: Step) -> dict[str, Any]:
    labels = step.turn.labels
    after = next((t.labels for t in reversed(step.replies) if "candidates" in t.labels), {})
    probability = labels.get("behaviour_policy_prob")
    logged = {
        "action": labels.get("action_taken"),
        "behaviour_policy_prob": probability,
        "candidates_before": labels.get("candidates"),
        "candidates_after": after.get("candidates"),
        "entropy_before": labels.get("entropy"),
        "entropy_after": after.get("entropy"),
    }
    missing = {"no_behaviour_policy_prob": "not_logged"} if probability is None else {}
    if logged["candidates_before"] is None:
        missing["no_candidates"] = "not_counted"
    elif logged["candidates_after"] is None:
        missing["no_candidates_after"] = "no_reply"
    return logged | missing
