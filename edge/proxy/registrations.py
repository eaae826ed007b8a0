"""The registrations of this edge at its egress trunks: begun, kept and taken back as the policy says. Pure."""

from collections.abc import Mapping

from edge.config.trunks import EgressTrunk
from edge.proxy.destinations import Destinations
from edge.proxy.node import Node
from edge.proxy.registration import Happening, Registration, Standing


class Registrations:
    """Of one core: one for each trunk that wants it."""

    __slots__ = ("_all", "_destinations", "_elsewhere", "_is_stopped", "_leaving", "_node")

    def __init__(self, node: Node, destinations: Destinations) -> None:
        self._node = node
        self._destinations = destinations
        self._all: dict[str, Registration] = {}
        self._leaving: list[Registration] = []
        self._is_stopped = False
        self._elsewhere: Mapping[str, int] = {}
        """Of several workers the first registers for all, since they have one address: what it says."""

    def heard(self, states: Mapping[str, int]) -> None:
        """Where the first worker has registered this edge."""
        self._elsewhere = states

    def adopt(self, now: float) -> None:
        """A policy is in force, or passwords are known: begin what is new, end what is gone, leave alone what stays."""
        if self._is_stopped or self._node.settings.worker:
            return
        kept: dict[str, Registration] = {}
        for trunk in self._node.snapshot.trunks.values():
            if trunk.registration is None:
                continue
            one = self._all.pop(trunk.id, None)
            if one is not None and _wants(one.trunk) != _wants(trunk):
                self._end(one, now)
                one = None
            if one is None:
                one = Registration(self._node, self._destinations, trunk)
            one.trunk = trunk
            kept[trunk.id] = one
        for one in self._all.values():
            self._end(one, now)
        self._all = kept
        for one in kept.values():
            one.happens(Happening.START, now)
            if one.standing is Standing.WAITING:  # somebody may have mended what it waits for
                one.happens(Happening.DUE, now)

    def stop(self, now: float) -> None:
        """Take all of them back: the edge stops."""
        self._is_stopped = True
        for one in self._all.values():
            self._end(one, now)
        self._all = {}

    def _end(self, one: Registration, now: float) -> None:
        one.happens(Happening.STOP, now)
        self._leaving = [other for other in self._leaving if other.standing is not Standing.OFF]
        if one.standing is not Standing.OFF:
            self._leaving.append(one)

    @property
    def leaving(self) -> int:
        """How many are being taken back."""
        return sum(one.standing is not Standing.OFF for one in self._leaving)

    def bars(self, trunk: EgressTrunk, now: float) -> bool:
        """Does this trunk take calls only from who is registered, and are we not?"""
        if trunk.registration is None or not trunk.registration.is_required:
            return False
        if self._node.settings.worker:
            return not self._elsewhere.get(trunk.id)
        one = self._all.get(trunk.id)
        return one is None or not one.is_bound(now)

    def states(self, now: float) -> dict[str, int]:
        """1: registered, 0: not, for each trunk that wants it."""
        if self._node.settings.worker:
            return dict(self._elsewhere)
        return {name: int(one.is_bound(now)) for name, one in self._all.items()}


def _wants(trunk: EgressTrunk) -> tuple[object, ...]:
    """What a registration hangs on."""
    return trunk.registration, trunk.login, trunk.host, trunk.port, trunk.transport, trunk.tls_names
