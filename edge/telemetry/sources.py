"""Where the numbers of the metrics page are: what each part of the edge counts of itself. Pure: shapes only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.alerts.numbers import AlertNumbers
from edge.proxy.facts import Counters
from edge.quality.numbers import Numbers
from edge.telemetry.totals import CallTotals


class LimiterCounts(Protocol):
    """What a limiter counts of itself (`limits.redis_limiter`)."""

    @property
    def is_up(self) -> bool: ...
    @property
    def asked(self) -> int: ...
    @property
    def late(self) -> int: ...
    @property
    def unavailable(self) -> int: ...
    @property
    def reconnects(self) -> int: ...
    @property
    def given_back(self) -> int: ...
    @property
    def queued_settles(self) -> int: ...
    @property
    def is_breaker_open(self) -> bool: ...
    @property
    def breaker_opens(self) -> int: ...
    @property
    def near_hits(self) -> int: ...
    @property
    def renews_waiting(self) -> int: ...
    @property
    def is_recounting(self) -> bool: ...
    @property
    def epochs(self) -> int: ...
    @property
    def stalls(self) -> int: ...
    @property
    def garbage(self) -> int: ...
    @property
    def store_errors(self) -> int: ...
    @property
    def settles_dropped(self) -> int: ...
    @property
    def journal_errors(self) -> int: ...


class CdrCounts(Protocol):
    """What the CDR writer counts of itself (`cdr.writer`)."""

    @property
    def backlog(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def is_failing(self) -> bool: ...
    @property
    def lost(self) -> int: ...
    @property
    def written(self) -> int: ...
    @property
    def synced(self) -> int: ...
    @property
    def free_bytes(self) -> int: ...
    @property
    def chain_fault(self) -> str: ...


class VerdictCounts(Protocol):
    """Which records stand (`cdr.verdicts`)."""

    @property
    def unsettled(self) -> int: ...
    @property
    def void(self) -> int: ...


class DeliveryCounts(Protocol):
    """What the delivery process says of itself, by sink (`cdr.delivery.supervisor`)."""

    @property
    def is_up(self) -> bool: ...
    @property
    def restarts(self) -> int: ...
    def lag_records(self) -> Mapping[str, int]: ...
    def lag_s(self) -> Mapping[str, int]: ...
    def delivered(self) -> Mapping[str, int]: ...
    def quarantined(self) -> Mapping[str, int]: ...
    def failures(self) -> Mapping[str, int]: ...
    def failing(self) -> Mapping[str, int]: ...
    def quality(self) -> Numbers: ...
    def alerts(self) -> AlertNumbers: ...


class LogCounts(Protocol):
    """What the log counts of itself (`telemetry.logs`)."""

    @property
    def suppressed(self) -> int: ...


class StreamCounts(Protocol):
    """What the TCP and TLS connections count (`transport.stream_bounds`)."""

    @property
    def open(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def opened(self) -> int: ...
    @property
    def resent(self) -> int: ...
    @property
    def refused(self) -> Mapping[str, int]: ...
    @property
    def closed(self) -> Mapping[str, int]: ...
    @property
    def failed(self) -> Mapping[str, int]: ...
    @property
    def handshakes_failed(self) -> Mapping[str, int]: ...
    @property
    def framing(self) -> Mapping[str, int]: ...


class NameCounts(Protocol):
    """What the resolver counts (`transport.resolver`)."""

    @property
    def queries(self) -> int: ...
    @property
    def hits(self) -> int: ...
    @property
    def failures(self) -> int: ...
    @property
    def stale_used(self) -> int: ...


class LoadCounts(Protocol):
    """What weighs on the process (`load_watch`)."""

    @property
    def lag_s(self) -> float: ...
    @property
    def is_sorted(self) -> bool: ...
    @property
    def unsorted(self) -> int: ...
    def waits_s(self) -> Mapping[str, float]: ...
    def fills(self) -> Mapping[str, float]: ...
    def kernel_drops(self) -> Mapping[str, int]: ...


class OverloadCounts(Protocol):
    """How many new calls pass (`proxy.overload`)."""

    level: int
    rate: float


class BanCounts(Protocol):
    """Sources that are not heard (`proxy.bans`)."""

    @property
    def begun(self) -> int: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the numbers are. The server makes one; the callables are called from the page's thread."""

    node: str
    counters: Counters
    totals: CallTotals
    limiter: LimiterCounts
    cdr: CdrCounts
    verdicts: VerdictCounts
    log: LogCounts
    transactions: Callable[[], int]
    timers: Callable[[], int]
    leases: Callable[[], int]
    policy_generation: Callable[[], int]
    trunk_states: Callable[[], Mapping[str, int]]
    trunks_registered: Callable[[], Mapping[str, int]]
    trunk_orders: Callable[[], Mapping[str, int]]
    trunk_asr: Callable[[], Mapping[str, int]]
    trunk_limits: Callable[[], Mapping[str, int]]
    policy_offered: Callable[[], int]
    policy_is_stale: Callable[[], bool]
    is_draining: Callable[[], bool]
    books_broken: Callable[[], Mapping[str, int]]
    answers_broken: Callable[[], Mapping[str, int]]
    delivery: DeliveryCounts
    streams: StreamCounts
    names: NameCounts
    load: LoadCounts
    overload: OverloadCounts
    asked_percent: Callable[[], int]
    throttled: Callable[[], Mapping[str, int]]
    bans: BanCounts
    account_calls: Callable[[], Mapping[str, int]]
    account_ceilings: Callable[[], Mapping[str, int]]
    now: Callable[[], float]
    certificate_ends: Callable[[], Mapping[str, int]]
    handover: Callable[[], Mapping[str, int]] = dict
    """Messages given to other workers (`sent`), got from them (`received`), and for which there was no room (`lost`);
    nothing where there is one process."""
