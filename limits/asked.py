"""One request on the wire to the store, and the errors that concern them all."""

import asyncio
import re

from limits.model import Verb
from limits.wire import Epoch, Load, Peek, Probe

STORE_WIDE = re.compile(
    r"(?:^|-)(?:LOADING|READONLY|MASTERDOWN|MISCONF|OOM|BUSY|NOAUTH|NOPERM|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|NOREPLICAS)\b"
)
"""Error replies that concern every verb, not this one: the connection is closed and opened again later."""


Asking = Verb | Peek | Load | Epoch | Probe
OURS = (Peek, Load, Epoch, Probe)


class Asked:
    """One request on the wire."""

    __slots__ = ("at", "done", "future", "own", "retried", "verb")

    def __init__(self, verb: Asking, at: float) -> None:
        self.verb = verb
        self.at = at
        self.done = False
        """Its asker has been answered; the reply, when it comes, is for us alone."""
        self.own = False
        """A settlement of ours: given back, or kept from earlier."""
        self.retried = False
        self.future: asyncio.Future[object] | None = None
