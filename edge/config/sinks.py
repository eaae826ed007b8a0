"""`[[cdr.sinks]]`: where call detail records are delivered, part of the settings of one process.

Pure; imports pydantic and this room. Descriptions are the operator's reference (`docs/parameters.md`).
"""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from edge.config.faults import told
from edge.config.fields import IDENTIFIER, MAX_LIST, SQL_NAME, Section
from edge.config.sending import Path, Variable, exactly_one, webhook_url
from limits.address import parse_address

MAX_SINKS = 16
_PASSWORD_WORD = re.compile(r"(^|[\s?&])password\s*=", re.IGNORECASE)
SqlName = Annotated[str, StringConstraints(pattern=SQL_NAME)]


def _without_password(text: str, file: str, env: str) -> str:
    login, at, _ = text.partition("://")[2].partition("/")[0].rpartition("@")
    if (at and ":" in login) or _PASSWORD_WORD.search(text):
        raise told(f"expected no password here: put it all into a file ({file}) or a variable ({env})")
    return text


def _redis_url(text: str) -> str:
    _without_password(text, "url_file", "url_env")
    try:
        parse_address(text)
    except ValueError as fault:
        raise told(str(fault)) from fault
    return text


def _dsn(text: str) -> str:
    return _without_password(text, "dsn_file", "dsn_env")


class SinkEntry(Section):
    """Where CDRs are delivered, in the TOML file of the process: what every kind of sink has."""

    name: Annotated[str, StringConstraints(pattern=IDENTIFIER)] = Field(
        description="Names it in commands, metrics and alarms, and its directory `STATE/delivery/NAME`. Another name "
        "is another sink, which begins anew.",
        examples=["billing"],
    )
    batch_records: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        default=500,
        description="Most records handed over at once. Of `jsonl` and `csv`: 2,000 by default.",
        examples=[1000],
    )
    batch_bytes: Annotated[int, Field(strict=True, ge=4_096, le=16_777_216)] = Field(
        default=1_048_576,
        description="Most bytes of records handed over at once. Of `jsonl` and `csv`: 4194304 by default.",
        examples=[262_144],
    )
    batch_age_s: Annotated[float, Field(ge=0, le=60)] = Field(
        default=1.0, description="Seconds a record waits at most for others to go with it.", examples=[0.2]
    )
    timeout_s: Annotated[float, Field(ge=0.1, le=600)] = Field(
        default=30.0, description="A batch that is not taken in so many seconds is tried again.", examples=[10]
    )
    retry_most_s: Annotated[float, Field(ge=1, le=3600)] = Field(
        default=60.0,
        description="Longest pause between two tries, in seconds; the first is half a second, and it doubles.",
        examples=[30],
    )
    alarm_s: Annotated[float, Field(ge=1, le=86_400)] = Field(
        default=60.0, description="Seconds of failure after which the log says `delivery.stuck`.", examples=[300]
    )
    begin: Literal["oldest", "next"] = Field(
        default="oldest",
        description="Where a new sink begins: with the oldest record there is, or with the next one.",
        examples=["next"],
    )


class SpoolEntry(SinkEntry):
    """Files for somebody else to take away: whole when their name appears. Each batch is forced to the disk, so many
    records go together."""

    batch_records: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        default=2_000, description="Most records handed over at once.", examples=[1000]
    )
    batch_bytes: Annotated[int, Field(strict=True, ge=4_096, le=16_777_216)] = Field(
        default=4_194_304, description="Most bytes of records handed over at once.", examples=[262_144]
    )
    directory: Path = Field(
        description="Where finished files appear. It must be on one file system; only this sink may write there.",
        examples=["/var/spool/trunkgate/rating"],
    )
    rotate_s: Annotated[float, Field(ge=1, le=86_400)] = Field(
        default=60.0, description="A file is finished when its first record is so many seconds old.", examples=[900]
    )
    rotate_bytes: Annotated[int, Field(strict=True, ge=4_096, le=1 << 30)] = Field(
        default=16_777_216, description="A file is finished when it has so many bytes.", examples=[1_048_576]
    )
    rotate_records: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] = Field(
        default=100_000, description="A file is finished when it has so many records.", examples=[10_000]
    )


class JsonLinesSink(SpoolEntry):
    """`kind = "jsonl"`: files of JSON lines, as they stand in the log."""

    kind: Literal["jsonl"] = Field(description="Chooses this kind of sink.", examples=["jsonl"])


class CsvSink(SpoolEntry):
    """`kind = "csv"`: files for a rating engine, RFC 4180."""

    kind: Literal["csv"] = Field(description="Chooses this kind of sink.", examples=["csv"])
    columns: Annotated[tuple[str, ...], Field(max_length=MAX_LIST)] = Field(
        default=(),
        description="Columns and their order; empty: all, in the order of the record, new ones at the end.",
        examples=[["seq", "uid", "account", "called", "answered_at", "billed_s", "cost_micros"]],
    )
    delimiter: Literal[",", ";", "\t", "|"] = Field(default=",", description="Between the fields.", examples=[";"])
    header: bool = Field(default=True, description="The first line names the columns.", examples=[False])


class RedisSink(SinkEntry):
    """`kind = "redis"`: entries of one Redis Stream, in order, none twice."""

    kind: Literal["redis"] = Field(description="Chooses this kind of sink.", examples=["redis"])
    url: Annotated[str, StringConstraints(max_length=1024), AfterValidator(_redis_url)] | None = Field(
        default=None,
        description="The server, in the forms of `redis`, without a password. It need not be the store of the limits.",
        examples=["redis://queue.example:6379/0"],
    )
    url_file: Path | None = Field(
        default=None, description="File that holds the URL instead.", examples=["/etc/trunkgate/queue.url"]
    )
    url_env: Variable | None = Field(
        default=None, description="Environment variable that holds the URL instead.", examples=["CDR_QUEUE_URL"]
    )
    stream: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        default="trunkgate:cdr:{node}",
        description="Key of the stream; `{node}` is this node's name. Each node needs a stream of its own.",
        examples=["cdr:{node}"],
    )
    maxlen: Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)] = Field(
        default=0,
        description="About so many entries are kept, older ones are dropped unread or not; 0: all are kept.",
        examples=[1_000_000],
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        exactly_one(self.url, self.url_file, self.url_env, names="url, url_file, url_env")
        return self

    @field_validator("stream")
    @classmethod
    def _stream(cls, text: str) -> str:
        try:
            text.format(node="n")
        except (KeyError, IndexError, ValueError, AttributeError):
            raise ValueError("expected a key in which {node} alone stands in braces") from None
        return text


class PostgresSink(SinkEntry):
    """`kind = "postgres"`: rows of one table, none twice. Needs the extra `postgres`."""

    kind: Literal["postgres"] = Field(description="Chooses this kind of sink.", examples=["postgres"])
    dsn: Annotated[str, StringConstraints(max_length=2048), AfterValidator(_dsn)] | None = Field(
        default=None,
        description="Connection, as libpq reads it: a URL or `host=… dbname=… user=…`, without a password.",
        examples=["postgresql://edge@db.example/billing?sslmode=verify-full"],
    )
    dsn_file: Path | None = Field(
        default=None, description="File that holds the connection instead.", examples=["/etc/trunkgate/billing.dsn"]
    )
    dsn_env: Variable | None = Field(
        default=None, description="Environment variable that holds the connection instead.", examples=["CDR_DSN"]
    )
    db_schema: SqlName = Field(
        default="public", alias="schema", description="Schema of the table; it must exist.", examples=["billing"]
    )
    table: SqlName = Field(
        default="cdr", description="The table; made and kept up to date by the sink.", examples=["call_records"]
    )
    partition: Literal["none", "month"] = Field(
        default="none",
        description="`month`: a partition for each month (UTC) of `received_at`, made when its first record comes; "
        "fixed when the table is made.",
        examples=["month"],
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        exactly_one(self.dsn, self.dsn_file, self.dsn_env, names="dsn, dsn_file, dsn_env")
        return self


class WebhookSink(SinkEntry):
    """`kind = "webhook"`: signed HTTP POSTs of JSON lines."""

    kind: Literal["webhook"] = Field(description="Chooses this kind of sink.", examples=["webhook"])
    url: Annotated[str, StringConstraints(max_length=2048), AfterValidator(webhook_url)] = Field(
        description="Where to POST: `https://…`; `http://` only to this machine itself.",
        examples=["https://billing.example/cdr"],
    )
    secret_file: Path | None = Field(
        default=None,
        description="File that holds the secret of the signature: 16 characters at least.",
        examples=["/etc/trunkgate/webhook.secret"],
    )
    secret_env: Variable | None = Field(
        default=None, description="Environment variable that holds the secret instead.", examples=["CDR_WEBHOOK_SECRET"]
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of the certificates to trust; left out: those of the system.",
        examples=["/etc/trunkgate/ca.pem"],
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        exactly_one(self.secret_file, self.secret_env, names="secret_file, secret_env")
        return self


class OtlpSink(SinkEntry):
    """`kind = "otlp"`: a span of OpenTelemetry for each attempt, by OTLP over HTTP. Needs the extra `otel`."""

    kind: Literal["otlp"] = Field(description="Chooses this kind of sink.", examples=["otlp"])
    url: Annotated[str, StringConstraints(max_length=2048), AfterValidator(webhook_url)] = Field(
        description="Where the collector takes traces: `https://…/v1/traces`; `http://` only to this machine itself.",
        examples=["http://127.0.0.1:4318/v1/traces"],
    )
    authorization_file: Path | None = Field(
        default=None,
        description="File whose first line is sent as the header Authorization; left out: none is sent.",
        examples=["/etc/trunkgate/collector.authorization"],
    )
    authorization_env: Variable | None = Field(
        default=None, description="Environment variable that holds it instead.", examples=["OTLP_AUTHORIZATION"]
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of the certificates to trust; left out: those of the system.",
        examples=["/etc/trunkgate/ca.pem"],
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.authorization_file is not None and self.authorization_env is not None:
            raise told("expected one of authorization_file, authorization_env, or neither")
        return self


Sink = Annotated[
    JsonLinesSink | CsvSink | RedisSink | PostgresSink | WebhookSink | OtlpSink, Field(discriminator="kind")
]
KINDS: dict[str, type[SinkEntry]] = {
    "jsonl": JsonLinesSink,
    "csv": CsvSink,
    "redis": RedisSink,
    "postgres": PostgresSink,
    "webhook": WebhookSink,
    "otlp": OtlpSink,
}


RESERVED = "quality"
"""Name of the consumer that counts for docs/quality.md."""


class CdrSettings(Section):
    """`[cdr]`: what becomes of call detail records once they are in the log."""

    sinks: Annotated[tuple[Sink, ...], Field(max_length=MAX_SINKS)] = Field(
        default=(), description="`[[cdr.sinks]]`: where they are delivered, each at its own pace."
    )

    @field_validator("sinks")
    @classmethod
    def _apart(cls, sinks: tuple[Sink, ...]) -> tuple[Sink, ...]:
        for what, places in (
            ("name", [sink.name for sink in sinks]),
            ("directory", [sink.directory.rstrip("/") for sink in sinks if isinstance(sink, SpoolEntry)]),
        ):
            if what == "name" and RESERVED in places:
                raise told(f"a sink cannot be named {RESERVED!r}: that is the edge's own reader of records")
            twice = next((place for place in places if places.count(place) > 1), None)
            if twice is not None:
                raise told(f"two sinks have the {what} {twice!r}")
        return sinks
