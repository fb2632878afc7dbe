"""Where the files of an export go: a folder, or a URL that fsspec knows. A file is there whole or not at all."""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import fsspec

from outputs.files import storage_errors, sync_directory
from schemas.errors import InputError, StorageError

_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss"})
"""Stores without folders: to make one would make a bucket."""


class Place(Protocol):
    def stage(self, name: str) -> Path:
        """A local path to write the file to; nobody sees it there."""
        ...

    def put(self, staged: Path, name: str) -> None:
        """Shows a staged file under its name. Raises StorageError."""
        ...

    def read(self, name: str) -> bytes | None: ...

    def size(self, name: str) -> int | None:
        """Bytes; None where there is no such file."""
        ...

    def remove(self, name: str) -> None: ...


class Folder:
    """A directory of this machine. A crash leaves at most one hidden leftover for each file."""

    def __init__(self, path: Path):
        self.path = path

    def stage(self, name: str) -> Path:
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        return self.path / f".{name}.tmp"

    def put(self, staged: Path, name: str) -> None:
        with storage_errors(self.path / name):
            with staged.open("rb") as file:
                os.fsync(file.fileno())
            staged.replace(self.path / name)
            sync_directory(self.path)

    def read(self, name: str) -> bytes | None:
        path = self.path / name
        return path.read_bytes() if path.is_file() else None

    def size(self, name: str) -> int | None:
        path = self.path / name
        return path.stat().st_size if path.is_file() else None

    def remove(self, name: str) -> None:
        with storage_errors(self.path / name):
            (self.path / name).unlink(missing_ok=True)


class Remote:
    """A folder behind a URL. Files are made here, sent under another name, and renamed."""

    def __init__(self, url: str, work: Path):
        self._url, self._work = url.rstrip("/"), work
        try:
            found: tuple[Any, str] = fsspec.core.url_to_fs(self._url)
        except (ImportError, ValueError) as error:
            raise InputError(f"export: --out {url}: {str(error).splitlines()[0]}") from error
        self._files, self._path = found
        told: str | tuple[str, ...] = self._files.protocol
        self._protocols = (told,) if isinstance(told, str) else told

    def stage(self, name: str) -> Path:
        return self._work / name

    def put(self, staged: Path, name: str) -> None:
        with self._errors(name):
            if not _BUCKETS.intersection(self._protocols):
                self._files.makedirs(self._path, exist_ok=True)
            self._files.put_file(str(staged), self._of(f"{name}.tmp"))
            self._files.mv(self._of(f"{name}.tmp"), self._of(name))
        staged.unlink()

    def read(self, name: str) -> bytes | None:
        with self._errors(name):
            return self._files.cat_file(self._of(name)) if self._files.isfile(self._of(name)) else None

    def size(self, name: str) -> int | None:
        with self._errors(name):
            return self._files.size(self._of(name)) if self._files.isfile(self._of(name)) else None

    def remove(self, name: str) -> None:
        with self._errors(name):
            if self._files.isfile(self._of(name)):
                self._files.rm_file(self._of(name))

    def _of(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}"

    @contextmanager
    def _errors(self, name: str) -> Generator[None]:
        try:
            yield
        except Exception as error:  # each store has errors of its own
            first = (str(error).splitlines() or [""])[0] or type(error).__name__
            raise StorageError(
                f"{self._url}/{name}: {first}; check the address and the store's credentials, then run again"
            ) from error


@contextmanager
def opened(out: str) -> Generator[Place]:
    """The place that a path or a URL names. Raises InputError for a URL that fsspec does not know."""
    if "://" not in out:
        try:
            yield Folder(Path(out))
        except BaseException:
            with suppress(OSError):  # it holds what was finished, or was never made
                Path(out).rmdir()
            raise
        return
    with TemporaryDirectory(prefix="overture-export-") as work:
        yield Remote(out, Path(work))
