"""Between us and `vllm serve`: sees to it that no process of that tree outlives its owner.

`python -m inference.vllm_child '{"command": […], "env": {…}, "stop_s": 10}'`. vLLM forks engine cores and workers,
which stay behind with the GPU's memory when their parent is killed. On Linux whatever loses its parent becomes a child
of this process, which so finds all of them. It ends the tree when the owner is gone (stdin ends, or the parent
changes), when told to (SIGTERM), and when the server has ended by itself; it then ends with the server's exit code.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys

import orjson
import psutil

_POLL_S = 0.1
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """In the server, before it runs: should this process be killed, the server is told to end. (That this happens when
    the parent's starting *thread* ends does no harm: this process has but one.)
    """
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _owner_gone(owner: int) -> bool:
    """Waits a moment for stdin to end."""
    return os.getppid() != owner or bool(select.select([0], [], [], _POLL_S)[0] and not os.read(0, 1024))


def _descendants() -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _end(server: subprocess.Popen[bytes], stop_s: float) -> None:
    """The server is asked to end, and ends its own; whatever is left after `stop_s` is killed."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(stop_s)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    while left := _descendants():
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=_POLL_S)


def main(options: bytes) -> int:
    owner = os.getppid()
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    given = orjson.loads(options)
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = subprocess.Popen(
        given["command"],
        stdin=subprocess.DEVNULL,
        env={**os.environ, **given["env"]},
        preexec_fn=_end_with_parent,
    )
    while server.poll() is None and not told and not _owner_gone(owner):
        pass
    _end(server, given["stop_s"])
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].encode()))
