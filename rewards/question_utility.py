"""What a question could find out when it was asked, whatever luck it then had (methods §12; §18: attributes by the
entropy of their values over the items still possible).
"""

from statistics import fmean

from rewards.needs import Need, asks, needs
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue

NAME = "question_utility"


class QuestionUtility(Reward):
    """Of each learner turn that asks, in [0, 1]: the mean worth of the facts it asks for, over that of the best fact it
    could have asked for. A fact is worth nothing unless it is wanted, has not come out, was not said to be unknown and
    questions were not turned down; else the bits its value tells about what is still possible, where the family counts
    that (`slot_bits`), and 1 where it does not. Where nothing is worth a question, a question is worth 0.

    Asking for many things at once pays no more than for the best of them, and what is not needed dilutes it. It says
    nothing of questions that were not asked: that is `stop_decision`. None where nothing is asked.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        asking = [need for need in needs(dialogue) if asks(need.step.turn)]
        return [_value(need) for need in asking] or [
            RewardValue(name=NAME, scope="turn", value=None, reason="no_questions")
        ]


def _value(need: Need) -> RewardValue:
    turn = need.step.turn
    bits = turn.labels.get("slot_bits")
    worth = {f.id: 1.0 if bits is None else float(bits.get(f.id, 0.0)) for f in need.askable}
    asked = fmean(worth.get(i, 0.0) for i in turn.facts_asked) if turn.facts_asked else 0.0
    best = max(worth.values(), default=0.0)
    parts = {
        "asked": sorted(turn.facts_asked),
        "askable": sorted(worth),
        "worth": asked,
        "best": best,
        "unit": "facts" if bits is None else "bits",
    }
    value = asked / best if best else 0.0
    return RewardValue(name=NAME, scope="turn", turn=need.step.place, value=value, parts=parts)
