"""An OpenAI-compatible server without a model that queues like vLLM: tests/queueing_server.mjs, in a process of its own.

`with QueueingServer(capacity=8, latency_ms=200) as server: server.base_url`. Its replies are those of the scripted
server. Needs `node` on the path.
"""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

FAULTS = ("500", "429", "503", "reset", "truncated", "short_body", "stall", "empty_choices", "refusal", "length")


class Behaviour(TypedDict, total=False):
    """What can be told at the start and changed while it runs; `defaults` in queueing_server.mjs says what each does."""

    model: str
    capacity: int
    queue_limit: int
    latency_ms: float
    prefill_ms_per_token: float
    token_ms: float
    batch_slope: float
    cache_blocks: int
    reply_tokens: str
    max_model_len: int
    api_key: str
    error_rate: float
    faults: Sequence[str]
    fault_seed: int
    retry_after: str
    stall_s: float
    die_after: int


class QueueingServer:
    """The server while the `with` block lasts, or until its parent is gone. `port`: 0 for any free one."""

    def __init__(self, port: int = 0, **behaviour: Unpack[Behaviour]):
        flags = [f"--port={port}", *(_flag(name, value) for name, value in behaviour.items())]
        script = Path(__file__).with_suffix(".mjs")
        self._command = ["node", str(script), *(part for flag in flags for part in flag.split("=", 1))]
        self.base_url = ""

    def __enter__(self) -> Self:
        # Its stdin stays open as long as this process lives: at its end the server ends.
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.base_url = self.process.stdout.readline().strip()
        if not self.base_url:
            self.kill()
            raise RuntimeError("the queueing server did not start; its reason is on stderr")
        return self

    def log(self) -> dict[str, Any]:
        """What happened since the start or the last `reset`."""
        return self._call("/_log")

    def behave(self, **changes: Unpack[Behaviour]) -> None:
        """From now on."""
        self._call("/_behave", changes)

    def reset(self, cache: bool = False) -> None:
        """Zeroes the log; with `cache` the prefix cache is emptied too."""
        self._call("/_reset", {"cache": cache})

    def metrics(self) -> dict[str, float]:
        """`/metrics` by name without the prefix `vllm:` and without labels."""
        with urllib.request.urlopen(f"{self.base_url}/metrics", timeout=30) as answer:
            lines: list[str] = answer.read().decode().splitlines()
        samples = (line.removeprefix("vllm:").rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name.partition("{")[0]: float(value) for name, value in samples}

    def kill(self) -> None:
        """As kill -9."""
        self.process.kill()
        self.process.communicate()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _call(self, path: str, told: Any = None) -> dict[str, Any]:
        data = None if told is None else json.dumps(told).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.base_url + path, data), timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]) from None


def _flag(name: str, value: object) -> str:
    text = ",".join(value) if isinstance(value, list | tuple) else str(value)
    return f"--{name.replace('_', '-')}={text}"
