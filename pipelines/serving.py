"""Servers of ours that outlive a run: `overture serve` tells where they are, whoever needs such a server finds them.

One small file a server, in a folder of the cache, named by a hash of all that makes a server what it is, of this
machine too: a cache may be shared by several. It is readable by its owner alone, and believed only if it is the
owner's, names an address of this machine, and the server there answers and serves the model. Gone servers' files go.
"""

import asyncio
import ipaddress
import os
import platform
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import psutil
from yarl import URL

from inference.probes import check_model
from inference.weights import cache_folder
from outputs.files import storage_errors
from schemas.chat import EndpointSpec
from schemas.errors import InputError, Refused, Unreachable
from schemas.identity import stable_hash

ANSWER_S = 3.0
"""A served server is alive or it is not; one that is loaded still lists its models at once."""


def server_key(kind: str, settings: Mapping[str, Any]) -> str:
    """Of a server on this machine."""
    return stable_hash("server", platform.node(), kind, dict(settings))


def weights_settings(weights: str) -> Mapping[str, Any]:
    """A catalogue's weights by name, which stands for a hash; a file by where it is and whether it has changed."""
    path = Path(weights).expanduser()
    if not path.exists():
        return {"weights": weights}
    about = path.stat()
    return {"weights": str(path.resolve()), "bytes": about.st_size, "changed": about.st_mtime_ns}


def find(key: str) -> tuple[EndpointSpec, ...] | None:
    """Where such a server is up; None where none is. Removes the file of one that is gone."""
    path = _path(key)
    endpoints = _read(path)
    if endpoints is None:
        return None
    try:
        with ThreadPoolExecutor(1) as thread:  # the caller may be inside an event loop
            thread.submit(asyncio.run, _check(endpoints)).result()
    except (InputError, Refused) as error:  # it wants a key that is not ours, or is another by now
        if isinstance(error, Refused) and error.kind == "not_found":
            path.unlink(missing_ok=True)
        return None
    except Unreachable:
        path.unlink(missing_ok=True)
        return None
    return endpoints


async def _check(endpoints: Sequence[EndpointSpec]) -> None:
    for endpoint in endpoints:
        await check_model(endpoint, ANSWER_S)


@contextmanager
def announced(servers: Mapping[str, Sequence[EndpointSpec]]) -> Generator[None]:
    """While the block lasts, others find these servers, by key. Raises StorageError."""
    paths = [_path(key) for key in servers]
    try:
        for path, endpoints in zip(paths, servers.values(), strict=True):
            _write(path, {"pid": os.getpid(), "endpoints": [asdict(e) for e in endpoints]})
        yield
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def owner(key: str) -> int | None:
    """The process that keeps such a server up, by its file."""
    told = _told(_path(key))
    return None if told is None else told["pid"]


def _path(key: str) -> Path:
    return cache_folder() / "servers" / f"{key[:32]}.json"


def _write(path: Path, told: Mapping[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            temporary.unlink()
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, orjson.dumps(told))
        finally:
            os.close(file)
        temporary.replace(path)


def _read(path: Path) -> tuple[EndpointSpec, ...] | None:
    """Those of a file that may be believed, whose owner lives."""
    told = _told(path)
    if told is None:
        return None
    try:
        endpoints = tuple(EndpointSpec(**e) for e in told["endpoints"])
        here = bool(endpoints) and all(_on_this_machine(e.base_url) for e in endpoints)
        alive = psutil.pid_exists(told["pid"])
    except (KeyError, TypeError, ValueError):
        return None
    if here and not alive:
        path.unlink(missing_ok=True)
    return endpoints if here and alive else None


def _told(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_uid != os.getuid() or about.st_mode & 0o077:
                return None
            return orjson.loads(file.read())
    except (OSError, orjson.JSONDecodeError):
        return None


def _on_this_machine(base_url: str) -> bool:
    try:
        return ipaddress.ip_address(URL(base_url).host or "").is_loopback
    except ValueError:
        return False
