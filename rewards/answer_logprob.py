"""How likely the right answer is to the learner after each turn of the partner (methods §2: it should rise with them).

The answer is the only one the schema allows, so that a server generates it whatever the model would say, and its
tokens' log-probabilities should be those of the model before that constraint (vLLM's raw log-probabilities, llama.cpp's
probabilities before sampling); of a server that tells constrained ones the value is near 0 after every turn.
"""

from schemas.chat import CallKey, ChatRequest, Message, Sampling
from schemas.contracts import KNOWS_BOTH, Reward, Services
from schemas.dialogue import Dialogue
from schemas.errors import ContentError
from schemas.judgement import RewardValue

NAME = "answer_logprob_after_turn"
_SAMPLING = Sampling(temperature=0.0, max_tokens=60)
_SYSTEM = "You talk with a tutor about a problem. Give the answer to the problem as you see it now, as a JSON string."


class AnswerLogprob(Reward):
    """Nats, of the answer with its quotes, by the learner's model given what was said so far; `rise`: since the turn of
    the partner before. None with a reason where there is no verifier, a program is asked for, no such model is there,
    or the server tells no log-probabilities.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        verifier = dialogue.scenario.verifier
        role = "external" if dialogue.scenario.policy == "external" else dialogue.learner
        if verifier is None or verifier.kind == "python" or role not in services.chat:
            reason = "no_model" if role not in services.chat else "no_verifier"
            return [RewardValue(name=NAME, scope="turn", value=None, reason=reason)]
        messages = [Message("system", _SYSTEM)]
        before: float | None = None
        found: list[RewardValue] = []
        for place, turn in enumerate(dialogue.turns):
            if turn.text is None:
                continue
            messages.append(Message("assistant" if turn.role == dialogue.learner else "user", turn.text))
            if turn.role != dialogue.partner:
                continue
            request = ChatRequest(
                key=CallKey(turn=place, step=f"{KNOWS_BOTH}/answer"),
                messages=tuple(messages),
                sampling=_SAMPLING,
                seed=0,
                json_schema={"type": "string", "enum": [verifier.answer]},
                logprobs=True,
            )
            try:
                value = (await services.chat[role].ask(request)).logprob
                reason = None if value is not None else "no_logprobs"
            except ContentError as fault:
                value, reason = None, fault.reason
            rise = None if value is None or before is None else value - before
            before = value
            parts = {"rise": rise}
            found.append(RewardValue(name=NAME, scope="turn", turn=place, value=value, parts=parts, reason=reason))
        return found
