"""Metrics of the admin process: one table; docs/metrics.md has the same rows."""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest


class Row(NamedTuple):
    """One metric."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str


ROWS: tuple[Row, ...] = (
    Row("edge_admin_requests_total", "counter", ("operation", "status"), "requests answered"),
    Row("edge_admin_request_seconds", "histogram", (), "time from a request's headers to its answer's last byte"),
    Row("edge_admin_running", "gauge", (), "requests under way"),
    Row("edge_admin_refused_total", "counter", ("problem",), "requests refused before they reached an operation"),
    Row("edge_admin_lockouts_total", "counter", (), "addresses locked out after wrong tokens"),
    Row("edge_admin_audit_seq", "gauge", (), "number of the last entry of the audit that this process made"),
)
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)


class Metrics:
    """Counted as things happen, shown when asked for."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        names = {row.name: row for row in ROWS}

        def counter(name: str) -> Counter:
            return Counter(name, names[name].meaning, names[name].labels, registry=self.registry)

        def gauge(name: str) -> Gauge:
            return Gauge(name, names[name].meaning, names[name].labels, registry=self.registry)

        self.requests = counter("edge_admin_requests_total")
        name = "edge_admin_request_seconds"
        self.seconds = Histogram(name, names[name].meaning, registry=self.registry, buckets=_BUCKETS)
        self.running = gauge("edge_admin_running")
        self.refused = counter("edge_admin_refused_total")
        self.lockouts = counter("edge_admin_lockouts_total")
        self.audit_seq = gauge("edge_admin_audit_seq")

    def page(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)
