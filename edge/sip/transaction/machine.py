"""The one class that walks a table of states: a transaction (RFC 3261 §17). Pure; imports `edge.sip` only.

What a state does with an input stands in `tables`; what is done stands in `effects`; where transactions are kept and
how a message finds its own, in `layer` and `keys`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from edge.sip.flow import Flow
from edge.sip.message import Request, Response

if TYPE_CHECKING:
    from edge.sip.transaction.layer import TransactionLayer


class State(StrEnum):
    """States of the four machines, under their names in RFC 3261 §17 and RFC 6026."""

    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    ACCEPTED = "Accepted"
    TERMINATED = "Terminated"


class Input(StrEnum):
    """What may happen to a transaction. Timers are their letters, so that a letter from the wheel is an input."""

    # from the network
    INVITE = "INVITE"
    REQUEST = "request"
    """The request again, in a non-INVITE server."""
    ACK = "ACK"
    R_1XX = "1xx"
    R_2XX = "2xx"
    R_300_699 = "300-699"
    R_200_699 = "200-699"
    TRANSPORT_ERROR = "transport error"
    # from the user
    USER_1XX = "1xx from TU"
    USER_2XX = "2xx from TU"
    USER_300_699 = "300-699 from TU"
    USER_200_699 = "200-699 from TU"
    ABANDON = "abandoned by TU"
    """§9.1: 64*T1 after the CANCEL there is still no final response, so the user destroys the transaction. Or it failed
    to take a request at all."""
    # from the wheel
    TIMER_A = "A"
    TIMER_B = "B"
    TIMER_D = "D"
    TIMER_E = "E"
    TIMER_F = "F"
    TIMER_G = "G"
    TIMER_H = "H"
    TIMER_I = "I"
    TIMER_J = "J"
    TIMER_K = "K"
    TIMER_L = "L"
    TIMER_M = "M"
    TIMER_100 = "100"
    """§17.2.1: 200 ms; RFC 4320 §4.1 for non-INVITE."""
    TIMER_N = "N"
    """Ours: `Durations.unanswered`."""


class Ack(NamedTuple):
    """An ACK that matched an INVITE server transaction, and where it came from."""

    request: Request
    flow: Flow


Argument = Request | Response | Ack | bytes | None
"""What comes with an input: the message of the network, the user's bytes; nothing with a timer."""

Effect = Callable[["Transaction", Argument, float], None]


class Row(NamedTuple):
    """One arrow of a figure: what is done, and the state after it."""

    effect: Effect
    next: State


Rows = dict[str, Row]
"""A state is its rows: a plain str of the same text finds its row as well as the `Input` does."""

Table = dict[State, Rows]


class Transaction:
    """One transaction of any of the four kinds. Its table says which kind; only `step` assigns the state.

    Made by the layer and by nobody else. Once Terminated it is out of the store and has let go of its request, its
    user and its bytes: who still holds it may read `state`, `status`, `method`, `branch` and the flows, no more.
    """

    __slots__ = (
        "branch", "deadline", "feedback", "flow", "interval", "is_server", "key", "last", "layer", "legacy_key",
        "method", "reliable", "reply_to", "request", "rows", "since", "state", "status", "table", "user",
    )  # fmt: skip
    __deletable__ = ("request",)
    """For the compiled form, where other attributes cannot be deleted."""

    request: Request
    """Server: as received. Client: as sent, unless it was sent as bytes alone. After the final response a server INVITE
    keeps its `remains`, a client INVITE with a 2xx its `dialog_remains`; any other has none (AttributeError), nor has
    what is gone. Set by the layer."""

    def __init__(
        self,
        layer: TransactionLayer,
        table: Table,
        state: State,
        key: tuple[object, ...],
        method: bytes,
        branch: bytes,
        flow: Flow,
        now: float,
        is_server: bool,
        user: object | None,
    ) -> None:
        self.layer = layer
        self.table = table
        self.state = state
        self.rows = table[state]
        self.key = key
        self.legacy_key: tuple[object, ...] | None = None
        """Under which the ACK of an RFC 2543 client finds this INVITE server transaction."""
        self.method = method
        self.branch = branch
        """Of the top Via; empty where an RFC 2543 client sent none."""
        self.flow = flow
        """Server: the source. Client: the destination."""
        self.reply_to = flow
        """Where this transaction sends. A server's user may set it in `on_request`, before it responds (§18.2.2)."""
        self.last: bytes | None = None
        """Server: the last response sent. Client: the request as sent, later its ACK. None where the state has no row
        that would send it again."""
        self.status = 0
        """The last status sent (server) or received (client)."""
        self.feedback: Callable[[bytes, float], bytes] | None = None
        """Server: what is done to each response of the user before it leaves (RFC 7339 §5.2); empty: none leaves."""
        self.user = user
        """Whatever the layer's user wants to find again."""
        self.reliable = layer.reliable(flow)
        self.is_server = is_server
        self.since = now
        self.interval = 0.0
        """Of the next retransmission, in seconds (A, E, G)."""
        self.deadline = 0.0
        """Instant at which B, F, H or N falls due."""

    def __repr__(self) -> str:
        kind = "server" if self.is_server else "client"
        return f"<{self.method.decode('ascii', 'replace')} {kind} transaction {self.branch!r} {self.state}>"

    def step(self, event: str, argument: Argument, now: float) -> bool:
        """Walk one row. False where the state has none for this input: the caller absorbs it or objects."""
        row = self.rows.get(event)
        if row is None:
            return False
        self._walk(row, argument, now)
        return True

    def _walk(self, row: Row, argument: Argument, now: float) -> None:
        effect, after = row
        # The state first: the user may call back into the layer, and must find the transaction where it now is.
        if after is not self.state:
            self.state = after
            self.rows = self.table[after]
            if not self.rows:  # Terminated
                try:
                    effect(self, argument, now)
                finally:
                    self.layer.forget(self)
                return
        effect(self, argument, now)

    def fire(self, letter: str, now: float) -> None:
        """A timer of ours has come. Nothing is ever cancelled: one that means nothing any more has no row."""
        row = self.rows.get(letter)
        if row is not None:
            self._walk(row, None, now)

    def set_timer(self, letter: str, delay: float, now: float) -> None:
        """Hear of `letter` after so many seconds."""
        self.layer.timers.schedule(now + delay, self, letter)

    def set_retransmission(self, letter: str, interval: float, end_letter: str, now: float) -> None:
        """Hear of `letter` after the interval, or of `end_letter` at the deadline where that comes first.

        So a transaction has one of the two in the wheel at a time, and the usual one, which is answered at once, leaves
        nothing there for 64*T1."""
        self.interval = interval
        at = now + interval
        if at < self.deadline:
            self.layer.timers.schedule(at, self, letter)
        else:
            self.layer.timers.schedule(self.deadline, self, end_letter)

    def let_go(self) -> None:
        """Drop what the transaction holds, so that counting references alone frees it (no cycle is left to find)."""
        self.drop_request()
        self.last = self.user = self.feedback = None

    def drop_request(self) -> None:
        """No row needs it any more: at many calls a second, what waits for its last timer is most of the memory."""
        if hasattr(self, "request"):
            del self.request
