"""What the core asks the rim to do. Pure; plain tuples appended to typed lists, drained once per wake-up.

The order inside a list is the order of doing. The rim empties the lists in the order of the fields below, so that the
record of a call is written before its lease is settled (ruling R14).
"""

from typing import NamedTuple

from edge.proxy.facts import CallFacts, Fact
from edge.proxy.shed import Shed
from edge.sip.flow import Send
from edge.sip.locating import Target
from limits.model import Verb


class Resolve(NamedTuple):
    """Find the addresses behind a host name (RFC 3263); the answer comes back with the same ticket."""

    ticket: int
    target: Target


class Opened(NamedTuple):
    """An attempt that passes without a lease: the store cannot tell the next process of it."""

    uid: str
    account: str
    record: bytes
    """As `proxy.record` has it."""


class Outbox:
    """Actions of one wake-up."""

    __slots__ = ("asks", "ended", "facts", "opened", "resolves", "sends", "shed")

    def __init__(self) -> None:
        self.opened: list[Opened] = []
        """To be written down before anything is sent."""
        self.sends: list[Send] = []
        """Messages for the wire. The third item hears of a transport failure (`ProxyCore.transport_failed`)."""
        self.ended: list[CallFacts] = []
        """Attempts that are over: one CDR each."""
        self.shed: list[Shed] = []
        """Attempts refused at the door: one CDR each, and nothing to settle."""
        self.asks: list[Verb] = []
        """Verbs for the limiter; each is answered by `ProxyCore.limiter_answered`."""
        self.resolves: list[Resolve] = []
        """Host names; each is answered by `ProxyCore.resolved`."""
        self.facts: list[Fact] = []
        """Rare things worth a log line."""
