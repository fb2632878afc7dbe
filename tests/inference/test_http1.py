"""Our HTTP/1.1 against servers that write the very bytes they are told to, right and wrong."""

import asyncio
import base64
import datetime
import gc
import hashlib
import ipaddress
import resource
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from inference import http1
from inference.faults import Fault, Response, TransportFault
from inference.http1 import Http1
from inference.transport import HttpTransport, Patience
from schemas.chat import EndpointSpec
from schemas.errors import InputError, Refused

SOON_S = 60.0
"""Far more than anything here takes."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Asked(NamedTuple):
    target: str
    headers: dict[str, str]
    """Names in lower case; of equal ones the last."""
    lines: list[str]
    body: bytes


@dataclass
class Seen:
    """What a server has seen so far."""

    url: str = ""
    connections: int = 0
    asked: list[Asked] = field(default_factory=list[Asked])
    closed: asyncio.Queue[int] = field(default_factory=asyncio.Queue[int])
    """Connections whose end has come from the client, by number."""


async def read_request(reader: asyncio.StreamReader) -> Asked | None:
    """None when the connection ends instead."""
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Asked(lines[0].split(" ")[1], headers, lines, body)


Writes = Callable[[asyncio.StreamWriter, int, Asked], Awaitable[bool | None]]
"""(writer, number of the connection, request) -> False to close it."""


@asynccontextmanager
async def server(
    writes: Writes | bytes, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Seen]:
    """Answers every request with these bytes, or as `writes` does."""
    seen = Seen()
    working: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        working.add(asyncio.current_task())  # pyright: ignore[reportArgumentType]
        seen.connections += 1
        number = seen.connections
        try:
            while (asked := await read_request(reader)) is not None:
                seen.asked.append(asked)
                if isinstance(writes, bytes):
                    writer.write(writes)
                elif await writes(writer, number, asked) is False:
                    return
                await writer.drain()
            seen.closed.put_nowait(number)
        except ConnectionError:
            seen.closed.put_nowait(number)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, host, 0, ssl=tls, backlog=1024, limit=1 << 24)
    port = listening.sockets[0].getsockname()[1]
    seen.url = f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        yield seen
    finally:
        listening.close()
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await asyncio.sleep(0)


@asynccontextmanager
async def client(
    url: str, connect_s: float = 30, first_byte_s: float = SOON_S, answer_s: float = SOON_S
) -> AsyncGenerator[Http1]:
    http = Http1(url, {"X-Test": "1"}, connect_s=connect_s, first_byte_s=first_byte_s, answer_s=answer_s)
    try:
        yield http
    finally:
        http.close()
        await asyncio.sleep(0)


def ask(http: Http1, body: bytes = b"{}") -> Awaitable[Response]:
    return asyncio.wait_for(http.send("POST", "/v1/x", body), SOON_S)


async def fault(asking: Awaitable[Any]) -> Fault:
    with pytest.raises(TransportFault) as failed:
        await asking
    return failed.value.fault


@pytest.fixture(autouse=True)
async def nothing_is_left_to_the_loop() -> AsyncGenerator[None]:
    """No exception in a callback, which asyncio would only log."""
    loop = asyncio.get_running_loop()
    wrong: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: wrong.append(context))
    yield
    gc.collect()
    await asyncio.sleep(0)
    assert wrong == []


def in_pieces(whole: bytes, size: int = 1) -> Writes:
    async def writes(writer: asyncio.StreamWriter, *_: object) -> None:
        for start in range(0, len(whole), size):
            writer.write(whole[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)

    return writes


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nRetry-After: 3\r\n\r\n"
    b"5;why=not\r\nhello\r\n1\r\n,\r\nA\r\n there\r\n\r\n\r\n0\r\nX-Sum: 1\r\n\r\n"
)

# Answers


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("answer", "content"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 12\r\nRetry-After: 3\r\n\r\nhello, there", b"hello, there"),
        (b"HTTP/1.1 200\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n", b""),
        (CHUNKED, b"hello, there\r\n\r\n"),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n" + CHUNKED,
            b"hello, there\r\n\r\n",
        ),
    ],
)
async def test_an_answer_is_the_same_in_whatever_pieces_it_comes(answer: bytes, content: bytes, size: int):
    async with server(in_pieces(answer, size)) as seen, client(seen.url) as http:
        first, second = await ask(http), await ask(http)
    assert first == second == Response(200, "3", None, content)
    assert seen.connections == 1


@pytest.mark.parametrize(("status", "line"), [(204, b""), (304, b""), (304, b"Content-Length: 5\r\n")])
async def test_an_answer_that_never_has_a_body_ends_with_its_head(status: int, line: bytes):
    answer = b"HTTP/1.1 %d None\r\nLocation: /y\r\n%b\r\n" % (status, line)
    async with server(answer) as seen, client(seen.url) as http:
        assert [await ask(http) for _ in range(2)] == [Response(status, None, "/y", b"")] * 2
    assert seen.connections == 1


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"]
)
async def test_a_body_without_a_length_ends_with_its_connection(head: bytes):
    async def writes(writer: asyncio.StreamWriter, *_: object) -> bool:
        await in_pieces(head + b"\r\nto the end", 5)(writer, 0, None)  # pyright: ignore[reportArgumentType]
        return False

    async with server(writes) as seen, client(seen.url) as http:
        assert [(await ask(http)).content for _ in range(2)] == [b"to the end"] * 2
    assert seen.connections == 2


@pytest.mark.parametrize(
    ("head", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\n", 1),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", 3),
        (b"HTTP/1.1 503 Busy\r\nConnection: Keep-Alive\r\n", 1),
        (b"HTTP/1.0 200 OK\r\n", 3),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", 1),
    ],
)
async def test_a_connection_is_used_again_where_the_server_keeps_it(head: bytes, connections: int):
    async with server(head + b"Content-Length: 2\r\n\r\nok") as seen, client(seen.url) as http:
        assert [(await ask(http)).content for _ in range(3)] == [b"ok"] * 3
    assert seen.connections == connections and len(seen.asked) == 3


async def test_large_bodies_arrive_whole_both_ways():
    sent, answer = b"q\r\n\r\n" * 400_000, bytes(range(256)) * 32_768

    async def writes(writer: asyncio.StreamWriter, _: int, asked: Asked) -> None:
        assert hashlib.sha256(asked.body).digest() == hashlib.sha256(sent).digest()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer))
        writer.write(answer)

    async with server(writes) as seen, client(seen.url) as http:
        for _ in range(2):
            assert (await ask(http, sent)).content == answer
    assert seen.connections == 1


async def test_five_hundred_at_once_get_each_their_own_answer_and_then_share_what_is_open():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    everyone = asyncio.Event()

    async def writes(writer: asyncio.StreamWriter, _: int, asked: Asked) -> None:
        if len(seen.asked) == 500:
            everyone.set()
        await everyone.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(asked.body), asked.body))

    bodies = [b"%d" % i * (i % 7 + 1) for i in range(500)]
    try:
        async with server(writes) as seen, client(seen.url) as http:
            for _ in range(2):
                answers = await asyncio.gather(*(ask(http, body) for body in bodies))
                assert [a.content for a in answers] == bodies
        assert seen.connections <= 750  # 500, unless some grew old meanwhile
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Connections that end, early or late


async def test_a_connection_that_the_server_closed_while_idle_is_not_used_again():
    gone = asyncio.Event()

    async def writes(writer: asyncio.StreamWriter, *_: object) -> bool:
        writer.write(OK)
        await writer.drain()
        asyncio.get_running_loop().call_soon(gone.set)
        return False

    async with server(writes) as seen, client(seen.url) as http:
        for _ in range(5):
            gone.clear()
            assert (await ask(http)).content == b"ok"
            await gone.wait()
            for _ in range(5):  # turns of the loop, for it to be noticed
                await asyncio.sleep(0)
    assert seen.connections == 5


@pytest.mark.parametrize(
    ("begun", "told"),
    [
        (b"", "without an answer"),
        (b"HT", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "without an answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "in the middle of an answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "in the middle of an answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "in the middle of an answer"),
    ],
)
async def test_a_connection_closed_before_the_answer_is_whole_is_a_fault_and_the_next_is_fresh(begun: bytes, told: str):
    async def writes(writer: asyncio.StreamWriter, number: int, _: Asked) -> bool:
        writer.write(begun if number == 1 else OK)
        return number > 1

    async with server(writes) as seen, client(seen.url) as http:
        found = await fault(ask(http))
        assert (await ask(http)).content == b"ok"
    assert (found.kind, found.refused, found.busy) == ("connection", False, False)
    assert found.what == f"the server closed the connection {told}"
    assert seen.connections == 2 and len(seen.asked) == 2  # nothing is sent twice by this client itself


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00" * 64,
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_fault_that_says_so_and_closes_the_connection(garbage: bytes):
    async def writes(writer: asyncio.StreamWriter, number: int, _: Asked) -> None:
        writer.write(garbage if number == 1 else OK)

    async with server(writes) as seen, client(seen.url) as http:
        found = await fault(ask(http))
        assert found.kind == "connection" and not found.refused and "not HTTP/1.1" in found.what
        assert await asyncio.wait_for(seen.closed.get(), SOON_S) == 1
        assert (await ask(http)).content == b"ok"


STALE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale"


@pytest.mark.parametrize("surplus", [STALE, STALE[:20], STALE[:-2], b"x", STALE * 3])
@pytest.mark.parametrize("later", [False, True])
async def test_bytes_beyond_an_answer_are_never_taken_for_the_next(surplus: bytes, later: bool):
    more = asyncio.Event()

    async def writes(writer: asyncio.StreamWriter, number: int, asked: Asked) -> None:
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(asked.body), asked.body)
        if later:
            writer.write(whole)
            await more.wait()
            writer.write(surplus)
        else:
            writer.write(whole + surplus)

    async with server(writes) as seen, client(seen.url) as http:
        for body in (b"one", b"two", b"three"):
            more.clear()
            assert (await ask(http, body)).content == body
            more.set()
            if later:  # closed because of it
                await asyncio.wait_for(seen.closed.get(), SOON_S)
    assert seen.connections == 3


async def test_a_line_end_too_many_between_answers_does_no_harm():
    async with server(OK + b"\r\n") as seen, client(seen.url) as http:
        assert [(await ask(http)).content for _ in range(3)] == [b"ok"] * 3


async def test_an_answer_before_the_request_is_wholly_sent_is_read_and_the_connection_given_up():
    heads: asyncio.Queue[bytes] = asyncio.Queue()
    over = asyncio.Event()

    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heads.put_nowait(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            await over.wait()
        finally:
            writer.close()

    listening = await asyncio.start_server(hasty, "127.0.0.1", 0)
    async with listening, client(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}") as http:
        for _ in range(2):
            assert (await ask(http, b"x" * 24_000_000))[::3] == (413, b"no")
            assert (await heads.get()).startswith(b"POST /v1/x HTTP/1.1\r\n")
        over.set()
    await asyncio.sleep(0)


# Time


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", b"HTTP/1.1 100 Go\r\n\r\n"])
async def test_silence_ends_in_a_timeout_and_closes_the_connection(begun: bytes):
    async def writes(writer: asyncio.StreamWriter, number: int, _: Asked) -> None:
        writer.write(begun if number == 1 else OK)

    async with server(writes) as seen, client(seen.url, first_byte_s=0.3) as http:
        clock = asyncio.get_running_loop().time
        began = clock()
        found = await fault(ask(http))
        assert 0.3 <= clock() - began < 20
        assert await asyncio.wait_for(seen.closed.get(), SOON_S) == 1
        assert (await ask(http)).content == b"ok"
    assert found == Fault("timeout", "no answer within 0.3 s")


async def test_an_answer_that_trickles_in_ends_with_the_time_of_one_attempt_which_is_told():
    async def writes(writer: asyncio.StreamWriter, *_: object) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with server(writes) as seen, client(seen.url, first_byte_s=2, answer_s=2.5) as http:
        assert await fault(ask(http)) == Fault("timeout", "no answer within 2.5 s")
        assert await asyncio.wait_for(seen.closed.get(), SOON_S) == 1


async def test_a_cancelled_request_closes_its_connection_and_no_other():
    arrived, slow = asyncio.Event(), asyncio.Event()

    async def writes(writer: asyncio.StreamWriter, _: int, asked: Asked) -> None:
        if asked.body == b"slow":
            arrived.set()
            await slow.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(asked.body), asked.body))

    async with server(writes) as seen, client(seen.url) as http:
        task = asyncio.create_task(http.send("POST", "/v1/x", b"slow"))
        await arrived.wait()
        assert (await ask(http, b"quick")).content == b"quick"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        slow.set()
        assert await asyncio.wait_for(seen.closed.get(), SOON_S) == 1
        assert (await ask(http, b"again")).content == b"again"
        assert seen.connections == 2


async def test_idle_connections_are_closed_before_a_server_would(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http1, "KEEP_ALIVE_S", 0.1)
    async with server(OK) as seen, client(seen.url) as http:
        await asyncio.gather(*(ask(http) for _ in range(5)))
        opened = seen.connections
        closed = {await asyncio.wait_for(seen.closed.get(), SOON_S) for _ in range(opened)}
        assert closed == set(range(1, opened + 1))
        assert (await ask(http)).content == b"ok" and seen.connections == opened + 1


# No connection at all


async def test_nobody_there_is_refused():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with client(f"http://127.0.0.1:{port}") as http:
            found = await fault(ask(http))
        async with client(f"http://localhost:{port}") as http:  # of two addresses where there is IPv6
            either = await fault(ask(http))
    assert (found.kind, found.refused) == (either.kind, either.refused) == ("connection", True)
    assert found.what == f"cannot connect to 127.0.0.1:{port}: Connection refused"
    assert either.what.startswith(f"cannot connect to localhost:{port}: ")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", "two..dots"])
async def test_a_host_that_is_none_is_refused(host: str):
    async with client(f"http://{host}:8000") as http:
        found = await fault(ask(http))
    assert found.refused and f"{host}:8000" in found.what


@pytest.mark.skipif(sys.platform != "linux", reason="other systems answer for a full queue")
@pytest.mark.parametrize("times", [(0.3, SOON_S), (30.0, 0.3)])
async def test_a_server_that_takes_no_connection_is_a_timeout_within_the_time_of_one_attempt(
    times: tuple[float, float],
):
    connect_s, answer_s = times
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        async with client(f"http://127.0.0.1:{full.getsockname()[1]}", connect_s, answer_s=answer_s) as http:
            began = asyncio.get_running_loop().time()
            found = await fault(ask(http))
            assert asyncio.get_running_loop().time() - began < 20
        for one in waiting:
            one.close()
    assert found == Fault("timeout", "no connection within 0.3 s", refused=True)


# TLS


class Certificate(NamedTuple):
    path: Path
    context: ssl.SSLContext
    """A server's."""


def certificate(folder: Path, *names: str) -> Certificate:
    """Self-signed, for these hosts and addresses."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, keys = folder / "certificate.pem", folder / "key.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    keys.write_bytes(key.private_bytes(*form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, keys)
    return Certificate(path, context)


async def test_a_certificate_that_nobody_vouches_for_is_refused_by_name(tmp_path: Path):
    made = certificate(tmp_path, "127.0.0.1")
    async with server(OK, tls=made.context) as seen, client(seen.url) as http:
        with pytest.raises(Refused, match=r"127\.0\.0\.1:\d+: no TLS .*self.signed certificate.*check the") as refused:
            await ask(http)
    assert refused.value.kind == "connection" and seen.asked == []


async def test_a_certificate_of_another_host_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = certificate(tmp_path, "elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.path))
    async with server(OK, tls=made.context) as seen, client(seen.url) as http:
        with pytest.raises(Refused, match=r"not valid for '127\.0\.0\.1'"):
            await ask(http)
    assert seen.asked == []


async def test_a_trusted_server_is_asked_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.path))

    async def writes(writer: asyncio.StreamWriter, _: int, asked: Asked) -> bool | None:
        if asked.body == b"stall":
            return None
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(asked.body), asked.body))
        return asked.body != b"last"

    large = bytes(range(256)) * 8192
    async with server(writes, tls=made.context) as seen, client(seen.url, first_byte_s=5) as http:
        for body in (b"first", large, b"last"):
            assert (await ask(http, body)).content == body
        assert seen.connections == 1
        await asyncio.wait_for(http_is_closed(http, seen), SOON_S)
        assert (await fault(ask(http, b"stall"))).kind == "timeout"


async def http_is_closed(http: Http1, seen: Seen) -> None:
    """Until a request takes another connection: the end of a TLS connection takes some turns of the loop."""
    before = seen.connections
    while seen.connections == before:
        try:
            assert (await ask(http, b"next")).content == b"next"
        except TransportFault:
            await asyncio.sleep(0)


async def test_a_handshake_that_never_ends_is_a_timeout():
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    over = asyncio.Event()
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        async with client(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}", connect_s=0.3) as http:
            assert await fault(ask(http)) == Fault("timeout", "no connection within 0.3 s", refused=True)
        over.set()
    await asyncio.sleep(0)


# What is sent


async def sent(base_url: str, path: str, seen: Seen, **spec: Any) -> Asked:
    transport = HttpTransport(EndpointSpec(base_url, "m", **spec), Patience())
    assert (await transport.send("GET", path, b"")).content == b"ok"
    await transport.close()
    return seen.asked[-1]


async def test_a_request_says_what_it_is_and_no_more():
    async with server(OK) as seen:
        asked = await sent(seen.url, "/models", seen)
    assert asked.lines == [
        "GET /v1/models HTTP/1.1",
        f"Host: {seen.url.removeprefix('http://')}",
        "Content-Type: application/json",
        "Accept: application/json, text/plain",
        "Accept-Encoding: identity",
        "User-Agent: overture",
        "Content-Length: 0",
    ]


async def test_an_ipv6_address_is_a_host():
    try:
        async with server(OK, host="::1") as seen:
            asked = await sent(seen.url, "/models", seen)
            assert asked.headers["host"] == seen.url.removeprefix("http://") and asked.headers["host"].startswith(
                "[::1]:"
            )
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/models", "/v1/models"),
        ("/models?limit=3&after=a/b", "/v1/models?limit=3&after=a/b"),
        ("/models?name=Bär und Maus", "/v1/models?name=B%C3%A4r+und+Maus"),
        ("//metrics", "/metrics"),
        ("//metrics?all=1", "/metrics?all=1"),
    ],
)
async def test_paths_and_queries_arrive_as_meant(path: str, target: str):
    async with server(OK) as seen:
        assert (await sent(f"{seen.url}/v1/", path, seen)).target == target


async def test_a_user_and_password_of_the_url_are_sent_as_basic_authorization():
    async with server(OK) as seen:
        with_user = seen.url.replace("://", "://me:p%40ss:w%C3%B6rd@")
        asked = await sent(with_user, "/models", seen)
        assert "me" not in asked.headers["host"]
        kind, _, told = asked.headers["authorization"].partition(" ")
        assert (kind, base64.b64decode(told).decode()) == ("Basic", "me:p@ss:wörd")
        own = await sent(with_user, "/models", seen, headers={"authorization": "Custom x"})
    assert [line for line in own.lines if line.lower().startswith("authorization")] == ["authorization: Custom x"]


async def test_a_header_is_sent_once_and_the_recipes_before_ours(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_KEY", "sk-1")
    given = {"user-agent": "me", "ACCEPT": "*/*", "Host": "inner.example", "authorization": "Other", "X-Note": "sí"}
    async with server(OK) as seen:
        asked = await sent(seen.url, "/models", seen, headers=given, api_key_env="MY_KEY")
    assert len(asked.headers) == len(asked.lines) - 1
    assert (asked.headers["user-agent"], asked.headers["accept"]) == ("me", "*/*")
    assert (asked.headers["host"], asked.headers["x-note"]) == ("inner.example", "sí")
    assert asked.headers["authorization"] == "Bearer sk-1"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "secret\r\nX-B: 1"},
        {"X-A": "secret\nX-B: 1"},
        {"X-A": "secret\r"},
        {"X-A": "secret\x00"},
        {"X-A": "secret\u2028"},
        {"X-A\r\nX-B": "secret"},
        {"X-A: 1": "secret"},
        {"X A": "secret"},
        {"": "secret"},
        {"X-Más": "secret"},
        {"Content-Length": "secret"},
        {"transfer-encoding": "secret"},
        {"Connection": "secret"},
    ],
)
def test_headers_that_would_change_the_request_are_refused_without_their_value(headers: dict[str, str]):
    with pytest.raises(InputError, match="header") as refused:
        HttpTransport(EndpointSpec("http://127.0.0.1:1", "m", headers=headers), Patience())
    assert "secret" not in str(refused.value)


def test_a_key_with_a_line_break_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_KEY", "sk-1\r\nX-B: 1")
    with pytest.raises(InputError, match="Authorization") as refused:
        HttpTransport(EndpointSpec("http://127.0.0.1:1", "m", api_key_env="MY_KEY"), Patience())
    assert "sk-1" not in str(refused.value)


@pytest.mark.parametrize("path", ["/models\r\nX-B: 1", "/models HTTP/1.1\r\nX-B: 1\r\n\r\n", "/models\nX-B: 1"])
async def test_a_path_cannot_bring_a_header_with_it(path: str):
    async with server(OK) as seen:
        asked = await sent(seen.url, path, seen)
    assert "x-b" not in asked.headers and len(seen.asked) == 1 and asked.target.startswith("/v1/models")


# The end


@pytest.fixture
def files() -> Iterator[None]:
    """As many are open after as before."""
    gc.collect()
    before = psutil.Process().num_fds()
    yield
    gc.collect()
    assert psutil.Process().num_fds() == before


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\n\r\na body whose end is that of the"])
def test_closing_ends_what_is_under_way_and_leaves_no_task_and_no_socket(files: None, begun: bytes):
    async def main() -> None:
        arrived: asyncio.Queue[None] = asyncio.Queue()

        async def writes(writer: asyncio.StreamWriter, _: int, asked: Asked) -> None:
            writer.write(begun if asked.body == b"slow" else OK)
            await writer.drain()
            arrived.put_nowait(None)

        async with server(writes) as seen:
            transport = HttpTransport(EndpointSpec(seen.url, "m"), Patience())
            await asyncio.gather(*(transport.send("POST", "/x", b"quick") for _ in range(3)))
            slow = [asyncio.create_task(transport.send("POST", "/x", b"slow")) for _ in range(2)]
            for _ in range(5):
                await arrived.get()
            late = asyncio.create_task(transport.send("POST", "/x", b"late"))
            await asyncio.sleep(0)
            await transport.close()
            for task in (*slow, late):
                found = await fault(asyncio.wait_for(task, SOON_S))
                assert (found.kind, found.what) == ("connection", "the client was closed")
            assert {await asyncio.wait_for(seen.closed.get(), SOON_S) for _ in range(seen.connections)}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
