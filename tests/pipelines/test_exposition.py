"""The run's figures as Prometheus reads them."""

import socket
import urllib.request
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.exposition import HOST, Exposition, serve_metrics
from pipelines.pool import Counts
from schemas.errors import InputError

ENDPOINT = "http://127.0.0.1:8000/v1"


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return found.getsockname()[1]


def counts(calls: int = 1, **told: Any) -> Counts:
    tokens = {"prompt_tokens": 100 * calls, "cached_tokens": 75 * calls, "completion_tokens": 10 * calls}
    endpoint = {
        "sent": calls,
        "answered": calls,
        "seconds": 0.2,
        "in_flight": 3,
        "limit": 16,
        "waiting": 1,
        "aside": None,
    }
    return Counts(
        dialogues=calls,
        valid=calls,
        turns=7 * calls,
        live=5,
        usage={"user": {"calls": calls, "replayed": 2, **tokens}},
        endpoints={ENDPOINT: {**endpoint, **tokens, "faults": {}, **told}},
    )


def scraped(port: int) -> Callable[..., float | None]:
    """What a scrape finds: a function of a sample's name and labels."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    samples = {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for f in text_string_to_metric_families(text)
        for s in f.samples
    }
    return lambda name, **labels: samples.get((name, tuple(sorted(labels.items()))))


def test_counts_are_told_by_role_and_by_endpoint():
    port = free_port()
    with serve_metrics(port) as metrics:
        metrics.round(0, 10, 0)
        metrics.counts(counts(2, faults={"timeout": 4}, aside="no connection", set_aside=1))
        found = scraped(port)
    assert (found("overture_dialogues_total"), found("overture_turns_total")) == (2, 14)
    assert found("overture_live_dialogues") == 5
    assert found("overture_tokens_total", role="user", kind="prompt") == 200
    assert found("overture_tokens_total", role="user", kind="cached") == 150
    assert found("overture_tokens_total", role="user", kind="completion") == 20
    assert found("overture_calls_total", role="user") == 2 and found("overture_replayed_total", role="user") == 2
    assert found("overture_endpoint_in_flight", endpoint=ENDPOINT) == 3
    assert found("overture_endpoint_limit", endpoint=ENDPOINT) == 16
    assert found("overture_endpoint_waiting", endpoint=ENDPOINT) == 1
    assert found("overture_endpoint_answered_total", endpoint=ENDPOINT) == 2
    assert found("overture_endpoint_faults_total", endpoint=ENDPOINT, kind="timeout") == 4
    assert found("overture_endpoint_cached_share", endpoint=ENDPOINT) == 0.75
    assert found("overture_endpoint_aside", endpoint=ENDPOINT) == 1
    assert found("overture_endpoint_set_aside_total", endpoint=ENDPOINT) == 1


def test_counters_go_on_over_rounds_and_gauges_tell_of_now():
    port = free_port()
    with serve_metrics(port) as metrics:
        metrics.round(0, 10, 0)
        metrics.counts(counts(3, faults={"timeout": 1}))
        metrics.round(1, 10, 3)
        metrics.counts(counts(1, faults={"timeout": 1}))
        metrics.counts(counts(2, faults={"timeout": 2}, in_flight=9))
        found = scraped(port)
    assert found("overture_dialogues_total") == 5
    assert found("overture_endpoint_faults_total", endpoint=ENDPOINT, kind="timeout") == 3
    assert found("overture_endpoint_in_flight", endpoint=ENDPOINT) == 9


def test_before_anything_is_counted_there_is_a_page_already():
    port = free_port()
    with serve_metrics(port):
        found = scraped(port)
    assert found("overture_dialogues_total") == 0
    assert found("overture_endpoint_cached_share", endpoint=ENDPOINT) is None


def test_a_port_in_use_is_told_in_one_message():
    port = free_port()
    told = rf"--metrics-port {port}: cannot listen .*in use.*a port that is free"
    with serve_metrics(port), pytest.raises(InputError, match=told):
        serve_metrics(port).__enter__()
    with serve_metrics(port):  # and it is free again
        pass


def test_only_this_machine_is_answered():
    port = free_port()
    with serve_metrics(port):
        listening = [c.laddr for c in psutil.Process().net_connections() if c.laddr and c.laddr.port == port]
    assert [address.ip for address in listening] == [HOST]


def test_a_scrape_between_rounds_keeps_what_was_counted():
    exposition = Exposition()
    exposition.counts(counts(4))
    exposition.round(1, 10, 4)
    dialogues = next(m for m in exposition.collect() if m.name == "overture_dialogues")
    assert [s.value for s in dialogues.samples] == [4]
