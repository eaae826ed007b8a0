"""Every metric: name, type, label, meaning, and how it is read. docs/metrics.md has the same table. Pure."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from edge import __version__
from edge.telemetry.sources import Sources
from edge.telemetry.totals import Histogram


class MetricType(StrEnum):
    """Types of the exposition format."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class MetricRow(NamedTuple):
    """One metric: docs/metrics.md has the same row."""

    name: str
    type: MetricType
    label: str
    """Name of its one label; empty: it has none."""
    meaning: str
    read: Callable[[Sources], float | Mapping[str, int] | Mapping[str, float] | Histogram]


_C, _G, _H = MetricType.COUNTER, MetricType.GAUGE, MetricType.HISTOGRAM

METRICS: tuple[MetricRow, ...] = (
    MetricRow("edge_info", _G, "version", "always 1; the version that runs", lambda s: {__version__: 1}),
    MetricRow("edge_attempts_total", _C, "", "call attempts: INVITEs outside a dialog", lambda s: s.counters.attempts),
    MetricRow("edge_refused_total", _C, "reason", "attempts the edge refused, by token", lambda s: s.counters.refused),
    MetricRow("edge_calls_total", _C, "outcome", "attempts that ended, as in the CDR", lambda s: s.totals.outcomes),
    MetricRow(
        "edge_answered_seconds_total",
        _C,
        "",
        "seconds of answered calls that ended; divided by answered calls: ACD",
        lambda s: s.totals.answered_ms / 1_000,
    ),
    MetricRow("edge_degraded_total", _C, "", "attempts admitted without the store", lambda s: s.totals.degraded),
    MetricRow(
        "edge_shadowed_total",
        _C,
        "what",
        "attempts that a rule, route, refusal or limit in the shadow would have refused",
        lambda s: s.totals.shadowed,
    ),
    MetricRow("edge_emergency_total", _C, "", "emergency calls", lambda s: s.totals.emergency),
    MetricRow("edge_decision_seconds", _H, "", "INVITE to decision", lambda s: s.totals.decision),
    MetricRow("edge_pdd_seconds", _H, "", "INVITE to first ringing", lambda s: s.totals.post_dial_delay),
    MetricRow("edge_calls_live", _G, "", "attempts and calls in progress", lambda s: s.counters.calls_live),
    MetricRow("edge_leases_live", _G, "", "calls of this node that hold a lease", lambda s: s.leases()),
    MetricRow("edge_transactions", _G, "", "SIP transactions in progress, both sides", lambda s: s.transactions()),
    MetricRow(
        "edge_timers", _G, "", "timers that wait, those included that will find nothing to do", lambda s: s.timers()
    ),
    MetricRow("edge_datagrams_in_total", _C, "", "messages received", lambda s: s.counters.datagrams_in),
    MetricRow("edge_datagrams_out_total", _C, "", "messages sent", lambda s: s.counters.datagrams_out),
    MetricRow(
        "edge_handed_over_total",
        _C,
        "way",
        "messages between workers: `sent` to the owner of the call, `received` as such, `lost` for want of room",
        lambda s: s.handover(),
    ),
    MetricRow("edge_requests_in_total", _C, "", "requests received", lambda s: s.counters.requests_in),
    MetricRow("edge_responses_in_total", _C, "", "responses received", lambda s: s.counters.responses_in),
    MetricRow("edge_malformed_total", _C, "fault", "messages that cannot be read", lambda s: s.counters.malformed),
    MetricRow("edge_drops_total", _C, "reason", "messages dropped without an answer", lambda s: s.counters.drops),
    MetricRow(
        "edge_overload_percent",
        _G,
        "",
        "new calls of the last second refused for overload, 0 to 100",
        lambda s: s.overload.level,
    ),
    MetricRow(
        "edge_overload_rate", _G, "", "new calls a second that pass; 0: all of them", lambda s: round(s.overload.rate)
    ),
    MetricRow(
        "edge_shed_total",
        _C,
        "priority",
        "new calls refused for overload: `low`, `normal`, `high`",
        lambda s: s.counters.shed,
    ),
    MetricRow(
        "edge_oc_asked_percent",
        _G,
        "",
        "new calls that neighbours with overload control are asked to leave out, 0 to 100",
        lambda s: s.asked_percent(),
    ),
    MetricRow(
        "edge_oc_throttled_total",
        _C,
        "trunk",
        "new calls not sent to an egress trunk because it had asked for fewer (RFC 7339)",
        lambda s: s.throttled(),
    ),
    MetricRow("edge_sources_banned", _G, "", "strangers that are not heard now", lambda s: len(s.bans)),
    MetricRow("edge_bans_total", _C, "", "bans of strangers: over their budget, or scanners", lambda s: s.bans.begun),
    MetricRow(
        "edge_kernel_drops_total",
        _C,
        "lane",
        "datagrams the kernel did not hand over, of `neighbours` or of `strangers`: no room, or a banned source",
        lambda s: s.load.kernel_drops(),
    ),
    MetricRow(
        "edge_queue_lag_seconds",
        _G,
        "lane",
        "least time that a datagram waited in the last tenth of a second: over 0 where the queue never ran dry",
        lambda s: s.load.waits_s(),
    ),
    MetricRow("edge_queue_fill", _G, "lane", "share of the receive buffer in use, 0 to 1", lambda s: s.load.fills()),
    MetricRow("edge_loop_lag_seconds", _G, "", "how late the event loop was last", lambda s: s.load.lag_s),
    MetricRow(
        "edge_lanes_sorted",
        _G,
        "",
        "1: the kernel keeps what strangers send in a queue of their own",
        lambda s: int(s.load.is_sorted),
    ),
    MetricRow(
        "edge_lanes_unsorted_ranges",
        _G,
        "",
        "ranges of known addresses that share the queue of strangers: there are too many of them",
        lambda s: s.load.unsorted,
    ),
    MetricRow(
        "edge_stray_responses_total",
        _C,
        "",
        "responses that belong to no transaction: not forwarded (RFC 6026)",
        lambda s: s.counters.stray_responses,
    ),
    MetricRow(
        "edge_cancels_unmatched_total",
        _C,
        "",
        "CANCELs that name no INVITE here: 481",
        lambda s: s.counters.cancels_unmatched,
    ),
    MetricRow(
        "edge_indialog_unknown_total",
        _C,
        "",
        "requests inside a dialog that this edge does not hold",
        lambda s: s.counters.indialog_unknown,
    ),
    MetricRow("edge_trunk_state", _G, "trunk", "3 up, 2 degraded, 1 on trial, 0 down", lambda s: s.trunk_states()),
    MetricRow(
        "edge_trunk_registered", _G, "trunk", "1: registered at this trunk, 0: not", lambda s: s.trunks_registered()
    ),
    MetricRow(
        "edge_trunk_ordered",
        _G,
        "trunk",
        "1: drained or in maintenance by an operator's order",
        lambda s: s.trunk_orders(),
    ),
    MetricRow(
        "edge_trunk_asr_percent",
        _G,
        "trunk",
        "answered of the attempts of its window, 300 s or its guard's, on this node",
        lambda s: s.trunk_asr(),
    ),
    MetricRow(
        "edge_trunk_throttle",
        _G,
        "trunk",
        "attempts per second it is sent at most; absent: no limit",
        lambda s: s.trunk_limits(),
    ),
    MetricRow(
        "edge_trunks_skipped_total",
        _C,
        "trunk",
        "attempts that passed this trunk over",
        lambda s: s.counters.trunks_skipped,
    ),
    MetricRow("edge_challenges_total", _C, "", "callers asked for a password", lambda s: s.counters.challenges),
    MetricRow("edge_lockouts_total", _C, "", "lock-outs after wrong passwords", lambda s: s.counters.lockouts),
    MetricRow("edge_options_total", _C, "", "OPTIONS to the edge itself", lambda s: s.counters.options),
    MetricRow(
        "edge_oversize_sent_total",
        _C,
        "",
        "requests over 1,300 bytes sent on UDP all the same",
        lambda s: s.counters.oversize_sent,
    ),
    MetricRow(
        "edge_transport_errors_total",
        _C,
        "",
        "messages that could not be sent, or whose connection was lost",
        lambda s: s.counters.transport_errors,
    ),
    MetricRow("edge_connections", _G, "", "TCP and TLS connections, up or being opened", lambda s: s.streams.open),
    MetricRow("edge_connections_accepted_total", _C, "", "connections neighbours opened", lambda s: s.streams.accepted),
    MetricRow("edge_connections_opened_total", _C, "", "connections the edge opened", lambda s: s.streams.opened),
    MetricRow(
        "edge_connections_refused_total",
        _C,
        "reason",
        "connections not taken: `peer`, `full`, `handshakes`, `descriptors`",
        lambda s: s.streams.refused,
    ),
    MetricRow(
        "edge_connections_failed_total",
        _C,
        "reason",
        "connections that the edge could not open",
        lambda s: s.streams.failed,
    ),
    MetricRow(
        "edge_connections_closed_total",
        _C,
        "reason",
        "connections that ended, by why: `idle`, `slow`, `framing`, `evicted` ...",
        lambda s: s.streams.closed,
    ),
    MetricRow(
        "edge_connections_resent_total",
        _C,
        "",
        "messages sent again, since the connection they went by had been dead already",
        lambda s: s.streams.resent,
    ),
    MetricRow(
        "edge_framing_faults_total",
        _C,
        "fault",
        "streams whose next message has no certain end",
        lambda s: s.streams.framing,
    ),
    MetricRow(
        "edge_handshakes_failed_total",
        _C,
        "reason",
        "TLS handshakes that failed, in either direction",
        lambda s: s.streams.handshakes_failed,
    ),
    MetricRow(
        "edge_certificate_not_after",
        _G,
        "file",
        "UTC second at which a certificate of ours ends",
        lambda s: s.certificate_ends(),
    ),
    MetricRow("edge_dns_queries_total", _C, "", "questions sent to name servers", lambda s: s.names.queries),
    MetricRow("edge_dns_cache_hits_total", _C, "", "questions answered from the cache", lambda s: s.names.hits),
    MetricRow("edge_dns_failures_total", _C, "", "questions no name server answered", lambda s: s.names.failures),
    MetricRow(
        "edge_dns_stale_total", _C, "", "of these, answered by what was known before", lambda s: s.names.stale_used
    ),
    MetricRow(
        "edge_escaped_total",
        _C,
        "",
        "inputs that the core could not digest: faults of ours; must read 0",
        lambda s: s.counters.escaped,
    ),
    MetricRow("edge_limiter_up", _G, "", "1: the store can be asked", lambda s: int(s.limiter.is_up)),
    MetricRow("edge_limiter_asked_total", _C, "", "verbs sent to the store", lambda s: s.limiter.asked),
    MetricRow("edge_limiter_late_total", _C, "", "answers after the deadline", lambda s: s.limiter.late),
    MetricRow("edge_limiter_unavailable_total", _C, "", "verbs without an answer", lambda s: s.limiter.unavailable),
    MetricRow("edge_limiter_reconnects_total", _C, "", "connections made anew", lambda s: s.limiter.reconnects),
    MetricRow(
        "edge_limiter_given_back_total",
        _C,
        "",
        "leases of late answers given back at once",
        lambda s: s.limiter.given_back,
    ),
    MetricRow(
        "edge_limiter_queued_settles",
        _G,
        "",
        "settlements that wait for the store to come back",
        lambda s: s.limiter.queued_settles,
    ),
    MetricRow(
        "edge_limiter_breaker_open",
        _G,
        "",
        "1: the store keeps missing the deadline and is not asked",
        lambda s: int(s.limiter.is_breaker_open),
    ),
    MetricRow("edge_limiter_breaker_opens_total", _C, "", "how often that began", lambda s: s.limiter.breaker_opens),
    MetricRow(
        "edge_limiter_near_hits_total",
        _C,
        "",
        "attempts over CAPS refused without asking",
        lambda s: s.limiter.near_hits,
    ),
    MetricRow(
        "edge_limiter_renews_waiting", _G, "", "renewals that wait for their turn", lambda s: s.limiter.renews_waiting
    ),
    MetricRow(
        "edge_limiter_recounting",
        _G,
        "",
        "1: the store lost its data, leases are taken again",
        lambda s: int(s.limiter.is_recounting),
    ),
    MetricRow("edge_limiter_epochs_total", _C, "", "how often the store had lost its data", lambda s: s.limiter.epochs),
    MetricRow(
        "edge_books_broken",
        _G,
        "invariant",
        "accounts, groups and trunks whose books broke it at the last look; must read 0",
        lambda s: s.books_broken(),
    ),
    MetricRow(
        "edge_answers_broken_total",
        _C,
        "invariant",
        "answers of the limiter that broke it; must read 0",
        lambda s: s.answers_broken(),
    ),
    MetricRow("edge_limiter_stalls_total", _C, "", "connections closed for silence", lambda s: s.limiter.stalls),
    MetricRow(
        "edge_limiter_garbage_total", _C, "", "connections closed for what came over them", lambda s: s.limiter.garbage
    ),
    MetricRow(
        "edge_limiter_store_errors_total", _C, "", "error replies of the store", lambda s: s.limiter.store_errors
    ),
    MetricRow(
        "edge_limiter_settles_dropped_total",
        _C,
        "",
        "settlements there was no room to keep; must read 0",
        lambda s: s.limiter.settles_dropped,
    ),
    MetricRow(
        "edge_limiter_journal_errors_total",
        _C,
        "",
        "settlements the disk would not keep",
        lambda s: s.limiter.journal_errors,
    ),
    MetricRow(
        "edge_leases_reasserted_total",
        _C,
        "",
        "leases of running calls taken again",
        lambda s: s.counters.leases_reasserted,
    ),
    MetricRow(
        "edge_calls_lost_total", _C, "", "calls of a node that is gone, closed here", lambda s: s.counters.calls_lost
    ),
    MetricRow("edge_ping_calls_total", _C, "", "calls too short for talk", lambda s: s.counters.ping_calls),
    MetricRow(
        "edge_records_unreadable_total",
        _C,
        "",
        "records of such calls that made no sense; must read 0",
        lambda s: s.counters.records_unreadable,
    ),
    MetricRow("edge_cdr_written_total", _C, "", "records written", lambda s: s.cdr.written),
    MetricRow("edge_cdr_backlog", _G, "", "records that wait for the disk", lambda s: s.cdr.backlog),
    MetricRow("edge_cdr_failing", _G, "", "1: the disk refuses records", lambda s: int(s.cdr.is_failing)),
    MetricRow("edge_cdr_errors_total", _C, "", "errors of the disk", lambda s: s.cdr.errors),
    MetricRow("edge_cdr_lost_total", _C, "", "records lost; must read 0", lambda s: s.cdr.lost),
    MetricRow(
        "edge_cdr_unsettled",
        _G,
        "",
        "records that wait for the store's answer before they are delivered",
        lambda s: s.verdicts.unsettled,
    ),
    MetricRow("edge_cdr_void", _G, "", "records of this log that are void", lambda s: s.verdicts.void),
    MetricRow("edge_cdr_synced_total", _C, "", "group fsyncs done", lambda s: s.cdr.synced),
    MetricRow(
        "edge_cdr_disk_free_bytes", _G, "", "room where records go; -1: not looked at yet", lambda s: s.cdr.free_bytes
    ),
    MetricRow(
        "edge_cdr_unchained",
        _G,
        "",
        "1: the chain of segments cannot be written",
        lambda s: int(bool(s.cdr.chain_fault)),
    ),
    MetricRow(
        "edge_delivery_up",
        _G,
        "",
        "1: the delivery process runs",
        lambda s: int(s.delivery.is_up),
    ),
    MetricRow(
        "edge_delivery_restarts_total",
        _C,
        "",
        "times the delivery process had to be started again",
        lambda s: s.delivery.restarts,
    ),
    MetricRow(
        "edge_delivery_lag_records",
        _G,
        "sink",
        "records of the log that a CDR sink has not taken yet",
        lambda s: s.delivery.lag_records(),
    ),
    MetricRow(
        "edge_delivery_lag_seconds",
        _G,
        "sink",
        "age of the oldest of them",
        lambda s: s.delivery.lag_s(),
    ),
    MetricRow(
        "edge_delivery_records_total",
        _C,
        "sink",
        "records a CDR sink has taken, since it exists",
        lambda s: s.delivery.delivered(),
    ),
    MetricRow(
        "edge_delivery_quarantined_total",
        _C,
        "sink",
        "records a CDR sink refuses for good, since it exists",
        lambda s: s.delivery.quarantined(),
    ),
    MetricRow(
        "edge_delivery_failures_total",
        _C,
        "sink",
        "deliveries that failed and are tried again",
        lambda s: s.delivery.failures(),
    ),
    MetricRow(
        "edge_delivery_failing",
        _G,
        "sink",
        "1: the last delivery to a CDR sink failed",
        lambda s: s.delivery.failing(),
    ),
    MetricRow(
        "edge_quality_breaches_total",
        _C,
        "rule",
        "breaches of a quality rule that this node told, since its state directory exists",
        lambda s: s.delivery.quality().breaches,
    ),
    MetricRow(
        "edge_quality_hours_closed_total",
        _C,
        "",
        "clock hours this node closed",
        lambda s: s.delivery.quality().hours_closed,
    ),
    MetricRow(
        "edge_quality_unreadable_total",
        _C,
        "",
        "records that made no sense and are in no figure; must read 0",
        lambda s: s.delivery.quality().unreadable,
    ),
    MetricRow(
        "edge_penalties_entered_total",
        _C,
        "kind",
        "entries this node made in penalty ledgers",
        lambda s: s.delivery.quality().penalties,
    ),
    MetricRow(
        "edge_alerts_raised",
        _G,
        "kind",
        "alerts of the store that stand; every node tells the same, but of `store`",
        lambda s: s.delivery.alerts().raised,
    ),
    MetricRow(
        "edge_alerts_told_total",
        _C,
        "kind",
        "alerts told by this node: raised, worse, reminded, cleared",
        lambda s: s.delivery.alerts().told,
    ),
    MetricRow(
        "edge_alerts_sent_total",
        _C,
        "webhook",
        "alerts that a webhook has taken from this node",
        lambda s: s.delivery.alerts().sent,
    ),
    MetricRow(
        "edge_alerts_failed_total",
        _C,
        "webhook",
        "requests to a webhook that failed and are tried again",
        lambda s: s.delivery.alerts().failed,
    ),
    MetricRow(
        "edge_alerts_dropped_total",
        _C,
        "webhook",
        "alerts that a webhook refused for good, or that were gone before it could be reached",
        lambda s: s.delivery.alerts().dropped,
    ),
    MetricRow(
        "edge_alerts_waiting",
        _G,
        "webhook",
        "alerts that wait for a webhook, up to 100; on the node that sends to it",
        lambda s: s.delivery.alerts().waiting,
    ),
    MetricRow(
        "edge_alerts_failing",
        _G,
        "webhook",
        "1: the last request to a webhook failed",
        lambda s: s.delivery.alerts().failing,
    ),
    MetricRow("edge_log_suppressed_total", _C, "", "log lines held back by the rate limit", lambda s: s.log.suppressed),
    MetricRow("edge_policy_generation", _G, "", "policy in force for new attempts", lambda s: s.policy_generation()),
    MetricRow(
        "edge_policy_offered",
        _G,
        "",
        "generation of the policy in the store (or file); another one than in force: this node cannot build it",
        lambda s: s.policy_offered(),
    ),
    MetricRow(
        "edge_policy_stale",
        _G,
        "",
        "1: what is in force here is not what the store (or file) has; must read 0 again within seconds",
        lambda s: int(s.policy_is_stale()),
    ),
    MetricRow(
        "edge_account_attempts_total",
        _C,
        "account",
        "attempts of an account that ended; of the accounts shown: `metrics_top`, `metrics_accounts`",
        lambda s: s.totals.accounts.attempts(s.now()),
    ),
    MetricRow(
        "edge_account_answered_total",
        _C,
        "account",
        "of these, answered",
        lambda s: s.totals.accounts.answered(s.now()),
    ),
    MetricRow(
        "edge_account_refused_total",
        _C,
        "account",
        "of these, refused by the edge",
        lambda s: s.totals.accounts.refused(s.now()),
    ),
    MetricRow(
        "edge_account_calls",
        _G,
        "account",
        "calls of an account that hold a lease on this node",
        lambda s: s.account_calls(),
    ),
    MetricRow(
        "edge_account_calls_ceiling",
        _G,
        "account",
        "its ceiling over all nodes, as this node heard it last; 0: not heard yet",
        lambda s: s.account_ceilings(),
    ),
    MetricRow("edge_draining", _G, "", "1: no new attempts are taken", lambda s: int(s.is_draining())),
)
