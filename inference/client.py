"""The chat and embedding clients of any OpenAI-compatible server (vLLM, llama.cpp).

A request's messages are rendered once: what a conversation's last request began with is sent again as the same bytes
(law 10), and its calls go to the endpoint whose cache holds them.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson

from inference.addresses import api_root, read_endpoints
from inference.endpoint import Changes, Endpoint
from inference.openai_transport import OpenaiTransport
from inference.pool import Home, Pool
from inference.structured import parse
from inference.transport import PATIENCE, HttpTransport, Patience
from schemas.chat import Candidate, ChatReply, ChatRequest, EndpointSpec, Message, Weighed
from schemas.errors import InputError, InvalidOutput, Refused
from schemas.identity import stable_hash

if TYPE_CHECKING:
    import numpy as np

EMBED_BATCH = 64
EMBED_IN_FLIGHT = 4
FOLLOW_S = 1.0
_log = logging.getLogger(__name__)


def request_hash(request: ChatRequest, model: str) -> str:
    """Of what decides the text, and of nothing else: not the key, not the endpoint, not `logprobs`."""
    return _hashed(Transcript().render(request.messages), _settings(request, model))


def _hashed(messages: bytes, settings: bytes) -> str:
    return hashlib.blake2b(b"%b\n%b" % (messages, settings), digest_size=16).hexdigest()


def chat_payload(request: ChatRequest, model: str) -> dict[str, Any]:
    """All of a request but its messages and `logprobs`. Every sampling parameter explicitly, by vLLM's and llama.cpp's
    names: each ignores what it does not know.
    """
    sampling = request.sampling
    settings: dict[str, Any] = {
        "model": model,
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
    if request.n > 1:
        settings["n"] = request.n
    if request.weigh_last:  # vLLM's; llama.cpp says something instead
        settings |= {
            "add_generation_prompt": False,
            "continue_final_message": True,
            "prompt_logprobs": request.weigh_last,
            "return_token_ids": True,
            "max_tokens": 1,
        }
    if request.stop:
        settings["stop"] = request.stop
    if request.json_schema is not None:
        wanted = {"name": "answer", "strict": True, "schema": request.json_schema}
        settings["response_format"] = {"type": "json_schema", "json_schema": wanted}
    return settings


def _settings(request: ChatRequest, model: str) -> bytes:
    # sorted only for the schema's sake: equal ones may differ in order
    option = None if request.json_schema is None else orjson.OPT_SORT_KEYS
    return orjson.dumps(chat_payload(request, model), option=option)


class Transcript:
    """The messages of one conversation as JSON bytes; what the last request began with is not rendered again."""

    __slots__ = ("_ends", "_messages", "_rendered")

    def __init__(self) -> None:
        self._messages: tuple[Message, ...] = ()
        self._rendered = b""
        self._ends: list[int] = []
        """Where each message ends in it."""

    def render(self, messages: tuple[Message, ...]) -> bytes:
        same = 0
        for before, now in zip(self._messages, messages, strict=False):
            if before.content != now.content or before.role != now.role:
                break
            same += 1
        del self._ends[same:]
        pieces = [self._rendered[: self._ends[-1]]] if same else []
        for message in messages[same:]:
            pieces.append(orjson.dumps(message))
            self._ends.append(len(pieces[-1]) + (self._ends[-1] + 1 if self._ends else 0))
        self._messages = messages
        self._rendered = b",".join(pieces)  # one piece of memory: orjson's own are a kilobyte larger than their text
        return self._rendered


class Prepared(NamedTuple):
    request: ChatRequest
    hash: str
    """What `request_hash` gives."""
    body: bytes


_CANNOT = ("bad_request", "unprocessable")
"""How a server refuses what it cannot do."""
_LOGPROBS = b',"logprobs":true,"top_logprobs":1}'
"""llama.cpp tells 20 alternatives a token unless told otherwise."""


def prepared(request: ChatRequest, model: str, transcript: Transcript) -> Prepared:
    """The bytes to send. Messages first: what the requests of one conversation share is at the front."""
    messages, settings = transcript.render(request.messages), _settings(request, model)
    end = settings[1:-1] + _LOGPROBS if request.logprobs else settings[1:]
    return Prepared(request, _hashed(messages, settings), b'{"messages":[%b],%b' % (messages, end))


def _read_reply(body: Any, model: str, request: ChatRequest) -> ChatReply:
    usage = body.get("usage") or {}
    timings = body.get("timings") or {}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    choices = [_read_choice(choice) for choice in body["choices"]]
    if len(choices) != request.n:
        raise ValueError(f"{len(choices)} choices for {request.n}")
    first = choices[0]
    return ChatReply(
        text=first.text,
        model=model,
        finish_reason=first.finish_reason,
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
        cached_tokens=int(timings.get("cache_n", 0) if cached is None else cached),
        logprob=first.logprob,
        prefill_ms=timings.get("prompt_ms"),
        decode_ms=timings.get("predicted_ms"),
        others=tuple(choices[1:]),
        tokens=_weighed(body, request.messages[-1].content.strip()) if request.weigh_last else (),
    )


def _weighed(body: Any, text: str) -> tuple[Weighed, ...]:
    """The tokens at the end of the prompt that spell `text`; none where the server tells none, or others."""
    ids, weights = body.get("prompt_token_ids") or [], body.get("prompt_logprobs") or []
    found: list[Weighed] = []
    spelled = ""
    while len(spelled) < len(text) and len(found) < min(len(ids), len(weights)):
        token, likely = str(ids[-1 - len(found)]), weights[-1 - len(found)]
        if likely is None or token not in likely:  # the first of all has none
            return ()
        told = {other: float(weight["logprob"]) for other, weight in likely.items()}
        found.append(Weighed(str(likely[token].get("decoded_token") or ""), token, told))
        spelled = "".join(w.text for w in reversed(found)).strip()
    return tuple(reversed(found)) if spelled == text else ()


def _read_choice(choice: Any) -> Candidate:
    finish_reason = str(choice.get("finish_reason") or "stop")
    message = choice["message"]
    refusal = message.get("refusal")
    if refusal or finish_reason == "content_filter":
        raise InvalidOutput(f"the model refuses: {str(refusal or finish_reason)[:120]}", "refused")
    text = message["content"]
    if not isinstance(text, str | None):
        raise TypeError("content is not text")
    logprobs = (choice.get("logprobs") or {}).get("content")
    return Candidate(text or "", finish_reason, sum(float(t["logprob"]) for t in logprobs) if logprobs else None)


class Conversation:
    """The calls of one (dialogue, role), as `ChatModel`: in order, each beginning with what the last one was."""

    __slots__ = ("_home", "_order", "_pool", "_transcript", "model")

    def __init__(self, pool: Pool, model: str, home: Home, order: int):
        self.model = model
        self._pool = pool
        self._home = home
        self._order = order
        self._transcript = Transcript()

    def prepare(self, request: ChatRequest) -> Prepared:
        return prepared(request, self.model, self._transcript)

    async def ask(self, request: ChatRequest) -> ChatReply:
        return await self.send(self.prepare(request))

    async def send(self, prepared: Prepared) -> ChatReply:
        request = prepared.request
        read = partial(_read_reply, model=self.model, request=request)
        try:
            reply = await self._pool.call("POST", "/chat/completions", prepared.body, read, self._home, self._order)
        except Refused as refusal:
            if request.weigh_last and refusal.kind in _CANNOT:
                raise InvalidOutput(str(refusal), "no_logprobs") from None
            raise
        if request.json_schema is None:
            return reply
        try:
            return replace(reply, data=parse(reply.text, request.json_schema, reply.finish_reason))
        except InvalidOutput as fault:
            fault.reply = reply
            raise


class HttpChatModel:
    """One model, at one endpoint or many, as `ChatModel`. Servers' faults are retried, content faults are not."""

    def __init__(self, pool: Pool, model: str):
        self.pool = pool
        self.model = model

    def __repr__(self) -> str:
        return f"HttpChatModel({self.model} at {', '.join(e.shown for e in self.pool.endpoints)})"

    def conversation(self, key: str, order: int = 0) -> Conversation:
        """`key`: equal ones go to the endpoint that has their prefix. `order`: the lowest gets the next free permit."""
        return Conversation(self.pool, self.model, Home(key), order)

    async def ask(self, request: ChatRequest) -> ChatReply:
        """A conversation of one request."""
        return await self.conversation(stable_hash([m.content for m in request.messages[:1]])).ask(request)


class HttpEmbedder:
    """One embedding model, at one endpoint or many, as `Embedder`."""

    def __init__(self, pool: Pool, model: str):
        self.pool = pool
        self.model = model

    def __repr__(self) -> str:
        return f"HttpEmbedder({self.model} at {', '.join(e.shown for e in self.pool.endpoints)})"

    async def embed(self, texts: Sequence[str]) -> "np.ndarray":
        import numpy as np  # 12 MB that a worker needs only where something is embedded

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

    async def _embed(self, batch: list[str], limit: asyncio.Semaphore) -> "np.ndarray":
        import numpy as np

        body = orjson.dumps({"model": self.model, "input": batch, "encoding_format": "float"})

        def read(body: Any) -> "np.ndarray":
            rows = np.zeros((len(batch), len(body["data"][0]["embedding"])), np.float32)
            missing = set(range(len(batch)))
            for row in body["data"]:
                rows[row["index"]] = row["embedding"]
                missing.remove(row["index"])
            if missing or not np.all(np.isfinite(rows)):
                raise ValueError("vectors are missing or not finite")
            return rows

        async with limit:
            return await self.pool.call("POST", "/embeddings", body, read, Home(batch[0]))


class Connections:
    """The HTTP connections of one event loop: `async with Connections() as http: model = http.chat(spec)`.

    Models asked of the same base URL with the same key share one set of permits, sized by the first `max_in_flight`.
    """

    def __init__(self, patience: Patience = PATIENCE, client: int = 0, clients: int = 1):
        """Of number `client` of the `clients` processes of ours that share the servers."""
        self._patience = patience
        self._client, self._clients = client, clients
        self._open = False
        self._watching = False
        self._changes = Changes()
        self._pools: dict[tuple[str, ...], Pool] = {}
        self._endpoints: dict[str, Endpoint] = {}
        """By account: base URL, key and headers."""
        self._followers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        for follower in self._followers:
            follower.cancel()
        for endpoint in self._endpoints.values():
            await endpoint.close()
        self._open = False

    def chat(self, *specs: EndpointSpec) -> HttpChatModel:
        """`specs`: the endpoints that serve this one model."""
        return HttpChatModel(self.pool(specs), specs[0].model)

    def embedder(self, *specs: EndpointSpec) -> HttpEmbedder:
        return HttpEmbedder(self.pool(specs), specs[0].model)

    def pool(self, specs: Sequence[EndpointSpec]) -> Pool:
        """The pool of just these endpoints, in whatever order they are named."""
        key = tuple(sorted({_account(spec) for spec in specs}))
        if key not in self._pools:
            self._pools[key] = Pool([self.endpoint(spec) for spec in specs], self._patience, self._changes)
        return self._pools[key]

    def endpoint(self, spec: EndpointSpec) -> Endpoint:
        if not self._open:
            raise RuntimeError("Connections is used outside its `async with` block")
        account = _account(spec)
        if account not in self._endpoints:
            if spec.transport == "openai":
                transport = OpenaiTransport(spec, self._patience)
            else:
                transport = HttpTransport(spec, self._patience)
            self._endpoints[account] = Endpoint(transport, spec, self._changes, self._client, self._clients)
            if self._watching:
                self._endpoints[account].watch_metrics()
        return self._endpoints[account]

    async def watch(self, patience_s: float) -> None:
        """From now on the metrics of every endpoint are read. Returns when each was read once, or patience ends: what
        their caches hold is known then.
        """
        self._watching = True
        for endpoint in self._endpoints.values():
            endpoint.watch_metrics()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                for endpoint in list(self._endpoints.values()):
                    await endpoint.first_metrics.wait()

    def follow(self, pool: Pool, path: str, like: EndpointSpec) -> None:
        """From now on the pool's endpoints are those the file lists: they join and leave while requests go on."""
        self._followers.append(asyncio.create_task(self._follow(pool, Path(path), like)))

    async def _follow(self, pool: Pool, path: Path, like: EndpointSpec) -> None:
        used: list[str] | None = None
        seen: list[str] | None = None
        while True:
            try:
                listed = read_endpoints(path)
                if listed != used and listed == seen:  # twice the same: not half written
                    pool.replace([self.endpoint(replace(like, base_url=url)) for url in listed])
                    used = listed
                seen = listed
            except InputError as error:
                _log.info("%s; the endpoints stay as they are", error)
            await asyncio.sleep(FOLLOW_S)

    def told(self) -> dict[str, Any]:
        """By endpoint: what was asked of it so far, as JSON."""
        return {endpoint.shown: endpoint.told() for endpoint in self._endpoints.values()}


def _account(spec: EndpointSpec) -> str:
    return stable_hash(api_root(spec.base_url), spec.api_key_env, spec.headers)


@dataclass(frozen=True, slots=True)
class BlockingEmbedder:
    """`EmbedTexts` over HTTP; each call runs an event loop of its own, so not from inside one."""

    spec: EndpointSpec

    def __call__(self, texts: Sequence[str]) -> "np.ndarray":
        return asyncio.run(self._embed(texts))

    async def _embed(self, texts: Sequence[str]) -> "np.ndarray":
        async with Connections() as http:
            return await http.embedder(self.spec).embed(texts)
