"""The chat and embedding clients of any OpenAI-compatible server (vLLM, llama.cpp): aiohttp and orjson.

The openai package costs 15 times the CPU per request; at 200 requests in flight that is the difference between a busy
server and a waiting one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import aiohttp
import numpy as np

from inference.structured import parse
from inference.transport import PATIENCE, Patience, Server, api_root
from schemas.chat import CallKey, ChatReply, ChatRequest, EndpointSpec, Message, Sampling
from schemas.contracts import EmbedTexts
from schemas.errors import InvalidOutput, NoStructuredOutput, Refused, Unreachable
from schemas.identity import stable_hash

EMBED_BATCH = 64
EMBED_IN_FLIGHT = 4


def request_hash(request: ChatRequest, model: str) -> str:
    """Of what decides the text, and of nothing else: not the key, not the endpoint, not `logprobs`."""
    return stable_hash(
        model,
        [[m.role, m.content] for m in request.messages],
        request.sampling.model_dump(),
        request.seed,
        request.stop,
        request.json_schema,
    )


def chat_payload(request: ChatRequest, model: str) -> dict[str, Any]:
    """Every sampling parameter explicitly, by vLLM's and llama.cpp's names: each ignores what it does not know."""
    sampling = request.sampling
    payload: dict[str, Any] = {
        "model": model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": 0,
        "min_p": sampling.min_p,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": sampling.repetition_penalty,
        "repeat_penalty": sampling.repetition_penalty,
        "max_tokens": sampling.max_tokens,
        "seed": request.seed,
        "stream": False,
        "cache_prompt": True,
    }
    if request.stop:
        payload["stop"] = list(request.stop)
    if request.json_schema is not None:
        wanted = {"name": "answer", "strict": True, "schema": request.json_schema}
        payload["response_format"] = {"type": "json_schema", "json_schema": wanted}
    if request.logprobs:
        payload |= {
            "logprobs": True,
            "top_logprobs": 1,
        }  # llama.cpp tells 20 alternatives a token unless told otherwise
    return payload


def _read_reply(body: Any, model: str) -> ChatReply:
    choice = body["choices"][0]
    usage = body.get("usage") or {}
    timings = body.get("timings") or {}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    logprobs = (choice.get("logprobs") or {}).get("content")
    text = choice["message"]["content"]
    if not isinstance(text, str | None):
        raise TypeError("content is not text")
    return ChatReply(
        text=text or "",
        model=model,
        finish_reason=str(choice.get("finish_reason") or "stop"),
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
        cached_tokens=int(timings.get("cache_n", 0) if cached is None else cached),
        logprob=sum(float(token["logprob"]) for token in logprobs) if logprobs else None,
        prefill_ms=timings.get("prompt_ms"),
        decode_ms=timings.get("predicted_ms"),
    )


class HttpChatModel:
    """One model of one server, as `ChatModel`. Faults of the server are retried inside, content faults are not."""

    def __init__(self, server: Server, model: str):
        self._server = server
        self.model = model

    def __repr__(self) -> str:
        return f"HttpChatModel({self.model} at {self._server.shown})"

    async def ask(self, request: ChatRequest) -> ChatReply:
        payload = chat_payload(request, self.model)
        read = partial(_read_reply, model=self.model)
        reply = await self._server.call("POST", "/chat/completions", payload, read)
        if request.json_schema is None:
            return reply
        return replace(reply, data=parse(reply.text, request.json_schema, reply.finish_reason))


class HttpEmbedder:
    """One embedding model of one server, as `Embedder`."""

    def __init__(self, server: Server, model: str):
        self._server = server
        self.model = model

    def __repr__(self) -> str:
        return f"HttpEmbedder({self.model} at {self._server.shown})"

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        batches = [list(texts[i : i + EMBED_BATCH]) for i in range(0, len(texts), EMBED_BATCH)]
        if not batches:
            return np.zeros((0, 0), np.float32)
        limit = asyncio.Semaphore(EMBED_IN_FLIGHT)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._embed(batch, limit)) for batch in batches]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        rows = np.concatenate([task.result() for task in tasks])
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        if not np.all(norms > 0):
            raise InvalidOutput(f"{self!r} gives a vector without direction", "zero_embedding")
        return rows / norms

    async def _embed(self, batch: list[str], limit: asyncio.Semaphore) -> np.ndarray:
        payload = {"model": self.model, "input": batch, "encoding_format": "float"}

        def read(body: Any) -> np.ndarray:
            rows = np.zeros((len(batch), len(body["data"][0]["embedding"])), np.float32)
            missing = set(range(len(batch)))
            for row in body["data"]:
                rows[row["index"]] = row["embedding"]
                missing.remove(row["index"])
            if missing or not np.all(np.isfinite(rows)):
                raise ValueError("vectors are missing or not finite")
            return rows

        async with limit:
            return await self._server.call("POST", "/embeddings", payload, read)


class Connections:
    """The HTTP connections of one event loop: `async with Connections() as http: model = http.chat(spec)`.

    Models asked of the same base URL with the same key share one set of permits, sized by the first `max_in_flight`.
    """

    def __init__(self, patience: Patience = PATIENCE):
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None
        self._servers: dict[str, Server] = {}

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0)  # the permits are the limit
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def chat(self, spec: EndpointSpec) -> HttpChatModel:
        return HttpChatModel(self.server(spec), spec.model)

    def embedder(self, spec: EndpointSpec) -> HttpEmbedder:
        return HttpEmbedder(self.server(spec), spec.model)

    def server(self, spec: EndpointSpec) -> Server:
        if self._session is None:
            raise RuntimeError("Connections is used outside its `async with` block")
        account = stable_hash(api_root(spec.base_url), spec.api_key_env, spec.headers)
        if account not in self._servers:
            self._servers[account] = Server(self._session, spec, self._patience)
        return self._servers[account]


@dataclass(frozen=True, slots=True)
class BlockingEmbedder:
    """`EmbedTexts` over HTTP; each call runs an event loop of its own, so not from inside one."""

    spec: EndpointSpec

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        return asyncio.run(self._embed(texts))

    async def _embed(self, texts: Sequence[str]) -> np.ndarray:
        async with Connections() as http:
            return await http.embedder(self.spec).embed(texts)


def embed_blocking(base_url: str, model: str) -> EmbedTexts:
    """For code outside the loop. Can be pickled."""
    return BlockingEmbedder(EndpointSpec(base_url=base_url, model=model))


async def list_models(base_url: str, *, api_key_env: str | None = None, patience_s: float = 10.0) -> list[str]:
    """Names and aliases under which the server can be asked, as it tells them."""
    spec = EndpointSpec(base_url=base_url, model="", api_key_env=api_key_env)

    def read(body: Any) -> list[str]:
        names = [name for entry in body["data"] for name in (entry["id"], *entry.get("aliases", ()))]
        return sorted({str(name) for name in names})

    async with Connections(Patience(faults_s=patience_s, answer_s=max(1.0, patience_s))) as http:
        return await http.server(spec).call("GET", "/models", None, read)


async def wait_ready(base_url: str, timeout: float, *, api_key_env: str | None = None) -> None:
    """Until the server answers; wanting a key or telling no models counts as an answer. Raises Unreachable."""
    try:
        await list_models(base_url, api_key_env=api_key_env, patience_s=timeout)
    except Refused:
        return
    except Unreachable as error:
        raise Unreachable(f"not ready after {timeout:g} s: {error}") from None


_PROBE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"weather": {"type": "string", "enum": ["sun", "rain", "snow"]}},
    "required": ["weather"],
    "additionalProperties": False,
}


async def probe_structured_output(model: HttpChatModel) -> None:
    """Returns when the server holds a model to a schema that the prompt never mentions; else NoStructuredOutput."""
    plain = ChatRequest(
        key=CallKey(turn=0, step="probe"),
        messages=(Message("user", "Write one sentence about the weather today."),),
        sampling=Sampling(temperature=0.7, max_tokens=1),
        seed=0,
    )
    await model.ask(plain)  # what is wrong without a schema is not the schema's fault
    found = ""
    for seed in range(3):
        held = replace(plain, seed=seed, json_schema=_PROBE_SCHEMA, sampling=Sampling(temperature=0.7, max_tokens=48))
        try:
            await model.ask(held)
        except (InvalidOutput, Refused) as error:
            found = str(error)
        else:
            return
    raise NoStructuredOutput(
        f"{model!r} does not hold answers to a JSON schema: {found}. Serve the model with vLLM or llama.cpp's "
        "server, which do, or choose stages that ask for plain text only"
    )


async def check_model(spec: EndpointSpec, timeout: float) -> None:
    """The server answers and serves `spec.model`; else Unreachable, or Refused with the names it serves."""
    names = await list_models(spec.base_url, api_key_env=spec.api_key_env, patience_s=timeout)
    if spec.model not in names:
        served = ", ".join(f"'{n}'" for n in names) or "none"
        raise Refused(f"{spec.base_url} does not serve '{spec.model}'; it serves: {served}. Set `model` to one of them")
