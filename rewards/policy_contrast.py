"""What a policy gained on a case over the other policies: a contrast between behaviours, no advantage of a sample."""

from collections.abc import Sequence
from statistics import fmean

from rewards.folds import same_case, substituted, value_of
from schemas.contracts import GroupReward
from schemas.judgement import RewardValue
from schemas.record import Record


class PolicyContrast(GroupReward):
    """r minus the mean, over the group's other policies, of each one's mean r. None where there is no r, for a dialogue
    with a substituted question (`off_policy`), and where no other policy has an r (`one_policy`).
    """

    of: str = "success"
    """The reward r, one of the whole dialogue."""

    def compare(self, group: Sequence[Record]) -> list[RewardValue]:
        return [self._value(record, group) for record in group]

    def _value(self, record: Record, group: Sequence[Record]) -> RewardValue:
        value, reason = value_of(record, self.of)
        if value is None or substituted(record.dialogue):
            return RewardValue(name="policy_contrast", value=None, reason=reason if value is None else "off_policy")
        others: dict[str, list[float]] = {}
        for other in group:
            theirs, policy = value_of(other, self.of)[0], other.dialogue.scenario.policy
            counts = theirs is not None and same_case(other, record) and not substituted(other.dialogue)
            if theirs is not None and counts and policy != record.dialogue.scenario.policy:
                others.setdefault(policy, []).append(theirs)
        if not others:
            return RewardValue(name="policy_contrast", value=None, reason="one_policy")
        means = {policy: fmean(values) for policy, values in sorted(others.items())}
        parts = {"of": self.of, "value": value, "others": means}
        return RewardValue(name="policy_contrast", value=value - fmean(means.values()), parts=parts)
