"""Files that are whole or absent: written beside their place, synced, then renamed."""

import errno
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from schemas.errors import StorageError

_REMEDY = {
    errno.ENOSPC: "the disk is full: free some space and resume",
    errno.EDQUOT: "the disk quota is used up: free some space and resume",
    errno.EROFS: "the file system is read-only: choose another directory with --out",
    errno.EACCES: "permission denied: make the directory writable or choose another with --out",
    errno.EPERM: "permission denied: make the directory writable or choose another with --out",
}


@contextmanager
def storage_errors(path: Path) -> Generator[None]:
    """An OSError inside becomes a StorageError that names `path` and what to do.

    Readers raise DataError, so what arrives here is writing.
    """
    try:
        yield
    except OSError as error:
        why = _REMEDY.get(error.errno or 0) or f"{error.strerror or error}: check the disk and the path, then resume"
        raise StorageError(f"{path}: cannot write; {why}") from error


def sync_directory(path: Path) -> None:
    """Makes a rename inside `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: Path) -> Generator[BinaryIO]:
    """A file that appears under `path` when the block ends, or not at all.

    The temporary name is fixed, so a crash leaves at most one leftover.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_directory(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())


def fresh_directory(path: Path) -> Path:
    """`path`, existing and empty."""
    with storage_errors(path):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    return path


def replace_directory(new: Path, place: Path) -> None:
    """Puts `new` where `place` is. A crash between the two renames leaves `place` absent, never half and half."""
    old = place.with_name(f"{place.name}.old")
    with storage_errors(place):
        shutil.rmtree(old, ignore_errors=True)
        if place.exists():
            place.rename(old)
        new.rename(place)
        sync_directory(place.parent)
        shutil.rmtree(old, ignore_errors=True)
