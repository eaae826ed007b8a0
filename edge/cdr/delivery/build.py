"""From the settings of the process to its consumers (I/O: reads credentials, opens nothing else).

Every fault that an operator can make is found here, when the edge starts, and told as one sentence.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from edge import __version__
from edge.cdr.delivery.consumer import Bounds, Consumer, Ready
from edge.cdr.delivery.credentials import SinkError, credential
from edge.cdr.delivery.layout import Csv, JsonLines
from edge.cdr.delivery.signature import MIN_SECRET_CHARS
from edge.cdr.delivery.spool import Rotation, Spool
from edge.cdr.record import COLUMNS
from edge.config.sinks import (
    CsvSink,
    JsonLinesSink,
    OtlpSink,
    PostgresSink,
    RedisSink,
    Sink,
    SinkEntry,
    SpoolEntry,
    WebhookSink,
)

SINKS: TypeAdapter[tuple[Sink, ...]] = TypeAdapter(tuple[Sink, ...])
"""As they are handed to the delivery process, in JSON: what the edge has checked it reads once more."""


def open_consumers(sinks: Sequence[Sink], *, node: str) -> list[Ready]:
    """Every consumer of the delivery process. Raises SinkError."""
    return [Ready(_consumer(sink, node), bounds_of(sink)) for sink in sinks]


def bounds_of(sink: SinkEntry) -> Bounds:
    """What the runner needs to know."""
    return Bounds(
        records=sink.batch_records,
        size=sink.batch_bytes,
        age_s=sink.batch_age_s,
        timeout_s=sink.timeout_s,
        retry_most_s=sink.retry_most_s,
        alarm_s=sink.alarm_s,
        from_oldest=sink.begin == "oldest",
    )


def _consumer(sink: Sink, node: str) -> Consumer:
    if isinstance(sink, JsonLinesSink | CsvSink):
        return _spool(sink, node)
    if isinstance(sink, RedisSink):
        return _stream(sink, node)
    if isinstance(sink, PostgresSink):
        return _table(sink)
    if isinstance(sink, OtlpSink):
        return _collector(sink, node)
    return _webhook(sink, node)


def _spool(sink: JsonLinesSink | CsvSink, node: str) -> Spool:
    layout: JsonLines | Csv = JsonLines()
    if isinstance(sink, CsvSink):
        known = [column.name for column in COLUMNS]
        for column in sink.columns:
            if column not in known:
                raise SinkError(f"sink {sink.name!r}: columns: no column {column!r}; docs/cdr.md has them all")
        layout = Csv(sink.columns or known, delimiter=sink.delimiter, has_header=sink.header)
    return Spool(sink.name, Path(sink.directory), node=node, layout=layout, rotation=rotation_of(sink))


def rotation_of(sink: SpoolEntry) -> Rotation:
    """When its files are finished."""
    return Rotation(sink.rotate_s, sink.rotate_bytes, sink.rotate_records)


def _stream(sink: RedisSink, node: str) -> Consumer:
    from edge.cdr.delivery.stream import RedisStream

    url = sink.url or credential(sink.name, "url", sink.url_file, sink.url_env)
    try:
        return RedisStream(sink.name, url, key=sink.stream.format(node=node), node=node, maxlen=sink.maxlen)
    except ValueError as error:
        raise SinkError(f"sink {sink.name!r}: {error}") from None


def _table(sink: PostgresSink) -> Consumer:
    try:
        importlib.import_module("psycopg")
    except ImportError as error:
        raise SinkError(
            f"sink {sink.name!r}: kind postgres needs psycopg 3: install trunkgate[postgres] ({error})"
        ) from error
    from edge.cdr.delivery.postgres import PostgresTable

    return PostgresTable(
        sink.name,
        sink.dsn or credential(sink.name, "dsn", sink.dsn_file, sink.dsn_env),
        schema=sink.db_schema,
        table=sink.table,
        is_partitioned=sink.partition == "month",
        timeout_s=sink.timeout_s,
    )


def _collector(sink: OtlpSink, node: str) -> Consumer:
    try:
        from edge.cdr.delivery.otlp import Collector
    except ImportError as error:
        raise SinkError(
            f"sink {sink.name!r}: kind otlp needs opentelemetry-proto: install trunkgate[otel] ({error})"
        ) from error

    is_told = sink.authorization_file or sink.authorization_env
    authorization = (
        credential(sink.name, "authorization", sink.authorization_file, sink.authorization_env) if is_told else ""
    )
    if not (authorization.isascii() and authorization.isprintable()):
        raise SinkError(f"sink {sink.name!r}: authorization: expected printable ASCII characters")
    try:
        return Collector(
            sink.name,
            sink.url,
            node=node,
            version=__version__,
            timeout_s=sink.timeout_s,
            authorization=authorization,
            ca_file=None if sink.ca_file is None else Path(sink.ca_file),
        )
    except OSError as error:
        raise SinkError(f"sink {sink.name!r}: ca_file {sink.ca_file}: {error.strerror or error}") from error


def _webhook(sink: WebhookSink, node: str) -> Consumer:
    from edge.cdr.delivery.webhook import Webhook

    secret = credential(sink.name, "secret", sink.secret_file, sink.secret_env)
    if len(secret) < MIN_SECRET_CHARS:
        where = sink.secret_file or sink.secret_env
        raise SinkError(f"sink {sink.name!r}: expected a secret of {MIN_SECRET_CHARS} characters at least in {where}")
    try:
        return Webhook(
            sink.name,
            sink.url,
            secret=secret.encode(),
            node=node,
            timeout_s=sink.timeout_s,
            agent=f"trunkgate/{__version__}",
            ca_file=None if sink.ca_file is None else Path(sink.ca_file),
        )
    except OSError as error:
        raise SinkError(f"sink {sink.name!r}: ca_file {sink.ca_file}: {error.strerror or error}") from error
