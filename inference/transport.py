"""How bytes reach one server: aiohttp on the hot path; the openai package where a recipe asks for it.

A transport only sends. Permits, retries and the meaning of a status are its endpoint's.
"""

import os
import ssl
from dataclasses import dataclass
from typing import Literal, Protocol

import aiohttp
from yarl import URL

from inference.addresses import api_root, server_root
from inference.faults import Fault, Response, TransportFault
from schemas.chat import EndpointSpec
from schemas.errors import InputError, Refused

KEEP_ALIVE_S = 4.0
"""uvicorn, and so vLLM, closes idle connections after 5 s; one that is closed just as it is used again fails."""

Method = Literal["GET", "POST"]


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


class AiohttpTransport:
    """aiohttp: 15 times less CPU a request than the openai package, and no pool that is scanned at each request."""

    def __init__(self, session: aiohttp.ClientSession, spec: EndpointSpec, patience: Patience):
        self._session = session
        self._root = api_root(spec.base_url)
        self._urls: dict[str, URL] = {}
        self._patience = patience
        self._timeout = aiohttp.ClientTimeout(
            total=patience.answer_s,
            sock_connect=patience.connect_s,
            # a timer a read: only where it ends an attempt before the total does
            sock_read=patience.first_byte_s if patience.first_byte_s < patience.answer_s else None,
        )
        self._headers = {"Content-Type": "application/json", **spec.headers}
        if (key := api_key(spec)) is not None:
            self._headers["Authorization"] = f"Bearer {key}"

    async def send(self, method: Method, path: str, body: bytes) -> Response:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(address(self._root, path))
        try:
            async with self._session.request(
                method, url, data=body or None, headers=self._headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                content = await response.read()
                headers = response.headers
                return Response(response.status, headers.get("Retry-After"), headers.get("Location"), content)
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError, ssl.SSLError) as error:
            raise Refused(f"{url.with_user(None)}: no TLS ({error}); check the certificate", "connection") from None
        except aiohttp.ConnectionTimeoutError:
            what = f"no connection within {self._patience.connect_s:g} s"
            raise TransportFault(Fault("timeout", what, refused=True)) from None
        except TimeoutError:
            what = f"no answer within {min(self._patience.answer_s, self._patience.first_byte_s):g} s"
            raise TransportFault(Fault("timeout", what)) from None
        except aiohttp.ClientConnectorError as error:
            raise TransportFault(Fault("connection", f"{type(error).__name__}: {error}", refused=True)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise TransportFault(Fault("connection", f"{type(error).__name__}: {error}")) from None

    async def close(self) -> None:
        """The session is its owner's."""


def address(base_url: str, path: str) -> str:
    """`path` under the API's root; one that begins with `//` under the server's (`//metrics`)."""
    return server_root(base_url) + path[1:] if path.startswith("//") else api_root(base_url) + path
