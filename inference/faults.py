"""What one attempt at a server can end in besides an answer, sorted here and nowhere else.

Three things never mix. Capacity (429, 503): the server is well and has no room; it is waited for. Infrastructure (no
connection, a time-out, 5xx, a broken body): asked again, here or at another endpoint. Content (a prompt too long, an
answer outside its schema): raised at once, because whoever asked decides on another attempt.

Each kind is one of the openai package's errors, so that both transports mean the same:

    connection      APIConnectionError          bad_request       BadRequestError (400)
    timeout         APITimeoutError             unauthenticated   AuthenticationError (401)
    rate_limit      RateLimitError (429)        forbidden         PermissionDeniedError (403)
    server_error    InternalServerError (5xx)   not_found         NotFoundError (404)
    conflict        ConflictError (409)         unprocessable     UnprocessableEntityError (422)
    broken_answer   APIResponseValidationError

The package has no class of its own for other statuses below 500: 408 is a timeout here, 425 a server_error, the rest
bad_request. So are 501 and 505, which no other attempt mends.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple

import orjson

from schemas.errors import ContextOverflow, Refused

FaultKind = Literal["connection", "timeout", "rate_limit", "server_error", "conflict", "broken_answer"]
"""What another attempt may mend."""

_BUSY = frozenset({429, 503})
_TRANSIENT: dict[int, FaultKind] = {408: "timeout", 409: "conflict", 425: "server_error", 429: "rate_limit"}
_REFUSALS = {401: "unauthenticated", 403: "forbidden", 404: "not_found", 422: "unprocessable"}
_OVERFLOW = re.compile(
    r"exceed_context_size|context_length_exceeded|maximum context length|available context size|context window", re.I
)
_OVERFLOW_STATUS = frozenset({400, 413, 422})


@dataclass(frozen=True, slots=True)
class Fault:
    kind: FaultKind
    what: str
    wait_s: float | None = None
    """What the server asked for in Retry-After."""
    busy: bool = False
    """The server is well and has no room."""
    refused: bool = False
    """Nobody listens there: no connection was made."""


class TransportFault(Exception):
    """An attempt that got no response."""

    def __init__(self, fault: Fault):
        super().__init__(fault.what)
        self.fault = fault


class Response(NamedTuple):
    """What came back, whatever the transport."""

    status: int
    retry_after: str | None
    location: str | None
    content: bytes


def sort(response: Response, said: str, models: str, key_env: str | None) -> Fault:
    """The fault that a status other than 200 stands for, or the error it is at once.

    `said`: "URL answers STATUS: words", secrets removed. `models`: URL of the list of models.
    """
    status, content = response.status, response.content
    if status in _TRANSIENT or (status >= 500 and status not in (501, 505)):
        kind: FaultKind = _TRANSIENT.get(status, "server_error")
        return Fault(kind, said, retry_after_s(response.retry_after, datetime.now(UTC)), busy=status in _BUSY)
    if status in _OVERFLOW_STATUS and is_overflow(content):
        raise ContextOverflow(said)
    kind_of_refusal = _REFUSALS.get(status, "bad_request")
    if status in (401, 403):
        have = f"the key in {key_env} is not accepted" if key_env else "it wants a key"
        remedy = f"{have}: set api_key_env to the environment variable that holds the key"
    elif status == 404:
        remedy = f"Check base_url and that the server serves this model (GET {models})"
    elif 300 <= status < 400:
        remedy = f"It redirects to {response.location}: give that as base_url"
    elif status == 501:
        remedy = "The server was started without this ability"
    else:
        remedy = "No retry mends this: change the request's settings or the server's"
    raise Refused(f"{said}. {remedy}", kind_of_refusal)


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header, in either of its forms; None without one that can be read."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def error_message(body: bytes) -> str:
    """The server's own words: OpenAI's `error.message`, `error` or `detail` as a string, else the start of the body."""
    try:
        told: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        told = None
    if isinstance(told, dict):
        error: Any = told.get("error", told.get("detail", told.get("message")))
        if isinstance(error, dict):
            error = " ".join(str(error[k]) for k in ("message", "type") if error.get(k))
        if error:
            return str(error)[:500]
    return body.decode(errors="replace").strip()[:200] or "no message"


def is_overflow(body: bytes) -> bool:
    """llama.cpp's `exceed_context_size_error`, and vLLM's two shapes: a prompt longer than the context, or as long."""
    text = body.decode(errors="replace")
    return bool(_OVERFLOW.search(text)) or "max_tokens must be at least 1, got 0" in text
