"""The openai package as a transport, for vendors whose particulars it knows (`transport: openai`).

Fifty times the CPU of our own transport a request, so never the default. Its own retries are off: retries are the
pool's. Imported when it is used: the package costs 0.4 s and is an extra (`pip install overture[openai]`).
"""

import asyncio
import ssl
from typing import Any

from yarl import URL

from inference.addresses import api_root
from inference.faults import Fault, Response, TransportFault
from inference.transport import Method, Patience, address, api_key
from schemas.chat import EndpointSpec
from schemas.errors import InputError, Refused


class OpenaiTransport:
    """Raises InputError when the package is not installed."""

    def __init__(self, spec: EndpointSpec, patience: Patience):
        try:
            import openai
        except ImportError:
            raise InputError(
                f"transport: openai (of {spec.base_url}) needs the openai package: pip install overture[openai]"
            ) from None
        self._openai = openai
        self._base_url = spec.base_url
        self._patience = patience
        self._client = openai.AsyncOpenAI(
            base_url=api_root(spec.base_url),
            api_key=api_key(spec) or "none",
            default_headers=spec.headers,
            max_retries=0,
            timeout=openai.Timeout(
                patience.answer_s, connect=patience.connect_s, read=patience.first_byte_s, pool=None
            ),
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
        )

    async def send(self, method: Method, path: str, body: bytes) -> Response:
        openai, patience = self._openai, self._patience
        client: Any = self._client
        slow = f"no answer within {min(patience.answer_s, patience.first_byte_s):g} s"
        url = address(self._base_url, path)
        try:
            async with asyncio.timeout(patience.answer_s):  # the package's own times are of one read each
                if method == "GET":
                    raw = await client.get(url, cast_to=openai.HttpxBinaryResponseContent)
                else:
                    headers = {"headers": {"Content-Type": "application/json"}}
                    raw = await client.post(
                        url, cast_to=openai.HttpxBinaryResponseContent, content=body, options=headers
                    )
            return _response(raw.response)
        except openai.APIStatusError as error:
            return _response(error.response)
        except TimeoutError:
            raise TransportFault(Fault("timeout", slow)) from None
        except openai.APITimeoutError as error:
            refused = "Connect" in type(error.__cause__).__name__
            what = f"no connection within {patience.connect_s:g} s" if refused else slow
            raise TransportFault(Fault("timeout", what, refused=refused)) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            if _is_tls(error):
                shown = URL(url).with_user(None)
                raise Refused(f"{shown}: no TLS ({cause}); check the certificate", "connection") from None
            what = f"{type(cause).__name__}: {cause}"
            raise TransportFault(Fault("connection", what, refused="Connect" in type(cause).__name__)) from None

    async def close(self) -> None:
        await self._client.close()


def _response(raw: Any) -> Response:
    return Response(raw.status_code, raw.headers.get("Retry-After"), raw.headers.get("Location"), raw.content)


def _is_tls(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None
