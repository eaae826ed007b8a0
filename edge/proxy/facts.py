"""What is worth telling. The core emits facts; log, metrics and CDR consume them (nothing here reads them).

Pure. Instants are monotonic seconds of the core's clock; the rim turns them into wall time.
"""

from typing import NamedTuple

from limits.rates import Price


class Fact(NamedTuple):
    """Something rare that happened, told once: name first (`call.lost`), then fields from the glossary."""

    name: str
    fields: dict[str, str | int | float]


class CallFacts:
    """All that is known of one call attempt: filled as it goes, handed out once when it has ended."""

    __slots__ = (
        "account",
        "adopted_from",
        "answered_at",
        "call_id",
        "called",
        "called_original",
        "candidates",
        "ceiling",
        "cli_network",
        "cli_original",
        "cli_presented",
        "currency",
        "decided_at",
        "degraded",
        "egress_trunk",
        "emergency",
        "from_tag",
        "group",
        "in_use",
        "ingress_class",
        "ingress_trunk",
        "limit",
        "lost",
        "paid_s",
        "policy_generation",
        "price",
        "q850",
        "rate_prefix",
        "reason",
        "received_at",
        "release_side",
        "released_at",
        "ringing_at",
        "rule",
        "sent_at",
        "shadowed",
        "source",
        "status",
        "to_tag",
        "uid",
        "withheld",
        "zone",
    )

    def __init__(self, uid: str, received_at: float) -> None:
        self.uid = uid
        self.received_at = received_at
        self.decided_at: float | None = None
        self.sent_at: float | None = None
        self.ringing_at: float | None = None
        self.answered_at: float | None = None
        self.released_at: float | None = None
        self.call_id = ""
        self.from_tag = ""
        self.to_tag = ""
        self.source = ""
        self.account = ""
        self.ingress_trunk = ""
        self.ingress_class = ""
        self.egress_trunk = ""
        self.candidates: list[tuple[str, int]] = []
        """Each egress trunk tried with its final status (408 for silence, 503 for a transport failure)."""
        self.cli_original = ""
        """User part of From as it came."""
        self.cli_presented = ""
        self.cli_network = ""
        self.called_original = ""
        self.called = ""
        self.withheld = False
        self.emergency = False
        self.status = 0
        """Final SIP status sent to the caller; 0 where none could be sent."""
        self.reason = ""
        """Refusal token, or how the call ended: `answered`, `busy` ... (`policy.verdicts`, `proxy.causes`)."""
        self.rule = ""
        """The CLI rule that judged, where one did."""
        self.q850 = 0
        self.release_side = ""
        """`ingress`, `egress` or `edge`."""
        self.limit = ""
        self.ceiling = 0
        self.in_use = 0
        self.degraded = False
        self.policy_generation = 0
        self.group = ""
        self.zone = ""
        self.rate_prefix = ""
        self.price: Price | None = None
        """Frozen at the decision; None: the call has no price."""
        self.currency = ""
        self.paid_s = 0
        """Seconds of talk that were held, in all."""
        self.shadowed: tuple[str, ...] = ()
        """Limits that would have refused, were they enforced."""
        self.lost = False
        """Its node died: closed by another one, to the last instant it is known to have lived."""
        self.adopted_from = ""
        """The node that had it before; empty: this one from the beginning."""

    @property
    def is_billed(self) -> bool:
        """Has it a price, and was it answered?"""
        return self.price is not None and self.answered_at is not None and not self.emergency

    @property
    def duration_ms(self) -> int:
        """Answer to release, rounded down; 0 when not answered or not released yet. What is charged counts from it."""
        if self.answered_at is None or self.released_at is None:
            return 0
        return max(0, int((self.released_at - self.answered_at) * 1_000 + 1e-6))

    def end(self, status: int, reason: str, q850: int, side: str) -> None:
        """How it ended, for the record."""
        self.status, self.reason, self.q850, self.release_side = status, reason, q850, side

    def note(self, trunk: str, status: int) -> None:
        """The final status of the latest try of this trunk."""
        for index in range(len(self.candidates) - 1, -1, -1):
            if self.candidates[index][0] == trunk:
                self.candidates[index] = (trunk, status)
                return


class Counters:
    """Plain integers the core counts on the hot path; the metrics page reads them when it is asked."""

    __slots__ = (
        "attempts",
        "calls_live",
        "calls_lost",
        "cancels_unmatched",
        "datagrams_in",
        "datagrams_out",
        "drops",
        "escaped",
        "indialog_unknown",
        "leases_live",
        "leases_reasserted",
        "malformed",
        "options",
        "oversize_sent",
        "records_unreadable",
        "refused",
        "requests_in",
        "responses_in",
        "stray_responses",
        "transport_errors",
    )

    def __init__(self) -> None:
        self.attempts = 0
        self.calls_live = 0
        self.calls_lost = 0
        """Calls of a node that is gone, closed here."""
        self.cancels_unmatched = 0
        self.datagrams_in = 0
        self.datagrams_out = 0
        self.drops: dict[str, int] = {}
        self.escaped = 0
        """Exceptions that came out of the core: each is a fault of ours. Must read 0."""
        self.indialog_unknown = 0
        self.leases_live = 0
        self.leases_reasserted = 0
        """Leases the store had lost or let run out, taken again by calls that run."""
        self.malformed: dict[str, int] = {}
        self.options = 0
        self.oversize_sent = 0
        self.records_unreadable = 0
        """Records of calls of a node that is gone that could not be read."""
        self.refused: dict[str, int] = {}
        self.requests_in = 0
        self.responses_in = 0
        self.stray_responses = 0
        self.transport_errors = 0
