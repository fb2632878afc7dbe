"""Both transports, and the openai package itself: the same server, the same requests, the same answers and errors."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import orjson
import pytest
from asking import KINDS, SCHEMA, answering, behaving, http_answer, request
from queueing_server import QueueingServer

from inference import endpoint
from inference.client import Connections, Transcript, prepared
from inference.faults import Fault
from inference.pool import Home
from inference.transport import Patience
from schemas.chat import ChatReply, ChatRequest, EndpointSpec, Message, Sampling
from schemas.errors import OvertureError, Refused, Unreachable

OURS = EndpointSpec("http://127.0.0.1", "m").transport
TRANSPORTS = (OURS, "openai")
CLASSES: dict[str, type[openai.OpenAIError]] = {
    "connection": openai.APIConnectionError,
    "timeout": openai.APITimeoutError,
    "rate_limit": openai.RateLimitError,
    "server_error": openai.InternalServerError,
    "conflict": openai.ConflictError,
    "broken_answer": openai.APIResponseValidationError,
    "bad_request": openai.BadRequestError,
    "unauthenticated": openai.AuthenticationError,
    "forbidden": openai.PermissionDeniedError,
    "not_found": openai.NotFoundError,
    "unprocessable": openai.UnprocessableEntityError,
}
"""The table at the head of inference/faults.py."""


@pytest.fixture(scope="module")
def process() -> Iterator[QueueingServer]:
    with QueueingServer() as server:
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch):
    """Back-off as it is, only shorter."""
    monkeypatch.setattr(endpoint, "FIRST_WAIT_S", 0.02)


async def attempt(base_url: str, transport: Any, asked: ChatRequest, patience: Patience, **spec: Any) -> Any:
    """One attempt and nothing around it: a reply, a Fault or an error of ours."""
    async with Connections(patience) as http:
        given = EndpointSpec(base_url, "scripted", transport=transport, **spec)
        one = http.endpoint(given)
        sent = prepared(asked, "scripted", Transcript())
        try:
            return await one.attempt(
                "POST", "/chat/completions", sent.body, lambda body: body["choices"][0], Home(""), 0
            )
        except OvertureError as error:
            return error


async def replies(server: QueueingServer, transport: Any, *asked: ChatRequest) -> list[ChatReply]:
    """One after the other, so that the cache is the same; a conversation's requests end the conversation before."""
    server.reset(cache=True)
    async with Connections(Patience()) as http:
        model = http.chat(EndpointSpec(server.base_url, "scripted", transport=transport))
        talk = model.conversation("talk")
        return [await talk.ask(r) for r in asked]


def talk(turns: int) -> list[ChatRequest]:
    """Each request begins with the one before it."""
    said = [Message("system", "You are Robin, who loves long walks by the sea. " * 6)]
    asked: list[ChatRequest] = []
    for turn in range(turns):
        said.append(Message("user", f"And then, on day {turn}, what did you see there?"))
        asked.append(replace(request(turn), messages=tuple(said)))
        said.append(Message("assistant", f"On day {turn} I saw a ship."))
    return asked


async def test_both_transports_read_the_same_replies(process: QueueingServer):
    asked = [
        *talk(4),
        request(5, logprobs=True),
        request(6, n=3, logprobs=True),
        *(request(seed, json_schema=SCHEMA) for seed in range(7, 12)),
        request(12, text='Wörter, 日本語, 🙂, \u2028 and \\ " quotes'),
        request(13, sampling=Sampling(max_tokens=3)),
        request(14, stop=("e",)),
    ]
    with behaving(process) as server:
        ours = await replies(server, OURS, *asked)
        theirs = await replies(server, "openai", *asked)
    assert ours == theirs
    assert any(r.cached_tokens > 0 for r in ours) and ours[4].logprob is not None
    assert len(ours[5].others) == 2 and all(c.logprob is not None for c in ours[5].others)
    assert all(r.data["mood"] in ("calm", "cross") for r in ours[6:11])
    assert {r.finish_reason for r in ours} == {"stop", "length"}


async def test_the_openai_package_parses_what_we_parse(process: QueueingServer):
    asked = [*talk(3), request(5, logprobs=True), request(6, n=2), request(7, json_schema=SCHEMA)]
    with behaving(process) as server:
        ours = await replies(server, OURS, *asked)
        server.reset(cache=True)
        async with openai.AsyncOpenAI(base_url=f"{server.base_url}/v1", api_key="k", max_retries=0) as client:
            for reply, r in zip(ours, asked, strict=True):
                made: Any = await client.chat.completions.create(**typed(r))
                first = made.choices[0]
                assert [c.message.content for c in made.choices] == [reply.text, *(c.text for c in reply.others)]
                assert (first.finish_reason, made.model) == (reply.finish_reason, reply.model)
                assert made.usage.prompt_tokens == reply.prompt_tokens
                assert made.usage.completion_tokens == reply.completion_tokens
                assert made.usage.prompt_tokens_details.cached_tokens == reply.cached_tokens
                told = first.logprobs and sum(t.logprob for t in first.logprobs.content)
                assert told == (None if reply.logprob is None else pytest.approx(reply.logprob))


def typed(asked: ChatRequest) -> dict[str, Any]:
    """As arguments of the package's own method; what it has no name for goes into `extra_body`."""
    payload = orjson.loads(prepared(asked, "scripted", Transcript()).body)
    ours = ("top_k", "min_p", "repetition_penalty", "repeat_penalty", "cache_prompt")
    extra = {name: payload.pop(name) for name in ours}
    return {**payload, "extra_body": extra}


@pytest.mark.parametrize("fault", [*KINDS, "refusal", "max_model_len", "model", "api_key"])
async def test_both_transports_meet_the_same_fault(process: QueueingServer, fault: str):
    patience = Patience(first_byte_s=1.0 if fault == "stall" else 60)
    found: list[Any] = []
    settings: dict[str, Any] = {"max_model_len": 8, "model": "another", "api_key": "secret"}
    with behaving(process, retry_after="7") as server:
        if fault in settings:
            server.behave(**{fault: settings[fault]})
        else:
            server.behave(error_rate=1, faults=(fault,))
        for transport in TRANSPORTS:
            if fault == "refusal":
                with pytest.raises(OvertureError) as caught:
                    await replies(server, transport, request())
                found.append(caught.value)
            else:
                found.append(await attempt(server.base_url, transport, request(), patience))
    ours, theirs = found
    assert type(ours) is type(theirs)
    if isinstance(ours, Fault):
        assert ours.kind == KINDS[fault] == theirs.kind
        assert (ours.wait_s, ours.busy, ours.refused) == (theirs.wait_s, theirs.busy, theirs.refused)
        assert ours.wait_s == (7 if fault in ("429", "503") else None)
    else:
        assert str(ours) == str(theirs) and vars(ours) == vars(theirs)


STATUSES = [300, 307, 400, 401, 403, 404, 405, 408, 409, 413, 418, 422, 425, 429, 500, 501, 502, 503, 504, 505, 529]
OF_NO_CLASS = {300, 307, 405, 408, 413, 418, 425}
"""The package raises a bare APIStatusError."""
WILL_NEVER_WORK = {501, 505}
"""For the package an InternalServerError like any 5xx; no other attempt mends these."""


@pytest.mark.parametrize("status", STATUSES)
async def test_a_status_is_the_same_kind_to_both_transports_and_the_class_the_package_raises(status: int):
    body = orjson.dumps({"error": {"message": "scripted", "type": "scripted"}})
    asked = 0

    def answer(*_: object) -> bytes:
        nonlocal asked
        asked += 1
        return http_answer(status, body, "Retry-After: 3", "Location: /elsewhere")

    async with answering(answer) as base_url:
        ours, theirs = [await attempt(base_url, t, request(), Patience()) for t in TRANSPORTS]
        assert asked == 2  # a redirect is not followed
        no_redirects = openai.DefaultAsyncHttpxClient(follow_redirects=False)
        async with openai.AsyncOpenAI(
            base_url=f"{base_url}/v1", api_key="k", max_retries=0, http_client=no_redirects
        ) as client:
            with pytest.raises(openai.APIStatusError) as raised:
                await client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": "Hi"}])
    assert ours == theirs or (str(ours), ours.kind) == (str(theirs), theirs.kind)
    if status in OF_NO_CLASS:
        assert type(raised.value) is openai.APIStatusError
    elif status in WILL_NEVER_WORK:
        assert isinstance(ours, Refused) and type(raised.value) is openai.InternalServerError
    else:
        assert type(raised.value) is CLASSES[ours.kind]


async def test_nobody_there_and_no_answer_in_time_are_the_packages_own_two_errors(process: QueueingServer):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
        faults = [await attempt(nobody, t, request(), Patience()) for t in TRANSPORTS]
        assert [(f.kind, f.refused) for f in faults] == [("connection", True)] * 2
        async with openai.AsyncOpenAI(base_url=nobody, api_key="k", max_retries=0) as client:
            with pytest.raises(CLASSES["connection"]):
                await client.models.list()
    with behaving(process, error_rate=1, faults=("stall",)) as server:
        client = openai.AsyncOpenAI(base_url=f"{server.base_url}/v1", api_key="k", max_retries=0, timeout=0.5)
        async with client:
            with pytest.raises(CLASSES["timeout"]):
                await client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": "Hi"}])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_answer_that_trickles_in_ends_with_the_time_of_one_attempt(transport: str):
    async with answering(lambda *_: http_answer(200, b" " * 4000), drip_s=0.1) as base_url:
        patience = Patience(first_byte_s=60, answer_s=1.0)
        found = await asyncio.wait_for(attempt(base_url, transport, request(), patience), 60)
    assert isinstance(found, Fault) and (found.kind, found.refused) == ("timeout", False)
    assert "no answer within 1 s" in found.what


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_server_that_speaks_no_tls_is_refused_at_once(transport: str):
    async with answering(lambda *_: http_answer(200, b"{}")) as base_url:
        found = await attempt(base_url.replace("http:", "https:"), transport, request(), Patience())
    assert isinstance(found, Refused) and found.kind == "connection" and "certificate" in str(found)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_key_and_headers_reach_the_server_and_no_message(
    process: QueueingServer, transport: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    with behaving(process, api_key="sk-very-secret") as server:
        well = await attempt(server.base_url, transport, request(), Patience(), api_key_env="MY_KEY")
        assert well["message"]["content"]
        server.behave(api_key="another", model="sk-very-secret")
        wrong = await attempt(server.base_url, transport, request(), Patience(), api_key_env="MY_KEY")
        assert isinstance(wrong, Refused) and wrong.kind == "unauthenticated"
        server.behave(api_key="")
        unknown = replace(request(), messages=(Message("user", "Hi"),))
        lost = await attempt(server.base_url, transport, unknown, Patience(), api_key_env="MY_KEY")
        assert isinstance(lost, Refused) and "sk-very-secret" not in str(lost)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_faults_are_retried_alike_whatever_the_transport(process: QueueingServer, transport: Any):
    kinds = ("500", "429", "reset", "truncated", "empty_choices", "short_body")
    with behaving(process, error_rate=0.4, faults=kinds, retry_after="0") as server:
        async with Connections(Patience()) as http:
            model = http.chat(EndpointSpec(server.base_url, "scripted", transport=transport))
            await asyncio.gather(*(model.ask(request(seed)) for seed in range(40)))
            [told] = http.told().values()
        log = server.log()
    assert log["requests"] == 40 + log["faulted"] and log["asked_after_answer"] == 0
    assert sum(told["faults"].values()) == log["faulted"] >= 10


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_server_that_is_gone_ends_as_unreachable(transport: Any):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with Connections(Patience(faults_s=0.5)) as http:
            with pytest.raises(Unreachable, match="check that the server runs"):
                await http.chat(EndpointSpec(nobody, "scripted", transport=transport)).ask(request())
