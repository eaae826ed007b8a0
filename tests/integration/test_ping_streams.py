"""`edge ping` over TCP and TLS, against a server in a thread: what is believed, what is told."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest
from authority import Authority

from edge.ping import Trust, ping_stream
from edge.sip import compose
from edge.sip.framing import Framer
from edge.sip.message import Request, parse

Answer = Callable[[Request], list[bytes]]


@contextlib.contextmanager
def serving(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that answers each message of its only connection by this function, and closes when there is no
    answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                sock, _ = listening.accept()
                with sock if context is None else context.wrap_socket(sock, server_side=True) as connection:
                    framer = Framer()
                    while data := connection.recv(65_535):
                        for one in framer.feed(data):
                            request = parse(one)
                            assert isinstance(request, Request)
                            answers = answer(request)
                            if not answers:
                                return
                            for piece in answers:
                                connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def saying(status: int, phrase: bytes) -> Answer:
    return lambda request: [compose.response(request, status, phrase, to_tag=b"x")]


@pytest.mark.parametrize(("status", "is_up"), [(200, True), (503, False)])
def test_over_tcp(status: int, is_up: bool) -> None:
    """One OPTIONS with the transport in Via and Request-URI."""
    asked: list[Request] = []

    def answer(request: Request) -> list[bytes]:
        asked.append(request)
        return [compose.response(request, 100, b"Trying"), *saying(status, b"Word")(request)]

    with serving(answer) as port:
        pong = ping_stream("127.0.0.1", port, timeout_s=5.0)
    assert (pong.is_up, pong.text.partition(" in ")[0]) == (is_up, f"{status} Word")
    (request,) = asked
    assert (request.method, request.via().transport) == (b"OPTIONS", b"TCP")
    assert request.uri == f"sip:127.0.0.1:{port};transport=tcp".encode()


def test_an_answer_in_pieces() -> None:
    """A stream has no borders."""

    def answer(request: Request) -> list[bytes]:
        (data,) = saying(200, b"OK")(request)
        return [data[at : at + 7] for at in range(0, len(data), 7)]

    with serving(answer) as port:
        assert ping_stream("127.0.0.1", port, timeout_s=5.0).is_up


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda request: [], "the connection was closed"),
        (lambda request: [b"HTTP/1.1 400 Bad\r\nContent-Length: x\r\n\r\n"], "what came is no SIP"),
        (lambda request: [b"\r\n"], "no answer in 0.3 s"),
        (lambda request: [compose.response(request, 100, b"Trying")], "no answer in 0.3 s"),
    ],
)
def test_what_is_no_answer(answer: Answer, text: str) -> None:
    """Told in a clause, and within the time that was given."""
    with serving(answer) as port:
        pong = ping_stream("127.0.0.1", port, timeout_s=0.3)
    assert (pong.is_up, pong.text) == (False, text)


def test_nobody_listens() -> None:
    """Refused at once."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert ping_stream("127.0.0.1", port, timeout_s=5.0) == (False, "nobody listens there")


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path)


def server_context(authority: Authority, file: str, *, asks: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / file)
    if asks:
        context.load_verify_locations(authority.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.parametrize(
    ("names", "wanted", "believes", "said"),
    [
        (["127.0.0.1"], "", True, "200 OK"),
        (["edge.example"], "edge.example", True, "200 OK"),
        (["edge.example"], "", True, "its certificate is not believed"),
        (["other.example"], "edge.example", True, "its certificate is not believed"),
        (["127.0.0.1"], "", False, "its certificate is not believed"),
    ],
)
def test_over_tls(authority: Authority, names: list[str], wanted: str, believes: bool, said: str) -> None:
    """The name that was asked for, proved by an authority that was named; nothing else is up."""
    authority.issue("edge.pem", *names)
    trust = Trust(str(authority.ca) if believes else "", "", wanted)
    with serving(saying(200, b"OK"), server_context(authority, "edge.pem")) as port:
        pong = ping_stream("127.0.0.1", port, timeout_s=5.0, trust=trust)
    assert pong.text.startswith(said)
    assert pong.is_up is (said == "200 OK")


@pytest.mark.parametrize("shows", [True, False])
def test_a_neighbour_that_asks_for_a_certificate(authority: Authority, shows: bool) -> None:
    """Ours is shown where there is one; without it nobody answers."""
    authority.issue("edge.pem", "127.0.0.1")
    own = authority.issue("own.pem", "me.example")
    trust = Trust(str(authority.ca), str(own) if shows else "")
    with serving(saying(200, b"OK"), server_context(authority, "edge.pem", asks=True)) as port:
        assert ping_stream("127.0.0.1", port, timeout_s=5.0, trust=trust).is_up is shows


def test_a_neighbour_without_tls(authority: Authority) -> None:
    """Told as what it is."""
    with serving(lambda request: [], None) as port:
        pong = ping_stream("127.0.0.1", port, timeout_s=2.0, trust=Trust(str(authority.ca)))
    assert not pong.is_up


def test_a_file_that_is_not_there() -> None:
    """Told by the system's words."""
    with serving(saying(200, b"OK")) as port:
        pong = ping_stream("127.0.0.1", port, timeout_s=2.0, trust=Trust("/nowhere/ca.pem"))
    assert (pong.is_up, pong.text) == (False, "no such file or directory")
