"""The endpoints that serve one model: which is asked, and who asks again elsewhere.

Affinity by consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2018), by rendezvous hashing: the
calls of one `Home` go to one endpoint, whose prefix cache then has all but the last turn. An endpoint above its bound
is passed over, and the home moves for good: a second move would cost its prefix again.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from inference.endpoint import Changes, Endpoint, backoff
from inference.faults import Fault
from inference.permits import TurnedAway
from inference.transport import Method, Patience
from schemas.errors import Refused, Unanswered, Unreachable

T = TypeVar("T")

PLACE = 1.25
"""How far above its share of the load a home is placed."""
STAY = 1.5
"""How far above it a home is kept where its prefix is, although it has to wait there for a permit."""


class Home:
    """Where the calls of one (dialogue, role), and all rollouts from one prefix, belong."""

    __slots__ = ("__weakref__", "endpoint", "key")

    def __init__(self, key: str):
        self.key = key
        self.endpoint: Endpoint | None = None


class Pool:
    def __init__(self, endpoints: Sequence[Endpoint], patience: Patience, changes: Changes):
        self.endpoints: tuple[Endpoint, ...] = tuple(dict.fromkeys(endpoints))
        self._patience = patience
        self._changes = changes

    def __repr__(self) -> str:
        return f"Pool({', '.join(e.shown for e in self.endpoints)})"

    def replace(self, endpoints: Sequence[Endpoint]) -> None:
        """Endpoints that join or leave; a request that waits at one that leaves goes elsewhere."""
        gone = set(self.endpoints) - set(endpoints)
        self.endpoints = tuple(dict.fromkeys(endpoints))
        for endpoint in gone:
            endpoint.permits.turn_away()
        self._changes.tell()

    @property
    def waiting(self) -> int:
        return sum(e.permits.waiting for e in self.endpoints)

    @property
    def in_flight(self) -> int:
        return sum(e.permits.in_flight for e in self.endpoints if e.aside is None)

    @property
    def limit(self) -> int:
        return sum(e.permits.limit for e in self.endpoints if e.aside is None)

    @property
    def contexts(self) -> int | None:
        """Conversations that keep a slot of their own, where that is how its servers work; else None."""
        return sum(len(e.slots) for e in self.endpoints if e.aside is None) or None

    @property
    def cache_tokens(self) -> int | None:
        """What the caches of its endpoints in use hold together; None when one does not tell."""
        found = 0
        for endpoint in self.endpoints:
            if endpoint.aside is not None:
                continue
            if endpoint.load is None or endpoint.load.kv_tokens is None:
                return None
            found += endpoint.load.kv_tokens
        return found

    async def call(
        self, method: Method, path: str, body: bytes, read: Callable[[Any], T], home: Home, order: int = 0
    ) -> T:
        """Raises ContentError kinds at once; Unanswered for one request that meets only faults while others are
        answered; Refused; Unreachable when patience with all endpoints has ended.
        """
        clock = asyncio.get_running_loop().time
        first_fault: float | None = None
        last: Fault | None = None
        attempt = 0
        while True:
            endpoint = self._choose(home)
            if endpoint is None:
                await self._await_one(first_fault if first_fault is not None else clock(), last, attempt)
                continue
            try:
                outcome = await endpoint.attempt(method, path, body, read, home, order)
            except TurnedAway:
                continue
            except Refused:
                if endpoint.aside is not None and any(e.aside is None for e in self.endpoints):
                    continue
                raise
            if not isinstance(outcome, Fault):
                return outcome
            now = clock()
            first_fault = now if first_fault is None else first_fault
            last = outcome
            await self._before_next(outcome, endpoint, body, attempt, first_fault, now)
            attempt += 1

    def _choose(self, home: Home) -> Endpoint | None:
        """None while every endpoint is set aside."""
        if len(self.endpoints) == 1:
            return self.endpoints[0] if self.endpoints[0].aside is None else None
        serving = [e for e in self.endpoints if e.aside is None]
        if len(serving) < 2:
            home.endpoint = serving[0] if serving else None
            return home.endpoint
        share = (sum(e.waiting_room for e in serving) + 1) / sum(e.permits.limit for e in serving)

        def within(endpoint: Endpoint, bound: float) -> bool:
            return endpoint.waiting_room < bound * share * endpoint.permits.limit + 1

        kept = home.endpoint
        if kept is not None and kept in serving and (kept.has_room or within(kept, STAY)):
            return kept
        preferred = sorted(serving, key=lambda e: _weight(home.key, e.shown))
        home.endpoint = next((e for e in preferred if within(e, PLACE)), preferred[0])
        return home.endpoint

    async def _before_next(
        self, fault: Fault, endpoint: Endpoint, body: bytes, attempt: int, first_fault: float, now: float
    ) -> None:
        """Waits as long as the next attempt should, or gives up."""
        answered = max((e.last_answer for e in self.endpoints), default=float("-inf"))
        since = max(first_fault, answered) if fault.busy else first_fault
        left = self._patience.faults_s - (now - since)
        asked = fault.wait_s or 0.0
        if left <= 0 or asked > left:
            told = self._gave_up(fault, endpoint, attempt + 1, now - since)
            raise Unanswered(told) if answered > first_fault and not fault.busy else Unreachable(told)
        if not asked and len(self.endpoints) > 1 and endpoint.aside is not None:
            return  # another endpoint takes it at once
        await asyncio.sleep(min(left, max(asked, backoff(body, attempt))))

    async def _await_one(self, since: float, last: Fault | None, attempts: int) -> None:
        refusals = [e.refusal for e in self.endpoints if e.refusal is not None]
        if refusals and len(refusals) == len(self.endpoints):
            raise Refused("; ".join(map(str, refusals)), refusals[0].kind)
        clock = asyncio.get_running_loop().time
        answered = max((e.last_answer for e in self.endpoints), default=float("-inf"))
        left = self._patience.faults_s - (clock() - max(since, answered))
        if left > 0 and await self._changes.wait(left):
            return
        why = "; ".join(e.aside or "" for e in self.endpoints) or "no endpoint is left"
        raise Unreachable(self._gave_up(last or Fault("connection", why), None, attempts, self._patience.faults_s))

    def _gave_up(self, fault: Fault, endpoint: Endpoint | None, attempts: int, waited_s: float) -> str:
        where = ", ".join(e.shown for e in self.endpoints) if endpoint is None else endpoint.shown
        asked = "" if fault.wait_s is None else f" It asks to wait {fault.wait_s:.0f} s."
        remedy = "lower max_in_flight" if fault.busy else "check that the server runs and that base_url is right"
        return (
            f"{where} could not be used: {fault.what} ({attempts} attempts, {waited_s:.0f} s).{asked} "
            f"To mend it, {remedy}, then resume; answered calls are kept"
        )


def _weight(key: str, endpoint: str) -> bytes:
    return hashlib.blake2b(f"{key}\n{endpoint}".encode(), digest_size=8).digest()
