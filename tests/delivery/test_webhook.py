"""edge.cdr.delivery.webhook against real receivers: the one of the manual, and some that behave badly."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from peers import Delivery, entries, free_port, until, write_log

from edge.cdr.delivery.consumer import BatchRefused, DeliveryFailed
from edge.cdr.delivery.signature import signature
from edge.cdr.delivery.webhook import Webhook

RECEIVER = Path(__file__).parents[2] / "docs" / "examples" / "webhook_receiver.py"
SECRET = "correct horse battery staple"


def hook(
    port: int, *, scheme: str = "http", host: str = "127.0.0.1", timeout_s: float = 2.0, **options: object
) -> Webhook:
    return Webhook(
        "hook",
        f"{scheme}://{host}:{port}/cdr?to=billing",
        secret=str(options.get("secret", SECRET)).encode(),
        node="n1",
        timeout_s=timeout_s,
        agent="trunkgate/test",
        ca_file=options.get("ca_file"),
    )


class Asked:
    """One request as it came."""

    def __init__(self, head: bytes, body: bytes) -> None:
        first, *rest = head.decode().split("\r\n")
        self.line = first
        self.headers = dict(line.split(": ", 1) for line in rest if line)
        self.body = body


class Server:
    """Speaks just as much HTTP as a test wants, or none."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: list[bytes] = []
        """What each request gets; then 204."""
        self.connections = 0
        self.drip = False
        self.port = 0

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.asked.append(Asked(head, await reader.readexactly(length)))
                answer = self.answers.pop(0) if self.answers else b"HTTP/1.1 204 No Content\r\n\r\n"
                if answer == b"silence":
                    await asyncio.Event().wait()
                if answer == b"drip":
                    await self._drip(writer)
                writer.write(answer)
                await writer.drain()
                if answer in (b"", b"garbage\r\n\r\n") or b"close" in answer:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        """A byte at a time, so that no single wait is long."""
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X")
            await writer.drain()
            try:
                async with asyncio.timeout(0.05):
                    await asyncio.Event().wait()
            except TimeoutError:
                continue


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server()
    opened = await asyncio.start_server(server.speak, "127.0.0.1", 0, ssl=context)
    server.port = opened.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        opened.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if task.get_coro().__name__ == "speak":
                task.cancel()


def status(code: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {code} Because", "Content-Length: 0", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def test_a_request_says_what_it_holds_and_is_signed():
    """One record a line; time, signature, key, numbers."""
    async with serving() as server:
        sink = hook(server.port)
        await sink.start(0)
        await sink.deliver(entries(1, 2))
        await sink.deliver(entries(3))
        await sink.close()
        first, second = server.asked
        assert first.line == "POST /cdr?to=billing HTTP/1.1"
        assert [1, 2] == [json.loads(line)["seq"] for line in first.body.splitlines()]
        told = first.headers
        assert told["Trunkgate-Signature"] == signature(SECRET.encode(), int(told["Trunkgate-Timestamp"]), first.body)
        assert ("n1", "1-2", "2") == tuple(told[f"Trunkgate-{name}"] for name in ("Node", "Sequence", "Records"))
        assert "application/x-ndjson" == told["Content-Type"]
        assert told["Idempotency-Key"] != second.headers["Idempotency-Key"]
        assert 1 == server.connections


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504, 301, 307, 401, 403, 404, 405, 407])
async def test_what_may_pass_is_tried_again(code: int):
    """The other side's trouble, and ours with it: no record is at fault."""
    async with serving() as server:
        server.answers = [status(code, "Retry-After: 17")]
        sink = hook(server.port)
        with pytest.raises(DeliveryFailed, match=f"HTTP {code}") as caught:
            await sink.deliver(entries(1))
        assert 17.0 == caught.value.retry_after_s
        await sink.deliver(entries(1))
        first, second = server.asked
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
        await sink.close()


@pytest.mark.parametrize("code", [400, 409, 410, 413, 422, 451])
async def test_other_refusals_are_for_good(code: int):
    """The runner finds the record."""
    async with serving() as server:
        server.answers = [status(code)]
        sink = hook(server.port)
        with pytest.raises(BatchRefused, match=f"HTTP {code}"):
            await sink.deliver(entries(1))
        await sink.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500,
    ],
)
async def test_nonsense_is_a_failure(answer: bytes):
    """And the next try begins with a new connection."""
    async with serving() as server:
        server.answers = [answer]
        sink = hook(server.port, timeout_s=0.3)
        with pytest.raises(DeliveryFailed):
            await sink.deliver(entries(1))
        await sink.start(0)
        await sink.deliver(entries(1))
        assert 2 == server.connections
        await sink.close()


@pytest.mark.parametrize("answer", [b"silence", b"drip"])
async def test_silence_and_drips_do_not_outlast_the_bound(tmp_path, answer: bytes):
    """Also where each byte comes in time: the whole answer is what counts."""
    write_log(tmp_path, [1])
    async with serving() as server:
        server.answers = [answer]
        async with Delivery(tmp_path, hook(server.port, timeout_s=0.3), timeout_s=0.3) as delivery:
            await until(lambda: bool(delivery.told("delivery.failed")), "the failure to be told", 5.0)
            await delivery.has_come_to(1)
        assert 2 == len(server.asked)


async def test_a_connection_that_was_idle_too_long_is_no_failure():
    """Receivers close those: the request goes over a new one."""
    async with serving() as server:
        server.answers = [status(200), b""]
        sink = hook(server.port)
        await sink.deliver(entries(1))
        await sink.deliver(entries(2))
        assert [b'"seq":1', b'"seq":2', b'"seq":2'] == [asked.body[7:14] for asked in server.asked]
        await sink.close()


async def test_a_long_answer_is_not_read_to_its_end():
    """Ten megabytes of thanks."""
    async with serving() as server:
        size = 10_000_000
        server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size]
        sink = hook(server.port)
        await sink.deliver(entries(1))
        await sink.deliver(entries(2))
        assert 2 == server.connections
        await sink.close()


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    words += ["-keyout", str(key), "-out", str(cert), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run(words, check=True, capture_output=True, timeout=30)
    return key, cert


async def test_certificates_are_checked(tmp_path):
    """Trusted and of that name, or nothing is sent."""
    key, cert = certificate(tmp_path, "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    async with serving(context) as server:
        for sink, why in (
            (hook(server.port, scheme="https", host="localhost"), "self-signed certificate"),
            (hook(server.port, scheme="https", ca_file=cert), "IP address mismatch"),
        ):
            with pytest.raises(DeliveryFailed, match=why):
                await sink.deliver(entries(1))
            await sink.close()
        assert [] == server.asked
        sink = hook(server.port, scheme="https", host="localhost", ca_file=cert)
        await sink.deliver(entries(1))
        assert 1 == len(server.asked)
        await sink.close()


class Receiver:
    """The receiver of the manual, in a process of its own."""

    def __init__(self, folder: Path, secret: str = SECRET) -> None:
        self.port = free_port()
        self.file = folder / "received.jsonl"
        self._secret = secret
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, str(RECEIVER), str(self.port), str(self.file)]
        environment = {**os.environ, "CDR_WEBHOOK_SECRET": self._secret}
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        assert "listening" in self._process.stdout.readline()

    def signal(self, name: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(name)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def uids(self) -> list[str]:
        """Of what is written down as yet: the last line may be half there."""
        lines = self.file.read_text().splitlines(keepends=True) if self.file.exists() else []
        return [json.loads(line)["uid"] for line in lines if line.endswith("\n")]


@pytest.fixture
def receiver(tmp_path) -> Callable[[], Receiver]:
    made = Receiver(tmp_path)
    made.start()
    yield made
    made.kill()


async def test_the_receiver_of_the_manual_takes_each_record_once(receiver: Receiver, tmp_path):
    """Killed and stopped in the middle of the load: nothing is missing, nothing is there twice."""
    write_log(tmp_path, range(1, 1_001))
    async with Delivery(tmp_path, hook(receiver.port, timeout_s=0.5), records=10, timeout_s=0.5) as delivery:
        await delivery.has_come_to(200)
        receiver.kill()
        await until(lambda: len(delivery.told("delivery.failed")) >= 1, "the failure to be told")
        receiver.start()
        await delivery.has_come_to(400)
        receiver.signal(signal.SIGSTOP)
        await until(lambda: len(delivery.told("delivery.failed")) >= 2, "the failure to be told")
        receiver.signal(signal.SIGCONT)
        await delivery.has_come_to(1_000)
    assert [f"uid-{seq}" for seq in range(1, 1_001)] == receiver.uids()
    assert [] == delivery.quarantined()


async def test_the_receiver_of_the_manual_takes_no_forgery(receiver: Receiver):
    """Another secret: 401, which puts no record aside and shows the secret to nobody."""
    sink = hook(receiver.port, secret="another secret of that length")
    with pytest.raises(DeliveryFailed) as caught:
        await sink.deliver(entries(1))
    assert "HTTP 401" == str(caught.value)
    assert [] == receiver.uids()
    await sink.close()
