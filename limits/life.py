"""The life of a store: it lasts as long as its data. One that lost them begins another, under another name. Pure.

Then nothing it counts is to be trusted until values are in it again and running calls have taken their leases.
"""

from collections.abc import Callable


class StoreLife:
    """Of one store."""

    __slots__ = ("_epoch", "_on_lost", "is_recounting", "key", "losses")

    def __init__(self, key: str, on_lost: Callable[[str], None]) -> None:
        """`key`: where the store keeps the name; `on_lost` is told the name of a new life."""
        self.key = key
        self._epoch = ""
        self._on_lost = on_lost
        self.is_recounting = False
        self.losses = 0

    def watch(self, key: str) -> None:
        """It is told by another key from now on: the slots of a cluster have moved."""
        if key != self.key:
            self.key = key
            self._epoch = ""

    def take(self, epoch: str) -> None:
        """The store says that this is its name."""
        before, self._epoch = self._epoch, epoch
        if before and before != epoch:
            self.losses += 1
            self.is_recounting = True
            self._on_lost(epoch)

    def trust(self) -> None:
        """What it counts, counts."""
        self.is_recounting = False
