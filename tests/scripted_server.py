"""An OpenAI-compatible server without a model, which can misbehave: for tests and measurements.

A reply is a function of (messages, seed, JSON schema) alone. Whether a request meets a fault is a function of those and
of how often it was asked before. In a thread: `with ScriptedServer(error_rate=0.1) as server: server.base_url`. As a
process of its own (kill -9 tests, measurements): `with ScriptedProcess("--error-rate", "0.1") as server`, or
`python tests/scripted_server.py --port 0`, whose first line of output is its base URL. `GET /_log` tells what was asked.
"""

import argparse
import asyncio
import dataclasses
import importlib
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson
from aiohttp import web
from scripted_replies import Reply, answer_text, digest, embedding, schema_of

FAULTS = ("500", "429", "reset", "truncated", "short_body", "slow")


@dataclass(frozen=True)
class Behaviour:
    model: str = "scripted"
    latency_ms: float = 0.0
    error_rate: float = 0.0
    """Share of attempts that meet a fault of `faults`, in equal parts."""
    faults: tuple[str, ...] = ("500", "429", "reset", "truncated")
    retry_after: str | None = "0"
    """The header that comes with a 429; seconds or an HTTP date."""
    slow_s: float = 1.0
    status: int | None = None
    """Every chat request is answered with this status and `error`."""
    error: str = "scripted"
    ignore_response_format: bool = False
    api_key: str | None = None
    context_limit: int | None = None
    """In words; longer prompts are refused as `context_style` says it."""
    context_style: str = "vllm"
    """vllm, vllm_exact or llama_cpp."""
    cut_short: bool = False
    """Every answer is half of itself with finish_reason `length`."""
    extra: str = "{}"
    """A JSON object merged into every completion (llama.cpp's `timings`, another `usage`)."""
    die_after: int | None = None
    """Answers before the server dies: a process exits at once, a thread stops answering."""
    keep_requests: bool = False
    """A process keeps the bodies of chat requests for `GET /_requests`; a thread always does."""


class Script:
    """Answers requests by a Behaviour and counts them."""

    def __init__(
        self,
        behaviour: Behaviour,
        reply: Reply | None = None,
        keep_requests: bool = True,
        die: Callable[[], None] | None = None,
    ):
        self.behaviour = behaviour
        self.reply = reply
        self.requests: list[dict[str, Any]] | None = [] if keep_requests else None
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.asked_after_answer = 0
        self.in_flight = self.most_in_flight = self.embedded = self.faults = 0
        self.dead = False
        self._die = die

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.dead:
            return _reset(request)
        path = request.path
        if path == "/v1/chat/completions" and request.method == "POST":
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                return await self._chat(request)
            finally:
                self.in_flight -= 1
        if path == "/health":
            return _json({"status": "ok"})
        if path == "/_log":
            return _json(self.log())
        if path == "/_requests":
            return _json(self.requests)
        if self._locked(request):
            return _json({"error": "Unauthorized"}, 401)
        if path == "/v1/models":
            return _json({"object": "list", "data": [{"id": self.behaviour.model, "object": "model"}]})
        if path == "/metrics":
            return web.Response(text=f"scripted_requests_total {self.asked.total()}\n")
        if path == "/v1/embeddings" and request.method == "POST":
            return self._embed(orjson.loads(await request.read()))
        return _json({"detail": "Not Found"}, 404)

    def log(self) -> dict[str, Any]:
        return {
            "requests": self.asked.total(),
            "answers": self.answered.total(),
            "faults": self.faults,
            "asked_after_answer": self.asked_after_answer,
            "most_in_flight": self.most_in_flight,
            "embedded": self.embedded,
            "asked": dict(self.asked),
            "answered": dict(self.answered),
        }

    def _locked(self, request: web.BaseRequest) -> bool:
        key = self.behaviour.api_key
        return key is not None and request.headers.get("Authorization") != f"Bearer {key}"

    async def _chat(self, request: web.BaseRequest) -> web.StreamResponse:
        does = self.behaviour
        body: dict[str, Any] = orjson.loads(await request.read())
        if self.requests is not None:
            self.requests.append(body)
        key = f"{digest(body['messages'], body.get('seed'), schema_of(body)):016x}"
        attempt = self.asked[key]
        self.asked[key] += 1
        self.asked_after_answer += key in self.answered
        refusal = self._refusal(request, body)
        if refusal is not None:
            return refusal
        if does.latency_ms:
            await asyncio.sleep(does.latency_ms / 1000)
        text = answer_text(body, self.reply, does.ignore_response_format)
        if isinstance(text, int):
            return _json({"error": {"message": "scripted", "type": "scripted"}}, text)
        draw = random.Random(digest(key, attempt)) if does.error_rate else None
        if draw is not None and draw.random() < does.error_rate:
            self.faults += 1
            fault = draw.choice(does.faults)
            if fault != "slow":
                return await self._fault(fault, request, self._completion(body, text))
            await asyncio.sleep(does.slow_s)
        self.answered[key] += 1
        if does.die_after is not None and self.answered.total() >= does.die_after:
            self.dead = True
            if self._die is not None:
                asyncio.get_running_loop().call_later(0.05, self._die)
        return web.Response(body=self._completion(body, text), content_type="application/json")

    def _refusal(self, request: web.BaseRequest, body: dict[str, Any]) -> web.Response | None:
        does = self.behaviour
        if self._locked(request):
            return _json({"error": "Unauthorized"}, 401)
        if does.status is not None:
            headers = {"Retry-After": does.retry_after} if does.retry_after and does.status in (429, 503) else {}
            return _json({"error": {"message": does.error, "type": "scripted"}}, does.status, headers)
        if body.get("model") != does.model:
            return _json(
                {"error": {"message": f"The model `{body.get('model')}` does not exist.", "type": "NotFoundError"}}, 404
            )
        words = sum(len(m["content"].split()) for m in body["messages"])
        if does.context_limit is not None and words > does.context_limit:
            return _json({"error": _overflow(does.context_style, does.context_limit, words)}, 400)
        return None

    async def _fault(self, fault: str, request: web.BaseRequest, whole: bytes) -> web.StreamResponse:
        match fault:
            case "500":
                return _json(
                    {"error": {"message": "EngineCore encountered an issue", "type": "InternalServerError"}}, 500
                )
            case "429":
                after = self.behaviour.retry_after
                return _json({"error": {"message": "busy"}}, 429, {} if after is None else {"Retry-After": after})
            case "truncated":
                return web.Response(body=whole[: len(whole) // 2], content_type="application/json")
            case "short_body":
                response = web.StreamResponse(
                    headers={"Content-Type": "application/json", "Content-Length": str(len(whole))}
                )
                await response.prepare(request)
                await response.write(whole[: len(whole) // 2])
                if request.transport is not None:
                    request.transport.close()
                return response
            case _:
                return _reset(request)

    def _completion(self, body: dict[str, Any], text: str) -> bytes:
        finish = "stop"
        if self.behaviour.cut_short:
            text, finish = text[: len(text) // 2], "length"
        words = text.split()
        prompt = sum(len(m["content"].split()) + 3 for m in body["messages"])
        choice: dict[str, Any] = {
            "index": 0,
            "finish_reason": finish,
            "message": {"role": "assistant", "content": text},
        }
        if body.get("logprobs"):
            choice["logprobs"] = {
                "content": [{"token": w, "logprob": -(zlib.crc32(w.encode()) % 100) / 50} for w in words]
            }
        return orjson.dumps(
            {
                "id": "chatcmpl-scripted",
                "object": "chat.completion",
                "created": 0,
                "model": self.behaviour.model,
                "choices": [choice],
                "usage": {
                    "prompt_tokens": prompt,
                    "completion_tokens": len(words),
                    "total_tokens": prompt + len(words),
                },
                **orjson.loads(self.behaviour.extra),
            }
        )

    def _embed(self, body: dict[str, Any]) -> web.Response:
        texts: list[str] = [body["input"]] if isinstance(body["input"], str) else body["input"]
        self.embedded += len(texts)
        return _json({"object": "list", "data": [{"index": i, "embedding": embedding(t)} for i, t in enumerate(texts)]})


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, headers=headers, content_type="application/json")


def _overflow(style: str, limit: int, words: int) -> dict[str, Any]:
    match style:
        case "llama_cpp":
            told = f"request ({words} tokens) exceeds the available context size ({limit} tokens), try increasing it"
            return {
                "code": 400,
                "message": told,
                "type": "exceed_context_size_error",
                "n_prompt_tokens": words,
                "n_ctx": limit,
            }
        case "vllm_exact":
            return {
                "message": "max_tokens must be at least 1, got 0.",
                "type": "BadRequestError",
                "param": "max_tokens",
                "code": 400,
            }
        case _:
            told = f"This model's maximum context length is {limit} tokens. However, your request has at least {limit + 1} input tokens."
            return {"message": told, "type": "BadRequestError", "param": "input_tokens", "code": 400}


def _reset(request: web.BaseRequest) -> web.Response:
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def _listen(script: Script, port: int) -> tuple[web.ServerRunner, str]:
    runner = web.ServerRunner(web.Server(script.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=2048)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


class ScriptedServer:
    """The server in a thread of this process. `behaviour`: fields of Behaviour."""

    def __init__(self, reply: Reply | None = None, **behaviour: Any):
        self._script = Script(Behaviour(**behaviour), reply)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.base_url = ""

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Bodies of the chat requests in the order they arrived."""
        assert self._script.requests is not None
        return self._script.requests

    def log(self) -> dict[str, Any]:
        return self._script.log()

    def behave(self, **changes: Any) -> None:
        """From now on."""
        self._script.behaviour = dataclasses.replace(self._script.behaviour, **changes)

    def __enter__(self) -> Self:
        self._thread.start()
        self._runner, self.base_url = self._do(_listen(self._script, 0))
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


class ScriptedProcess:
    """The server as a process of its own, with the command line's flags."""

    def __init__(self, *flags: str):
        self._command = [sys.executable, str(Path(__file__)), *flags]
        self.base_url = ""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.base_url = self.process.stdout.readline().strip()
        assert self.base_url, "the scripted server did not start"
        return self

    def log(self) -> dict[str, Any]:
        return self._told("_log")

    def requests(self) -> list[dict[str, Any]]:
        """Bodies of the chat requests in the order they arrived; needs `--keep-requests`."""
        return self._told("_requests")

    def _told(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.base_url}/{path}", timeout=30) as answer:
            return json.load(answer)

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def _follow_parent() -> None:
    """Ends this process when whoever holds the other end of stdin is gone."""
    while os.read(0, 1024):
        pass
    os._exit(0)


async def _serve(script: Script, port: int) -> None:
    _, base_url = await _listen(script, port)
    sys.stdout.write(base_url + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def _behaviour(given: argparse.Namespace) -> Behaviour:
    values = {f.name: getattr(given, f.name) for f in dataclasses.fields(Behaviour)}
    return Behaviour(
        **{k: tuple(v.split(",")) if k == "faults" and isinstance(v, str) else v for k, v in values.items()}
    )


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--reply", help="module:function that makes replies")
    for field in dataclasses.fields(Behaviour):
        flag = "--" + re.sub("_", "-", field.name)
        if field.type is bool:
            parser.add_argument(flag, action="store_true")
        else:
            kinds: dict[Any, Any] = {float: float, int | None: int}
            parser.add_argument(flag, type=kinds.get(field.type, str), default=field.default)
    given = parser.parse_args(arguments)
    reply: Reply | None = None
    if given.reply:
        module, _, name = given.reply.partition(":")
        reply = getattr(importlib.import_module(module), name)
    if not sys.stdin.isatty():
        threading.Thread(target=_follow_parent, daemon=True).start()
    does = _behaviour(given)
    asyncio.run(_serve(Script(does, reply, does.keep_requests, die=lambda: os._exit(9)), given.port))


if __name__ == "__main__":
    main(sys.argv[1:])
