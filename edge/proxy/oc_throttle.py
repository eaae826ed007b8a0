"""Overload control as a client (RFC 7339, RFC 7415): announced to egress trunks that want it, and obeyed. Pure.

Of each server, that is, of each address and port (§5.4), what it asked for last and until when. New calls are what is
left out; emergency calls and what belongs to running calls always go (§5.10.1), and count.
"""

from typing import Final

from edge.config.trunks import EgressTrunk
from edge.proxy.leaky_bucket import LeakyBucket
from edge.sip import overload_params
from edge.sip.overload_params import LOSS, RATE, OverloadParams

MAX_SERVERS: Final = 1_024
DEFAULT_VALIDITY_MS: Final = 500
"""§4.3."""
MAX_VALIDITY_S: Final = 60.0
"""However long a server asks: one that has died in its overload must not keep us away for good."""
OVERFLOW: Final = 300
"""§4.4: a sequence number lower than the last one by more than this is no late response but a new count."""
TAU1: Final = 5
TAU2: Final = 10
"""RFC 7415 §3.5.2, in multiples of T: for new calls, and for what always goes."""
DEFAULT_MIX: Final = 0.8
"""§7.2: share of the requests that may be left out, until some have been counted."""
MIX_S: Final = 5.0
"""§7.2, note: the mix is counted anew so often."""


class _Server:
    """One address."""

    __slots__ = ("_algorithm", "_always", "_bucket", "_mix", "_mix_at", "_new", "_oc", "_seq", "_until", "offered")

    def __init__(self, offered: bytes, now: float) -> None:
        self.offered = offered
        """The algorithms we announce to it."""
        self._algorithm = LOSS
        self._oc = 0
        self._until = 0.0
        self._seq: tuple[int, int] | None = None
        self._bucket: LeakyBucket | None = None
        self._mix = DEFAULT_MIX
        self._mix_at = now
        self._new = self._always = 0

    def heard(self, said: OverloadParams, now: float) -> bool:
        """§5.4, §5.7: a response with these parameters; True where they changed what is in force."""
        if said.oc is None and said.validity_ms != 0:
            return False  # §4.3: without a value of oc nothing else counts
        if _is_old(said.seq, self._seq):
            return False
        algorithm = said.algorithms[0] if said.algorithms else LOSS
        if len(said.algorithms) > 1 or algorithm not in self.offered.split(b","):
            return False  # §4.2: one, of those we named
        if algorithm == LOSS and (said.oc or 0) > 100:
            return False  # §7.1
        self._seq = said.seq
        self._algorithm = algorithm
        if said.validity_ms == 0:
            self._until, self._bucket = 0.0, None
            return True
        validity_ms = DEFAULT_VALIDITY_MS if said.validity_ms is None else said.validity_ms
        is_new = now >= self._until
        self._oc = said.oc or 0
        self._until = now + min(validity_ms / 1_000, MAX_VALIDITY_S)
        if algorithm == RATE and self._oc:
            if self._bucket is None or is_new:
                self._bucket = LeakyBucket(self._oc, now)  # §3.5.1: TAU0 = 0
            else:
                self._bucket.pace(self._oc)
        return True

    def is_active(self, now: float) -> bool:
        """§5.7: is anything asked of us?"""
        return now < self._until

    def takes(self, now: float, chance: float) -> bool:
        """May one more new call go there? `chance` in [0, 1)."""
        self._new += 1
        if not self.is_active(now):
            return True
        if self._algorithm == RATE:
            if not self._oc or self._bucket is None:
                return False  # RFC 7415 §3.5.1: oc=0 with a validity means none at all
            return self._bucket.passes(now, TAU1 * self._bucket.increment_s)
        # §7.2: the percentage is of all requests, and new calls are what it is taken from.
        return chance >= self._oc / 100 / max(self._share(now), 1e-3)

    def sent(self, now: float) -> None:
        """A request that always goes has gone."""
        self._always += 1
        if self._bucket is not None and self.is_active(now):
            self._bucket.force(now, TAU2 * self._bucket.increment_s)

    def _share(self, now: float) -> float:
        if now - self._mix_at >= MIX_S and self._new + self._always:
            self._mix = self._new / (self._new + self._always)
            self._mix_at, self._new, self._always = now, 0, 0
        return self._mix


def _is_old(seq: tuple[int, int] | None, last: tuple[int, int] | None) -> bool:
    """§4.4: no news, or a response that was late on its way; not where the count has begun anew."""
    if seq is None or last is None:
        return False
    return seq <= last and last[0] - seq[0] <= OVERFLOW


class OcThrottle:
    """Of one core."""

    __slots__ = ("servers", "throttled")

    def __init__(self) -> None:
        self.servers: dict[tuple[str, int], _Server] = {}
        """Those that overload control was announced to; mostly nobody, and then there is nothing to hear."""
        self.throttled: dict[str, int] = {}
        """New calls that did not go to a trunk because it had asked for fewer."""

    def takes(
        self, trunk: EgressTrunk, address: tuple[str, int], now: float, chance: float, *, is_emergency: bool = False
    ) -> bool:
        """May a new call go to this address of the trunk? An emergency call always may, and counts."""
        if not trunk.oc_algorithms:
            return True
        server = self.servers.get(address)
        if server is None or server.offered != trunk.oc_algorithms:
            if len(self.servers) >= MAX_SERVERS:
                del self.servers[next(iter(self.servers))]
            server = self.servers[address] = _Server(trunk.oc_algorithms, now)
        if is_emergency:
            server.sent(now)
            return True
        if server.takes(now, chance):
            return True
        self.throttled[trunk.id] = self.throttled.get(trunk.id, 0) + 1
        return False

    def params(self, address: tuple[str, int]) -> bytes:
        """What our Via says to this address (§4.1: in every request)."""
        server = self.servers.get(address)
        return b"" if server is None else overload_params.announced(server.offered)

    def sent(self, address: tuple[str, int], now: float) -> None:
        """A request inside a dialog, or an emergency call, goes there."""
        server = self.servers.get(address)
        if server is not None:
            server.sent(now)

    def heard(self, address: tuple[str, int], params: bytes, now: float) -> None:
        """A response to a request of ours that went to this address; `params`: of our own Via in it."""
        server = self.servers.get(address)
        if server is not None:
            said = overload_params.read(params)
            if said is not None:
                server.heard(said, now)

    def active(self, now: float) -> int:
        """Servers that have asked for less."""
        return sum(server.is_active(now) for server in self.servers.values())
