"""How many turns a policy saved over another one on the same case (methods §5: turn_saving = 1 - T_pro / T_react)."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from rewards.folds import is_correct, learner_turns, same_case, substituted, success
from rewards.volunteering import offers
from schemas.contracts import GroupReward
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue
from schemas.record import Record
from schemas.scenario import Policy


class Efficiency(GroupReward):
    """1 - T/T', T' being the mean of the siblings played as `against`: the share of turns saved, where both succeed.
    Below 0: more were taken. A wrong answer counts as one turn more, or who guesses in every turn would be fastest.

    Never alone: who succeeds in easy cases only is compared in those only, and a turn can be saved by saying more in
    another. So beside it `words`, `words_against` and `unused`, what was volunteered and not used.

    None: success's reason; `failed`; `baseline` for `against` itself; `no_baseline`; `baseline_failed`; `off_policy`
    where somebody else's question stands for one of the learner's; `no_target` where success was to leave the partner
    alone, which takes no time; `nothing_to_save` where each needed one turn.
    """

    against: Policy = "reactive"
    """The policy whose turns are the measure."""

    def compare(self, group: Sequence[Record]) -> list[RewardValue]:
        return [self._value(record, [other for other in group if same_case(other, record)]) for record in group]

    def _value(self, record: Record, group: Sequence[Record]) -> RewardValue:
        mine = record.dialogue
        turns = turns_taken(mine)
        parts: dict[str, Any] = {
            "turns": turns,
            "words": _words(mine),
            "unused": [offer.fact for offer in offers(mine) if not offer.used_later],
        }
        theirs = [r.dialogue for r in group if r.dialogue.scenario.policy == self.against]
        won = [d for d in theirs if success(d)[0] == 1 and not substituted(d) and turns_taken(d) is not None]
        reason = self._missing(mine, bool(theirs), bool(won))
        if reason is not None or turns is None:
            return RewardValue(name="efficiency", value=None, parts=parts, reason=reason or "no_target")
        needed = fmean(turns_taken(other) or 0 for other in won)
        if turns == needed == 1:
            return RewardValue(name="efficiency", value=None, parts=parts, reason="nothing_to_save")
        parts |= {"turns_against": needed, "words_against": fmean(_words(other) for other in won)}
        return RewardValue(name="efficiency", value=1 - turns / needed, n=len(won), parts=parts)

    def _missing(self, mine: Dialogue, others: bool, won: bool) -> str | None:
        worth, reason = success(mine)
        if worth is None:
            return reason
        if mine.scenario.policy == self.against:
            return "baseline"
        if substituted(mine):
            return "off_policy"
        if worth < 1:
            return "failed"
        return None if won else "baseline_failed" if others else "no_baseline"


def turns_taken(dialogue: Dialogue) -> int | None:
    """The learner's, up to the first right answer and with those before it that were wrong, else to where the partner
    came to the target, else all; at least one. None where there is a target that was not reached.
    """
    turns, outcome = learner_turns(dialogue), dialogue.outcome
    if "target_topic" in outcome:
        reached = outcome["target_reached_turn"]
        return None if reached is None else max(1, sum(n < reached for n, _ in turns))
    right = next((k for k, (_, turn) in enumerate(turns, 1) if is_correct(dialogue, turn)), len(turns))
    wrong = sum(turn.answer is not None and not is_correct(dialogue, turn) for _, turn in turns[:right])
    return max(1, right + wrong)


def _words(dialogue: Dialogue) -> int:
    return sum(len((turn.text or "").split()) for _, turn in learner_turns(dialogue))
