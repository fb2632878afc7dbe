"""What a model held likely in the place of words that are given: vLLM tells it of a prompt, others do not."""

import json
from typing import Any

import orjson
import pytest
from scripted_server import ScriptedServer

from inference.client import Connections
from pipelines.services import _decoded  # pyright: ignore[reportPrivateUsage]
from schemas.chat import CallKey, ChatReply, ChatRequest, EndpointSpec, Message, Sampling, Weighed
from schemas.errors import InvalidOutput, Refused

PIECES = ["<user>", "Hi", "<assistant>", "\n", "Good", " day", "!"]


def told(pieces: list[str] = PIECES, **changes: Any) -> str:
    """As vLLM 0.32 answers: nothing of the first token; of each other one the token itself and the likeliest."""
    weights: list[Any] = [None]
    for number, piece in list(enumerate(pieces))[1:]:
        own = {"logprob": -number / 10, "rank": 2, "decoded_token": piece}
        weights.append({str(number): own, "99": {"logprob": -0.1, "rank": 1, "decoded_token": "Bad"}})
    return json.dumps({"prompt_token_ids": list(range(len(pieces))), "prompt_logprobs": weights, **changes})


def weighing(text: str = "Good day!", weigh_last: int = 5) -> ChatRequest:
    messages = (Message("user", "Hi"), Message("assistant", text))
    return ChatRequest(CallKey(turn=1), messages, Sampling(), seed=0, weigh_last=weigh_last)


async def ask(server: ScriptedServer, request: ChatRequest) -> ChatReply:
    async with Connections() as http:
        return await http.chat(EndpointSpec(server.base_url, "scripted")).ask(request)


async def test_the_tokens_that_spell_the_last_message_come_with_what_else_was_likely_and_outlive_the_journal():
    with ScriptedServer(extra=told()) as server:
        reply = await ask(server, weighing())
        [body] = server.requests
    assert [(t.text, t.id, t.likely) for t in reply.tokens] == [
        ("Good", "4", {"4": -0.4, "99": -0.1}),
        (" day", "5", {"5": -0.5, "99": -0.1}),
        ("!", "6", {"6": -0.6, "99": -0.1}),
    ]
    assert _decoded(orjson.dumps(reply)) == reply and isinstance(reply.tokens[0], Weighed)
    assert (body["prompt_logprobs"], body["max_tokens"], body["return_token_ids"]) == (5, 1, True)
    assert body["continue_final_message"] is True and body["add_generation_prompt"] is False
    assert [m["content"] for m in body["messages"]] == ["Hi", "Good day!"]


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ("{}", "Good day!"),
        (told(prompt_logprobs=None), "Good day!"),
        (told(), "Good evening!"),
        (told(["Good", " day"]), "Good day"),
        (told(prompt_token_ids=[0, 1, 2, 3, 4, 5, 77]), "Good day!"),
    ],
    ids=["a server without", "ids alone", "other words", "the prompt's first token", "an id without a weight"],
)
async def test_without_weights_of_just_these_words_there_are_none(extra: str, text: str):
    with ScriptedServer(extra=extra) as server:
        assert (await ask(server, weighing(text))).tokens == ()


async def test_a_server_that_refuses_to_weigh_is_one_that_cannot_and_is_asked_for_all_else():
    with ScriptedServer(status=400, error="prefill is not supported") as server:
        with pytest.raises(InvalidOutput, match="prefill is not supported") as caught:
            await ask(server, weighing())
        assert caught.value.reason == "no_logprobs"
        with pytest.raises(Refused):
            await ask(server, weighing(weigh_last=0))


async def test_who_wants_no_weights_sends_none_of_it():
    with ScriptedServer(extra=told()) as server:
        assert (await ask(server, weighing(weigh_last=0))).tokens == ()
        assert not {"prompt_logprobs", "continue_final_message", "return_token_ids"} & server.requests[0].keys()
