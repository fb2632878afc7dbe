"""Requests to ask, and a server that answers with the very bytes it is given."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, Unpack

from queueing_server import Behaviour, QueueingServer

from schemas.chat import CallKey, ChatRequest, Message, Sampling

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"mood": {"enum": ["calm", "cross"]}, "score": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["mood", "score"],
    "additionalProperties": False,
}
KINDS = {
    "500": "server_error",
    "429": "rate_limit",
    "503": "server_error",
    "reset": "connection",
    "truncated": "broken_answer",
    "short_body": "connection",
    "stall": "timeout",
    "empty_choices": "broken_answer",
}
"""Of the queueing server's faults those that another attempt mends, as we sort them."""


def request(seed: int = 1, text: str = "Hello", **changes: Any) -> ChatRequest:
    messages = (Message("system", "Be brief."), Message("user", text))
    plain = ChatRequest(key=CallKey(turn=0), messages=messages, sampling=Sampling(), seed=seed)
    return replace(plain, **changes)


PLAIN: Behaviour = {
    "model": "scripted",
    "capacity": 0,
    "queue_limit": 0,
    "latency_ms": 0,
    "max_model_len": 131072,
    "api_key": "",
    "error_rate": 0,
    "fault_seed": 0,
    "retry_after": "0",
}


@contextmanager
def behaving(process: QueueingServer, **behaviour: Unpack[Behaviour]) -> Generator[QueueingServer]:
    """A server that runs already, as if it were a new one that behaves like this: a process costs more than a test."""
    process.behave(**PLAIN)
    process.behave(**behaviour)
    process.reset(cache=True)
    yield process


def http_answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


@asynccontextmanager
async def answering(answer: Callable[[str, bytes], bytes], drip_s: float = 0.0) -> AsyncGenerator[str]:
    """A server in this loop: `answer` makes the whole response of a path and a body; it
    tells no metrics. `drip_s`: between two bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readexactly(1)
            if first == b"\x16":  # a TLS handshake, to a server that knows none
                writer.write(http_answer(400, b""))
                return
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
            sizes = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
            body = await reader.readexactly(int(sizes[0]) if sizes else 0)
            path = head.split(" ")[1]
            whole = http_answer(404, b"") if path == "/metrics" else answer(path, body)
            for part in [whole] if not drip_s else [whole[i : i + 1] for i in range(len(whole))]:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(drip_s)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # who asked is gone, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
