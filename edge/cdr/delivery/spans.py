"""Records as spans of OpenTelemetry, one for each attempt, as an OTLP request has them. Pure but for the extra `otel`.

The trace is named by the call's uid, so that whoever has a record finds its span. No number of a caller or of somebody
called is in it: they are in the record.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from edge.cdr.delivery.consumer import Entry, Json

NAME = "call attempt"
ATTRIBUTES = (
    "uid",
    "call_id",
    "account",
    "outcome",
    "reason",
    "status",
    "q850",
    "release_side",
    "release_reason",
    "ingress_trunk",
    "egress_trunk",
    "route",
    "rule",
    "decided_by",
    "limit",
    "ruleset",
    "listener",
    "emergency",
    "degraded",
    "lost",
    "policy_generation",
    "decision_us",
    "pdd_ms",
    "duration_ms",
    "attempts",
    "tags",
)
"""Columns that a span has, as `trunkgate.COLUMN`; an empty one is left out."""
MOMENTS = (("decided_at", "decided"), ("ringing_at", "ringing"), ("answered_at", "answered"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def request_of(entries: Sequence[Entry], *, node: str, version: str) -> bytes:
    """An `ExportTraceServiceRequest` with a span for each record."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    service = {"service.name": "trunkgate", "service.instance.id": node, "service.version": version}
    resource.resource.attributes.extend([_pair(name, value) for name, value in service.items()])
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "trunkgate.cdr", version
    scope.spans.extend([span_of(entry) for entry in entries])
    return bytes(request.SerializeToString())


def span_of(entry: Entry) -> Span:
    """One attempt: from its INVITE to its end, with what happened between."""
    record, digest = entry.record, sha256(entry.uid.encode()).digest()
    received = _nanoseconds(record.get("received_at"))
    span = Span(
        trace_id=_trace_id(entry.uid, digest),
        span_id=digest[:8],
        name=NAME,
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=received,
        end_time_unix_nano=max(received, _nanoseconds(record.get("released_at"))),
        attributes=[
            _pair(f"trunkgate.{name}", value)
            for name in ATTRIBUTES
            if (value := record.get(name)) not in (None, "", False, [])
        ],
        events=_events(record),
    )
    if record.get("outcome") == "failed":
        span.status.code, span.status.message = Status.STATUS_CODE_ERROR, str(record.get("reason") or "")
    return span


def _events(record: Mapping[str, Json]) -> list[Span.Event]:
    """In the order in which they happened."""
    found = [
        Span.Event(name=name, time_unix_nano=at) for column, name in MOMENTS if (at := _nanoseconds(record.get(column)))
    ]
    candidates, tries = record.get("candidates"), record.get("tries")
    if isinstance(candidates, list) and isinstance(tries, list):
        for candidate, one in zip(candidates, tries, strict=False):
            if isinstance(candidate, list) and isinstance(one, list) and candidate and one:
                what = [_pair("trunkgate.trunk", candidate[0])]
                what += [_pair("trunkgate.status", candidate[1])] if len(candidate) > 1 and candidate[1] else []
                if at := _nanoseconds(one[0]):
                    found.append(Span.Event(name="sent", time_unix_nano=at, attributes=what))
    return sorted(found, key=lambda event: event.time_unix_nano)


def _trace_id(uid: str, digest: bytes) -> bytes:
    """The uid itself, where it is one of ours: 32 hexadecimal digits."""
    try:
        found = bytes.fromhex(uid)
    except ValueError:
        found = b""
    return found if len(found) == 16 and any(found) else digest[8:24]


def _nanoseconds(instant: Json) -> int:
    """Since 1970, UTC; 0: it did not happen."""
    if not isinstance(instant, str) or not instant:
        return 0
    try:
        at = datetime.fromisoformat(instant)
    except ValueError:
        return 0
    return (at - _EPOCH) // timedelta(microseconds=1) * 1_000 if at.tzinfo is not None else 0


def _pair(name: str, value: Json) -> KeyValue:
    if isinstance(value, bool):
        return KeyValue(key=name, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=name, value=AnyValue(int_value=value))
    if isinstance(value, list | tuple):
        return KeyValue(key=name, value=AnyValue(string_value=" ".join(map(str, value))))
    return KeyValue(key=name, value=AnyValue(string_value=str(value)))
