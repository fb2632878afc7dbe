"""The real embedding model in its own process."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inference.client import BlockingEmbedder, Connections
from inference.embedding_server import EmbeddingServer, started_when_asked
from inference.weights import fetch
from schemas.errors import DataError, Unreachable

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer(fetch("all-minilm-l6-v2"), "minilm") as server:
        yield server


async def test_texts_that_mean_the_same_lie_close_whatever_their_batch(server: EmbeddingServer):
    texts = ["What time does the train leave?", "When is the train departing?", "I love chocolate cake."]
    async with Connections() as http:
        embedder = http.embedder(*server.endpoints)
        rows = await embedder.embed(texts)
        filler = [f"{i} " * (i % 40 + 1) for i in range(100)]
        many = await asyncio.gather(*(embedder.embed([*filler, text]) for text in texts))
    assert rows.shape == (3, 384) and rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert rows[0] @ rows[1] > 0.7 > 0.3 > rows[0] @ rows[2]
    assert all(np.allclose(row, batch[-1], atol=1e-5) for row, batch in zip(rows, many, strict=True))


def test_code_without_a_loop_can_embed(server: EmbeddingServer):
    embed = BlockingEmbedder(server.endpoints[0])
    assert embed(["a", "b"] * 40).shape == (80, 384)


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"input": []}', b'{"input": [1]}'])
def test_a_bad_request_is_refused_and_the_server_goes_on(server: EmbeddingServer, body: bytes):
    url = f"{server.endpoints[0].base_url}/v1/embeddings"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=10)
    assert caught.value.code == 400
    caught.value.close()
    server.check()


def test_a_folder_without_a_model_is_refused_before_anything_starts(tmp_path: Path):
    with pytest.raises(DataError, match=r"has no config.json"), EmbeddingServer(tmp_path, "none"):
        pass


def test_a_server_starts_with_the_first_text_and_no_second_one_ever_does():
    started: list[EmbeddingServer] = []

    def start() -> EmbeddingServer:
        started.append(EmbeddingServer(fetch("all-minilm-l6-v2"), "minilm"))
        return started[-1]

    with started_when_asked(start) as embed:
        assert not started
        assert [embed([text]).shape for text in ("a", "b")] == [(1, 384)] * 2
        assert len(started) == 1
        started[0].check()
    with pytest.raises(Unreachable):
        started[0].check()
