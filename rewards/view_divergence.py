"""What the learner's own model would rather have said had it seen the partner's side (methods §19): its likeliest
tokens behind the public and the privileged rendering of each of the learner's turns, for self-distillation.
"""

from collections.abc import Mapping
from math import exp, log
from typing import Any

from pydantic import Field

from rewards.solving import drawn, not_drawn
from rewards.weighing import UNTOLD, weigh
from schemas.contracts import ChatModel, Reward, Services
from schemas.dialogue import Dialogue
from schemas.errors import ContentError
from schemas.judgement import RewardValue
from schemas.renderings import Rendered, renderings

NAME = "view_divergence"
_DUST = 1e-6
"""What servers' roundings leave of a probability."""


class ViewDivergence(Reward):
    """Of each thing the learner said: a lower bound of the sum over its tokens of KL(privileged || public), in nats.
    `parts`: the tokens with `public` and `privileged`, by token id the log-probabilities of the k likeliest and of the
    token itself; `kl` by token; the exact log-probability of the words in both (`logprob_public`,
    `logprob_privileged`).

    None without the learner's model, where its server does not weigh words it is given (`no_logprobs`; vLLM does,
    llama.cpp does not; told by the first turn, the others are not asked then), where nothing was said before
    (`nothing_heard`), or where the two readings part the words differently (`tokens_differ`).
    """

    k: int = Field(default=20, ge=1, le=20)
    """Tokens told in the place of each."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Of the turns, drawn by chance; the same ones as a solver's rewards of this share."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        role = "external" if dialogue.scenario.policy == "external" else dialogue.learner
        rendered = list(renderings(dialogue))
        if role not in services.chat or not rendered:
            reason = "no_model" if rendered else "no_learner_turns"
            return [RewardValue(name=NAME, scope="turn", value=None, reason=reason)]
        found: list[RewardValue] = []
        asked = False
        for turn in rendered:
            if not turn.public:  # many chat templates fail where nobody spoke before
                found.append(RewardValue(name=NAME, scope="turn", turn=turn.place, value=None, reason="nothing_heard"))
                continue
            if not drawn(dialogue, turn.place, self.share):
                found.append(not_drawn(NAME, turn.place))
                continue
            found.append(await self._value(turn, services.chat[role]))
            if not asked and found[-1].reason == UNTOLD:
                break
            asked = True
        return found

    async def _value(self, turn: Rendered, model: ChatModel) -> RewardValue:
        try:
            public = await weigh(model, turn.place, "public", (*turn.public, turn.said), self.k)
            privileged = await weigh(model, turn.place, "privileged", (*turn.privileged, turn.said), self.k)
        except ContentError as fault:
            return RewardValue(name=NAME, scope="turn", turn=turn.place, value=None, reason=fault.reason)
        if [t.id for t in public.tokens] != [t.id for t in privileged.tokens]:
            return RewardValue(name=NAME, scope="turn", turn=turn.place, value=None, reason="tokens_differ")
        pairs = list(zip(public.tokens, privileged.tokens, strict=True))
        kl = [divergence(seen.likely, told.likely) for told, seen in pairs]
        parts: dict[str, Any] = {
            "k": self.k,
            "tokens": [{"text": t.text, "id": t.id} for t in public.tokens],
            "public": [t.likely for t in public.tokens],
            "privileged": [t.likely for t in privileged.tokens],
            "kl": kl,
            "logprob_public": sum(t.likely[t.id] for t in public.tokens),
            "logprob_privileged": sum(t.likely[t.id] for t in privileged.tokens),
        }
        grader = f"{public.model} top={self.k}"
        return RewardValue(
            name=NAME, scope="turn", turn=turn.place, value=sum(kl), n=len(kl), parts=parts, grader=grader
        )


def divergence(p: Mapping[str, float], q: Mapping[str, float]) -> float:
    """A lower bound of KL(p || q) in nats from the log-probabilities that are known of both: of the tokens known in
    both, and all others taken as one. To tell fewer things apart never raises a KL divergence, so that the bound holds
    whatever the others are; where all tokens are known it is exact.
    """
    both = [(p[token], q[token]) for token in p.keys() & q.keys()]
    rest_p = max(1.0 - sum(exp(a) for a, _ in both), _DUST)
    rest_q = max(1.0 - sum(exp(b) for _, b in both), _DUST)
    return max(0.0, sum(exp(a) * (a - b) for a, b in both) + rest_p * log(rest_p / rest_q))
