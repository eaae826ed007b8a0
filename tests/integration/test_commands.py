"""Commands against sockets and processes: ping, the start of an edge, the show."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.ping import ping
from edge.sip import compose
from edge.sip.message import Request, parse

ROOT = Path(__file__).parents[2]
HEAVY = {"asyncio", "pydantic", "redis", "rich", "uvloop", "prometheus_client"}


class Neighbour:
    """Answers each datagram by a function, from a thread."""

    def __init__(self, answer: Callable[[Request], list[bytes]]) -> None:
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[Request] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, source = self._socket.recvfrom(65_535)
            if not data:
                return
            request = parse(data)
            assert isinstance(request, Request)
            self.requests.append(request)
            for response in self._answer(request):
                self._socket.sendto(response, source)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last_word:
            last_word.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()


@pytest.fixture
def neighbour() -> Iterator[Callable[..., Neighbour]]:
    made: list[Neighbour] = []

    def make(answer: Callable[[Request], list[bytes]]) -> Neighbour:
        made.append(Neighbour(answer))
        return made[-1]

    yield make
    for each in made:
        each.close()


def answering(status: int, phrase: bytes) -> Callable[[Request], list[bytes]]:
    return lambda request: [compose.response(request, status, phrase, to_tag=b"x")]


def test_a_200_is_up(neighbour):
    """One OPTIONS that any SIP server understands, and its answer."""
    server = neighbour(answering(200, b"OK"))
    pong = ping("127.0.0.1", server.port, timeout_s=5.0)

    assert pong.is_up
    assert pong.text.startswith("200 OK in ")
    assert [request.method for request in server.requests] == [b"OPTIONS"]
    assert server.requests[0].max_forwards() == 70


def test_a_503_is_not_up(neighbour):
    """A draining edge is told as what it says."""
    pong = ping("127.0.0.1", neighbour(answering(503, b"Draining")).port, timeout_s=5.0)

    assert not pong.is_up
    assert pong.text.startswith("503 Draining in ")


def test_a_provisional_and_strangers_are_no_answer(neighbour):
    """100, garbage and the answer to somebody else are waited out; the final one counts."""

    def answer(request: Request) -> list[bytes]:
        final = compose.response(request, 200, b"OK", to_tag=b"x")
        branch = request.via().branch or b""
        return [
            compose.response(request, 100, b"Trying"),
            b"\0\xff garbage",
            b"\r\n\r\n",
            compose.response(request, 503, b"Down").replace(branch, b"z9hG4bKother"),
            bytes(request.data),
            final,
        ]

    assert ping("127.0.0.1", neighbour(answer).port, timeout_s=5.0).is_up


def test_a_lost_request_is_sent_again(neighbour):
    """Retransmitted after T1, with the same branch."""
    server = neighbour(lambda request: answering(200, b"OK")(request) if len(server.requests) > 1 else [])
    pong = ping("127.0.0.1", server.port, timeout_s=5.0)

    assert pong.is_up
    assert server.requests[0].data == server.requests[1].data


def test_silence_ends_at_the_deadline(neighbour):
    """No answer is not up, and the wait is bounded."""
    pong = ping("127.0.0.1", neighbour(lambda request: []).port, timeout_s=0.1)

    assert (pong.is_up, pong.text) == (False, "no answer in 0.1 s")


def test_nobody_there_is_told_at_once():
    """A closed port refuses; an unknown name is named as such."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    assert ping("127.0.0.1", port, timeout_s=5.0) == (False, "nobody listens there")
    assert not ping("nowhere.invalid", 5060, timeout_s=1.0).is_up


def test_the_version_loads_nothing_heavy():
    """`edge --version` answers at once, since it imports neither loop nor store nor models."""
    command = [sys.executable, "-X", "importtime", "-m", "edge", "--version"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}

    assert told.stdout.startswith("trunkgate ")
    assert "typer" in imported
    assert imported & HEAVY == set()


def test_the_show_goes_as_expected():
    """`edge demo`: every decision and every CDR as the show says, exit code 0, and nothing left behind."""
    show = subprocess.run(
        [sys.executable, "-m", "edge", "demo"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert (show.returncode, show.stderr) == (0, "")
    assert "24 attempts, 24 CDRs" in show.stdout


@pytest.fixture
def started(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    policy = tmp_path / "policy.toml"
    policy.write_text("")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "edge", "run", "--policy", policy, "--listen", "udp:127.0.0.1:0", "--log", "json"),
            *("--state", tmp_path / "state", "--redis", "embedded", "--node", "n1", "--drain-s", "1"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def test_an_edge_says_five_lines_answers_a_ping_and_stops_in_order(started, tmp_path):
    """Banner on stdout, facts on stderr, 200 to OPTIONS, exit code 0 after SIGTERM."""
    assert started.stdout is not None
    banner = [started.stdout.readline().split() for _ in range(5)]
    assert [line[0] for line in banner] == ["listening", "store", "policy", "CDRs", "try"]

    port = int(banner[0][1].rpartition(":")[2])
    pinged = subprocess.run(
        [sys.executable, "-m", "edge", "ping", f"udp:127.0.0.1:{port}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (pinged.returncode, pinged.stderr) == (0, "")
    assert pinged.stdout.startswith(f"udp:127.0.0.1:{port}: 200 OK in ")

    started.send_signal(signal.SIGTERM)
    _, stderr = started.communicate(timeout=20)
    events = [json.loads(line)["event"] for line in stderr.splitlines()]
    events = [event for event in events if event != "nodes.changed"]  # it hears its own heartbeat, sooner or later
    stopped = ["edge.started", "edge.draining", "edge.stopped", "delivery.stopped"]
    assert (started.returncode, events) == (0, stopped)
