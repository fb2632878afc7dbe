"""The llama.cpp server's own process: `python -m inference.llama_cpp_child '{"model": …, "name": …, …}'`."""

import sys
import threading

import orjson
import xllamacpp

from inference.process import Announcement, follow_owner

WARNINGS = 2
"""At the next level the server writes a kilobyte a request."""


def serve(options: bytes) -> None:
    follow_owner()
    announcement = Announcement()
    given = orjson.loads(options)
    params = xllamacpp.CommonParams()  # pyright: ignore[reportAttributeAccessIssue] (compiled, without stubs)
    params.model.path = given["model"]
    params.model_alias = {given["name"]}
    params.n_parallel = given["slots"]
    params.n_ctx = given["slots"] * given["context"]
    params.cpuparams.n_threads = given["threads"]
    params.cpuparams_batch.n_threads = given["threads"]
    params.cache_ram_mib = 0  # why: inference/slots.py
    params.cache_idle_slots = False
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.endpoint_metrics = True
    params.ui = False
    params.warmup = False
    params.offline = True
    params.verbosity = WARNINGS
    try:
        server = xllamacpp.Server(params)  # pyright: ignore[reportAttributeAccessIssue]
    except RuntimeError as error:
        sys.exit(str(error))
    announcement.tell(server.listening_address)
    threading.Event().wait()


if __name__ == "__main__":
    serve(sys.argv[1].encode())
