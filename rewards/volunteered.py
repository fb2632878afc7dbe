"""What the learner brought up by itself (methods §5, §6: offers nobody asked for, topics it led to)."""

from typing import Any

from rewards.folds import learner_turns
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue


class Volunteered(Reward):
    """Different facts and topics the learner offered unasked. None only where the learner never had a turn.

    A topic counts where the learner shifted to it (`topic_shift`), or volunteered on it (`volunteered`) without a fact.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        turns = [t for _, t in learner_turns(dialogue)]
        if not turns:
            return [RewardValue(name="volunteered", value=None, reason="no_learner_turns")]
        facts = list(dict.fromkeys(i for t in turns for i in t.facts_volunteered))
        topics = list(dict.fromkeys(topic for t in turns for topic in _topics(t)))
        parts: dict[str, Any] = {"facts": facts, "topics": topics}
        return [RewardValue(name="volunteered", value=len(facts) + len(topics), parts=parts)]


def _topics(turn: Turn) -> list[str]:
    offered = bool(turn.labels.get("volunteered")) and not turn.facts_volunteered
    led = bool(turn.labels.get("topic_shift")) or offered
    return [str(turn.labels.get("topic", "unnamed"))] if led else []
