"""Requests on one connection, in the order of the wire. Each reply belongs to the oldest.

No I/O of its own: bytes go out through the link it was given. A store that has forgotten its scripts (restart, SCRIPT
FLUSH) is taught them again, then asked once more, with everything that waited behind in its order.
"""

from collections import deque

from limits.asked import Asked
from limits.link import LOADED, StoreLink
from limits.wire import Encoder, Load


class Pending:
    """Of one limiter; `link` is None while there is no connection."""

    __slots__ = ("_again", "_behind", "_encoder", "_sent", "link")

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.link: StoreLink | None = None
        self._sent: deque[Asked] = deque()
        self._again: deque[Asked] = deque()
        """Requests the store had no script for; not empty: nothing new is written until `_sent` has run dry."""
        self._behind: deque[Asked] = deque()
        """Requests that wait behind those, to keep the order."""

    def __len__(self) -> int:
        return len(self._sent) + len(self._again)

    @property
    def on_wire(self) -> int:
        """Requests that wait for a reply."""
        return len(self._sent)

    def oldest_at(self) -> float | None:
        """Since when the oldest waits; None: nothing does."""
        return self._sent[0].at if self._sent else None

    def put(self, asked: Asked) -> bool:
        """To be sent with others by the caller; False: it is kept back and will be sent from here."""
        if self._again:
            self._behind.append(asked)
            return False
        self._sent.append(asked)
        return True

    def write(self, asked: Asked, data: bytes) -> None:
        """Sent alone, now."""
        if self.put(asked) and self.link is not None:
            self.link.write(data)

    def next(self) -> Asked | None:
        """Whose reply this is; None: nobody's."""
        return self._sent.popleft() if self._sent else None

    def put_back(self, asked: Asked) -> None:
        """It counts as under way after all: the connection is about to end."""
        self._sent.appendleft(asked)

    def ask_again(self, asked: Asked) -> None:
        """The store had no script for it."""
        asked.retried = True
        self._again.append(asked)

    def resend(self, now: float) -> None:
        """Once nothing is on the wire: all scripts, then all that waited."""
        if not self._again or self._sent:
            return
        requests = [Asked(Load(name), now, done=True) for name in LOADED]
        requests += self._again
        requests += self._behind
        self._again.clear()
        self._behind.clear()
        for request in requests:
            data = self._encoder.encode(request.verb)
            assert data is not None
            self.write(request, data)

    def take_all(self) -> list[Asked]:
        """Everything under way, when the connection is gone."""
        found = [*self._sent, *self._again, *self._behind]
        for queue in (self._sent, self._again, self._behind):
            queue.clear()
        return found
