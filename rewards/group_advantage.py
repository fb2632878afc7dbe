"""How much better a sample was than the others of its policy on the same case (methods §2: A_k = (r_k - mean r)/std r).

Policies differ in what they do, so their dialogues are no samples of one another: see `policy_contrast`.
"""

from collections.abc import Sequence
from statistics import fmean, pstdev

from rewards.folds import on_policy, same_case, value_of
from schemas.contracts import GroupReward
from schemas.judgement import RewardValue
from schemas.record import Record


class GroupAdvantage(GroupReward):
    """(r - mean)/std over the samples of one policy in a group; a recipe names the policy as often as it wants samples.

    std is the population's. None with a reason: r's own where there is no r; `off_policy` where a turn is somebody
    else's or from what the learner could not know, and such a dialogue counts for no other; `too_few_samples` under
    two; `no_spread` where all have the same r.
    """

    of: str = "success"
    """The reward r, one of the whole dialogue."""

    def compare(self, group: Sequence[Record]) -> list[RewardValue]:
        return [self._value(record, group) for record in group]

    def _value(self, record: Record, group: Sequence[Record]) -> RewardValue:
        value, reason = value_of(record, self.of)
        if value is None or not on_policy(record.dialogue):
            return RewardValue(name="group_advantage", value=None, reason=reason if value is None else "off_policy")
        policy = record.dialogue.scenario.policy
        peers = (r for r in group if r.dialogue.scenario.policy == policy and same_case(r, record))
        values = [v for v, _ in (value_of(r, self.of) for r in peers if on_policy(r.dialogue)) if v is not None]
        mean, spread = fmean(values), pstdev(values)
        parts = {"of": self.of, "value": value, "mean": mean, "std": spread}
        return RewardValue(
            name="group_advantage",
            value=(value - mean) / spread if spread else None,
            n=len(values),
            parts=parts,
            reason=None if spread else "no_spread" if len(values) > 1 else "too_few_samples",
        )
