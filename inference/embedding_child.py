"""The embedding server's own process: `python -m inference.embedding_child '{"folder": …, "name": …, …}'`."""

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import torch
from aiohttp import web
from sentence_transformers import SentenceTransformer

from inference.process import Announcement, follow_owner

BATCH = 128
DECIMALS = 6
"""Vectors are rounded: padding in a batch changes the last bits, and equal texts should get equal vectors."""


@dataclass(frozen=True, slots=True)
class Job:
    texts: list[str]
    done: asyncio.Future[np.ndarray]


class Embedding:
    """Requests that wait together are encoded together."""

    def __init__(self, folder: str, name: str):
        self._model = SentenceTransformer(folder, device="cpu", local_files_only=True)
        self._name = name
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        match request.method, request.path:
            case "GET", "/health":
                return _json({"status": "ok"})
            case "GET", "/v1/models":
                return _json({"object": "list", "data": [{"id": self._name, "object": "model"}]})
            case "POST", "/v1/embeddings":
                return await self._embeddings(await request.read())
            case _:
                return _refusal(404, f"no such path: {request.path}")

    async def _embeddings(self, body: bytes) -> web.Response:
        try:
            given = orjson.loads(body)
            texts = [given["input"]] if isinstance(given["input"], str) else given["input"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _refusal(400, "the body is not a JSON object with `input`")
        if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
            return _refusal(400, "`input` must be a text or a list of texts")
        job = Job(texts, asyncio.get_running_loop().create_future())
        self._jobs.put_nowait(job)
        rows = await job.done
        data = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
        return _json({"object": "list", "model": self._name, "data": data})

    async def work(self) -> None:
        while True:
            jobs = [await self._jobs.get()]
            while not self._jobs.empty() and sum(len(j.texts) for j in jobs) < BATCH:
                jobs.append(self._jobs.get_nowait())
            rows = await asyncio.to_thread(self._encode, [t for j in jobs for t in j.texts])
            start = 0
            for job in jobs:
                if not job.done.done():  # its client may have gone
                    job.done.set_result(rows[start : start + len(job.texts)])
                start += len(job.texts)

    def _encode(self, texts: list[str]) -> np.ndarray:
        rows: Any = self._model.encode(
            texts, batch_size=32, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.round(np.asarray(rows, np.float32), DECIMALS)


def _json(value: Any, status: int = 200) -> web.Response:
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return web.Response(body=body, status=status, content_type="application/json")


def _refusal(status: int, message: str) -> web.Response:
    return _json({"error": {"message": message, "type": "invalid_request_error"}}, status)


async def serve(options: bytes) -> None:
    announcement = Announcement()
    given = orjson.loads(options)
    torch.set_num_threads(given["threads"])
    embedding = Embedding(given["folder"], given["name"])
    runner = web.ServerRunner(web.Server(embedding.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    announcement.tell(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await embedding.work()  # an error in here ends the process, and the owner's log shows it


if __name__ == "__main__":
    follow_owner()
    asyncio.run(serve(sys.argv[1].encode()))
