"""A server in a process of its own that cannot outlive its owner.

The owner holds the child's stdin and, by its context manager, stops the child. The child has a session of its own, so a
terminal's Ctrl-C reaches only the owner, who decides. Should the owner die in any way, the child's stdin ends or its
parent changes, and it exits. (Linux's PDEATHSIG is not used: it fires when the starting *thread* ends.)
"""

import os
import select
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import IO, Self
from urllib.error import URLError

import psutil

from schemas.errors import Unreachable

QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_OFFLINE": "1",
}
"""The children read local files only and tell nobody."""

STOP_S = 5.0
_POLL_S = 0.05
_LOG_LINES = 12


class OwnedProcess:
    """`python -m module arguments…`, which prints its base URL as first line of stdout and serves GET /health.

    `name` is for messages. What the child writes to stderr goes to `log`, by default a file that goes with the process.
    """

    def __init__(
        self, name: str, module: str, arguments: list[str], *, ready_s: float = 120.0, log: Path | None = None
    ):
        self.name = name
        self.base_url = ""
        self._command = [sys.executable, "-P", "-m", module, *arguments]
        self._ready_s = ready_s
        self._log_path = log
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile() if self._log_path is None else self._log_path.open("w+b")
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **QUIET},
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + self._ready_s
            self.base_url = self._first_line(deadline)
            self._healthy(deadline)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        if self._process is None:
            raise Unreachable(f"{self.name} is not running")
        return self._process.pid

    @property
    def resident_bytes(self) -> int:
        return psutil.Process(self.pid).memory_info().rss

    def check(self) -> None:
        """Raises Unreachable with the end of its log when the process is gone."""
        if self._process is None or self._process.poll() is not None:
            raise Unreachable(self._died("ended"))

    def stop(self) -> None:
        """Ends the child, gently first: our children leave when their stdin ends. Calling it again does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        for end, patience_s in ((None, 1.0), (process.terminate, STOP_S), (process.kill, STOP_S)):
            if end is not None:
                end()
            try:
                process.wait(patience_s)
                break
            except subprocess.TimeoutExpired:
                continue
        if self._log is not None:
            self._log.close()

    def _first_line(self, deadline: float) -> str:
        process = self._running()
        stdout = process.stdout
        if stdout is None:
            raise RuntimeError("the child was started without a pipe")
        line = b""
        while not line.endswith(b"\n"):
            if time.monotonic() > deadline:
                raise Unreachable(self._died(f"gave no address within {self._ready_s:g} s"))
            if select.select([stdout], [], [], _POLL_S)[0]:
                part = os.read(stdout.fileno(), 4096)
                if not part:
                    process.wait(STOP_S)
                    raise Unreachable(self._died("did not start"))
                line += part
        return line.decode().strip()

    def _healthy(self, deadline: float) -> None:
        while True:
            self.check()
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                    f"{self.base_url}/health", timeout=5
                ):
                    return
            except (URLError, OSError) as error:
                if time.monotonic() > deadline:
                    raise Unreachable(self._died(f"was not healthy within {self._ready_s:g} s ({error})")) from None
            time.sleep(_POLL_S)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise Unreachable(f"{self.name} is not running")
        return self._process

    def _died(self, what: str) -> str:
        code = None if self._process is None else self._process.poll()
        ended = "" if code is None else f" (exit code {code})"
        where = "" if self._log_path is None else f"; whole log: {self._log_path}"
        return f"{self.name} {what}{ended}. The end of its log:\n{self.log_tail()}{where}"

    def log_tail(self) -> str:
        if self._log is None or self._log.closed:
            return ""
        size = os.fstat(self._log.fileno()).st_size
        tail = os.pread(self._log.fileno(), 8192, max(0, size - 8192))
        return "\n".join(f"    {line[:200]}" for line in tail.decode(errors="replace").splitlines()[-_LOG_LINES:])


# The child's side


def follow_owner() -> None:
    """Called first by the child: ends it at once when its owner is gone, whatever else it is doing."""
    owner = os.getppid()
    threading.Thread(target=_watch, args=(owner,), daemon=True).start()


def _watch(owner: int) -> None:
    while os.getppid() == owner:
        if select.select([0], [], [], 0.5)[0] and not os.read(0, 1024):
            break
    os._exit(0)


class Announcement:
    """Holds stdout for the one line that tells the address; whatever a library prints goes to the log from here on."""

    def __init__(self) -> None:
        self._stdout = os.dup(1)
        os.dup2(2, 1)

    def tell(self, base_url: str) -> None:
        os.write(self._stdout, base_url.encode() + b"\n")
        os.close(self._stdout)
