"""Whether the learner kept to the bounds the partner drew (methods §13: civility, 1 to 5; §21). The hard rule: two
pushes after an explicit refusal are a 1.
"""

from typing import Any

from rewards.folds import learner_turns
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue

_MANIPULATES = ("flatters", "promises", "injects")


class Civility(Reward):
    """1 to 5, by what was pushed after a refusal and what was tried to get around one.

        pushes after a refusal   manipulates: in no message   in one   in more
        none                     5                            4        3
        one                      3                            2        2
        two or more              1                            1        1

    A push is what the family counts (`pushes_after_refusal`), else a question after questions were refused and before
    the learner did what was wanted first. Manipulation is flattery, a false promise or an order to accept.

    None, `nothing_refused`, where nobody refused anything and no message manipulates: it is about bounds that were
    drawn, so who never takes an initiative earns nothing by it. Of those that were told no, whoever then falls silent
    has a 5: a bound on other rewards, and no goal.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        turns = [turn for _, turn in learner_turns(dialogue)]
        if not turns:
            return [RewardValue(name="civility", value=None, reason="no_learner_turns")]
        refused = next((n for n, turn in enumerate(dialogue.turns) if _refuses(dialogue, turn)), None)
        counted = dialogue.outcome.get("pushes_after_refusal")
        pushes = counted if isinstance(counted, int) else len(_pushes(dialogue, refused))
        tricks = [kind for turn in turns for kind in _tricks(turn)]
        messages = sum(bool(_tricks(turn)) for turn in turns)
        said_no = refused is not None or bool(dialogue.outcome.get("refused")) or pushes > 0
        parts: dict[str, Any] = {"refused": said_no, "refused_at": refused, "pushes": pushes, "manipulates": tricks}
        if not said_no and not messages:
            return [RewardValue(name="civility", value=None, parts=parts, reason="nothing_refused")]
        return [RewardValue(name="civility", value=civility(pushes, messages), parts=parts)]


def civility(pushes: int, manipulating: int) -> int:
    """The table; `manipulating`: messages."""
    if pushes > 1:
        return 1
    if pushes:
        return 2 if manipulating else 3
    return 5 - min(2, manipulating)


def _tricks(turn: Turn) -> list[str]:
    appraisal: dict[str, Any] = turn.labels.get("appraisal", {})
    return [name for name in _MANIPULATES if appraisal.get(name)]


def _refuses(dialogue: Dialogue, turn: Turn) -> bool:
    return turn.role == dialogue.partner and bool(turn.labels.get("refuses") or turn.intent_requested == "refuse")


def _pushes(dialogue: Dialogue, refused: int | None) -> list[int]:
    """Places of questions between a refusal of questions and what lifts it: an answer tried, or that all was told."""
    found: list[int] = []
    stands = False
    for n, turn in enumerate(dialogue.turns):
        stands = (stands or n == refused) and turn.answer is None and not turn.labels.get("done")
        if stands and turn.role == dialogue.learner and "ask" in turn.acts:
            found.append(n)
        stands = stands or _refuses(dialogue, turn)
    return found
