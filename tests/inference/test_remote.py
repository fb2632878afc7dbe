"""Servers somebody else runs: when a run may begin."""

import asyncio
import logging
import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from queueing_server import QueueingServer

from inference.remote import RemoteServers
from schemas.chat import EndpointSpec
from schemas.errors import InputError, Refused, Unreachable


@contextmanager
def nobody() -> Generator[str]:
    """An address where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


def test_one_that_is_well_is_enough_and_the_other_is_told_of(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    with QueueingServer() as well, QueueingServer(model="another") as other:
        specs = [EndpointSpec(other.base_url, "scripted"), EndpointSpec(well.base_url, "scripted", max_in_flight=3)]
        other_found = False
        for _ in range(50):  # it returns as soon as one is well: the other may not have been heard yet
            with RemoteServers(specs, ready_s=30) as servers:
                assert servers.endpoints == tuple(specs)
                servers.check()
            other_found = other_found or "not used yet" in caplog.text
            if other_found:
                break
    assert "does not serve 'scripted'; it serves: 'another'" in caplog.text
    assert other.base_url in caplog.text


def test_an_endpoint_that_is_down_delays_nobody():
    with nobody() as down, QueueingServer() as well:
        servers = RemoteServers([EndpointSpec(url, "scripted") for url in (down, well.base_url)], ready_s=3600)
        with servers:
            assert well.log()["requests"] == 0  # a check asks for nothing


@pytest.mark.parametrize("count", [1, 2])
def test_none_that_answers_is_unreachable(count: int):
    with nobody() as down, pytest.raises(Unreachable, match=down):
        RemoteServers([EndpointSpec(down + "/v1" * i, "scripted") for i in range(count)], ready_s=0.3).__enter__()


def test_none_that_serves_the_model_is_refused_even_where_an_address_is_named_twice():
    with QueueingServer(model="another") as server:
        specs = [EndpointSpec(server.base_url, name) for name in ("one", "one")]
        with pytest.raises(Refused, match="does not serve 'one'; it serves: 'another'"):
            RemoteServers(specs, ready_s=30).__enter__()


def test_what_was_given_wrong_is_an_input_error_even_beside_one_that_is_well(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    with QueueingServer(latency_ms=0) as well:
        wrong = EndpointSpec(well.base_url, "scripted", api_key_env="MY_KEY")
        with pytest.raises(InputError, match="MY_KEY"):
            RemoteServers([wrong, EndpointSpec(well.base_url, "scripted")], ready_s=30).__enter__()


async def test_it_may_be_entered_inside_an_event_loop():
    with QueueingServer() as server, RemoteServers([EndpointSpec(server.base_url, "scripted")]) as servers:
        await asyncio.sleep(0)
        assert servers.endpoints[0].model == "scripted"
