"""The embedded engine: llama.cpp's own server (by xllamacpp) in its own process, shared by all workers."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import orjson

from inference.process import OwnedProcess
from schemas.chat import EndpointSpec
from schemas.errors import DataError

CONTEXTS = 2
"""Conversations kept for each request decoded: a dialogue has two sides, of which one speaks at a time."""


@dataclass(frozen=True, slots=True)
class LlamaSettings:
    slots: int = 4
    """Requests decoded together. The server has CONTEXTS times as many slots, each of which keeps a conversation."""
    context: int = 1024
    """Tokens a slot holds, prompt and answer together."""
    threads: int = 2
    """At most the cores nothing else uses: with one of two cores busy, two threads decode at half the speed of one."""


SETTINGS = LlamaSettings()


class LlamaServer:
    """`with LlamaServer(path, name="qwen") as server: server.endpoints`. Loopback only, on a free port."""

    def __init__(
        self,
        model: Path,
        name: str,
        settings: LlamaSettings = SETTINGS,
        *,
        ready_s: float = 180.0,
        log: Path | None = None,
    ):
        self._model = model
        self._name = name
        self._slots = settings.slots
        options = orjson.dumps(
            {"model": str(model), "name": name, **asdict(settings), "slots": CONTEXTS * settings.slots}
        ).decode()
        self.process = OwnedProcess(
            f"llama.cpp server of {model.name}", "inference.llama_cpp_child", [options], ready_s=ready_s, log=log
        )

    def __enter__(self) -> Self:
        try:
            with self._model.open("rb") as file:
                magic = file.read(4)
        except OSError as error:
            raise DataError(f"model file {self._model} cannot be read: {error.strerror}; check the path") from None
        if magic != b"GGUF":
            raise DataError(f"model file {self._model} is not a GGUF file; give one that llama.cpp can load")
        self.process.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()

    @property
    def endpoints(self) -> tuple[EndpointSpec, ...]:
        return (
            EndpointSpec(
                base_url=self.process.base_url,
                model=self._name,
                max_in_flight=self._slots,
                contexts=CONTEXTS * self._slots,
            ),
        )

    def check(self) -> None:
        """Raises Unreachable with the end of the server's log when it is gone."""
        self.process.check()
