"""The scripted server itself: what the other tests lean on."""

import asyncio
import random
from typing import Any

import orjson
import pytest
from scripted_replies import instance
from scripted_server import ScriptedProcess, ScriptedServer

from inference.client import Connections
from inference.structured import parse
from inference.transport import Patience
from schemas.chat import CallKey, ChatRequest, EndpointSpec, Message, Sampling
from schemas.errors import Unreachable


def request(seed: int, text: str = "Hello", **sampling: Any) -> ChatRequest:
    return ChatRequest(CallKey(turn=0), (Message("user", text),), Sampling(**sampling), seed)


async def ask(base_url: str, *requests: ChatRequest, patience_s: float = 20.0) -> list[str]:
    async with Connections(Patience(faults_s=patience_s)) as http:
        model = http.chat(EndpointSpec(base_url, "scripted"))
        return [reply.text for reply in await asyncio.gather(*(model.ask(r) for r in requests))]


async def test_a_reply_depends_on_messages_and_seed_alone_in_a_thread_or_a_process():
    asked = [request(seed, text) for seed in range(20) for text in ("Hello", "Goodbye")]
    with ScriptedServer() as here, ScriptedProcess("--latency-ms", "5", "--error-rate", "0.1") as there:
        one = await ask(here.base_url, *asked)
        other = await ask(there.base_url, *reversed(asked))
        hot = await ask(here.base_url, request(0, temperature=1.5, max_tokens=3))
        log = there.log()
    assert one == other[::-1] and hot[0] == one[0]
    assert len(set(one)) > 35, "replies vary"
    assert log["answers"] == 40 and log["asked_after_answer"] == 0 and log["requests"] == 40 + log["faults"]


async def test_it_dies_after_as_many_answers_as_told():
    with ScriptedProcess("--die-after", "3") as server:
        await ask(server.base_url, *(request(seed) for seed in range(3)))
        assert server.process.wait(10) == 9
        with pytest.raises(Unreachable):
            await ask(server.base_url, request(9), patience_s=0.3)


@pytest.mark.parametrize("seed", range(20))
def test_instances_fit_their_schema(seed: int):
    schema = {
        "type": "object",
        "$defs": {"tag": {"enum": ["a", "b"]}},
        "properties": {
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "maxItems": 3},
            "text": {"type": "string", "minLength": 60, "maxLength": 90},
            "count": {"type": "integer", "minimum": 3},
            "share": {"type": "number", "minimum": 0.5, "maximum": 0.75},
            "maybe": {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
        },
        "required": ["tags", "text", "count", "share", "maybe"],
        "additionalProperties": False,
    }
    value = instance(schema, random.Random(seed))
    assert parse(orjson.dumps(value).decode(), schema, "stop") == value
