"""Connections without an end: none is held for longer than its request needs."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from fixtures_service import ServedProcess, Service
from sqlalchemy import text
from starlette.types import Receive, Scope, Send

from benchmarks.server import free_port
from service.app import create_app
from service.http import connections
from service.http.connections import PromptProtocol

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"


async def answer_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without reading the body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def listening(app: Any) -> Iterator[int]:
    """Where a server of this process serves an application."""
    number = free_port()
    config = uvicorn.Config(app, port=number, http=PromptProtocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    running = threading.Thread(target=server.run)
    running.start()
    while not server.started:
        time.sleep(0.02)
    yield number
    server.should_exit = True
    running.join()


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where a server speaks the protocol, with short waits."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
    monkeypatch.setattr(connections, "REST_SECONDS", 0.4)
    with listening(answer_at_once) as number:
        yield number


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def read_to_end(connection: socket.socket) -> bytes:
    """All that comes until the other side lets go; the test fails by its timeout where it does not."""
    text = b""
    while part := connection.recv(4096):
        text += part
    return text


def trickle(connection: socket.socket) -> None:
    for _ in range(600):
        connection.sendall(b"a")
        time.sleep(0.05)


@pytest.mark.parametrize("sent", [b"", b"G", HALF], ids=["nothing", "a letter", "half a head"])
def test_a_connection_without_a_whole_head_is_let_go(port: int, sent: bytes) -> None:
    with connected(port) as connection:
        connection.sendall(sent)

        assert read_to_end(connection) == b""


def test_a_head_that_trickles_is_let_go(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(HALF)
        with pytest.raises(OSError, match=r"(?i)pipe|reset"):
            trickle(connection)


def test_a_second_head_that_does_not_end_is_let_go(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(GET)
        first = connection.recv(4096)
        connection.sendall(HALF)

        assert (first[-2:], read_to_end(connection)) == (b"ok", b"")


def test_a_fault_of_ours_does_not_end_the_connection(service: Service) -> None:
    with service.parts.database.write() as db:
        db.execute(text("UPDATE audit_event SET details = 'this is not JSON'"))
    headers = {"Authorization": f"Bearer {service.admin}"}

    with (
        listening(create_app(service.parts)) as port,
        closing(HTTPConnection("127.0.0.1", port, timeout=60)) as one,
    ):
        one.request("GET", "/v1/audit-events", headers=headers)
        failed, connection = one.getresponse(), one.sock
        failed.read()
        one.request("GET", "/health/live")
        answer, same = one.getresponse(), one.sock is connection

    assert (failed.status, answer.status, same) == (500, 200, True)
    assert failed.headers["connection"] is None


def test_a_body_that_nobody_reads_is_not_waited_for(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(POST)

        assert read_to_end(connection).endswith(b"ok")


def test_a_connection_that_is_used_and_idle_is_kept(port: int) -> None:
    with connected(port) as connection:
        for _ in range(2):
            connection.sendall(GET)
            assert connection.recv(4096).endswith(b"ok")
            time.sleep(0.8)
        # What was left of a body has come: the connection is as good as new.
        connection.sendall(POST)
        assert connection.recv(4096).endswith(b"ok")
        connection.sendall(b"a" * 99)
        time.sleep(0.8)
        connection.sendall(GET + GET)
        text = b""
        while text.count(b"ok") < 2:
            text += connection.recv(4096)


@pytest.mark.slow("waits for as long as the service does")
def test_the_service_lets_half_a_request_go(served: Callable[[], ServedProcess]) -> None:
    address = urlsplit(served().address)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=60) as connection:
        connection.sendall(HALF)

        assert read_to_end(connection) == b""
