"""Overload control as a server (RFC 7339, RFC 7415): neighbours that announce it are told how much less to send. Pure.

Only known neighbours are told (§5.2: a capability is nobody else's affair). What is asked of them follows
`edge.proxy.overload`: for `rate` a share of the rate that passes, for `loss` a percentage. Since a neighbour that
obeys sends less, and nothing of it need be refused any more, the percentage is not that of this moment's refusals: it
counts what the obedient have left out as wanted, and shrinks slowly when nothing is refused any more.
"""

from collections.abc import Callable
from typing import Final

from edge.proxy.overload import Overload
from edge.sip import overload_params
from edge.sip.flow import Flow
from edge.sip.message import Request
from edge.sip.overload_params import LOSS, RATE

VALIDITY_MS: Final = 500
"""§4.3: the default."""
STABLE_S: Final = 3_600.0
"""§5.8: a neighbour's algorithm is not changed more often."""
MAX_CLIENTS: Final = 1_024
"""Neighbours told apart; beyond it the one heard first is chosen for anew."""
GROWTH: Final = 0.3
DECAY: Final = 0.03
"""Of the percentage, in each interval of `overload`."""
MOST: Final = 0.95
LEAST: Final = 0.02
"""Under it nothing is asked any more."""
SMOOTHING: Final = 0.1


class _Client:
    __slots__ = ("algorithm", "chosen_at", "new", "rate")

    def __init__(self, algorithm: bytes, now: float) -> None:
        self.algorithm = algorithm
        self.chosen_at = now
        self.new = 0
        """New calls since the last interval."""
        self.rate = 0.0
        """The same a second, smoothed."""


class OcFeedback:
    """Of one core."""

    __slots__ = ("_clients", "_messages", "_overload", "_total", "_wall", "reduction")

    def __init__(self, overload: Overload, wall: Callable[[], float]) -> None:
        """`wall`: UTC seconds less those of the core's clock."""
        self._overload = overload
        self._wall = wall
        self._clients: dict[tuple[str, int], _Client] = {}
        self.reduction = 0.0
        """Share of the new calls that neighbours are to leave out, 0 to 1."""
        self._total = 0.0
        """New calls a second that all neighbours together may send, while they are asked to send less."""
        self._messages = 3.0
        """Requests for each new call, smoothed: INVITE, ACK, BYE."""

    def heard(
        self, request: Request, flow: Flow, now: float, *, is_known: Callable[[Flow], bool]
    ) -> Callable[[bytes, float], bytes] | None:
        """A request whose top Via announces it, of a known neighbour: what to do to the responses. Whoever sent it, the
        parameters come off that Via (§5.6). `is_known` is asked of those alone who announce it."""
        params = request.via().params
        return None if params.lower().find(b"oc") < 0 else self._said(request, params, flow, now, is_known)

    def _said(
        self, request: Request, params: bytes, flow: Flow, now: float, is_known: Callable[[Flow], bool]
    ) -> Callable[[bytes, float], bytes] | None:
        said = overload_params.read(params)
        _take_off(request)
        if said is None or said.oc is not None or LOSS not in said.algorithms or not is_known(flow):
            return None  # §4.1: a client gives no value; §4.2: it names `loss` at least
        client = self._client(flow.address, said.algorithms, now)
        if request.method == b"INVITE" and b"tag=" not in (request.value(b"to") or b""):
            client.new += 1
        return lambda data, at: overload_params.stamped(data, self._params(client, at))

    def measured(self, elapsed_s: float, requests: int, new: int) -> None:
        """Another interval of `overload` is over, in which so many requests came, and of these so many new calls."""
        overload = self._overload
        if overload.is_shedding and overload.level:
            # Those who obey send less than they have: what everybody wants is more than what comes. Whoever does not
            # take part must not push the others out (§5.10.2), so the percentage is what would do if all did.
            obeying = min(overload.offered, sum([client.rate for client in self._clients.values()]))
            wanted = overload.offered - obeying + obeying / (1 - self.reduction)
            target = min(MOST, max(0.0, 1 - overload.rate / max(wanted, overload.rate, 1.0)))
            self.reduction += (target - self.reduction) * GROWTH
            self._total = overload.rate
        else:
            self.reduction *= 1 - DECAY
            self._total *= 1 + DECAY
        if self.reduction < LEAST:
            self.reduction = 0.0
        for client in self._clients.values():
            client.rate += SMOOTHING * (client.new / max(elapsed_s, 1e-3) - client.rate)
            client.new = 0
        if new:
            self._messages += SMOOTHING * (max(1.0, requests / new) - self._messages)

    def _client(self, address: tuple[str, int], offered: tuple[bytes, ...], now: float) -> _Client:
        """§5.1, §5.8: the first algorithm of its list that we know, and that one for an hour."""
        wanted = next((algorithm for algorithm in offered if algorithm in (LOSS, RATE)), LOSS)
        client = self._clients.get(address)
        if client is None:
            if len(self._clients) >= MAX_CLIENTS:
                del self._clients[next(iter(self._clients))]
            client = self._clients[address] = _Client(wanted, now)
        elif client.algorithm not in offered or (client.algorithm != wanted and now - client.chosen_at >= STABLE_S):
            client.algorithm, client.chosen_at = wanted, now
        return client

    def _params(self, client: _Client, now: float) -> bytes:
        """§5.2. Not overloaded: oc=0 and oc-validity=0 (§5.1, §5.7)."""
        seq = now + self._wall()
        if not self.reduction:
            return overload_params.filled(oc=0, algorithm=client.algorithm, validity_ms=0, seq=seq)
        if client.algorithm == RATE:
            # RFC 7415 §3.4: of all requests, in proportion to what each neighbour offers.
            offered = max(self._overload.offered, 1.0)
            share = min(1.0, max(client.rate, 1.0) / offered)
            oc = max(1, round(self._total * share * self._messages))
        else:
            # §5.3: of all requests, of which the neighbour leaves out new calls first (§7.2).
            oc = min(100, max(1, round(100 * self.reduction / self._messages)))
        return overload_params.filled(oc=oc, algorithm=client.algorithm, validity_ms=VALIDITY_MS, seq=seq)


def _take_off(request: Request) -> None:
    line = request.values(b"via")[0]
    if b"," in overload_params.taken_off(line):
        request.prepend(b"Via", overload_params.taken_off(request.pop_first(b"via")))
    else:
        request.replace(b"via", overload_params.taken_off(line))
