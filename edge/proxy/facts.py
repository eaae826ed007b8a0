"""What is worth telling. The core emits facts; log, metrics and CDR consume them (nothing here reads them).

Pure. Instants are monotonic seconds of the core's clock; the rim turns them into wall time.
"""

from typing import Final, NamedTuple

from limits.model import NOTHING_IN_FORCE, InForce
from limits.rates import Price

MAX_TOLD: Final = 200
"""Characters kept of a text that a neighbour says of itself."""


class Fact(NamedTuple):
    """Something rare that happened, told once: name first (`call.lost`), then fields from the glossary."""

    name: str
    fields: dict[str, str | int | float]


class CallFacts:
    """All that is known of one call attempt: filled as it goes, handed out once when it has ended."""

    __slots__ = (
        "account",
        "account_kind",
        "adopted_from",
        "answered_at",
        "attempts",
        "attestation",
        "attestation_source",
        "automated",
        "call_id",
        "called",
        "called_original",
        "called_rewritten",
        "candidate_causes",
        "candidates",
        "ceiling",
        "cli_network",
        "cli_original",
        "cli_presented",
        "cli_rewritten",
        "cli_shadowed",
        "currency",
        "decided_at",
        "decided_by",
        "degraded",
        "egress_trunk",
        "emergency",
        "external_id",
        "from_tag",
        "group",
        "headers",
        "hold_micros",
        "holds",
        "identified_by",
        "in_force",
        "in_use",
        "ingress_class",
        "ingress_trunk",
        "limit",
        "limit_holder",
        "limit_in_use",
        "listener",
        "lost",
        "paid_s",
        "penalty_candidates",
        "policy_generation",
        "price",
        "purpose",
        "q850",
        "quality_flags",
        "rate_prefix",
        "reason",
        "received_at",
        "release_reason",
        "release_side",
        "released_at",
        "ringing_at",
        "route",
        "rule",
        "ruleset",
        "sent_at",
        "shadowed",
        "source",
        "status",
        "tags",
        "to_tag",
        "tries",
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
        """Limits and refusals, by token, and routes, by id, that would have refused, were they enforced."""
        self.lost = False
        """Its node died: closed by another one, to the last instant it is known to have lived."""
        self.adopted_from = ""
        """The node that had it before; empty: this one from the beginning."""
        self.headers: list[tuple[str, str]] = []
        """Header fields that policy read, as they came: (name, value)."""
        self.attempts = 1
        """More: one record for so many attempts of a stranger."""
        self._know_no_more()

    def _know_no_more(self) -> None:
        """What only some attempts have."""
        self.external_id = ""
        """The account's name in the operator's own books."""
        self.tags: tuple[str, ...] = ()
        """Tags of the account, then words that the policy put on this attempt."""
        self.account_kind = ""
        """`human` or `automated`; empty: no account is known."""
        self.automated = False
        """Placed by an automated system: by the account's kind, or as the attempt itself says."""
        self.purpose = ""
        """What the call is for, where account or attempt declares it; empty: not declared."""
        self.listener = ""
        """Name of the listener it came in by."""
        self.route = ""
        """The route that named the candidates."""
        self.cli_rewritten = ""
        """The calling number that was sent on, where the edge changed it; empty: as it came."""
        self.called_rewritten = ""
        """The called number that was sent on, where the edge changed it; empty: as it came."""
        self.attestation = ""
        """`A`, `B` or `C`, as a trusted ingress trunk told it; empty: none."""
        self.attestation_source = ""
        self.identified_by = ""
        """What told whose call it is (`policy.identity.known_by`)."""
        """How it was told (`policy.attestation`)."""
        self.candidate_causes: list[int] = []
        """Of each candidate, in step with them: Q.850 cause in the Reason header of its final response; 0: none."""
        self.ruleset = ""
        """The rule set that `rule` belongs to; empty: the operator's own, or no rule judged."""
        self.cli_shadowed: tuple[str, ...] = ()
        """CLI rules that would have refused, were they enforced."""
        self.in_force: InForce = NOTHING_IN_FORCE
        """The account's values at the decision."""
        self.limit_holder = ""
        """Whose ceiling refused: the account's ID, `group:ID` or `trunk:ID`."""
        self.limit_in_use = 0
        """What stood against that ceiling (`limits.model.Denied.in_use`)."""
        self.decided_by = ""
        """Empty: policy alone (refused before the limits were asked, or an emergency call). `limits`: the store's word.
        `share`: this node's share of the ceilings while the store was away. `store_away`: the account's choice then."""
        self.tries: list[tuple[float | None, float | None]] = []
        """Of each candidate, in step with them: (sent, final response or our giving up)."""
        self.release_reason = ""
        """What the releasing side said of it (Reason header, RFC 3326), as it came."""
        self.hold_micros = 0
        """Credit held for it at the decision."""
        self.holds = 0
        """Times that talk was held: at the decision, and at each renewal that extended it."""
        self.quality_flags: tuple[str, ...] = ()
        """What is unusual about its quality (`edge.quality`)."""
        self.penalty_candidates: tuple[str, ...] = ()
        """Rules of the contract that it may break (article 27)."""

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

    def sent(self, trunk: str, now: float) -> None:
        """It is sent to this trunk."""
        self.candidates.append((trunk, 0))
        self.candidate_causes.append(0)
        self.tries.append((now, None))
        self.egress_trunk = trunk
        if self.sent_at is None:
            self.sent_at = now

    def passed_over(self, trunk: str, now: float) -> None:
        """It could not be sent to this trunk."""
        self.candidates.append((trunk, 503))
        self.candidate_causes.append(0)
        self.tries.append((None, now))

    def note(self, trunk: str, status: int, now: float, *, cause: int = 0) -> None:
        """The final status of the latest try of this trunk, and the Q.850 cause that came with it."""
        for index in range(len(self.candidates) - 1, -1, -1):
            if self.candidates[index][0] == trunk:
                self.candidates[index] = (trunk, status)
                if index < len(self.candidate_causes):
                    self.candidate_causes[index] = cause
                if index < len(self.tries):
                    self.tries[index] = (self.tries[index][0], now)
                return

    def told(self, reason: bytes | None) -> None:
        """The Reason header of what ended it."""
        self.release_reason = "" if reason is None else reason[:MAX_TOLD].decode("utf-8", "replace")


class Counters:
    """Plain integers the core counts on the hot path; the metrics page reads them when it is asked."""

    __slots__ = (
        "attempts",
        "calls_live",
        "calls_lost",
        "cancels_unmatched",
        "challenges",
        "datagrams_in",
        "datagrams_out",
        "drops",
        "escaped",
        "indialog_unknown",
        "leases_live",
        "leases_reasserted",
        "lockouts",
        "malformed",
        "options",
        "oversize_sent",
        "ping_calls",
        "records_unreadable",
        "refused",
        "requests_in",
        "responses_in",
        "shed",
        "stray_responses",
        "transport_errors",
        "trunks_skipped",
    )

    def __init__(self) -> None:
        self.attempts = 0
        self.calls_live = 0
        self.calls_lost = 0
        """Calls of a node that is gone, closed here."""
        self.cancels_unmatched = 0
        self.challenges = 0
        """Callers asked for user name and password."""
        self.lockouts = 0
        """Addresses or user names locked out after too many wrong passwords."""
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
        self.ping_calls = 0
        """Calls so short that nobody could have talked."""
        self.records_unreadable = 0
        """Records of calls of a node that is gone that could not be read."""
        self.refused: dict[str, int] = {}
        self.requests_in = 0
        self.responses_in = 0
        self.shed: dict[str, int] = {}
        """New calls refused for overload, by priority."""
        self.stray_responses = 0
        self.transport_errors = 0
        self.trunks_skipped: dict[str, int] = {}
        """Attempts that passed an egress trunk over, by trunk."""

    def drop(self, reason: str) -> None:
        """A message is dropped."""
        self.drops[reason] = self.drops.get(reason, 0) + 1
