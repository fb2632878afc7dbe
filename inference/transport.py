"""JSON over HTTP to one server: permits, retries and the sorting of faults, in this one place.

Three things never mix: waiting for a permit (no limit), an infrastructure fault (retried here until patience ends, then
a ServerError), and a content fault (raised at once; whoever asked decides on another attempt).
"""

import asyncio
import hashlib
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar

import aiohttp
import orjson
from yarl import URL

from schemas.chat import EndpointSpec
from schemas.errors import ContextOverflow, InputError, Refused, Unreachable

T = TypeVar("T")

CONNECT_S = 10.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 8.0
_BUSY = frozenset({429, 503})
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_OVERFLOW = re.compile(
    r"exceed_context_size|context_length_exceeded|maximum context length|available context size|context window", re.I
)
_MALFORMED = (KeyError, IndexError, TypeError, AttributeError, ValueError)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one ask goes on. A server that is only busy (429, 503) is waited for while it still answers others."""

    faults_s: float = 120.0
    """From an ask's first fault to giving up."""
    answer_s: float = 600.0
    """Longest time one attempt may take, connection included."""


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Fault:
    what: str
    wait_s: float | None = None
    """What the server asked for in Retry-After."""
    busy: bool = False


def api_root(base_url: str) -> str:
    """`http://host:8000`, `…/` and `…/v1` all mean `http://host:8000/v1`."""
    root = base_url.strip().rstrip("/")
    try:
        url = URL(root)
    except ValueError as error:
        raise InputError(f"base_url {base_url!r} is not a URL ({error}); give one like http://127.0.0.1:8000") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(f"base_url {base_url!r} is not an http(s) URL; give one like http://127.0.0.1:8000")
    return root if re.search(r"/v\d+\w*$", root) else root + "/v1"


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
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def _error_message(body: bytes) -> str:
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


def _is_overflow(body: bytes) -> bool:
    """llama.cpp's `exceed_context_size_error`, and vLLM's two shapes: a prompt longer than the context, or as long."""
    text = body.decode(errors="replace")
    return bool(_OVERFLOW.search(text)) or "max_tokens must be at least 1, got 0" in text


class Server:
    """One server as one event loop sees it. All models asked of one base URL share it, and so its permits."""

    def __init__(self, session: aiohttp.ClientSession, spec: EndpointSpec, patience: Patience):
        self._session = session
        self._root = api_root(spec.base_url)
        self._key_env = spec.api_key_env
        self._permits = asyncio.Semaphore(max(1, spec.max_in_flight))
        self._patience = patience
        self._timeout = aiohttp.ClientTimeout(total=patience.answer_s, sock_connect=CONNECT_S)
        self._headers = {"Content-Type": "application/json", **spec.headers}
        self._secrets = [v for v in spec.headers.values() if len(v) >= 6]
        self._last_answer = float("-inf")
        if spec.api_key_env is not None:
            key = os.environ.get(spec.api_key_env, "").strip()
            if not key:
                raise InputError(
                    f"environment variable {spec.api_key_env} (api_key_env of {self.shown}) is not set or empty"
                )
            self._headers["Authorization"] = f"Bearer {key}"
            self._secrets.append(key)

    def __repr__(self) -> str:
        return f"Server({self.shown})"

    @property
    def shown(self) -> str:
        """The address for messages, without user and password."""
        return str(URL(self._root).with_user(None))

    async def call(
        self, method: Literal["GET", "POST"], path: str, payload: dict[str, Any] | None, read: Callable[[Any], T]
    ) -> T:
        """`read` makes the answer of the JSON body; when it raises, that was no such answer: asked for again."""
        body = b"" if payload is None else orjson.dumps(payload)
        loop = asyncio.get_running_loop()
        first_fault: float | None = None
        attempt = 0
        while True:
            async with self._permits:
                outcome = await self._once(method, path, body, read)
            now = loop.time()
            if not isinstance(outcome, Fault):
                self._last_answer = now
                return outcome
            first_fault = now if first_fault is None else first_fault
            since = max(first_fault, self._last_answer) if outcome.busy else first_fault
            left = self._patience.faults_s - (now - since)
            asked = outcome.wait_s or 0.0
            if left <= 0 or asked > left:
                raise Unreachable(self._gave_up(outcome, attempt + 1, now - since))
            await asyncio.sleep(min(left, max(asked, self._backoff(body, attempt))))
            attempt += 1

    async def _once(self, method: str, path: str, body: bytes, read: Callable[[Any], T]) -> T | Fault:
        try:
            async with self._session.request(
                method,
                self._root + path,
                data=body or None,
                headers=self._headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                content = await response.read()
                status, headers = response.status, response.headers
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError, ssl.SSLError) as error:
            raise Refused(f"{self.shown}: no TLS ({self._clean(str(error))}); check the certificate") from None
        except TimeoutError as error:
            return Fault(str(error) or f"no answer within {self._patience.answer_s:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Fault(self._clean(f"{type(error).__name__}: {error}"))
        if status != 200:
            return self._sorted(status, headers.get("Retry-After"), headers.get("Location"), path, content)
        try:
            return read(orjson.loads(content))
        except _MALFORMED:
            start = self._clean(content[:80].decode(errors="replace"))
            return Fault(f"a broken answer to {path}, beginning {start!r}")

    def _sorted(self, status: int, retry_after: str | None, location: str | None, path: str, content: bytes) -> Fault:
        """The fault a status stands for, or the error it is at once."""
        told = self._clean(_error_message(content))
        said = f"{self.shown}{path} answers {status}: {told}"
        if status in _TRANSIENT or (status > 504 and status != 505):
            return Fault(f"{status}: {told}", retry_after_s(retry_after, datetime.now(UTC)), busy=status in _BUSY)
        if status in (400, 413, 422) and _is_overflow(content):
            raise ContextOverflow(said)
        if status in (401, 403):
            have = f"the key in {self._key_env} is not accepted" if self._key_env else "it wants a key"
            raise Refused(f"{said}. {have}: set api_key_env to the environment variable that holds the key")
        if status == 404:
            raise Refused(f"{said}. Check base_url and that the server serves this model (GET {self.shown}/models)")
        if 300 <= status < 400:
            raise Refused(f"{said}. It redirects to {location}: give that as base_url")
        if status == 501:
            raise Refused(f"{said}. The server was started without this ability")
        raise Refused(f"{said}. No retry mends this: change the request's settings or the server's")

    def _backoff(self, body: bytes, attempt: int) -> float:
        """Exponential, between half and all of it, drawn from the request: equal requests wait equally anywhere."""
        digest = hashlib.blake2b(body + attempt.to_bytes(4), digest_size=4).digest()
        share = 0.5 + int.from_bytes(digest) / 2**33
        return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt, 16)) * share

    def _gave_up(self, fault: Fault, attempts: int, waited_s: float) -> str:
        asked = "" if fault.wait_s is None else f" It asks to wait {fault.wait_s:.0f} s."
        remedy = "lower max_in_flight" if fault.busy else "check that the server runs and that base_url is right"
        return (
            f"{self.shown} could not be used: {fault.what} ({attempts} attempts, {waited_s:.0f} s).{asked} "
            f"To mend it, {remedy}, then resume; answered calls are kept"
        )

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text
