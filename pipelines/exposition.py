"""`--metrics-port`: the run's figures as Prometheus text, on this machine only."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipelines.pool import Counts
from pipelines.watching import cached_share
from schemas.errors import InputError

HOST = "127.0.0.1"
_TOKENS = ("prompt", "cached", "completion")


class Exposition(Collector):
    """Remembers the last counts, and turns them into metrics when they are asked for."""

    def __init__(self) -> None:
        self._seen = Counts(), Counts()
        """Of the rounds that have ended, and of the present one; replaced as a whole: another thread reads them."""

    def fetching(self, name: str, done: int, total: int) -> None:
        """No metric tells of downloads."""

    def starting(self, name: str, seconds: float, line: str) -> None:
        """Nor of servers that load."""

    def round(self, number: int, planned: int, accepted: int) -> None:
        self._seen = self._total(), Counts()

    def counts(self, counts: Counts) -> None:
        """Of the round so far."""
        self._seen = self._seen[0], counts

    def _total(self) -> Counts:
        total = Counts()
        for counts in self._seen:
            total.add(counts)
        return total

    def collect(self) -> Iterator[Metric]:
        now, total = self._seen[1], self._total()
        yield _counter("overture_dialogues", "Dialogues played", [((), total.dialogues)])
        yield _counter("overture_valid_dialogues", "Dialogues that no filter dropped", [((), total.valid)])
        yield _counter("overture_turns", "Turns of played dialogues", [((), total.turns)])
        yield _gauge("overture_live_dialogues", "Dialogues going on", [((), now.live)])
        yield from _of_roles(total)
        yield from _of_endpoints(total.endpoints, now.endpoints)


def _of_roles(total: Counts) -> Iterator[Metric]:
    usage = sorted(total.usage.items())
    yield _counter("overture_calls", "Answers of models", [((r,), u.get("calls", 0)) for r, u in usage], "role")
    replayed = [((r,), u.get("replayed", 0)) for r, u in usage]
    yield _counter("overture_replayed", "Answers taken from the journal", replayed, "role")
    tokens = [((role, kind), u.get(f"{kind}_tokens", 0)) for role, u in usage for kind in _TOKENS]
    yield _counter("overture_tokens", "Tokens; cached ones are prompt tokens, too", tokens, "role", "kind")


def _of_endpoints(total: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> Iterator[Metric]:
    def each(of: dict[str, dict[str, Any]], name: str) -> list[tuple[tuple[str, ...], float]]:
        return [((endpoint,), told.get(name, 0)) for endpoint, told in sorted(of.items())]

    for name, text in (
        ("in_flight", "Requests sent and not answered yet"),
        ("limit", "Requests that may be in flight, found by measurement"),
        ("waiting", "Requests that wait for their turn here"),
    ):
        yield _gauge(f"overture_endpoint_{name}", text, each(now, name), "endpoint")
    aside = [((endpoint,), float(told.get("aside") is not None)) for endpoint, told in sorted(now.items())]
    yield _gauge("overture_endpoint_aside", "1 while nobody is sent there", aside, "endpoint")
    shares = [((endpoint,), cached_share(told)) for endpoint, told in sorted(total.items())]
    known = [(labels, share) for labels, share in shares if share is not None]
    yield _gauge("overture_endpoint_cached_share", "Of the prompt tokens those its cache had", known, "endpoint")
    for name, text in (
        ("sent", "Attempts"),
        ("answered", "Attempts that were answered"),
        ("cancelled", "Attempts that were given up here"),
        ("set_aside", "Times nobody was sent there any more"),
        ("seconds", "Time of answered attempts, added up"),
    ):
        yield _counter(f"overture_endpoint_{name}", text, each(total, name), "endpoint")
    faults = [((e, kind), n) for e, told in sorted(total.items()) for kind, n in sorted(told.get("faults", {}).items())]
    yield _counter("overture_endpoint_faults", "Attempts that met a fault", faults, "endpoint", "kind")
    tokens = [((e, kind), told.get(f"{kind}_tokens", 0)) for e, told in sorted(total.items()) for kind in _TOKENS]
    yield _counter("overture_endpoint_tokens", "Tokens of its answers", tokens, "endpoint", "kind")


def _counter(name: str, text: str, values: Iterable[tuple[tuple[str, ...], float]], *labels: str) -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=labels), values)


def _gauge(name: str, text: str, values: Iterable[tuple[tuple[str, ...], float]], *labels: str) -> Metric:
    return _filled(GaugeMetricFamily(name, text, labels=labels), values)


def _filled(metric: CounterMetricFamily | GaugeMetricFamily, values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    for labels, value in values:
        metric.add_metric(labels, value)
    return metric


@contextmanager
def serve_metrics(port: int) -> Generator[Exposition]:
    """While the block lasts, `http://127.0.0.1:PORT/metrics`. Raises InputError when the port cannot be had."""
    exposition = Exposition()
    registry = CollectorRegistry()
    registry.register(exposition)
    try:
        server, thread = start_http_server(port, HOST, registry)
    except OSError as error:
        raise InputError(
            f"--metrics-port {port}: cannot listen on {HOST} ({error.strerror}); give a port that is free"
        ) from None
    try:
        yield exposition
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
