"""One request on the wire to the store, and the errors that concern them all."""

import asyncio
import re
from typing import Final, TypeGuard

from limits.model import Verb
from limits.wire import Asking, Epoch, Load, Peek, Probe

STORE_WIDE: Final = re.compile(
    r"(?:^|-)(?:LOADING|READONLY|MASTERDOWN|MISCONF|OOM|BUSY|NOAUTH|NOPERM|CLUSTERDOWN|NOREPLICAS)\b"
)
"""Error replies that concern every verb, not this one: the connection is closed and opened again later."""

ELSEWHERE: Final = re.compile(r"(?:^|-)(MOVED|ASK|TRYAGAIN)\b(?: [0-9]+ (\S+))?")
"""Error replies of a cluster: this key is at another master, or on its way there. Group 2: HOST:PORT."""


Request = Verb | Peek | Load | Epoch | Probe | Asking
OURS: Final = (Peek, Load, Epoch, Probe, Asking)


def is_verb(request: Request) -> TypeGuard[Verb]:
    """Is it a word of the contract, and none of ours?"""
    return type(request) not in OURS


class Asked:
    """One request on the wire."""

    __slots__ = ("at", "done", "future", "own", "retried", "verb")

    def __init__(
        self, verb: Request, at: float, future: asyncio.Future[object] | None = None, *, done: bool = False
    ) -> None:
        self.verb = verb
        self.at = at
        self.done = done or future is not None
        """Its asker has been answered, or waits for `future`; the reply, when it comes, is for us alone."""
        self.own = False
        """A settlement of ours: given back, or kept from earlier."""
        self.retried = False
        self.future = future
