"""How likely a model holds words that it is given, where its server weighs them (vLLM does, llama.cpp does not)."""

from collections.abc import Sequence

from schemas.chat import CallKey, ChatReply, ChatRequest, Message, Sampling
from schemas.contracts import KNOWS_BOTH, ChatModel
from schemas.errors import InvalidOutput

UNTOLD = "no_logprobs"


async def weigh(model: ChatModel, place: int, name: str, messages: Sequence[Message], k: int) -> ChatReply:
    """The reply has the tokens of the last message, the assistant's. Raises InvalidOutput, `no_logprobs`, where no
    server tells them.
    """
    key = CallKey(turn=place, step=f"{KNOWS_BOTH}/weigh/{name}")
    sampling = Sampling(temperature=0.0, max_tokens=1)
    reply = await model.ask(ChatRequest(key, tuple(messages), sampling, seed=0, weigh_last=k))
    if not reply.tokens:
        raise InvalidOutput(f"the server of {reply.model} weighs no words that it is given", UNTOLD)
    return reply
