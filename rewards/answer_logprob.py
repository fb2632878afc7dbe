"""How likely the right answer is to the learner after each turn of the partner (methods §2: it should rise with them).

A server that weighs words it is given (vLLM) weighs the answer. Of another one the answer is the only one the schema
allows, so that it is generated whatever the model would say; llama.cpp tells its tokens' probabilities before that
constraint, and of a server that tells constrained ones (as vLLM does) the value would be near 0 after every turn.
"""

from collections.abc import Sequence
from contextlib import suppress
from json import dumps

from rewards.weighing import UNTOLD, weigh
from schemas.chat import CallKey, ChatRequest, Message, Sampling
from schemas.contracts import KNOWS_BOTH, ChatModel, Reward, Services
from schemas.dialogue import Dialogue
from schemas.errors import ContentError, InvalidOutput
from schemas.judgement import RewardValue

NAME = "answer_logprob_after_turn"
_SAMPLING = Sampling(temperature=0.0, max_tokens=60)
_SYSTEM = "You talk with a tutor about a problem. Give the answer to the problem as you see it now, as a JSON string."


class AnswerLogprob(Reward):
    """Nats, of the answer with its quotes, by the learner's model given what was said so far; `rise`: since the turn of
    the partner before. None with a reason where there is no verifier, a program is asked for, no such model is there,
    or the server tells no log-probabilities.
    """

    @property
    def label(self) -> str:
        return NAME

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        verifier = dialogue.scenario.verifier
        role = "external" if dialogue.scenario.policy == "external" else dialogue.learner
        if verifier is None or verifier.kind == "python" or role not in services.chat:
            reason = "no_model" if role not in services.chat else "no_verifier"
            return [RewardValue(name=NAME, scope="turn", value=None, reason=reason)]
        messages = [Message("system", _SYSTEM)]
        before: float | None = None
        weighs = True
        found: list[RewardValue] = []
        for place, turn in enumerate(dialogue.turns):
            if turn.text is None:
                continue
            messages.append(Message("assistant" if turn.role == dialogue.learner else "user", turn.text))
            if turn.role != dialogue.partner:
                continue
            try:
                value, weighs = await _logprob(services.chat[role], place, messages, verifier.answer, weighs)
                reason = None if value is not None else UNTOLD
            except ContentError as fault:
                value, reason = None, fault.reason
            rise = None if value is None or before is None else value - before
            before = value
            parts = {"rise": rise}
            found.append(RewardValue(name=NAME, scope="turn", turn=place, value=value, parts=parts, reason=reason))
        return found


async def _logprob(
    model: ChatModel, place: int, messages: Sequence[Message], answer: str, weighs: bool
) -> tuple[float | None, bool]:
    """And whether the server weighs what it is given. `weighs`: whether it may."""
    if weighs:
        with suppress(InvalidOutput):  # it tells nothing of given words
            given = Message("assistant", dumps(answer))
            reply = await weigh(model, place, "answer", (*messages, given), k=1)
            return sum(token.likely[token.id] for token in reply.tokens), True
    request = ChatRequest(
        key=CallKey(turn=place, step=f"{KNOWS_BOTH}/answer"),
        messages=tuple(messages),
        sampling=_SAMPLING,
        seed=0,
        json_schema={"type": "string", "enum": [answer]},
        logprobs=True,
    )
    return (await model.ask(request)).logprob, False
