"""`edge ping`: one OPTIONS, one answer (I/O). RFC 3261 §11 is how one asks whether a SIP server is there.

Over UDP, TCP or TLS. A blocking socket and nothing of the server, so that a container's health check starts fast and
judges from outside. Imports the standard library and edge.sip.
"""

import secrets
import socket
import ssl
import time
from typing import NamedTuple

from edge.sip import compose
from edge.sip.errors import FieldError, ParseError
from edge.sip.framing import Framer
from edge.sip.message import Response, parse

T1_S = 0.5
"""First wait for an answer; doubles (§17.1.2.2)."""
T2_S = 4.0
MAX_DATAGRAM = 65_535


class Pong(NamedTuple):
    """What came of it."""

    is_up: bool
    """200 came."""
    text: str
    """What came, in one clause."""


class Trust(NamedTuple):
    """How a TLS neighbour proves itself, and we to it."""

    authorities: str = ""
    """File with the certificates believed; empty: the system's."""
    certificate: str = ""
    """File with our own certificate and key, for a neighbour that asks; empty: none."""
    name: str = ""
    """The name its certificate must have; empty: the host."""


def ping_stream(host: str, port: int, *, timeout_s: float, trust: Trust | None = None) -> Pong:
    """The same over TCP, or with `trust` over TLS: a connection, one OPTIONS, no retransmission (§17.1.2.2)."""
    deadline = time.monotonic() + timeout_s
    try:
        with socket.create_connection((host, port), timeout_s) as sock:
            if trust is None:
                return _ask_stream(sock, b"TCP", host, port, deadline)
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            with _context(trust).wrap_socket(sock, server_hostname=trust.name or host) as secured:
                return _ask_stream(secured, b"TLS", host, port, deadline)
    except ConnectionRefusedError:
        return Pong(False, "nobody listens there")
    except TimeoutError:
        return Pong(False, f"no answer in {timeout_s:.1f} s")
    except ssl.SSLCertVerificationError as error:
        return Pong(False, f"its certificate is not believed: {error.verify_message}")
    except ssl.SSLError as error:
        return Pong(False, f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}")
    except OSError as error:
        return Pong(False, (error.strerror or str(error)).lower())


def _context(trust: Trust) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=trust.authorities or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if trust.certificate:
        context.load_cert_chain(trust.certificate)
    return context


def _ask_stream(sock: socket.socket, transport: bytes, host: str, port: int, deadline: float) -> Pong:
    shown = f"[{host}]" if ":" in host else host
    branch = f"z9hG4bK{secrets.token_hex(8)}".encode()
    uri = f"sip:{shown}:{port};transport={transport.decode().lower()}".encode()
    begun = time.monotonic()
    sock.sendall(_options(sock.getsockname(), uri, branch, transport))
    framer = Framer()
    while framer.fault is None:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        sock.settimeout(left_s)
        data = sock.recv(MAX_DATAGRAM)
        if not data:
            return Pong(False, "the connection was closed")
        for one in framer.feed(data):
            response = _answer_in(one, branch)
            if response is not None and response.status >= 200:
                return _pong(response, begun)
    return Pong(False, "what came is no SIP")


def ping(host: str, port: int, *, timeout_s: float) -> Pong:
    """Send an OPTIONS over UDP and wait for its final response; retransmit as a client transaction would."""
    deadline = time.monotonic() + timeout_s
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(address)
            return _ask(sock, f"[{host}]" if ":" in host else host, port, deadline)
    except ConnectionRefusedError:
        return Pong(False, "nobody listens there")
    except OSError as error:
        return Pong(False, (error.strerror or str(error)).lower())


def _ask(sock: socket.socket, host: str, port: int, deadline: float) -> Pong:
    branch = f"z9hG4bK{secrets.token_hex(8)}".encode()
    request = _options(sock.getsockname(), f"sip:{host}:{port}".encode(), branch)
    begun = time.monotonic()
    wait_s = T1_S
    while True:
        now = time.monotonic()
        if now >= deadline:
            return Pong(False, f"no answer in {now - begun:.1f} s")
        sock.send(request)
        resend_at = min(deadline, now + wait_s)
        wait_s = min(2 * wait_s, T2_S)
        while (left_s := resend_at - time.monotonic()) > 0:
            sock.settimeout(left_s)
            try:
                response = _answer_in(sock.recv(MAX_DATAGRAM), branch)
            except TimeoutError:
                break
            if response is not None and response.status >= 200:
                return _pong(response, begun)


def _pong(response: Response, begun: float) -> Pong:
    took_ms = (time.monotonic() - begun) * 1_000
    phrase = response.reason.decode("utf-8", "replace")
    return Pong(response.status == 200, f"{response.status} {phrase} in {took_ms:.1f} ms")


def _options(here: tuple[str, int], uri: bytes, branch: bytes, transport: bytes = b"UDP") -> bytes:
    host = f"[{here[0]}]" if ":" in here[0] else here[0]
    sent_by = f"{host}:{here[1]}".encode()
    return compose.request(
        b"OPTIONS",
        uri,
        via=b"SIP/2.0/%b %b;rport;branch=%b" % (transport, sent_by, branch),
        from_=b"<sip:ping@%b>;tag=%b" % (sent_by, secrets.token_hex(4).encode()),
        to=b"<%b>" % uri,
        call_id=secrets.token_hex(8).encode() + b"@" + sent_by,
        cseq=1,
        headers=((b"Contact", b"<sip:ping@%b>" % sent_by), (b"Accept", b"application/sdp")),
    )


def _answer_in(data: bytes, branch: bytes) -> Response | None:
    """The response to our request, None for anything else that came."""
    try:
        message = parse(data)
        return message if isinstance(message, Response) and message.via().branch == branch else None
    except (ParseError, FieldError):
        return None
