"""Taking over the calls of a node that is gone, from the records kept with their leases (R14). Pure.

A call that was up goes on here: its leases are renewed, its credit drawn, its BYE settles it, and its record is
written once. One that still rang, or whose lease has run out, is closed at once: marked `lost`, with the duration it is
known to have had.
"""

from collections.abc import Collection, Iterable
from typing import Final

from edge.proxy.actions import Opened
from edge.proxy.call import Call, CallState
from edge.proxy.calls import UNPAID, CallInput, CallTracker
from edge.proxy.causes import NORMAL_CLEARING
from edge.proxy.decisions import note_account
from edge.proxy.facts import CallFacts
from edge.proxy.hygiene import words_of
from edge.proxy.node import Node
from edge.proxy.observed import flow_from
from edge.proxy.record import Record, call_of, facts_of, holders_of, read
from limits.model import GIVEN_BACK, KINDS, Adopted, Settle

MAX_GOODBYES: Final = 10_000
"""BYEs remembered of calls this node does not hold."""

_TEMPORARY_FAILURE: Final = 41


class Adoption:
    """Of one node."""

    __slots__ = ("_calls", "_fresh", "_goodbyes", "_left", "_node")

    def __init__(self, node: Node, calls: CallTracker) -> None:
        self._node = node
        self._calls = calls
        self._goodbyes: dict[str, tuple[float, bytes]] = {}
        """uid -> (instant of a BYE, its sender's tag), of calls that may be adopted later; the oldest first."""
        self._fresh: list[tuple[str, bytes, float]] = []
        self._left: dict[str, Opened] = {}
        """uid -> attempts without a lease that an earlier process of this node has left."""

    def note_goodbye(self, uid: str, tag: bytes, now: float) -> None:
        """A BYE passed in a call that another node holds, or held: that node must be told, since a route set goes on
        leading here after a takeover. Two sides may leave at one time: the first counts."""
        if uid not in self._goodbyes and len(self._fresh) < MAX_GOODBYES:
            self._fresh.append((uid, tag, now))
        self._remember(uid, tag, now)

    def has_goodbyes(self) -> bool:
        """Are there BYEs that other nodes are to be told of?"""
        return bool(self._fresh)

    def take_goodbyes(self) -> list[tuple[str, bytes, float]]:
        """(uid, tag of the sender, instant) of the BYEs that other nodes are to be told of."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def heard_goodbye(self, uid: str, tag: bytes, at: float, now: float) -> None:
        """Another node has passed a BYE on in this call; we may hold it, or come to hold it."""
        call = self._calls.get(uid)
        if call is None:
            self._remember(uid, tag, at)
        elif call.state is CallState.ANSWERED:
            self._leave(call, tag, at, now)

    def _remember(self, uid: str, tag: bytes, at: float) -> None:
        goodbyes = self._goodbyes
        if len(goodbyes) >= MAX_GOODBYES:
            del goodbyes[next(iter(goodbyes))]
        goodbyes.setdefault(uid, (at, tag))

    def _leave(self, call: Call, tag: bytes, at: float, now: float) -> None:
        """The call ended at `at`, through another node or while nobody held it."""
        facts = call.facts
        self._calls.move(call, CallInput.BYE, at if facts.answered_at is None else max(at, facts.answered_at))
        facts.release_side = "ingress" if tag == call.from_tag else "egress"
        facts.q850 = NORMAL_CLEARING
        self._calls.move(call, CallInput.OVER, now)

    def remember(self, left: Iterable[Opened]) -> None:
        """What an earlier process of this node has written down."""
        self._left = {one.uid: one for one in left}

    def left(self) -> list[Opened]:
        """Those of them that nobody here has taken up."""
        is_ours, ended = self._calls.get, self._node.ended.status_of
        return [one for uid, one in self._left.items() if is_ours(uid) is None and ended(uid) is None]

    def close_left(self, known: Collection[str], now: float) -> list[str]:
        """They are lost, but for those that the store knows of: these have, or will have, their record elsewhere. What
        their records say they cost is charged. Returns the uids that need not be written down any more."""
        for one in self.left():
            record = read(one.record)
            facts = None if record is None else facts_of(one.uid, record, self._node.wall_offset)
            if one.uid in known or facts is None:
                continue
            self._note_account(facts)
            facts.lost, facts.adopted_from = True, self._node.settings.node
            facts.released_at = facts.answered_at or facts.sent_at or facts.decided_at or facts.received_at
            facts.end(facts.status, "lost", _TEMPORARY_FAILURE, "edge")
            self._node.counters.calls_lost += 1
            self._node.record(facts, now)
            if one.account and not facts.emergency:
                outcome = "failed" if facts.answered_at is None else "answered"
                asks = self._node.outbox.asks
                asks.append(Settle(one.account, one.uid, outcome, facts.duration_ms, facts.price))
        left, self._left = self._left, {}
        return [uid for uid in left if self._calls.get(uid) is None]

    def adopt(self, holder: str, gone: str, now_ms: int, found: tuple[Adopted, ...], now: float) -> None:
        """These leases of `holder` are ours now. Accounts before groups and trunks: those only follow."""
        node = self._node
        for one in found:
            call = self._calls.get(one.uid)
            if holder.startswith(KINDS):
                # A call of our own may be waiting for the answer that tells it of this very lease.
                if call is None or (gone != node.settings.node and holder not in call.holders):
                    node.outbox.asks.append(Settle(holder, one.uid, "failed", 0))
                continue
            if call is not None:
                continue  # ours already
            if node.ended.status_of(one.uid) is not None:
                # Its record is written: the limits' word came too late for it, or its settlement is on its way.
                node.outbox.asks.append(Settle(holder, one.uid, GIVEN_BACK, 0))
                continue
            self._take(holder, gone, one, now, now - now_ms / 1_000)

    def _take(self, holder: str, gone: str, one: Adopted, now: float, offset: float) -> None:
        """`offset`: monotonic seconds less the store's."""
        node = self._node
        left = self._left.get(one.uid)
        record = read(one.record or (b"" if left is None else left.record))
        facts = None if record is None else facts_of(one.uid, record, node.wall_offset)
        if record is None or facts is None:
            node.counters.records_unreadable += 1
            self._close(holder, gone, one, None, None, offset, now)
            return
        listeners = {listener.name: index for index, listener in enumerate(node.listeners.all)}
        is_up = one.answered_ms > 0 and not one.is_expired
        kept = call_of(record, listeners, node.snapshot.plan, now) if is_up else None
        if kept is None:
            self._close(holder, gone, one, facts, record, offset, now)
            return
        invite = kept.invite
        call = Call(one.uid, invite.call_id(), invite.from_().tag or b"", kept.cseq, facts, invite.data)
        self._note_account(facts)
        facts.answered_at = offset + one.answered_ms / 1_000
        facts.price = one.price
        facts.adopted_from = gone
        facts.end(facts.status or 200, "answered", 0, "")
        call.state = CallState.ANSWERED
        call.naming = kept.naming
        hides = kept.naming is not None
        call.token = node.identifiers.token(call.uid, call.call_id, hides=hides, flow=kept.flow)
        call.dialogs = kept.dialogs
        call.store_away = kept.store_away
        call.inbound = listeners.get(kept.inbound, 0)
        call.flow = flow_from(kept.flow, call.inbound)
        self._find_boundary(call)
        self._calls.add(call)
        for name in kept.holders:
            self._calls.lease(call, name, one.paid_s if name == holder else kept.paid.get(name, 0))
        self._calls.tell("call.adopted", call, gone=gone)
        goodbye = self._goodbyes.pop(one.uid, None)
        if goodbye is None:
            self._calls.renewals.schedule(call, now)
        else:
            at, tag = goodbye
            self._leave(call, tag, at, now)

    def _find_boundary(self, call: Call) -> None:
        """What becomes of headers between its two neighbours, by the policy of now."""
        node, facts = self._node, call.facts
        trunk = node.snapshot.trunks.get(facts.egress_trunk)
        if trunk is not None:
            ingress = next((one for one in node.snapshot.ingress if one.id == facts.ingress_trunk), None)
            call.crossing = node.crossings.between(ingress, trunk)
            call.words = words_of(facts, trunk.id, node.settings.node)

    def _note_account(self, facts: CallFacts) -> None:
        """What policy says of the account is the same on every node, so the record need not carry it."""
        account = self._node.snapshot.accounts.get(facts.account)
        if account is not None:
            automated, tags = facts.automated, facts.tags
            note_account(facts, account)
            facts.automated = automated or facts.automated
            facts.tags = tags or facts.tags

    def _close(
        self,
        holder: str,
        gone: str,
        one: Adopted,
        facts: CallFacts | None,
        record: Record | None,
        offset: float,
        now: float,
    ) -> None:
        """Its record, marked `lost`, up to the last instant it is known to have lived; then its leases go back."""
        if facts is None:
            facts = CallFacts(one.uid, offset + one.admitted_ms / 1_000)
            facts.account = holder
            facts.decided_at = facts.received_at
        self._note_account(facts)
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
        node.record(facts, now)
        others = () if record is None else holders_of(record)
        for name in (holder, *[name for name in others if name != holder]):
            price = None if name.startswith(UNPAID) else one.price
            node.outbox.asks.append(Settle(name, one.uid, outcome, facts.duration_ms, price))
