"""One endpoint as one event loop sees it: its permits, its faults, whether it is set aside, what its metrics tell.

An endpoint that does not answer is set aside (a circuit breaker): nobody is sent there, and it is probed until it
serves its model again. Its first fault after that sets it aside again.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import orjson
from yarl import URL

from inference.addresses import api_root
from inference.faults import Fault, Response, TransportFault, error_message, sort
from inference.flow import START, Answered
from inference.permits import Permits
from inference.server_metrics import ServerLoad, parse_metrics
from inference.slots import Slots
from inference.transport import Method, Transport, api_key
from schemas.chat import ChatReply, EndpointSpec
from schemas.errors import ContentError, Refused

T = TypeVar("T")

FAULTS_IN_A_ROW = 8
"""Without one answer between them, and a quarter of what is in flight more: at a fault rate of 30 % chance does that
once in 15,000 attempts.
"""
REFUSED_IN_A_ROW = 3
"""Connections not made: nobody listens, which is no accident of one request."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 8.0
PROBE_S = 5.0
METRICS_EVERY_S = 1.0
METRICS_TIMEOUT_S = 5.0
METRICS_AGAIN_S = 60.0
"""After a server told none."""
_MALFORMED = (KeyError, IndexError, TypeError, AttributeError, ValueError)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class EndpointStats:
    """What one event loop has asked of one endpoint so far."""

    sent: int = 0
    answered: int = 0
    faults: dict[str, int] = field(default_factory=dict[str, int])
    """By kind; answers that cannot be used by their reason. With `answered` and `cancelled` all that was sent."""
    cancelled: int = 0
    set_aside: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    """Sum over answered requests of the time each took."""


class Changes:
    """Wakes whoever waits for an endpoint to come back, to join or to leave."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def tell(self) -> None:
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """False when nothing has changed within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._next.wait()
        except TimeoutError:
            return False
        return True


class Endpoint:
    def __init__(self, transport: Transport, spec: EndpointSpec, changes: Changes, client: int = 0, clients: int = 1):
        """This is number `client` of `clients` event loops that ask it."""
        root = api_root(spec.base_url)
        self.shown = str(URL(root).with_user(None))
        """The address for messages, without user and password."""
        self.permits = Permits(spec.max_in_flight, start=max(1, START // clients))
        self.slots = Slots(range(client, spec.contexts, clients))
        self.stats = EndpointStats()
        self.load: ServerLoad | None = None
        """The last that its metrics told; None before, and of servers without metrics."""
        self.aside: str | None = None
        """Why it is set aside; None while it is in use."""
        self.refusal: Refused | None = None
        """Why it serves nobody although it answers; None while it is in use or does not answer."""
        self.first_metrics = asyncio.Event()
        """Set once its metrics were read for the first time, or it has told none."""
        self.last_answer = float("-inf")
        self._transport = transport
        self._model = spec.model
        self._key_env = spec.api_key_env
        self._secrets = [v for v in (*spec.headers.values(), api_key(spec) or "") if len(v) >= 6]
        self._changes = changes
        self._in_a_row = self._refused_in_a_row = 0
        self._probation = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"Endpoint({self.shown})"

    @property
    def waiting_room(self) -> int:
        """Requests sent and requests that wait for a permit: its load."""
        return self.permits.in_flight + self.permits.waiting

    @property
    def has_room(self) -> bool:
        """Another request would be sent at once."""
        return self.waiting_room < self.permits.limit

    async def attempt(
        self, method: Method, path: str, body: bytes, read: Callable[[Any], T], home: object, order: int
    ) -> T | Fault:
        """One attempt under a permit. Raises ContentError and Refused kinds; TurnedAway when set aside while it waits.

        `read` makes the answer of the JSON body; when it raises, that was no such answer. `home`: the conversation.
        """
        await self.permits.acquire(order)
        answered: Answered | None = None
        clock = asyncio.get_running_loop().time
        began = clock()
        self.stats.sent += 1
        try:
            if self.slots:
                with self.slots.named(home, body) as named:
                    outcome = await self._once(method, path, named, read)
            else:
                outcome = await self._once(method, path, body, read)
            if isinstance(outcome, Fault):
                self._note_fault(outcome)
            else:
                self.last_answer = clock()
                answered = self._note_answer(outcome, self.last_answer - began)
            return outcome
        except ContentError as unusable:
            self.last_answer = clock()
            self._note_well()
            self._count(unusable.reason)
            raise
        except Refused as refusal:
            self._note_refusal(refusal)
            raise
        except asyncio.CancelledError:
            self.stats.cancelled += 1
            raise
        finally:
            self.permits.release(answered)

    async def send(self, method: Method, path: str) -> Response | Fault:
        """Outside the permits: for probes, lists and metrics."""
        try:
            return await self._transport.send(method, path, b"")
        except TransportFault as failed:
            return failed.fault

    async def _once(self, method: Method, path: str, body: bytes, read: Callable[[Any], T]) -> T | Fault:
        try:
            response = await self._transport.send(method, path, body)
        except TransportFault as failed:
            fault = failed.fault
            return Fault(fault.kind, self.clean(fault.what), fault.wait_s, fault.busy, fault.refused)
        if response.status != 200:
            said = self.clean(f"{self.shown}{path} answers {response.status}: {error_message(response.content)}")
            return sort(response, said, f"{self.shown}/models", self._key_env)
        try:
            return read(orjson.loads(response.content))
        except _MALFORMED:
            start = self.clean(response.content[:80].decode(errors="replace"))
            return Fault("broken_answer", f"a broken answer to {path}, beginning {start!r}")

    def told(self) -> dict[str, Any]:
        """What a progress line shows of it: JSON."""
        permits = {
            "in_flight": self.permits.in_flight,
            "limit": self.permits.limit,
            "waiting": self.permits.waiting,
            "aside": self.aside,
        }
        return {**asdict(self.stats), **permits}

    def clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _note_answer(self, outcome: Any, seconds: float) -> Answered | None:
        self._note_well()
        stats = self.stats
        stats.answered += 1
        stats.seconds += seconds
        if not isinstance(outcome, ChatReply):
            return None
        stats.prompt_tokens += outcome.prompt_tokens
        stats.cached_tokens += outcome.cached_tokens
        stats.completion_tokens += outcome.completion_tokens
        return Answered(seconds, outcome.completion_tokens, outcome.prompt_tokens - outcome.cached_tokens)

    def _note_well(self) -> None:
        self._in_a_row = self._refused_in_a_row = self._probation = 0

    def _note_fault(self, fault: Fault) -> None:
        self._count(fault.kind)
        if fault.busy:
            self.permits.busy()
            return
        self._in_a_row += 1
        self._refused_in_a_row += fault.refused
        if (
            self._probation
            or self._in_a_row >= FAULTS_IN_A_ROW + self.permits.in_flight // 4
            or self._refused_in_a_row >= REFUSED_IN_A_ROW
        ):
            self.set_aside(fault.what)

    def _note_refusal(self, refusal: Refused) -> None:
        """A server that lost its model or its key serves nobody; a request it cannot take says nothing about others."""
        self._count(refusal.kind)
        if refusal.kind in ("not_found", "unauthenticated", "forbidden", "connection"):
            self.refusal = refusal
            self.set_aside(str(refusal))

    def _count(self, kind: str) -> None:
        self.stats.faults[kind] = self.stats.faults.get(kind, 0) + 1

    def set_aside(self, why: str) -> None:
        if self.aside is not None:
            return
        self.aside = why
        self.stats.set_aside += 1
        _log.info("%s is set aside: %s", self.shown, why)
        self.permits.turn_away()
        self._spawn(self._probe())
        self._changes.tell()

    async def _probe(self) -> None:
        """Until the server lists its model."""
        while True:
            await asyncio.sleep(backoff(self.shown.encode(), self._probation))
            self._probation += 1
            before = self.refusal
            try:
                serves = await self._serves()
            except Refused as refusal:
                serves, self.refusal = False, refusal
            if serves:
                self.aside = self.refusal = None
                self._in_a_row = self._refused_in_a_row = 0
                _log.info("%s is back", self.shown)
                self._changes.tell()
                return
            if before is None and self.refusal is not None:
                self._changes.tell()

    async def _serves(self) -> bool:
        """Raises Refused when it answers and does not serve the model, or not to us."""
        try:
            async with asyncio.timeout(PROBE_S):
                response = await self.send("GET", "/models")
        except TimeoutError:
            return False
        if isinstance(response, Fault):
            return False
        if response.status in (401, 403):
            said = self.clean(f"{self.shown}/models answers {response.status}: {error_message(response.content)}")
            sort(response, said, f"{self.shown}/models", self._key_env)
        try:
            names = served_names(orjson.loads(response.content)) if response.status == 200 else None
        except _MALFORMED:
            return False
        if names and self._model not in names:
            served = ", ".join(f"'{n}'" for n in names)
            raise Refused(f"{self.shown} does not serve '{self._model}' any more; it serves: {served}", "not_found")
        return names is not None

    def watch_metrics(self) -> None:
        """From now on, until closed."""
        self._spawn(self._watch_metrics())

    async def _watch_metrics(self) -> None:
        while True:
            told = self.aside is not None or await self._read_metrics()
            self.first_metrics.set()
            await asyncio.sleep(METRICS_EVERY_S if told else METRICS_AGAIN_S)

    async def _read_metrics(self) -> bool:
        """Whether the server tells any; one that does not answer in time may the next time."""
        try:
            async with asyncio.timeout(METRICS_TIMEOUT_S):
                response = await self.send("GET", "//metrics")
        except TimeoutError:
            return True
        except Refused:
            return False
        if isinstance(response, Fault):
            return True
        load = parse_metrics(response.content.decode(errors="replace")) if response.status == 200 else None
        if load is None:
            return self.load is not None
        self.load = load
        self.permits.observe(load)
        return True

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._transport.close()


def backoff(seed: bytes, attempt: int) -> float:
    """Seconds: exponential, between half and all of it, drawn from `seed`: equal requests wait equally anywhere."""
    digest = hashlib.blake2b(seed + attempt.to_bytes(4), digest_size=4).digest()
    share = 0.5 + int.from_bytes(digest) / 2**33
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt, 16)) * share


def served_names(body: Any) -> list[str]:
    """Names and aliases under which the server can be asked, as `GET /models` tells them."""
    return sorted({str(name) for entry in body["data"] for name in (entry["id"], *entry.get("aliases", ()))})
