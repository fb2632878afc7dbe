"""Python that a model wrote, run where it can hurt nobody: Landlock and seccomp (by sandlock) keep it from the network,
from every file but Python's own, from writing and from starting processes, and bound its time and memory. Linux only.

The tests run in the program's own process, so a program that looks for them could pretend to pass them.
"""

import secrets
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from schemas.errors import RunError
from schemas.scenario import Checked

CPU_S = 5
"""Of computing; a busy machine takes longer for it, `WALL` times as long at most."""
WALL = 4
START_S = 60
"""Python may take to start."""
MEMORY = "512M"
SAID = 4096
"""Bytes of what it writes that are read; whoever writes more is stopped."""
_NEEDED = "programs of models are run on Linux 6.12 or newer alone, with Landlock and seccomp, and this is not"
_READABLE = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom", sys.base_prefix)
_HARNESS = """
import json, resource, sys

def run():
    sys.stderr.write(".")
    sys.stderr.flush()
    token, cpu_s, program, tests = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    scope = {"__name__": "__answer__"}
    try:
        exec(compile(program, "program", "exec"), scope)
        exec(compile(tests, "tests", "exec"), scope)
    except BaseException as error:
        sys.stderr.write(f"\\n{type(error).__name__}")
    else:
        sys.stderr.write("\\n" + token)

run()
"""
_REASONS = {
    "AssertionError": "tests_failed",
    "MemoryError": "memory",
    "PermissionError": "forbidden",
    "BlockingIOError": "forbidden",  # a process more
    "IndentationError": "syntax_error",
    "SyntaxError": "syntax_error",
    "SystemExit": "left_early",
}


def passes(program: str, tests: str, cpu_s: int = CPU_S) -> Checked:
    """Whether `tests`, statements that raise where a program is wrong, run through after `program`, in its namespace.

    Reasons why not: `tests_failed`, `syntax_error`, `error` (it raised), `timeout`, `memory`, `crashed`, `forbidden`
    (the network, a file, a process), `left_early`, `too_loud`. Raises RunError where programs cannot be confined.
    """
    sandlock = _sandlock()
    readable = [path for path in _READABLE if Path(path).exists()]
    box = sandlock.Sandbox(fs_readable=readable, max_memory=MEMORY, max_processes=1, clean_env=True, no_coredump=True)
    piped, token = sandlock.StdioMode.PIPED, secrets.token_hex(16)
    command = [str(Path(sys.executable).resolve()), "-I", "-c", _HARNESS]
    try:
        process = box.popen(command, stdin=piped, stdout=sandlock.StdioMode.NULL, stderr=piped)
    except (RuntimeError, sandlock.SandlockError) as error:
        raise RunError(f"{_NEEDED}: {error}") from error
    with process:
        with _killed_after(START_S, process):
            begun = process.stderr.read(1)
        if begun != b".":
            raise RunError(f"{_NEEDED}: {_read(process.stderr).decode(errors='replace').strip() or 'it did not start'}")
        with _killed_after(WALL * cpu_s, process) as clock:
            with suppress(BrokenPipeError):
                process.stdin.write(orjson.dumps([token, cpu_s, program, tests]))
                process.stdin.close()
            said = _read(process.stderr)
            if len(said) > SAID:
                process.kill()
            ended = process.wait()
            late = not clock.is_alive() or ended.signal == signal.SIGXCPU
    last = said.decode(errors="replace").rpartition("\n")[2]
    if last == token:
        return Checked(True)
    if late or len(said) > SAID:
        return Checked(False, "timeout" if late else "too_loud")
    if ended.reason != sandlock.ExitReason.EXITED:
        return Checked(False, "memory" if ended.reason == sandlock.ExitReason.KILLED else "crashed")
    return Checked(False, _REASONS.get(last, "error" if last.isidentifier() else "left_early"))


def _sandlock() -> Any:
    """It has no types and exists for Linux alone."""
    try:
        import sandlock
    except ImportError as error:
        raise RunError(f"{_NEEDED}: there is no sandlock for {sys.platform}") from error
    return sandlock


@contextmanager
def _killed_after(seconds: float, process: Any) -> Generator[threading.Timer]:
    clock = threading.Timer(seconds, process.kill)
    clock.start()
    try:
        yield clock
    finally:
        clock.cancel()


def _read(stream: BinaryIO) -> bytes:
    """To its end, or a little more than is read of it."""
    said = b""
    while len(said) <= SAID and (part := stream.read(SAID)):
        said += part
    return said
