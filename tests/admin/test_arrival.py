"""A request's head has its time: who drips holds no place; who is quick, or sends a long body, notices nothing."""

import select
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from served import Served, served

BOUND_S = 20.0


def connected(found: Served) -> socket.socket:
    parts = urlsplit(found.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=BOUND_S)


def dripped(sock: socket.socket, data: bytes) -> bytes:
    """Sends a byte now and then until the other side has had enough; what it says."""
    for place in range(len(data)):
        if select.select([sock], [], [], 0.02)[0]:
            break
        sock.send(data[place : place + 1])
    return sock.recv(4_096)


def answered(sock: socket.socket) -> bytes:
    """A whole response."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(4_096)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(4_096)
    return head


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.admin.arrival.HEAD_S", 0.5)


@pytest.mark.usefixtures("quick", "store")
def test_a_head_that_drips_is_cut_off(store_url: str, tmp_path: Path) -> None:
    """Each byte comes in time, the whole does not; a silent connection is cut off too; others are served meanwhile."""
    with served(store_url, tmp_path / "state") as found, connected(found) as silent, connected(found) as slow:
        said = dripped(slow, b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 10_000)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert silent.recv(4_096).startswith(b"HTTP/1.1 408 ")
        with connected(found) as other:
            other.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert answered(other).startswith(b"HTTP/1.1 200 ")


@pytest.mark.usefixtures("quick", "store")
def test_a_second_request_has_its_own_time(store_url: str, tmp_path: Path) -> None:
    """A connection that is kept waits longer than a head may take; then its next head is timed."""
    with served(store_url, tmp_path / "state") as found, connected(found) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answered(sock).startswith(b"HTTP/1.1 200 ")
        assert select.select([sock], [], [], 1.0)[0] == []
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answered(sock).startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 408 " in dripped(sock, b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 10_000)


@pytest.mark.usefixtures("quick", "store")
def test_a_body_may_take_longer_than_a_head(store_url: str, tmp_path: Path) -> None:
    """Its own bounds are elsewhere."""
    with served(store_url, tmp_path / "state") as found, connected(found) as sock:
        head = (
            f"POST /v1/explain HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {found.token}\r\nContent-Length: 40\r\n\r\n"
        )
        sock.sendall(head.encode())
        for _ in range(40):
            select.select([], [], [], 0.02)
            sock.sendall(b"x")
        assert answered(sock).startswith(b"HTTP/1.1 422 ")
