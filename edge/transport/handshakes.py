"""Neighbours' connections that are not up yet, and how many each address has in all. Pure, but for ending a task.

A handshake costs its neighbour nothing and us a place: who lets hundreds of them stall must not shut out the others.
"""

import asyncio
from collections import Counter


class Handshakes:
    """A connection comes in with `begin`, and leaves its address with `failed`, `displace`, or after `is_up` with
    `leave`."""

    __slots__ = ("_going_on", "per_host")

    def __init__(self) -> None:
        self._going_on: dict[int, tuple[str, asyncio.Task[None]]] = {}
        """By number of the connection, the oldest first: whose it is, and who makes it."""
        self.per_host: dict[str, int] = {}
        """Connections from each address, those that are up included."""

    def __len__(self) -> int:
        return len(self._going_on)

    def begin(self, number: int, host: str, task: asyncio.Task[None]) -> None:
        """This address has connected, and this task shakes hands with it."""
        self._going_on[number] = host, task
        self._enter(host)

    def is_up(self, number: int, host: str) -> bool:
        """It is established and stays with its address until `leave`. False: it had been displaced in that moment."""
        if self._going_on.pop(number, None) is not None:
            return True
        self._enter(host)
        return False

    def failed(self, number: int) -> None:
        """The task is over. Where the connection is up, or was displaced, that changes nothing."""
        handshake = self._going_on.pop(number, None)
        if handshake is not None:
            self.leave(handshake[0])

    def displace(self, host: str) -> bool:
        """Make room for a handshake of this address: the oldest of the address that has most of them goes, where that
        has more than this one. So whoever lets hundreds stall shuts out nobody but himself."""
        counts = Counter([one for one, _ in self._going_on.values()])
        held = max(counts.values())
        if held <= counts[host]:
            return False
        number = next(number for number, (one, _) in self._going_on.items() if counts[one] == held)
        one, task = self._going_on.pop(number)
        task.cancel()
        self.leave(one)
        return True

    def leave(self, host: str) -> None:
        """One connection of this address is gone."""
        left = self.per_host.get(host, 1) - 1
        if left:
            self.per_host[host] = left
        else:
            self.per_host.pop(host, None)

    def _enter(self, host: str) -> None:
        self.per_host[host] = self.per_host.get(host, 0) + 1
