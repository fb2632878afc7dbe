"""Whoever looks on while dialogues are played, and what they need to see of it."""

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from pipelines.pool import Counts

SPEED_OVER_S = 10.0
"""A speed is that of the last so many seconds."""


class Waiting(Protocol):
    """Whoever looks on while weights and servers are got ready."""

    def fetching(self, name: str, done: int, total: int) -> None:
        """So many bytes of weights or data."""
        ...

    def starting(self, name: str, seconds: float, line: str) -> None:
        """A server loads since so many seconds; the last line of its log."""
        ...


class Watch(Waiting, Protocol):
    """Whoever looks on: the display, Prefect's artifacts, metrics, nobody."""

    def round(self, number: int, planned: int, accepted: int) -> None: ...

    def counts(self, counts: Counts) -> None:
        """Of the round so far."""
        ...


class Together:
    """Several that look on, as one."""

    def __init__(self, *watches: Watch):
        self._watches = watches

    def fetching(self, name: str, done: int, total: int) -> None:
        for watch in self._watches:
            watch.fetching(name, done, total)

    def starting(self, name: str, seconds: float, line: str) -> None:
        for watch in self._watches:
            watch.starting(name, seconds, line)

    def round(self, number: int, planned: int, accepted: int) -> None:
        for watch in self._watches:
            watch.round(number, planned, accepted)

    def counts(self, counts: Counts) -> None:
        for watch in self._watches:
            watch.counts(counts)


class Change(NamedTuple):
    """An endpoint was set aside, or has come back."""

    endpoint: str
    why: str | None
    """Why it is set aside, in the words of its last fault; None: it is back."""


class Asides:
    """Which endpoints were set aside or came back since the last look. For one round."""

    def __init__(self) -> None:
        self._why: dict[str, str | None] = {}
        self._times: dict[str, int] = {}

    def changes(self, endpoints: Mapping[str, Mapping[str, Any]]) -> list[Change]:
        """`endpoints`: those of `Counts`."""
        found: list[Change] = []
        for name, told in endpoints.items():
            aside, times = told.get("aside"), told.get("set_aside", 0)
            before = self._why.get(name)
            if before is None and (aside is not None or times > self._times.get(name, 0)):
                before = aside or "for a moment"
                found.append(Change(name, before))
            if before is not None and aside is None:
                found.append(Change(name, None))
            self._why[name], self._times[name] = aside, times
        return found


class Speed:
    """How fast a counter grew in the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def at(self, now: float, count: float) -> float:
        """A second. `now`: of a clock that never goes back."""
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] <= now - SPEED_OVER_S:
            self._seen.popleft()
        began, first = self._seen[0]
        return max(0.0, count - first) / (now - began) if now > began else 0.0


def cached_share(told: Mapping[str, Any]) -> float | None:
    """Of the prompt tokens those a prefix cache had; None before there are any."""
    prompt = told.get("prompt_tokens", 0)
    return told.get("cached_tokens", 0) / prompt if prompt else None


def shown(endpoint: str) -> str:
    """An address as a table has room for it."""
    return endpoint.removeprefix("http://").removesuffix("/v1")
