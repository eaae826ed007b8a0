"""The transaction layer: keeps the transactions and brings message, user and timer to theirs (RFC 3261 §17, §18.1.2,
§18.2.1; RFC 6026; RFC 4320). Pure; imports `edge.sip` only.

What is to be sent is appended to the list the layer was given; what the user should know, it is told by direct call.
"""

from collections.abc import Callable
from typing import Final, Protocol

from edge.sip.errors import LocalError
from edge.sip.flow import Flow, Send
from edge.sip.message import Request, Response, parse
from edge.sip.timers import Durations, TimerWheel
from edge.sip.transaction import keys
from edge.sip.transaction.effects import send_invite, send_request
from edge.sip.transaction.machine import Ack, Input, State, Transaction
from edge.sip.transaction.tables import INVITE_CLIENT, INVITE_SERVER, NON_INVITE_CLIENT, NON_INVITE_SERVER

__all__ = ["Transaction", "TransactionLayer", "TransactionUser"]


class TransactionUser(Protocol):
    """TU of RFC 3261: the proxy core. It may call back into the layer from any of these."""

    def on_request(self, txn: Transaction, request: Request, now: float) -> None:
        """A new server transaction, of any method but ACK."""

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK that no failure is waiting for: to a 2xx, or astray."""

    def on_response(self, txn: Transaction, response: Response, now: float) -> None:
        """Each 1xx, each 2xx to INVITE, and the first final response otherwise."""

    def on_stray_response(self, response: Response, flow: Flow, now: float) -> None:
        """It answers nothing of ours. It must not be forwarded (RFC 6026 §7.3)."""

    def on_timeout(self, txn: Transaction, now: float) -> None:
        """B or F: no response came. H: no ACK came."""

    def on_transport_error(self, txn: Transaction, now: float) -> None:
        """What it sent did not leave. A client transaction ends with it, a server one stays (RFC 6026 §8.8)."""

    def on_gone(self, txn: Transaction) -> None:
        """It is Terminated and out of the store. Drop every reference; its request and user go when this returns."""


_INVITE_RESPONSES: Final = (Input.R_1XX, Input.R_2XX, *4 * (Input.R_300_699,))
_OTHER_RESPONSES: Final = (Input.R_1XX, *5 * (Input.R_200_699,))
_INVITE_ANSWERS: Final = (Input.USER_1XX, Input.USER_2XX, *4 * (Input.USER_300_699,))
_OTHER_ANSWERS: Final = (Input.USER_1XX, *5 * (Input.USER_200_699,))
"""By class of the status, 1 to 6."""


class TransactionLayer:
    """All transactions of one core."""

    __slots__ = (
        "_clients", "_late_trying", "_legacy", "_servers", "_timer_b", "_unanswered", "absorbed", "durations",
        "reliable", "sends", "timer_j", "timer_k", "timer_l", "timer_m", "timers", "user",
    )  # fmt: skip

    def __init__(
        self,
        user: TransactionUser,
        sends: list[Send],
        timers: TimerWheel,
        durations: Durations,
        reliable: Callable[[Flow], bool],
    ) -> None:
        """`reliable` says whether the transport of a flow retransmits by itself (§17: TCP and TLS do)."""
        self.user = user
        self.sends = sends
        self.timers = timers
        self.durations = durations
        self.absorbed = 0
        """Inputs from outside that meant nothing in the state they met, and answers that came too late or that
        RFC 4320 forbids."""
        self.reliable = reliable
        # Read once: they are asked for with every transaction.
        self._late_trying, self._unanswered = durations.late_trying, durations.unanswered
        self._timer_b = durations.timer_b
        self.timer_j, self.timer_k = durations.timer_j, durations.timer_k
        self.timer_l, self.timer_m = durations.timer_l, durations.timer_m
        self._servers: dict[keys.Key, Transaction] = {}
        self._clients: dict[keys.Key, Transaction] = {}
        self._legacy: dict[keys.Key, list[Transaction]] = {}

    def __len__(self) -> int:
        """Live transactions, servers and clients."""
        return len(self._servers) + len(self._clients)

    # -- from the network ----------------------------------------------------------------------------------------------

    def receive(self, message: Request | Response, flow: Flow, now: float) -> None:
        """A message came, as `parse` made it."""
        if isinstance(message, Response):
            txn = self._clients.get(keys.client_key(message))
            if txn is None:
                self.user.on_stray_response(message, flow, now)
                return
            classes = _INVITE_RESPONSES if txn.table is INVITE_CLIENT else _OTHER_RESPONSES
            if not txn.step(classes[message.status // 100 - 1], message, now):
                self.absorbed += 1
        elif message.method == b"ACK":
            self._receive_ack(message, flow, now)
        else:
            self.receive_request(message, keys.server_key(message, message.method), flow, now)

    def awaits(self, response: Response) -> bool:
        """Does it answer a request of ours? Nobody can know the branch who did not get it."""
        return keys.client_key(response) in self._clients

    def knows(self, key: keys.Key) -> bool:
        """Is there a server transaction with this key?"""
        return key in self._servers

    def receive_request(self, request: Request, key: keys.Key, flow: Flow, now: float) -> None:
        """The same of a request, of any method but ACK, whose key (`keys.server_key`) is known already."""
        method = request.method
        is_invite = method == b"INVITE"
        txn = self._servers.get(key)
        if txn is not None:
            if not txn.step(Input.INVITE if is_invite else Input.REQUEST, request, now):
                self.absorbed += 1
            return
        table, state = (INVITE_SERVER, State.PROCEEDING) if is_invite else (NON_INVITE_SERVER, State.TRYING)
        via = request.via()
        branch = via.branch or b""
        txn = Transaction(self, table, state, key, method, branch, flow, now, True, None)
        txn.request = request
        if not is_invite:
            txn.deadline = now + self._unanswered
        elif not keys.is_compliant(branch):
            txn.legacy_key = keys.legacy_key(request, via, method)
            self._legacy.setdefault(txn.legacy_key, []).append(txn)
        self._servers[key] = txn
        try:
            self.user.on_request(txn, request, now)
        except BaseException:
            # A defect of ours must not leave a transaction behind that nobody will ever answer.
            txn.step(Input.ABANDON, None, now)
            raise
        if is_invite:
            if txn.state is State.PROCEEDING and txn.last is None:
                txn.set_timer(Input.TIMER_100, self.durations.trying, now)
        elif txn.state is State.TRYING or txn.state is State.PROCEEDING:
            txn.set_timer(Input.TIMER_100, self._late_trying, now)

    def _receive_ack(self, request: Request, flow: Flow, now: float) -> None:
        txn = self._servers.get(keys.server_key(request, b"INVITE")) or self._legacy_invite(request)
        if txn is None:
            self.user.on_ack(request, flow, now)
        elif not txn.step(Input.ACK, Ack(request, flow), now):
            self.absorbed += 1

    def _legacy_invite(self, ack: Request) -> Transaction | None:
        """§17.2.3: the ACK of an RFC 2543 client carries the To tag of the response that was sent. Where that was a 2xx
        any tag will do: the user is handed them all (RFC 6026 §6)."""
        if not self._legacy:
            return None
        via = ack.via()
        if keys.is_compliant(via.branch):
            return None
        tag = keys.tag(ack, b"to")
        for txn in self._legacy.get(keys.legacy_key(ack, via, b"INVITE"), ()):
            if txn.state is State.ACCEPTED or (txn.last is not None and keys.tag(parse(txn.last), b"to") == tag):
                return txn
        return None

    def matching_invite(self, cancel: Request) -> Transaction | None:
        """The INVITE server transaction that this CANCEL names (§9.2), whatever its state; None: answer 481."""
        return self._servers.get(keys.server_key(cancel, b"INVITE"))

    def transport_failed(self, txn: Transaction, now: float) -> None:
        """Something this transaction sent did not leave, now or some time ago."""
        if not txn.step(Input.TRANSPORT_ERROR, None, now):
            self.absorbed += 1

    def flow_failed(self, flow: Flow, now: float) -> None:
        """The connection of this flow is gone (§18.4). Requests that went there and have had no response will have
        none; a server that has responded may still open another connection for the rest (§18.2.2)."""
        for txn in list(self._clients.values()):
            if txn.status == 0 and txn.flow == flow:
                self.transport_failed(txn, now)

    # -- from the user -------------------------------------------------------------------------------------------------

    def respond(self, txn: Transaction, status: int, data: bytes, now: float) -> None:
        """Send the user's response through its server transaction. Too late (Terminated), or forbidden by RFC 4320:
        absorbed. LocalError: a final response after the final response, or none of a server at all."""
        if not txn.is_server or not 100 <= status <= 699:
            raise LocalError(f"{status} is no response for {txn!r}")
        is_invite = txn.table is INVITE_SERVER
        answer = (_INVITE_ANSWERS if is_invite else _OTHER_ANSWERS)[status // 100 - 1]
        if txn.state is State.TERMINATED or (not is_invite and self._is_forbidden(txn, status, now)):
            self.absorbed += 1
            return
        if answer not in txn.rows:
            raise LocalError(f"{status} is too late for {txn!r}")
        if txn.feedback is not None:
            data = txn.feedback(data, now)
            if not data:
                self.discard(txn)
                return
        if txn.state is not State.COMPLETED:  # there only what is discarded has a row (§17.2.2)
            txn.status = status
        txn.step(answer, data, now)

    def _is_forbidden(self, txn: Transaction, status: int, now: float) -> bool:
        """RFC 4320 §4: to a non-INVITE request no provisional response but 100, that not before Timer E reaches T2
        where the transport is unreliable, and never 408."""
        if status < 200:
            return status != 100 or not (txn.reliable or now >= txn.since + self._late_trying)
        return status == 408

    def start(
        self, request: Request, flow: Flow, now: float, *, user: object, timeout_s: float | None = None
    ) -> Transaction:
        """Send this request as a new client transaction. Its top Via carries a branch of ours that no other request of
        the method has. `timeout_s` instead of 64*T1 for B or F. The request must not be edited any more."""
        method = request.method
        branch = request.via().branch
        if method == b"ACK" or branch is None:
            raise LocalError("a client transaction needs a branch, and ACK has none (§17.1)")
        is_invite = method == b"INVITE"
        table, state = (INVITE_CLIENT, State.CALLING) if is_invite else (NON_INVITE_CLIENT, State.TRYING)
        txn = Transaction(self, table, state, (branch, method), method, branch, flow, now, False, user)
        txn.request = request
        self._open(txn, request.render(), self._timer_b if timeout_s is None else timeout_s, now)
        if is_invite:
            send_invite(txn, None, now)
        else:
            send_request(txn, None, now)
        return txn

    def send(self, method: bytes, branch: bytes, data: bytes, flow: Flow, now: float, *, user: object) -> Transaction:
        """The same with nothing but the bytes of the request, for any method but INVITE, of whose request ACK and
        CANCEL are made. `branch`: of its top Via."""
        key = (branch, method)
        txn = Transaction(self, NON_INVITE_CLIENT, State.TRYING, key, method, branch, flow, now, False, user)
        self._open(txn, data, self._timer_b, now)
        send_request(txn, None, now)
        return txn

    def _open(self, txn: Transaction, data: bytes, timeout_s: float, now: float) -> None:
        if txn.key in self._clients:
            raise LocalError(f"branch {txn.branch!r} is in use")
        txn.last = data
        txn.deadline = now + timeout_s
        self._clients[txn.key] = txn

    def abandon(self, txn: Transaction) -> None:
        """End an INVITE client transaction that has no final response (§9.1: 64*T1 after the CANCEL). A response that
        comes later is a stray one."""
        if txn.state is not State.TERMINATED and not txn.step(Input.ABANDON, None, 0.0):
            raise LocalError(f"{txn!r} ends by itself")

    def discard(self, txn: Transaction) -> None:
        """End a server transaction that is not to be answered: nothing is sent, and a repeat of its request is a new
        one."""
        txn.step(Input.ABANDON, None, 0.0)

    # -- from the machine ----------------------------------------------------------------------------------------------

    def forget(self, txn: Transaction) -> None:
        """A transaction has entered Terminated: out of the store the same instant (§17), and its user may know."""
        store = self._servers if txn.is_server else self._clients
        del store[txn.key]
        if txn.legacy_key is not None:
            siblings = self._legacy[txn.legacy_key]
            siblings.remove(txn)
            if not siblings:
                del self._legacy[txn.legacy_key]
        try:
            self.user.on_gone(txn)
        finally:
            txn.let_go()
