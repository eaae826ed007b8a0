"""The table of metrics: complete, told in the document, and readable by the field's own parser."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from edge.alerts.numbers import AlertNumbers
from edge.proxy.facts import CallFacts, Counters
from edge.quality.numbers import Numbers
from edge.telemetry.account_totals import AccountTotals
from edge.telemetry.metric_table import METRICS, MetricType
from edge.telemetry.metrics import EdgeCollector
from edge.telemetry.sources import Sources
from edge.telemetry.totals import CallTotals
from edge.transport.stream_bounds import StreamCounters

PAGE = Path(__file__).parents[4] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(edge_\w+)` \| (\w+) \| `?(\w*)`? ?\| (.*) \|$", re.MULTILINE)


@dataclass
class Limiter:
    is_up: bool = True
    asked: int = 7
    late: int = 1
    unavailable: int = 2
    reconnects: int = 3
    given_back: int = 4
    queued_settles: int = 5
    is_breaker_open: bool = False
    is_recounting: bool = False
    breaker_opens: int = 0
    near_hits: int = 0
    renews_waiting: int = 0
    epochs: int = 0
    stalls: int = 0
    garbage: int = 0
    store_errors: int = 0
    settles_dropped: int = 0
    journal_errors: int = 0


@dataclass
class Cdr:
    backlog: int = 1
    errors: int = 2
    is_failing: bool = True
    lost: int = 3
    written: int = 4
    synced: int = 5
    free_bytes: int = 6
    chain_fault: str = "x"


@dataclass
class Verdicts:
    unsettled: int = 41
    void: int = 42


@dataclass
class Delivery:
    is_up: bool = True
    restarts: int = 5

    def lag_records(self) -> dict[str, int]:
        return {"billing": 21}

    def lag_s(self) -> dict[str, int]:
        return {"billing": 22}

    def delivered(self) -> dict[str, int]:
        return {"billing": 23}

    def quarantined(self) -> dict[str, int]:
        return {"billing": 24}

    def failures(self) -> dict[str, int]:
        return {"billing": 25}

    def failing(self) -> dict[str, int]:
        return {"billing": 1}

    def quality(self) -> Numbers:
        return Numbers(10, 31, 32, {"asr": 33}, {"acd": 34})

    def alerts(self) -> AlertNumbers:
        return AlertNumbers(
            {"calls": 51}, {"calls": 52}, {"noc": 53}, {"noc": 54}, {"noc": 55}, {"noc": 56}, {"noc": 1}
        )


@dataclass
class Log:
    suppressed: int = 9


@pytest.fixture
def sources() -> Sources:
    counters = Counters()
    return Sources(
        node="n1",
        counters=counters,
        totals=CallTotals(AccountTotals(named=("acme",))),
        limiter=Limiter(),
        cdr=Cdr(),
        verdicts=Verdicts(),
        log=Log(),
        transactions=lambda: 11,
        timers=lambda: 29,
        handover=lambda: {"sent": 32, "received": 33, "lost": 0},
        leases=lambda: counters.leases_live,
        trunk_states=lambda: {"carrier-a": 3},
        trunks_registered=lambda: {"carrier-a": 1},
        trunk_orders=lambda: {"carrier-a": 1},
        trunk_asr=lambda: {"carrier-a": 55},
        trunk_limits=lambda: {"carrier-a": 2},
        policy_generation=lambda: 13,
        policy_offered=lambda: 14,
        policy_is_stale=lambda: True,
        is_draining=lambda: False,
        books_broken=lambda: {"no_leak": 0, "holds": 2},
        answers_broken=lambda: {"no_over_rate": 1},
        delivery=Delivery(),
        streams=StreamCounters(
            open=3,
            refused={"full": 31},
            closed={"idle": 32},
            failed={"time-out": 33},
            handshakes_failed={"name": 34},
            framing={"no start line": 35},
        ),
        names=Names(),
        load=Load(),
        overload=Overloaded(),
        asked_percent=lambda: 47,
        throttled=lambda: {"carrier-a": 48},
        bans=Bans(),
        account_calls=lambda: {"acme": 61},
        account_ceilings=lambda: {"acme": 62},
        now=lambda: 0.0,
        certificate_ends=lambda: {"edge.pem": 1_800_000_000},
    )


@dataclass
class Load:
    lag_s: float = 0.5
    is_sorted: bool = True
    unsorted: int = 41

    def waits_s(self) -> dict[str, float]:
        return {"neighbours": 0.25}

    def fills(self) -> dict[str, float]:
        return {"strangers": 0.75}

    def kernel_drops(self) -> dict[str, int]:
        return {"strangers": 42}


@dataclass
class Overloaded:
    level: int = 45
    rate: float = 46.0


class Bans:
    begun = 43

    def __len__(self) -> int:
        return 44


class Names:
    """A resolver's counts."""

    queries, hits, failures, stale_used = 21, 22, 23, 24


def samples(sources: Sources) -> dict[tuple[str, str], float]:
    """(name, value of the row's own label) -> number, as a collector reads the page."""
    registry = CollectorRegistry()
    registry.register(EdgeCollector(sources))
    found = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            assert sample.labels.pop("node") == "n1"
            found[(sample.name, next(iter(sample.labels.values()), ""))] = sample.value
    return found


def test_the_page_has_a_row_for_each_metric_in_order():
    """docs/metrics.md tells name, type, label and meaning, word for word."""
    assert [(m.name, m.type.value, m.label, m.meaning) for m in METRICS] == ROW.findall(PAGE.read_text())


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_a_name_says_its_type(row):
    """Counters end in `_total`, nothing else does; a histogram is of seconds, and so is the age of what waits."""
    assert row.name.endswith("_total") == (row.type is MetricType.COUNTER)
    assert row.name.endswith("_seconds") == (row.type is MetricType.HISTOGRAM or row.name.endswith("_lag_seconds"))


def test_names_are_unique():
    """One row a name."""
    assert len({row.name for row in METRICS}) == len(METRICS)


COUNTED = [name for name in dir(Counters()) if name[0] != "_" and not callable(getattr(Counters(), name))]


@pytest.mark.parametrize("field", COUNTED)
def test_every_counter_of_the_core_is_told(sources, field):
    """A counter that nobody can see counts for nothing: changing it changes the page."""
    before = samples(sources)
    is_table = isinstance(getattr(sources.counters, field), dict)
    setattr(sources.counters, field, {"some_reason": 3} if is_table else 3)

    assert list(samples(sources).items() - before.items()) == [
        ((next(n for n in (f"edge_{field}_total", f"edge_{field}") if n in {m.name for m in METRICS}),
          "some_reason" if is_table else ""), 3.0)
    ]  # fmt: skip


def test_every_row_gives_a_number(sources):
    """No row is silent once something happened."""
    sources.counters.refused["caps"] = 1
    sources.counters.malformed["no Via"] = 1
    sources.counters.drops["keep-alive"] = 1
    sources.counters.shed["normal"] = 1
    sources.counters.trunks_skipped["a"] = 1
    sources.totals.shadowed["caps"] = 1
    names = {name for name, _ in samples(sources)}

    assert {row.name for row in METRICS} <= names | {name.removesuffix("_count") for name in names}


@pytest.mark.parametrize(
    ("name", "label", "expected"),
    [
        ("edge_limiter_up", "", 1),
        ("edge_limiter_asked_total", "", 7),
        ("edge_limiter_queued_settles", "", 5),
        ("edge_cdr_failing", "", 1),
        ("edge_cdr_lost_total", "", 3),
        ("edge_cdr_unsettled", "", 41),
        ("edge_cdr_void", "", 42),
        ("edge_log_suppressed_total", "", 9),
        ("edge_transactions", "", 11),
        ("edge_timers", "", 29),
        ("edge_leases_live", "", 0),
        ("edge_policy_generation", "", 13),
        ("edge_policy_offered", "", 14),
        ("edge_policy_stale", "", 1),
        ("edge_quality_unreadable_total", "", 31),
        ("edge_quality_hours_closed_total", "", 32),
        ("edge_quality_breaches_total", "asr", 33),
        ("edge_penalties_entered_total", "acd", 34),
        ("edge_alerts_raised", "calls", 51),
        ("edge_alerts_told_total", "calls", 52),
        ("edge_alerts_sent_total", "noc", 53),
        ("edge_alerts_failed_total", "noc", 54),
        ("edge_alerts_dropped_total", "noc", 55),
        ("edge_alerts_waiting", "noc", 56),
        ("edge_alerts_failing", "noc", 1),
        ("edge_account_calls", "acme", 61),
        ("edge_account_calls_ceiling", "acme", 62),
        ("edge_account_attempts_total", "acme", 0),
        ("edge_draining", "", 0),
        ("edge_calls_total", "answered", 1),
        ("edge_answered_seconds_total", "", 2.5),
        ("edge_decision_seconds_bucket", "0.001", 1),
        ("edge_decision_seconds_bucket", "0.0005", 0),
        ("edge_decision_seconds_count", "", 1),
    ],
)
def test_a_number_comes_from_its_source(sources, name, label, expected):
    """Each source is read by the row that names it."""
    facts = CallFacts("n1-1", 0.0)
    facts.decided_at, facts.answered_at, facts.released_at = 0.001, 1.0, 3.5
    sources.totals.add(facts)

    assert samples(sources)[(name, label)] == expected


def test_a_hostile_label_stays_on_its_line(sources):
    """Quotes and newlines in a reason are escaped; the parser reads them back."""
    sources.counters.malformed['a"b\n#'] = 1

    assert samples(sources)[("edge_malformed_total", 'a"b\n#')] == 1
