"""edge/cdr/delivery/spans.py: a record is a span; what happened is its events; no number is in it."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from edge.cdr.delivery.consumer import Entry
from edge.cdr.delivery.spans import ATTRIBUTES, request_of, span_of
from edge.cdr.record import COLUMNS

UID = "b019f4a345d1130b3351315960925bdc"
SECOND = 1_782_900_000
"""2026-07-01T10:00:00Z."""


def at(fraction: str) -> str:
    return f"2026-07-01T10:00:{fraction}Z"


def entry(**columns: object) -> Entry:
    record = {
        "uid": UID, "outcome": "answered", "reason": "answered", "status": 200, "account": "acme", "call_id": "a@b",
        "cli_presented": "+33612345678", "called": "+33170000001", "emergency": False, "rule": "", "tags": ["a", "b"],
        "received_at": at("00.000001"), "decided_at": at("00.000500"), "ringing_at": at("01.000000"),
        "answered_at": at("02.500000"), "released_at": at("09.999999"),
        "candidates": [["one", 503], ["two", 200]],
        "tries": [[at("00.000600"), at("00.100000")], [at("00.100001"), at("02.500000")]],
    }  # fmt: skip
    return Entry(7, str(columns.get("uid", UID)), b"", {**record, **columns})


def words(pairs) -> dict[str, object]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def test_a_span_lasts_from_the_invite_to_the_end():
    """To the microsecond, under the name of the call."""
    span = span_of(entry())
    assert (UID, 8) == (span.trace_id.hex(), len(span.span_id))
    assert (SECOND * 10**9 + 1_000, SECOND * 10**9 + 9_999_999_000) == (
        span.start_time_unix_nano, span.end_time_unix_nano,
    )  # fmt: skip
    assert (b"", Span.SPAN_KIND_SERVER, Status.STATUS_CODE_UNSET) == (
        span.parent_span_id, span.kind, span.status.code,
    )  # fmt: skip


def test_what_happened_stands_in_its_order():
    """Decision, each trunk that was tried, ringing, answer."""
    events = [
        (event.name, event.time_unix_nano - SECOND * 10**9, words(event.attributes))
        for event in span_of(entry()).events
    ]
    assert [
        ("decided", 500_000, {}),
        ("sent", 600_000, {"trunkgate.trunk": "one", "trunkgate.status": 503}),
        ("sent", 100_001_000, {"trunkgate.trunk": "two", "trunkgate.status": 200}),
        ("ringing", 1_000_000_000, {}),
        ("answered", 2_500_000_000, {}),
    ] == events


def test_what_is_empty_is_left_out_and_no_number_is_in_it():
    """A number is personal data: the record has it."""
    span = span_of(entry())
    told = words(span.attributes)
    assert {
        "trunkgate.uid": UID,
        "trunkgate.account": "acme",
        "trunkgate.status": 200,
        "trunkgate.tags": "a b",
    }.items() <= told.items()
    assert {"trunkgate.rule", "trunkgate.emergency"} & told.keys() == set()
    assert b"12345678" not in span.SerializeToString()
    assert b"70000001" not in span.SerializeToString()


def test_an_attempt_that_was_refused_is_no_error_and_one_that_failed_is():
    """The edge did what it is for."""
    refused = span_of(entry(outcome="refused", reason="caps", released_at=None, answered_at=None, tries=[]))
    assert refused.start_time_unix_nano == refused.end_time_unix_nano
    assert Status.STATUS_CODE_UNSET == refused.status.code
    failed = span_of(entry(outcome="failed", reason="trunks_failed"))
    assert (Status.STATUS_CODE_ERROR, "trunks_failed") == (failed.status.code, failed.status.message)


@pytest.mark.parametrize("uid", ["", "x" * 32, "00" * 16, "ab", "uid-7"])
def test_every_uid_names_a_trace(uid):
    """A trace id is 16 bytes and not nothing, and each uid has its own."""
    span = span_of(entry(uid=uid))
    assert 16 == len(span.trace_id)
    assert any(span.trace_id)
    assert any(span.span_id)
    assert span.trace_id != span_of(entry(uid=uid + "1")).trace_id


@pytest.mark.parametrize(
    "columns",
    [{"received_at": None}, {"received_at": "yesterday"}, {"received_at": "2026-07-01T10:00:00"},
     {"candidates": None}, {"tries": [None, [None, None]]}, {"candidates": [[], "x"]}, {"status": None}],
)  # fmt: skip
def test_a_record_that_lacks_something_is_a_span_still(columns):
    """Of an older release, or of a call whose node died."""
    assert ExportTraceServiceRequest.FromString(request_of([entry(**columns)], node="n1", version="1"))


def test_the_columns_are_those_of_records():
    """A renamed one would be missing for ever."""
    assert set() == {*ATTRIBUTES} - {column.name for column in COLUMNS}


def test_a_request_says_whose_spans_these_are():
    """Service, node, version; a span for each record."""
    read = ExportTraceServiceRequest.FromString(request_of([entry(), entry(uid="2")], node="n1", version="9.1"))
    (resource,) = read.resource_spans
    assert {"service.name": "trunkgate", "service.instance.id": "n1", "service.version": "9.1"} == words(
        resource.resource.attributes
    )
    assert 2 == len(resource.scope_spans[0].spans)
