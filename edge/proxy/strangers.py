"""Messages from addresses that no trunk names: answered or not, counted, and recorded within bounds. Pure.

A scanner can send as fast as the line carries, with any source address. So that it fills no disk, its attempts have a
record each only up to `MAX_SINGLE` in a minute, all strangers together; beyond that, and wherever the policy leaves
strangers without an answer, there is one record a minute and address, for `MAX_SOURCES` addresses and one for the rest,
and its column `attempts` says for how many it stands (R14 holds: the sum of `attempts` is the number of attempts).
"""

from typing import Final

from edge.config.refusals import OPTIONS
from edge.proxy.facts import CallFacts
from edge.proxy.node import Node
from edge.proxy.unproven import is_ourselves
from edge.sip.flow import Flow
from edge.sip.transaction.layer import Transaction

MAX_SINGLE: Final = 60
MAX_SOURCES: Final = 32
WINDOW_S: Final = 60.0
OTHERS: Final = "others"
"""In the column `source`: all the addresses there was no room to tell apart."""


class Strangers:
    """One for each core."""

    __slots__ = ("_gathered", "_is_due", "_node", "_singles")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._singles = 0
        self._gathered: dict[str, CallFacts] = {}
        self._is_due = False

    def is_silent(self, token: str, flow: Flow) -> bool:
        """Is this message left without an answer? Then it has been counted."""
        node = self._node
        host = flow.address[0]
        if token not in node.snapshot.silent or not node.snapshot.is_stranger(host, self._listener(flow)):
            return False
        if token == OPTIONS and is_ourselves(host):
            return False  # our own health check
        drops = node.counters.drops
        drops[f"silent_{token}"] = drops.get(f"silent_{token}", 0) + 1
        return True

    def are(self, flow: Flow) -> bool:
        """Does no trunk name this sender, over a transport on which it may be forged?"""
        node = self._node
        return not node.listeners.reliable[flow.listener] and node.snapshot.is_stranger(
            flow.address[0], self._listener(flow), flow.names
        )

    def ignores(self, token: str, txn: Transaction) -> bool:
        """The same of a request: where it is not answered, nothing is kept of it."""
        if not self.is_silent(token, txn.flow):
            return False
        self._node.layer.discard(txn)
        return True

    def record(self, facts: CallFacts, now: float) -> None:
        """The attempt of a stranger has ended: its record goes out, or is gathered."""
        facts.decided_at = facts.released_at = now
        self._await_end(now)
        if facts.status and self._singles < MAX_SINGLE:
            self._singles += 1
            self._node.outbox.ended.append(facts)
            return
        host = facts.source.rpartition(":")[0]
        if host not in self._gathered and len(self._gathered) >= MAX_SOURCES:
            host = OTHERS
        found = self._gathered.get(host)
        if found is None:
            self._gathered[host] = facts
            if host == OTHERS:
                facts.source = OTHERS
        else:
            found.attempts += 1
            found.released_at = facts.released_at

    def fire(self, letter: str, now: float) -> None:
        """The minute is over."""
        self._is_due = False
        self._singles = 0
        self.flush()

    def flush(self) -> None:
        """Every record that is gathered goes out."""
        self._node.outbox.ended.extend(self._gathered.values())
        self._gathered.clear()

    def _await_end(self, now: float) -> None:
        if not self._is_due:
            self._is_due = True
            self._node.timers.schedule(now + WINDOW_S, self, "S")

    def _listener(self, flow: Flow) -> str:
        return self._node.listeners.all[flow.listener].name
