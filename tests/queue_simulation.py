"""A queueing server and its clients in virtual time: what a limit does to throughput and latency, in milliseconds.

Closed loop: each of some live dialogues asks one request at a time and the next as soon as it is answered. The server
starts requests in order of arrival, `slots` at a time. Everything is decided by the seed.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from inference.flow import Answered
from inference.server_metrics import ServerLoad

TOKENS = 16.0
"""Mean length of a reply; half of a mean request's service goes into its tokens unless `per_token` says otherwise."""


class Limiter(Protocol):
    """What the simulated client asks of a control law (inference.flow.Law, or Fixed)."""

    limit: int

    def sent(self, now: float, in_flight: int) -> None: ...

    def answered(self, now: float, answered: Answered) -> None: ...

    def observe(self, now: float, load: ServerLoad) -> None: ...


class Fixed:
    """A hand-tuned limit."""

    def __init__(self, limit: int):
        self.limit = limit

    def sent(self, now: float, in_flight: int) -> None:
        pass

    def answered(self, now: float, answered: Answered) -> None:
        pass

    def observe(self, now: float, load: ServerLoad) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Setting:
    """One server and the work offered to it."""

    slots: float = 32
    """float("inf"): every request is served at once."""
    service: float = 0.2
    """Seconds of a mean request, alone."""
    dialogues: int = 1000
    """Live ones, of each client process."""
    turns: float = float("inf")
    """Requests of each dialogue."""
    tokens: tuple[int, int] = (16, 16)
    """Replies' lengths, uniform between both."""
    per_token: float = 0.8
    """Share of a mean request's service that goes with its length."""
    jitter: float = 0.0
    """Sigma of lognormal noise on the service time, of mean 1."""
    knee: float = float("inf")
    """Soft knee: service takes 1 + running / knee times as long."""
    changes: Sequence[tuple[float, float, float]] = ()
    """(second, slots from then on, service from then on)."""
    metrics: float | None = None
    """Seconds between two polls of /metrics; None: the server has none."""
    seed: int = 1


@dataclass(slots=True)
class Client:
    law: Limiter
    joins: float = 0.0
    in_flight: int = 0
    ready: deque[float] = field(default_factory=deque[float])
    """Turns left of the dialogues that wait for a permit."""
    answers: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """(second of the answer, seconds it took)."""
    limits: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def rate(self, start: float, end: float) -> float:
        return sum(start <= at < end for at, _ in self.answers) / (end - start)

    def p95(self, start: float, end: float) -> float:
        """Of requests answered in this time."""
        took = sorted(seconds for at, seconds in self.answers if start <= at < end)
        return took[int(0.95 * len(took))] if took else float("inf")


def run(setting: Setting, laws: Sequence[Limiter], until: float, joins: Sequence[float] = ()) -> list[Client]:
    starts = joins or [0.0] * len(laws)
    simulation = Simulation(setting, [Client(law, start) for law, start in zip(laws, starts, strict=True)])
    simulation.run(until)
    return simulation.clients


class Simulation:
    def __init__(self, setting: Setting, clients: list[Client]):
        self.setting = setting
        self.clients = clients
        self.now = 0.0
        self.slots, self.service = setting.slots, setting.service
        self._running: list[tuple[float, int, int, float, float, int]] = []
        self._done = 0.0
        self.queue: deque[tuple[int, float, float, int]] = deque()
        self._rng = Random(setting.seed)
        self._events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._count = 0
        for number, client in enumerate(clients):
            self.at(client.joins, self._join, number)
        for second, slots, service in setting.changes:
            self.at(second, self._change, slots, service)
        if setting.metrics is not None:
            self.at(setting.metrics, self._poll)

    def at(self, when: float, what: Callable[..., None], *arguments: object) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, what, arguments))

    def run(self, until: float) -> None:
        while True:
            event = self._events[0][0] if self._events else until
            answer = self._next_answer()
            if min(event, answer) >= until:
                return
            if answer <= event:
                self._advance(answer)
                self._answer()
            else:
                self._advance(event)
                _, _, what, arguments = heapq.heappop(self._events)
                what(*arguments)

    def _join(self, number: int) -> None:
        self.clients[number].ready.extend([self.setting.turns] * self.setting.dialogues)
        self._send(number)

    def _change(self, slots: float, service: float) -> None:
        self.slots, self.service = slots, service
        self._start()

    def _poll(self) -> None:
        load = ServerLoad(running=len(self._running), waiting=len(self.queue))
        for number, client in enumerate(self.clients):
            if self.now >= client.joins:
                client.law.observe(self.now, load)
                self._send(number)
        assert self.setting.metrics is not None
        self.at(self.now + self.setting.metrics, self._poll)

    def _send(self, number: int) -> None:
        client = self.clients[number]
        client.limits.append((self.now, client.law.limit))
        while client.ready and client.in_flight < client.law.limit:
            client.in_flight += 1
            client.law.sent(self.now, client.in_flight)
            tokens = self._rng.randint(*self.setting.tokens)
            self.queue.append((number, client.ready.popleft(), self.now, tokens))
        self._start()

    def _start(self) -> None:
        setting = self.setting
        while self.queue and len(self._running) < self.slots:
            number, turns, sent, tokens = self.queue.popleft()
            middle = sum(setting.tokens) / 2
            work = 1 - setting.per_token + setting.per_token * tokens / middle
            if setting.jitter:
                work *= self._rng.lognormvariate(-(setting.jitter**2) / 2, setting.jitter)
            self._count += 1
            heapq.heappush(self._running, (self._done + work, self._count, number, turns, sent, tokens))

    def _pace(self) -> float:
        """Seconds of a mean request among those that run now."""
        return self.service * (1 + len(self._running) / self.setting.knee)

    def _next_answer(self) -> float:
        return self.now + (self._running[0][0] - self._done) * self._pace() if self._running else float("inf")

    def _advance(self, now: float) -> None:
        """All running requests share the pace, so one sum of work done serves them all."""
        self._done += (now - self.now) / self._pace()
        self.now = now

    def _answer(self) -> None:
        self._done, _, number, turns, sent, tokens = heapq.heappop(self._running)
        client = self.clients[number]
        client.in_flight -= 1
        seconds = self.now - sent
        client.answers.append((self.now, seconds))
        client.law.answered(self.now, Answered(seconds, tokens, 0))
        if turns > 1:
            client.ready.append(turns - 1)
        self._send(number)
