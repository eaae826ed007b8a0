"""The short road from facts to a line: what many records share is rendered once. Pure; orjson and this room.

What is the same for an account, for a destination, for a way to end is rendered for each of them when it first comes
and kept as text (`_Shared`), so that a record is four look-ups and what differs from call to call written between.
What a line is, the long road says (`CdrBuilder.complete`): what is kept comes from there, and a test holds the two to
the same bytes. It is written to touch little: an edge comes here between two messages, with nothing of it in the cache.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

import orjson

from edge.cdr.instants import Instants
from edge.cdr.marks import MarkThresholds
from edge.cdr.record import SCHEMA_VERSION
from edge.proxy.facts import CallFacts
from limits import rates

MAX_KEPT: Final = 8_192
"""Of each kind; when full, all are forgotten and rendered again (cheaper than an order of use)."""

OPTIONS: Final = orjson.OPT_UTC_Z

Times = tuple[datetime | None, datetime | None]
Pair = tuple[str, int] | tuple[str, str] | Times
Pairs = list[tuple[str, int]] | list[tuple[str, str]] | list[Times] | list[int] | list[Pair | int]
Json = tuple[str, ...] | str | int | datetime | None | Pairs
Columns = Mapping[str, Json]


class _Piece(NamedTuple):
    """Columns side by side, and what stands before and behind them in the line."""

    before: str
    names: tuple[str, ...]
    after: str


_OF_ENDING: Final = (
    _Piece('",', ("outcome", "reason", "status", "q850", "release_side"), ","),
    _Piece('",', ("ingress_trunk", "ingress_class", "egress_trunk", "candidates"), ',"call_id":"'),
    _Piece('",', ("withheld",), ',"called_original":"'),
    _Piece('",', ("emergency", "rule", "limit", "ceiling"), ',"in_use":'),
    _Piece(",", ("degraded", "policy_generation"), ',"received_at":'),
    _Piece(",", ("shadowed", "lost", "adopted_from"), ","),
    _Piece('",', ("attestation", "ruleset", "cli_shadowed"), ","),
    _Piece(",", ("decided_by",), ',"tries":['),
    _Piece(",", ("quality_flags", "penalty_candidates", "attempts"), ',"headers":'),
    _Piece(",", ("candidate_causes", "attestation_source"), ","),
)
"""What an attempt has in common with others that went the same way and ended so."""
_OF_ACCOUNT: Final = (
    _Piece("", ("account",), ',"source":"'),
    _Piece(",", ("group",), ","),
    _Piece(
        "",
        ("external_id", "tags", "account_kind", "automated", "purpose", "listener", "route"),
        ',"cli_rewritten":"',
    ),
    _Piece(
        "",
        ("account_generation", "caps_in_force", "calls_in_force", "caps_lots", "call_lots", "limit_holder"),
        ',"limit_in_use":',
    ),
    _Piece("", ("identified_by",), "}\n"),
)
_OF_DESTINATION: Final = (
    _Piece(
        "",
        ("zone", "rate_prefix", "connect_micros", "rate_micros", "first_s", "next_s", "minimum_s", "currency"),
        ',"billed_s":',
    ),
)
_OF_CREDIT: Final = (_Piece(",", ("hold_micros", "holds", "paid_s", "held_micros"), ""),)
"""What was held for talk, which the price and the length of the call bring."""


class _Shared:
    """Pieces that records with the same values share."""

    __slots__ = ("_pieces", "kept")

    def __init__(self, pieces: tuple[_Piece, ...]) -> None:
        self._pieces = pieces
        self.kept: dict[tuple[object, ...], tuple[str, ...]] = {}

    def rendered(self, key: tuple[object, ...], columns: Columns) -> tuple[str, ...]:
        """Made of a record with these values, and kept. Raises what orjson raises on what it cannot say."""
        if len(self.kept) >= MAX_KEPT:
            self.kept.clear()
        texts = [
            before + orjson.dumps({name: columns[name] for name in names}, option=OPTIONS)[1:-1].decode() + after
            for before, names, after in self._pieces
        ]
        found = self.kept[key] = tuple(texts)
        return found


class ShortRoad:
    """Of one builder."""

    __slots__ = ("_account", "_acd_ms", "_begin", "_columns", "_credit", "_destination", "_ending", "_instants",
                 "_middle", "_short_ms")  # fmt: skip

    def __init__(
        self, node: str, instants: Instants, thresholds: MarkThresholds, columns: Callable[[CallFacts], Columns]
    ) -> None:
        """`node`: valid Unicode. `columns`: of a record, by the long road."""
        self._instants = instants
        self._short_ms, self._acd_ms = thresholds
        self._columns = columns
        self._begin = f'{{"v":{SCHEMA_VERSION},"seq":'
        self._middle = f',"node":{orjson.dumps(node).decode()},"uid":"'
        self._ending = _Shared(_OF_ENDING)
        self._account = _Shared(_OF_ACCOUNT)
        self._destination = _Shared(_OF_DESTINATION)
        self._credit = _Shared(_OF_CREDIT)

    def line(self, facts: CallFacts, seq: int) -> str:
        """The line with its newline; empty where the long road has to say it. Raises ValueError, TypeError,
        OverflowError for the same reason."""
        uid, source, call_id = facts.uid, facts.source, facts.call_id
        from_tag, to_tag = facts.from_tag, facts.to_tag
        original, presented, network = facts.cli_original, facts.cli_presented, facts.cli_network
        dialled, called = facts.called_original, facts.called
        sent_cli, sent_called = facts.cli_rewritten, facts.called_rewritten
        texts = (
            f"{uid}{source}{call_id}{from_tag}{to_tag}{original}{presented}{network}{dialled}{called}{sent_cli}"
            f"{sent_called}"
        )
        if len(orjson.dumps(texts)) != len(texts) + 2:
            return ""  # something of it is escaped, or takes more than one byte
        sent, answered, duration_ms = facts.sent_at, facts.answered_at, facts.duration_ms
        price, emergency = facts.price, facts.emergency
        billed_s = cost = 0
        if price is not None and answered is not None and not emergency:
            billed_s = rates.billed_s(price, duration_ms)
            cost = rates.cost_of(price, billed_s)
        in_use, limit_in_use = facts.in_use, facts.limit_in_use
        if (seq | in_use | limit_in_use | billed_s | cost) >> 53:
            return ""  # negative, or more than JSON readers hold: nothing of ours

        key: tuple[object, ...] = (
            facts.reason, facts.status, facts.q850, facts.release_side, facts.ingress_trunk, facts.ingress_class,
            facts.egress_trunk, tuple(facts.candidates), facts.withheld, emergency, facts.rule, facts.limit,
            facts.ceiling, facts.degraded, facts.policy_generation, facts.shadowed, facts.lost, facts.adopted_from,
            facts.attestation, facts.ruleset, facts.cli_shadowed, facts.decided_by, facts.quality_flags,
            facts.penalty_candidates, facts.attempts, tuple(facts.candidate_causes), facts.attestation_source,
            # What its outcome and its marks follow from beside these.
            sent is None, answered is None, duration_ms < self._acd_ms, duration_ms < self._short_ms,
        )  # fmt: skip
        ending = self._ending.kept.get(key) or self._ending.rendered(key, self._columns(facts))
        outcome, trunks, withheld, judged, degraded, shadowed, attested, decided_by, marked, causes = ending
        key = (
            facts.account, facts.group, facts.external_id, facts.tags, facts.account_kind, facts.automated,
            facts.purpose, facts.listener, facts.route, facts.in_force, facts.limit_holder, facts.identified_by,
        )  # fmt: skip
        of_account = self._account.kept.get(key) or self._account.rendered(key, self._columns(facts))
        account, group, known, in_force, identified = of_account
        key = (facts.zone, facts.rate_prefix, price, facts.currency)
        (priced,) = self._destination.kept.get(key) or self._destination.rendered(key, self._columns(facts))
        key = (price, facts.hold_micros, facts.holds, facts.paid_s)
        (held,) = self._credit.kept.get(key) or self._credit.rendered(key, self._columns(facts))

        received, decided, ringing, tries = facts.received_at, facts.decided_at, facts.ringing_at, facts.tries
        decision_us = "null" if decided is None else max(0, round((decided - received) * 1_000_000))
        pdd_ms = "null" if ringing is None else max(0, int((ringing - received) * 1_000 + 1e-6))
        instants = self._instants
        decided_at = instants.text(decided)
        sent_at = decided_at if sent == decided else instants.text(sent)
        answered_at = instants.text(answered)
        if len(tries) == 1 and tries[0] == (sent, answered):
            tried = f"[{sent_at},{answered_at}]"
        else:
            tried = ",".join([f"[{instants.text(begun)},{instants.text(ended)}]" for begun, ended in tries])
        release_reason = '""' if not facts.release_reason else orjson.dumps(facts.release_reason).decode()
        headers = "[]" if not facts.headers else orjson.dumps(facts.headers).decode()
        return (
            f'{self._begin}{seq}{self._middle}{uid}{outcome}{account}{source}{trunks}{call_id}","from_tag":"{from_tag}'
            f'","to_tag":"{to_tag}","cli_original":"{original}","cli_presented":"{presented}","cli_network":"{network}'
            f'{withheld}{dialled}","called":"{called}{judged}{in_use}{degraded}{instants.text(received)},'
            f'"decided_at":{decided_at},"sent_at":{sent_at},"ringing_at":{instants.text(ringing)},'
            f'"answered_at":{answered_at},"released_at":{instants.text(facts.released_at)},"decision_us":{decision_us},'
            f'"pdd_ms":{pdd_ms},"duration_ms":{duration_ms}{group}{priced}{billed_s},"cost_micros":{cost}{shadowed}'
            f'{known}{sent_cli}","called_rewritten":"{sent_called}{attested}{in_force}{limit_in_use}{decided_by}'
            f'{tried}],"release_reason":{release_reason}{held}{marked}{headers}{causes}{identified}'
        )
