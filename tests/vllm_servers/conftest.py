"""Real vLLM servers for the tests of this folder: `make test-vllm`."""

import asyncio
import os
import subprocess
from collections.abc import Iterator

import pytest
from install import URL_ENV, Built, CannotRun, built
from serving import settings

from inference.probes import served
from inference.vllm import VllmServers
from schemas.chat import EndpointSpec


@pytest.fixture(scope="session")
def vllm() -> Built:
    """Built now if it is not there yet; skips where it cannot be."""
    if os.environ.get(URL_ENV):
        pytest.skip(f"needs a server of our own, and {URL_ENV} names another's")
    try:
        return built()
    except CannotRun as reason:
        pytest.skip(str(reason))
    except subprocess.CalledProcessError as failed:
        pytest.fail(f"vLLM could not be installed: {failed}\n{failed.stderr}")


@pytest.fixture(scope="module")
def servers(vllm: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServers]:
    """Two, of the tiny model."""
    log = tmp_path_factory.mktemp("vllm") / "vllm.log"
    with VllmServers(settings(vllm.vllm, vllm.tiny, 2), log=log) as servers:
        yield servers


@pytest.fixture(scope="module")
def endpoint(request: pytest.FixtureRequest) -> EndpointSpec:
    """The server that OVERTURE_VLLM_URL names, else the first of ours."""
    url = os.environ.get(URL_ENV)
    if not url:
        servers: VllmServers = request.getfixturevalue("servers")
        return servers.endpoints[0]
    key = "VLLM_API_KEY" if os.environ.get("VLLM_API_KEY") else None
    return EndpointSpec(url, asyncio.run(served(EndpointSpec(url, "", api_key_env=key)))[0], api_key_env=key)
