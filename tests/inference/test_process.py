"""Servers of our own: nothing survives its owner, and what goes wrong is told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from inference.llama_cpp import LlamaServer, LlamaSettings
from inference.process import OwnedProcess
from inference.weights import fetch
from schemas.errors import DataError, Unreachable

pytestmark = pytest.mark.real

OWNER = """
import sys, threading, time
from inference.llama_cpp import LlamaServer, LlamaSettings
from pathlib import Path
with LlamaServer(Path(sys.argv[1]), "smol", LlamaSettings(slots=1, context=256)) as server:
    print(server.process.pid, flush=True)
    time.sleep(60)
"""


def gone(pid: int, within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def smol() -> Path:
    return fetch("smollm2-135m-instruct")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_server_outlives_its_owner_however_that_ends(smol: Path, end: signal.Signals):
    command = [sys.executable, "-c", OWNER, str(smol)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        assert psutil.pid_exists(child)
        owner.send_signal(end)
        owner.wait(20)
    assert gone(child)


def test_ctrl_c_in_a_terminal_reaches_the_owner_only(smol: Path):
    with LlamaServer(smol, "smol", LlamaSettings(slots=1, context=256)) as server:
        assert os.getsid(server.process.pid) == server.process.pid != os.getsid(0)
        pid = server.process.pid
        server.check()
    assert gone(pid, 0.5)
    with pytest.raises(Unreachable, match="is not running"):
        _ = server.process.pid


def test_a_server_that_was_killed_is_told_with_the_end_of_its_log(smol: Path, tmp_path: Path):
    with LlamaServer(smol, "smol", LlamaSettings(slots=1, context=256), log=tmp_path / "llama.log") as server:
        os.kill(server.process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        with pytest.raises(Unreachable, match=r"SmolLM2.* ended \(exit code -9\)(?s:.*)llama.log"):
            while time.monotonic() < deadline:  # the kernel takes its time over a process of many threads
                server.check()


def test_a_broken_model_file_is_told_in_the_servers_own_words(tmp_path: Path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with (
        pytest.raises(Unreachable, match=r"broken.gguf did not start(?s:.*)failed to load model"),
        LlamaServer(broken, "broken"),
    ):
        pass


def test_a_file_that_is_no_model_is_refused_before_anything_starts(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be read: No such file"), LlamaServer(tmp_path / "none.gguf", "none"):
        pass
    (tmp_path / "text.gguf").write_text("hello")
    with pytest.raises(DataError, match="is not a GGUF file"), LlamaServer(tmp_path / "text.gguf", "text"):
        pass


def test_a_server_that_never_tells_its_address_is_given_up_and_stopped():
    slow = OwnedProcess("slow server", "http.server", ["0", "--bind", "127.0.0.1"], ready_s=0.5)
    with pytest.raises(Unreachable, match=r"slow server (gave no address|was not healthy|did not start)"), slow:
        pass
    with pytest.raises(Unreachable, match="not running"):
        _ = slow.pid
