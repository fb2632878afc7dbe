"""Programs of models: right ones pass, and none of the others reaches anything or stays."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from confining import confines

from pipelines import confined
from pipelines.confined import passes
from schemas.errors import RunError

pytestmark = pytest.mark.skipif(not confines(), reason="this machine cannot confine a program")
SQUARE = "def square(n):\n    return n * n\n"
TESTS = "assert square(2) == 4\nassert square(-3) == 9\n"


def test_a_right_program_passes_and_may_import_compute_and_use_threads() -> None:
    assert passes(SQUARE, TESTS) == (True, "ok")
    threads = "import threading, itertools\nt = threading.Thread(target=sum, args=([1],))\nt.start()\nt.join()\n"
    assert passes(f"{threads}print('computed')\n{SQUARE}", TESTS) == (True, "ok")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def square(n):\n    return n + 2\n", "tests_failed"),
        ("def square(n) return n", "syntax_error"),
        ("cube = 3", "error"),
        ("raise ValueError('no')", "error"),
        ("while True:\n    pass", "timeout"),
        ("import time\ntime.sleep(60)", "timeout"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "timeout"),
        ("x = bytearray(10 * 2**30)", "memory"),
        ("x = []\nwhile True:\n    x.append(bytearray(2**26))", "memory"),
        ("import os\nwhile True:\n    os.fork()", "forbidden"),
        ("import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass", "timeout"),
        ("import subprocess\nsubprocess.run(['/bin/true'])", "forbidden"),
        ("import ctypes\nctypes.string_at(0)", "crashed"),
        ("import os\nos._exit(0)", "left_early"),
        ("raise SystemExit", "left_early"),
        ("import os\nwhile True:\n    os.write(2, b'x' * 4096)", "too_loud"),
        ("import os\nwhile True:\n    os.write(1, b'x' * 4096)", "timeout"),
        ("import os\nos.kill(os.getppid(), 9)", "forbidden"),
        ("open('/etc/passwd').read()", "forbidden"),
    ],
)
def test_a_program_that_is_wrong_or_does_harm_ends_with_its_reason(program: str, reason: str) -> None:
    assert passes(program, TESTS, cpu_s=1 if reason == "timeout" else 20) == (False, reason)
    listed = subprocess.run(["ps", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True).stdout
    assert "__answer__" not in listed  # it is gone


def test_no_file_is_written_and_none_of_ours_is_read(tmp_path: Path) -> None:
    inside, outside = tmp_path / "secret", tmp_path / "written"
    inside.write_text("a secret")
    assert passes(f"open({str(outside)!r}, 'w').write('x')", "") == (False, "forbidden")
    assert passes(f"open({str(inside)!r}).read()", "") == (False, "forbidden")
    assert not outside.exists()
    for folder in ("/tmp", "/dev/shm", "/var/tmp", str(Path.home())):
        assert passes(f"open({folder!r} + '/overture-written', 'w')", "") == (False, "forbidden")
        assert not (Path(folder) / "overture-written").exists()


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_no_server_is_reached(kind: str) -> None:
    with socket.socket(socket.AF_INET, getattr(socket, kind)) as server:
        server.bind(("127.0.0.1", 0))
        if kind == "SOCK_STREAM":
            server.listen()
        there = server.getsockname()
        program = f"import socket\ns = socket.socket(type=socket.{kind})\ns.connect({there})\ns.send(b'hello')"
        assert passes(program, "") == (False, "forbidden")
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept() if kind == "SOCK_STREAM" else server.recv(9)


def test_its_environment_holds_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERTURE_KEY", "a-secret-key")
    assert passes("import os", "assert 'OVERTURE_KEY' not in os.environ") == (True, "ok")


def test_a_sandbox_that_does_not_start_python_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "_READABLE", ())
    with pytest.raises(RunError, match="this is not: "):
        confined.passes(SQUARE, TESTS)


def test_without_a_sandbox_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sandlock", None)
    with pytest.raises(RunError, match=r"on Linux .* alone.*no sandlock"):
        confined.passes(SQUARE, TESTS)
