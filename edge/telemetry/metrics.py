"""The metrics page: one table of what is told, read from plain integers when somebody asks.

(I/O) prometheus-client serves the page from a thread of its own. Everything read here is an int, a float or a dict
copied in one step, so the event loop needs no lock and never waits for a scrape.
"""

from collections.abc import Iterable, Iterator, Mapping
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.telemetry.metric_table import METRICS, MetricRow, MetricType
from edge.telemetry.sources import Sources
from edge.telemetry.totals import Histogram


class EdgeCollector(Collector):
    """Makes the exposition's families from the table, at the moment of the scrape. Every row has the label `node`."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        """Read everything once."""
        for row in METRICS:
            yield self._family(row)

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of the scrape: the names cannot collide."""
        return ()

    def _family(self, row: MetricRow) -> Metric:
        node = self._sources.node
        value = row.read(self._sources)
        labels = ["node", row.label] if row.label else ["node"]
        if isinstance(value, Histogram):
            histogram = HistogramMetricFamily(row.name, row.meaning, labels=labels)
            histogram.add_metric([node], buckets=value.cumulative(), sum_value=value.total_us / 1e6)
            return histogram
        kind = CounterMetricFamily if row.type is MetricType.COUNTER else GaugeMetricFamily
        family = kind(row.name, row.meaning, labels=labels)
        if isinstance(value, Mapping):
            for key, number in dict(value).items():
                family.add_metric([node, key], number)
        else:
            family.add_metric([node], value)
        return family


class MetricsPage:
    """The page while it is served. `port` is the one taken, also where 0 was asked for."""

    __slots__ = ("_server", "_thread", "port")

    def __init__(self, host: str, port: int, sources: Sources) -> None:
        """Binds and serves at once, from a thread. Raises OSError where the address is taken or not ours."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(EdgeCollector(sources))
        ProcessCollector(registry=registry)
        served: tuple[WSGIServer, Thread] = start_http_server(port, addr=host, registry=registry)
        self._server, self._thread = served
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stop serving and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
