"""edge.cdr.delivery.otlp against a small collector: HTTP as OTLP has it, protobuf read by its authors' own messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from peers import Delivery, entries, until, write_log

from edge.cdr.delivery.build import open_consumers
from edge.cdr.delivery.consumer import BatchRefused, DeliveryFailed
from edge.cdr.delivery.credentials import SinkError
from edge.cdr.delivery.otlp import Collector
from edge.config.errors import StaticConfigError
from edge.config.static import StaticConfig


class Receiver:
    """Takes traces as a collector does."""

    def __init__(self) -> None:
        self.port = 0
        self.heads: list[str] = []
        self.requests: list[ExportTraceServiceRequest] = []
        self.statuses: list[int] = []
        """What each request gets; then 200."""
        self.answer = ExportTraceServiceResponse()

    @property
    def uids(self) -> list[str]:
        """Of every span, in the order in which they came."""
        spans = [span for one in self.requests for span in one.resource_spans[0].scope_spans[0].spans]
        return [pair.value.string_value for span in spans for pair in span.attributes if pair.key == "trunkgate.uid"]

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
                body = await reader.readexactly(length)
                self.heads.append(head)
                status = self.statuses.pop(0) if self.statuses else 200
                if status == 200:
                    self.requests.append(ExportTraceServiceRequest.FromString(body))
                answer = self.answer.SerializeToString()
                lines = [f"HTTP/1.1 {status} Because", "Content-Type: application/x-protobuf", "Retry-After: 3"]
                writer.write("\r\n".join([*lines, f"Content-Length: {len(answer)}", "", ""]).encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.speak, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def settings(**words: object) -> StaticConfig:
    sink = {"name": "traces", "kind": "otlp", **words}
    return StaticConfig.model_validate({"policy": "-", "cdr": {"sinks": [sink]}})


def collector(port: int, **words: object) -> Collector:
    """As the settings make it."""
    url = f"http://127.0.0.1:{port}/v1/traces"
    (ready,) = open_consumers(settings(url=url, timeout_s=2, **words).cdr.sinks, node="n1")
    assert isinstance(ready.consumer, Collector)
    return ready.consumer


async def test_every_record_is_a_span_at_the_collector(tmp_path: Path):
    """Through the runner, as the delivery process has it; a collector that is busy gets them again."""
    write_log(tmp_path, range(1, 121), released_at="2026-07-01T12:00:09.000001Z")
    async with receiving() as receiver:
        receiver.statuses = [503, 429]
        async with Delivery(tmp_path, collector(receiver.port)) as delivery:
            await delivery.has_come_to(120)
        assert [f"uid-{seq}" for seq in range(1, 121)] == receiver.uids
        assert ([], 2) == (receiver.statuses, len(receiver.heads) - len(receiver.requests))
        head = receiver.heads[0]
        assert head.startswith("POST /v1/traces HTTP/1.1\r\n")
        assert "Content-Type: application/x-protobuf" in head
        assert "Trunkgate-Signature" not in head
        (span, *_) = receiver.requests[0].resource_spans[0].scope_spans[0].spans
        assert 9_000_000_000 == span.end_time_unix_nano - span.start_time_unix_nano


async def test_who_we_are_is_told_where_it_is_set(tmp_path: Path):
    """From a file or a variable, as it stands there."""
    (tmp_path / "word").write_text("Bearer abc\n")
    async with receiving() as receiver:
        sink = collector(receiver.port, authorization_file=str(tmp_path / "word"))
        await sink.start(0)
        await sink.deliver(entries(1))
        await sink.close()
        assert "Authorization: Bearer abc\r\n" in receiver.heads[0]


async def test_what_a_collector_drops_of_a_batch_is_not_sent_again():
    """OTLP 1.x, "Partial Success": the client must not retry."""
    async with receiving() as receiver:
        receiver.answer = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=1))
        sink = collector(receiver.port)
        await sink.deliver(entries(1, 2))
        await sink.close()
        assert ["uid-1", "uid-2"] == receiver.uids


@pytest.mark.parametrize(
    ("status", "fault"), [(503, DeliveryFailed), (429, DeliveryFailed), (404, DeliveryFailed), (400, BatchRefused)]
)
async def test_answers_are_judged_as_those_of_a_webhook(status: int, fault: type[Exception]):
    """Later, or never."""
    async with receiving() as receiver:
        receiver.statuses = [status]
        sink = collector(receiver.port)
        with pytest.raises(fault, match=f"HTTP {status}"):
            await sink.deliver(entries(1))
        await sink.close()


async def test_a_collector_that_is_not_there_is_waited_for(tmp_path: Path):
    """The records stay in the log."""
    write_log(tmp_path, [1])
    async with receiving() as receiver:
        port = receiver.port
    async with Delivery(tmp_path, collector(port)) as delivery:
        await until(lambda: bool(delivery.told("delivery.failed")), "the failure to be told")
        assert 0 == delivery.runner.position.seq


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"url": "http://collector.example:4318/v1/traces"}, "http:// only to 127.0.0.1"),
        ({"url": "https://c/v1/traces", "authorization_file": "/a", "authorization_env": "A"}, "expected one of"),
        ({}, "url"),
    ],
)
def test_settings_that_cannot_be_meant(words, told):
    """Told when the edge starts."""
    with pytest.raises((ValueError, StaticConfigError), match=told):
        settings(**words)


def test_a_word_that_is_no_header_is_refused(tmp_path: Path):
    """It would be another header."""
    (tmp_path / "word").write_text("Bearer é\n")
    with pytest.raises(SinkError, match="authorization: expected printable ASCII"):
        collector(4318, authorization_file=str(tmp_path / "word"))
