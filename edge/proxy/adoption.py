"""Taking over the calls of a node that is gone, from the records kept with their leases (R14). Pure.

A call that was up goes on here: its leases are renewed, its credit drawn, its BYE settles it, and its record is
written once. One that still rang, or whose lease has run out, is closed at once: marked `lost`, with the duration it is
known to have had.
"""

from edge.proxy.call import Call, CallState
from edge.proxy.calls import CallInput, CallTracker
from edge.proxy.causes import NORMAL_CLEARING
from edge.proxy.facts import CallFacts
from edge.proxy.node import Node
from edge.proxy.record import Record, dialogs_of, facts_of, read
from edge.sip.errors import FieldError, ParseError
from edge.sip.message import Request, parse
from limits.model import GROUP, TRUNK, Adopted, Settle

MAX_GOODBYES = 10_000
"""BYEs remembered of calls this node does not hold."""

_TEMPORARY_FAILURE = 41


class Adoption:
    """Of one node."""

    __slots__ = ("_calls", "_goodbyes", "_node")

    def __init__(self, node: Node, calls: CallTracker) -> None:
        self._node = node
        self._calls = calls
        self._goodbyes: dict[str, tuple[float, str]] = {}
        """uid -> (instant of a BYE, side that sent it), of calls that may be adopted later; the oldest first."""

    def note_goodbye(self, uid: str, side: str, now: float) -> None:
        """A BYE passed in a call that another node holds, or held."""
        goodbyes = self._goodbyes
        if len(goodbyes) >= MAX_GOODBYES:
            del goodbyes[next(iter(goodbyes))]
        goodbyes.setdefault(uid, (now, side))

    def adopt(self, holder: str, gone: str, now_ms: int, found: tuple[Adopted, ...], now: float) -> None:
        """These leases of `holder` are ours now. Accounts before groups and trunks: those only follow."""
        node = self._node
        for one in found:
            call = self._calls.get(one.uid)
            if holder.startswith((GROUP, TRUNK)):
                if call is None or holder not in call.holders:
                    node.outbox.asks.append(Settle(holder, one.uid, "failed", 0))
                continue
            if call is not None:
                continue  # ours already
            record = read(one.record)
            try:
                self._take(holder, gone, one, record, now, now - now_ms / 1_000)
            except (KeyError, TypeError, ValueError, FieldError, ParseError):
                self._close(holder, gone, one, CallFacts(one.uid, now), None, now - now_ms / 1_000)

    def _take(self, holder: str, gone: str, one: Adopted, record: Record | None, now: float, offset: float) -> None:
        """`offset`: monotonic seconds less the store's."""
        node = self._node
        if record is None:
            node.counters.records_unreadable += 1
            self._close(holder, gone, one, CallFacts(one.uid, now), None, offset)
            return
        facts = facts_of(one.uid, record, node.wall_offset)
        dialogs = None
        if one.answered_ms and not one.is_expired and record.get("dialogs"):
            outbound = {listener.name: index for index, listener in enumerate(node.listeners.all)}
            first = next(iter(outbound.values()))
            named = {name: outbound.get(name, first) for name in [dialog[4] for dialog in record["dialogs"]]}
            dialogs = dialogs_of(record, named, now)
        if not dialogs:
            self._close(holder, gone, one, facts, record, offset)
            return
        invite = parse(record["invite"].encode("latin-1"))
        assert isinstance(invite, Request)
        call = Call(one.uid, invite.call_id(), invite.from_().tag or b"", int(record["cseq"]), facts, invite.data)
        facts.answered_at = offset + one.answered_ms / 1_000
        facts.price = one.price
        facts.adopted_from = gone
        facts.end(facts.status or 200, "answered", 0, "")
        call.state = CallState.ANSWERED
        call.token = node.identifiers.token(call.uid, call.call_id)
        call.dialogs = dialogs
        call.store_away = str(record["store_away"])
        names = [listener.name for listener in node.listeners.all]
        call.inbound = names.index(record["inbound"]) if record["inbound"] in names else 0
        self._calls.add(call)
        paid = {str(name): int(seconds) for name, seconds in record["paid"].items()}
        for name in record["holders"]:
            self._calls.lease(call, str(name), one.paid_s if name == holder else paid.get(name, 0))
        self._calls.tell("call.adopted", call, gone=gone)
        goodbye = self._goodbyes.pop(one.uid, None)
        if goodbye is None:
            self._calls.renewals.schedule(call, now)
            return
        # It was left while nobody held it.
        at, side = goodbye
        self._calls.move(call, CallInput.BYE, max(at, facts.answered_at))
        facts.release_side, facts.q850 = side, NORMAL_CLEARING
        self._calls.move(call, CallInput.OVER, now)

    def _close(
        self, holder: str, gone: str, one: Adopted, facts: CallFacts, record: Record | None, offset: float
    ) -> None:
        """Its record, marked `lost`, up to the last instant it is known to have lived; then its leases go back."""
        if record is None:
            facts.account = holder
            facts.received_at = facts.decided_at = offset + one.admitted_ms / 1_000
        facts.price, facts.paid_s = one.price, one.paid_s
        facts.lost, facts.adopted_from = True, gone
        facts.answered_at = None
        facts.released_at = offset + one.renewed_ms / 1_000
        outcome = "failed"
        if one.answered_ms:
            talked_ms = max(0, one.renewed_ms - one.answered_ms)
            if one.price is not None:
                talked_ms = min(talked_ms, one.paid_s * 1_000)
            facts.answered_at = offset + one.answered_ms / 1_000
            facts.released_at = facts.answered_at + talked_ms / 1_000
            outcome = "answered"
        facts.end(facts.status, "lost", _TEMPORARY_FAILURE, "edge")
        node = self._node
        node.counters.calls_lost += 1
        node.outbox.ended.append(facts)
        others = [] if record is None else [str(name) for name in record.get("holders", ()) if name != holder]
        for name in [holder, *others]:
            price = None if name.startswith(TRUNK) else one.price
            node.outbox.asks.append(Settle(name, one.uid, outcome, facts.duration_ms, price))
