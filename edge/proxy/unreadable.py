"""What cannot be read: answered without a transaction where enough of it is legible, counted always (§16.3 item 1)."""

from typing import Final

from edge.proxy.facts import Fact
from edge.proxy.forwarding import reply_flow, stamp_top_via
from edge.proxy.node import Node
from edge.proxy.strangers import Strangers
from edge.proxy.unproven import is_ourselves
from edge.sip import compose
from edge.sip.errors import ParseError
from edge.sip.flow import Flow
from edge.sip.framing import FramingFault
from edge.sip.message import Message, Request, parse

_PHRASES: Final = {400: b"Bad Request", 413: b"Request Entity Too Large", 505: b"Version Not Supported"}
_MAX_FAULTS: Final = 64
"""Kinds of fault told apart: the sender chooses what is wrong with its messages."""


class Unreadable:
    """Counts and answers malformed messages."""

    __slots__ = ("_node", "_strangers")

    def __init__(self, node: Node, strangers: Strangers) -> None:
        self._node = node
        self._strangers = strangers

    def malformed(self, error: ParseError, flow: Flow) -> None:
        """A datagram that is no message; a keep-alive is none either, and no fault."""
        if error.reason == "keep-alive":
            return
        self.count(error.reason, flow)
        if error.salvage is not None and not self._strangers.is_silent("bad_request", flow):
            self._answer(error.salvage, error.status_hint, flow)

    def unframed(self, fault: FramingFault, flow: Flow) -> None:
        """A stream whose next message has no certain end (§18.3). It is answered where its header can be read; the rim
        closes the connection."""
        self.count(fault.reason, flow)
        message: Message | None
        try:
            message = parse(fault.head)
        except ParseError as error:
            message = error.salvage
        if isinstance(message, Request) and message.method != b"ACK":
            self._answer(message, fault.status, flow)

    def count(self, reason: str, flow: Flow) -> None:
        """One more of this fault."""
        malformed = self._node.counters.malformed
        key = reason if reason in malformed or len(malformed) < _MAX_FAULTS else "other"
        malformed[key] = malformed.get(key, 0) + 1
        host, port = flow.address
        self._node.outbox.facts.append(Fact("message.malformed", {"fault": reason, "source": f"{host}:{port}"}))

    def _answer(self, message: Message, status: int, flow: Flow) -> None:
        """Without a transaction: the sender's retransmissions are answered one by one (§8.2.7)."""
        reply_to = reply_flow(message, flow, self._node.listeners)
        stamp_top_via(message, flow)
        data = compose.response(message, status, _PHRASES[status], to_tag=self._node.identifiers.tag())
        if len(data) > len(message.data) and self._strangers.are(flow) and not is_ourselves(flow.address[0]):
            return  # §8.2.6 copies what it sent; a forged sender is not to be sent more than that
        self._node.outbox.sends.append((data, reply_to, None))
