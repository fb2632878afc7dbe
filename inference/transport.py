"""How bytes reach one server: our own HTTP/1.1 on the hot path; the openai package where a recipe asks for it.

A transport only sends. Permits, retries and the meaning of a status are its endpoint's.
"""

import asyncio
import base64
import os
from dataclasses import dataclass
from typing import Literal, Protocol

from yarl import URL

from inference.addresses import api_root, server_root
from inference.faults import Response
from inference.http1 import Http1
from schemas.chat import EndpointSpec
from schemas.errors import InputError

Method = Literal["GET", "POST"]
_PLAIN = {"Accept-Encoding": "identity", "User-Agent": "overture"}
"""No coding that we would have to undo; a name, because some gateways turn away who has none."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things may take. A wait for a permit is in none of them."""

    faults_s: float = 120.0
    """From an ask's first fault to giving up. A server that is only busy is waited for while it answers others."""
    connect_s: float = 10.0
    first_byte_s: float = 600.0
    """Silence within one attempt. An answer that is not streamed is silent until it is whole."""
    answer_s: float = 600.0
    """One attempt, connection included."""


PATIENCE = Patience()


class Transport(Protocol):
    """`send` raises TransportFault when no response came, Refused when none ever will (TLS)."""

    async def send(self, method: Method, path: str, body: bytes) -> Response: ...

    async def close(self) -> None: ...


def api_key(spec: EndpointSpec) -> str | None:
    """From the environment variable that `spec` names. Raises InputError when that is empty."""
    if spec.api_key_env is None:
        return None
    key = os.environ.get(spec.api_key_env, "").strip()
    if not key:
        shown = URL(api_root(spec.base_url)).with_user(None)
        raise InputError(f"environment variable {spec.api_key_env} (api_key_env of {shown}) is not set or empty")
    return key


class HttpTransport:
    """Our own, on asyncio: a tenth of the CPU a request of the openai package, and no pool scanned at each request."""

    def __init__(self, spec: EndpointSpec, patience: Patience):
        url = URL(api_root(spec.base_url))
        self._base_url = spec.base_url
        self._paths: dict[str, str] = {}
        self._http = Http1(
            str(url.origin()),
            _headers(spec, url),
            connect_s=patience.connect_s,
            first_byte_s=patience.first_byte_s,
            answer_s=patience.answer_s,
        )

    async def send(self, method: Method, path: str, body: bytes) -> Response:
        target = self._paths.get(path)
        if target is None:
            target = self._paths[path] = URL(address(self._base_url, path)).raw_path_qs
        return await self._http.send(method, target, body)

    async def close(self) -> None:
        self._http.close()
        await asyncio.sleep(0)  # the loop closes the sockets


def _headers(spec: EndpointSpec, url: URL) -> dict[str, str]:
    """Of every request; the recipe's come before ours, whatever their case, but for the key it names."""
    ours = {"Content-Type": "application/json", "Accept": "application/json, text/plain", **_PLAIN}
    if url.user is not None:
        named = f"{url.user}:{url.password or ''}".encode()
        ours["Authorization"] = f"Basic {base64.b64encode(named).decode()}"
    headers = dict(spec.headers)
    if (key := api_key(spec)) is not None:
        headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        headers["Authorization"] = f"Bearer {key}"
    given = {name.lower() for name in headers}
    return {**{name: value for name, value in ours.items() if name.lower() not in given}, **headers}


def address(base_url: str, path: str) -> str:
    """`path` under the API's root; one that begins with `//` under the server's (`//metrics`)."""
    return server_root(base_url) + path[1:] if path.startswith("//") else api_root(base_url) + path
