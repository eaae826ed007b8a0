"""The call detail record: its columns, their order, their units, and the words it uses.

Pure; standard library only. One record for every call attempt, refused ones too (one JSON object on one line).
A column is never renamed, moved or given another meaning inside one schema version; new columns go at the end.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

SCHEMA_VERSION: Final = 1
"""Value of column `v`; raised when a column changes its meaning or goes, not when one is added at the end."""


class CallOutcome(StrEnum):
    """How an attempt ended, in one word. The finer cause is in `reason`, `status` and `q850`."""

    ANSWERED = "answered"
    """A 2xx reached the caller; `duration_ms` counts from it."""
    CANCELLED = "cancelled"
    """The caller gave up after the attempt had been sent to an egress trunk."""
    ABANDONED = "abandoned"
    """The caller gave up before the edge had sent the attempt anywhere."""
    REFUSED = "refused"
    """The edge said no; no egress trunk saw the attempt."""
    FAILED = "failed"
    """An egress trunk or the callee said no, or nobody answered in time."""


class Column(NamedTuple):
    """One field of the record."""

    name: str
    type: str
    """`string`, `integer`, `boolean`, `instant`, `list`; `or null` where the thing may not have happened."""
    unit: str
    meaning: str


_INSTANT: Final = "instant or null"
_UTC: Final = "UTC, ISO 8601, microseconds"

COLUMNS: Final[tuple[Column, ...]] = (
    Column("v", "integer", "", "schema version"),
    Column("seq", "integer", "", "number of the record on its node: rises by one, over restarts too; a gap is a loss"),
    Column("node", "string", "", "the node that wrote it"),
    Column("uid", "string", "", "call uid, unique among all nodes: the key that makes a second delivery harmless"),
    Column("outcome", "string", "", "`answered`, `cancelled`, `abandoned`, `refused` or `failed`"),
    Column("reason", "string", "", "stable token of the refusal, or how the call ended"),
    Column("status", "integer", "", "final SIP status sent to the caller; 0: none could be sent"),
    Column("q850", "integer", "Q.850", "cause; 0: none known"),
    Column("release_side", "string", "", "who ended it: `ingress`, `egress` or `edge`"),
    Column("account", "string", "", "whose ceilings applied; empty: not known"),
    Column("source", "string", "", "address and port the attempt came from"),
    Column("ingress_trunk", "string", "", "trunk that brought it; empty: unknown source"),
    Column("ingress_class", "string", "", "class of that trunk, which CLI rules go by"),
    Column("egress_trunk", "string", "", "trunk that took it, or the last one tried"),
    Column(
        "candidates",
        "list",
        "[trunk, status]",
        "egress trunks tried, in order, with their final status (408: silence)",
    ),
    Column("call_id", "string", "", "Call-ID as it came"),
    Column("from_tag", "string", "", "tag of From"),
    Column("to_tag", "string", "", "tag of To in the answer; empty: none"),
    Column("cli_original", "string", "", "user part of From as it came"),
    Column("cli_presented", "string", "E.164", "the number presented; empty: none usable"),
    Column("cli_network", "string", "E.164", "the number a trusted trunk vouches for; empty: none"),
    Column("withheld", "boolean", "", "the caller asked that the number be not shown"),
    Column("called_original", "string", "", "number dialled as it came"),
    Column("called", "string", "E.164", "number dialled, normalised; short codes as dialled"),
    Column("emergency", "boolean", "", "an emergency call: passed every ceiling, never billed"),
    Column("rule", "string", "", "CLI rule that judged, where one did"),
    Column("limit", "string", "", "ceiling that refused: `caps`, `calls` ...; empty: none"),
    Column("ceiling", "integer", "", "value of that ceiling"),
    Column("in_use", "integer", "calls", "concurrent calls of the account at the decision"),
    Column("degraded", "boolean", "", "admitted without the store's word, by the account's own choice"),
    Column("policy_generation", "integer", "", "generation of the policy that judged"),
    Column("received_at", "instant", _UTC, "INVITE arrived"),
    Column("decided_at", _INSTANT, _UTC, "admitted or refused"),
    Column("sent_at", _INSTANT, _UTC, "first sent to an egress trunk"),
    Column("ringing_at", _INSTANT, _UTC, "first 180 or 183"),
    Column("answered_at", _INSTANT, _UTC, "2xx arrived"),
    Column("released_at", _INSTANT, _UTC, "BYE arrived, or the attempt ended"),
    Column("decision_us", "integer or null", "µs", "INVITE to decision"),
    Column("pdd_ms", "integer or null", "ms", "post-dial delay: INVITE to first ringing"),
    Column("duration_ms", "integer", "ms", "answer to release; 0: not answered"),
    Column("group", "string", "", "group whose ceilings applied as well; empty: none"),
    Column("zone", "string", "", "zone of the rate; empty: the call has no price"),
    Column("rate_prefix", "string", "", "prefix of the rate; empty: the rate for everything else, or no price"),
    Column("connect_micros", "integer", "micro-units", "connect fee, frozen at the decision"),
    Column("rate_micros", "integer", "micro-units a minute", "rate, frozen at the decision"),
    Column("first_s", "integer", "s", "first increment; 0: no price"),
    Column("next_s", "integer", "s", "further increments; 0: no price"),
    Column("minimum_s", "integer", "s", "shortest duration billed"),
    Column("currency", "string", "ISO 4217", "currency of the amounts; empty: no price"),
    Column("billed_s", "integer", "s", "seconds billed; 0: not answered, no price, or an emergency call"),
    Column("cost_micros", "integer", "micro-units", "what was charged to the account"),
    Column(
        "shadowed",
        "list",
        "",
        "limits and refusals, by token, and routes, by id, that would have refused, were they enforced",
    ),
    Column("lost", "boolean", "", "its node died: released at the last instant it is known to have lived"),
    Column("adopted_from", "string", "", "node that had the call before; empty: none"),
    Column("external_id", "string", "", "the account's name in the operator's own books; empty: none"),
    Column("tags", "list", "", "tags of the account, then words that the policy put on the attempt"),
    Column("account_kind", "string", "", "`human` or `automated`; empty: no account is known"),
    Column("automated", "boolean", "", "placed by an automated system: by the account's kind, or as the attempt says"),
    Column("purpose", "string", "", "what the call is for, where that is declared; empty: not declared"),
    Column("listener", "string", "", "listener it came in by: transport, address, port"),
    Column("route", "string", "", "route that named the egress trunks; empty: it never came to that"),
    Column("cli_rewritten", "string", "", "calling number that was sent on, where the edge changed it"),
    Column("called_rewritten", "string", "", "called number that was sent on, where the edge changed it"),
    Column(
        "attestation", "string", "", "`A`, `B` or `C` that a trusted ingress trunk told; not verified here; empty: none"
    ),
    Column("ruleset", "string", "", "rule set that `rule` belongs to; empty: the operator's own, or no rule judged"),
    Column("cli_shadowed", "list", "", "CLI rules that would have refused, were they enforced"),
    Column("account_generation", "integer", "", "generation of the account's values at the decision; 0: not asked for"),
    Column("caps_in_force", "integer", "attempts/s", "CAPS of the account at the decision"),
    Column("calls_in_force", "integer", "calls", "concurrent calls allowed to the account at the decision"),
    Column("caps_lots", "integer", "lots", "lots of CAPS in force at the decision"),
    Column("call_lots", "integer", "lots", "lots of concurrent calls in force at the decision"),
    Column(
        "limit_holder",
        "string",
        "",
        "whose ceiling refused: account, `group:ID`, `trunk:ID` or `professional:ID`; empty: none",
    ),
    Column("limit_in_use", "integer", "by `limit`", "what stood against that ceiling: burst, calls, micro-units"),
    Column("decided_by", "string", "", "`limits`; without the store `share` or `store_away`; empty: policy alone"),
    Column(
        "tries", "list", "[instant or null, instant or null]", "of each candidate: sent, final response or given up"
    ),
    Column(
        "release_reason", "string", "", "Reason header of what ended it, as it came (RFC 3326); an operator's words"
    ),
    Column("hold_micros", "integer", "micro-units", "credit held at the decision"),
    Column("holds", "integer", "", "times that talk was held: at the decision and at each extension"),
    Column("paid_s", "integer", "s", "talk that was held, in all"),
    Column("held_micros", "integer", "micro-units", "what that talk costs: what was held when it ended"),
    Column("quality_flags", "list", "", "`short_call`, `unanswered`, `failed_over`"),
    Column("penalty_candidates", "list", "", "rules it counts against: `asr`, `acd`, `short_calls`, `cli`"),
    Column("attempts", "integer", "", "attempts this record stands for: 1; more for those of a stranger in one minute"),
    Column("headers", "list", "[name, value]", "header fields that policy read beside From and the called number"),
    Column(
        "candidate_causes",
        "list",
        "Q.850",
        "of each candidate: cause in the Reason header of its final response (RFC 3326); 0: it gave none",
    ),
    Column(
        "attestation_source",
        "string",
        "",
        "what told `attestation`: `identity` (the PASSporT in an Identity header, its signature unchecked), "
        "`attestation_info` or `verstat`; empty: none",
    ),
    Column(
        "identified_by",
        "string",
        "",
        "what told whose call it is, in the order asked: the trunk by `tls:NAME` (proved by certificate) or `source` "
        "(its address); then the account, where not the trunk's own, by `digest:USER` (proved by password), "
        "`prefix:DIGITS` or `header:NAME` (of a trusted trunk); empty: nobody the edge knows",
    ),
)

ITEMS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "candidates": (("trunk", "string"), ("status", "integer")),
    "tries": (("sent_at", "instant or null"), ("ended_at", "instant or null")),
    "headers": (("name", "string"), ("value", "string")),
    "candidate_causes": (("cause", "integer"),),
}
"""What an item of a list is, (name, type) of each of its parts, where it is more than a word: for whoever gives the
columns real types."""
