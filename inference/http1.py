"""HTTP/1.1 to one server, kept to what asking a model needs: POST or GET, keep-alive, one request at a time.

A general client spends 0.15 ms of CPU a request on what is never used here (cookies, redirects, proxies, middlewares,
payload kinds, a timer a read); with that the client is what GPUs wait for at 1,024 requests in flight. The parser is
httptools' (llhttp, in C). Time limits are swept for four times a second instead of a timer a request.
"""

import asyncio
import os
import re
import ssl
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import httptools

from inference.faults import Fault, Response, TransportFault
from schemas.errors import InputError, Refused

KEEP_ALIVE_S = 4.0
"""uvicorn, and so vLLM, closes idle connections after 5 s; one that is closed just as it is used again fails."""
SWEEP_S = 0.25
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_FRAMING = frozenset({"connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade"})


class Http1:
    """The connections to one origin. `headers`: sent with every request; InputError when one cannot be.

    Raises TransportFault and Refused (TLS).
    """

    def __init__(
        self, origin: str, headers: Mapping[str, str], *, connect_s: float, first_byte_s: float, answer_s: float
    ):
        url = urlsplit(origin)
        secure = url.scheme == "https"
        self._host = url.hostname or ""
        self._port = url.port or (443 if secure else 80)
        self._tls = ssl.create_default_context() if secure else None
        self._connect_s, self._first_byte_s, self._answer_s = min(connect_s, answer_s), first_byte_s, answer_s
        self._shown = url.netloc.rpartition("@")[2]
        self._head = _head(self._shown, headers)
        self._closed = False
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def send(self, method: str, path: str, body: bytes) -> Response:
        """`path`: with its leading slash. A cancelled caller's connection is closed, so the server stops generating."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        connection = self._fresh(began) or await self._connect()
        request = b"%b %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (
            *(method.encode(), path.encode(), self._head),
            *(len(body), body),
        )
        self._busy.add(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(SWEEP_S, self._overdue)
        try:
            response = await connection.exchange(request, began)
        except BaseException:
            connection.abort()
            raise
        finally:
            self._busy.discard(connection)
        if connection.reusable:
            connection.at = loop.time()
            self._idle.append(connection)
        else:
            connection.abort()
        return response

    def close(self) -> None:
        """For good. What is under way ends in a fault; the sockets are closed when the loop comes round."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection in (*self._idle, *self._busy):
            connection.fail(_CLOSED)
            connection.abort()
        self._idle = []

    def _fresh(self, now: float) -> "_Connection | None":
        """The connection used last: the others may grow old and go."""
        while self._idle:
            connection = self._idle.pop()
            if connection.alive and now - connection.at < KEEP_ALIVE_S:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_s):
                # no happy_eyeballs_delay: cancelled, it leaves a connected socket behind (CPython 3.11)
                _, connection = await loop.create_connection(_Connection, self._host, self._port, ssl=self._tls)
        except TimeoutError:
            what = f"no connection within {self._connect_s:g} s"
            raise TransportFault(Fault("timeout", what, refused=True)) from None
        except ssl.SSLError as error:
            raise Refused(f"{self._shown}: no TLS ({error}); check the certificate", "connection") from None
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that cannot be one of a host
            why = os.strerror(error.errno) if isinstance(error, ConnectionError) and error.errno else error
            what = f"cannot connect to {self._shown}: {why}"
            raise TransportFault(Fault("connection", what, refused=True)) from None
        if self._closed:
            connection.abort()
            raise TransportFault(_CLOSED)
        return connection

    def _overdue(self) -> None:
        """Ends what has taken too long, and looks again while anything is under way."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in self._busy:
            if now - connection.began > self._answer_s:
                connection.fail(Fault("timeout", f"no answer within {self._answer_s:g} s"))
            elif now - connection.at > self._first_byte_s:
                connection.fail(Fault("timeout", f"no answer within {self._first_byte_s:g} s"))
        while self._idle and now - self._idle[0].at > KEEP_ALIVE_S:
            self._idle.pop(0).abort()
        self._sweep = loop.call_later(SWEEP_S, self._overdue) if self._busy or self._idle else None


_CLOSED = Fault("connection", "the client was closed")


def _head(host: str, headers: Mapping[str, str]) -> bytes:
    """The header lines of every request. Raises InputError, without the value, which may be a secret."""
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} cannot be the name of an HTTP header; letters, digits and - can")
        if name.lower() in _FRAMING:
            raise InputError(f"header {name} is not to be given: it is decided for each request; leave it out")
        if not _VALUE.fullmatch(value):
            raise InputError(f"the value of header {name} holds a line break or another character that no header may")
    own = {} if "host" in map(str.lower, headers) else {"Host": host}
    return "".join(f"{name}: {value}\r\n" for name, value in {**own, **headers}.items()).encode("latin-1")


class _Connection(asyncio.Protocol):
    """One keep-alive connection and the parser of its responses.

    What comes when nothing was asked, after a response or before the first request, is never taken for an answer: the
    connection is closed.
    """

    __slots__ = (
        *("_body", "_length_known", "_location", "_parser", "_response", "_retry_after", "_transport"),
        *("alive", "at", "began", "reusable", "started"),
    )

    def __init__(self) -> None:
        self.alive = False
        self.reusable = False
        self.began = self.at = 0.0
        """When its request began; when something last came, or it became idle."""
        self._transport: asyncio.Transport | None = None
        self._response: asyncio.Future[Response] | None = None
        """None when nothing is asked."""
        self._parser = httptools.HttpResponseParser(self)
        self._reset()

    def _reset(self) -> None:
        self._body: list[bytes] = []
        self._retry_after: str | None = None
        self._location: str | None = None
        self._length_known = False
        self.started = False

    def exchange(self, request: bytes, began: float) -> "asyncio.Future[Response]":
        loop = asyncio.get_running_loop()
        self._response = loop.create_future()
        self.began, self.at = began, loop.time()
        self.reusable = False
        if self._transport is None or not self.alive:
            self.fail(Fault("connection", "the server closed the connection"))
        else:
            self._transport.write(request)
        return self._response

    def fail(self, fault: Fault) -> None:
        if self._response is not None and not self._response.done():
            self._response.set_exception(TransportFault(fault))

    def abort(self) -> None:
        self.alive = self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    # asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.alive = True

    def data_received(self, data: bytes) -> None:
        if self._response is None:
            self.abort()
            return
        self.at = asyncio.get_running_loop().time()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(Fault("connection", f"what came is not HTTP/1.1 ({error})"))
            self.abort()

    def eof_received(self) -> None:
        self.alive = False  # known a turn of the loop before the connection is lost

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        if self.started and not self._length_known and exc is None:
            self._finish()  # a body without a length ends with its connection
            return
        why = f" ({exc})" if exc else ""
        when = "in the middle of an answer" if self.started else "without an answer"
        self.fail(Fault("connection", f"the server closed the connection {when}{why}"))

    # the parser's calls

    def on_message_begin(self) -> None:
        if self._response is None:
            self.abort()
        self._reset()

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"content-length" | b"transfer-encoding":
                self._length_known = True
            case b"retry-after":
                self._retry_after = value.decode("latin-1")
            case b"location":
                self._location = value.decode("latin-1")
            case _:
                pass

    def on_headers_complete(self) -> None:
        self.started = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:  # 1xx comes before the answer
            self.started = False
        elif self._response is not None and self._transport is not None:
            # an answer to what is not wholly sent: the rest would be taken for the next request
            sent = self._transport.get_write_buffer_size() == 0
            self.reusable = sent and self.alive and self._parser.should_keep_alive()
            self._finish()

    def _finish(self) -> None:
        response, self._response = self._response, None
        if response is not None and not response.done():
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            status = self._parser.get_status_code()
            response.set_result(Response(status, self._retry_after, self._location, body))
        self._body = []
        self.started = False
