"""Nonces that this process gives and knows again, and how often each was used (RFC 7616 §3.3, §5.4, §5.5). Pure.

A nonce says when it was made and is signed, so that none need be kept before it was used; it is good for the address
it was given to, at the process that gave it. What was used is kept until the nonce is too old: its highest count, and
which of the counts below that came, since requests overtake each other.
"""

import hmac
from collections.abc import Callable
from hashlib import blake2b
from itertools import islice
from math import inf
from typing import Final

MAX_USED: Final = 50_000
"""Nonces in use; beyond it the oldest is forgotten, and then all that were given before it are too old."""
WINDOW: Final = 64
"""Counts so far below the highest may still come, once each."""

FORGET: Final = 4
"""Looked at in one go: twice as fast as they can come, and never a long pause."""
MAX_LENGTH: Final = 100

_SIGNATURE_BYTES: Final = 10
_ALL: Final = (1 << WINDOW) - 1


class Nonces:
    """Of one process."""

    __slots__ = ("_born", "_floor", "_fresh", "_key", "_mark", "_used")

    def __init__(self, fresh: Callable[[], bytes], now: float, *, family: bytes = b"") -> None:
        """`fresh`: unpredictable tokens. `family`: key of all workers of one edge. What another of them gave is known
        here, and is too old: how often it was used is known there alone, and a caller that learns that its nonce is
        stale takes a new one without asking anybody for a password (RFC 7616 §3.3)."""
        self._fresh = fresh
        self._key = family or blake2b(fresh() + fresh() + fresh(), digest_size=32).digest()
        self._mark = b"." + fresh() if family else b""
        """Whose it is, at the end of its text."""
        self._born = now
        self._floor = -1
        """Milliseconds since then; what was given until there is too old, since its use may have been forgotten."""
        self._used: dict[bytes, tuple[int, int]] = {}
        """nonce -> highest count, and a bit for each of the WINDOW counts from it downwards."""

    def give(self, host: str, now: float) -> bytes:
        """A new one for this address."""
        text = b"%x.%b%b" % (int((now - self._born) * 1_000), self._fresh(), self._mark)
        return text + b"." + self._sign(text, host)

    def age(self, nonce: bytes, host: str, now: float) -> float | None:
        """Seconds since it was given, infinity where it is too old whatever the time; None: not by us to this
        address."""
        text, _, signature = nonce.rpartition(b".")
        if len(nonce) > MAX_LENGTH or not hmac.compare_digest(signature, self._sign(text, host)):
            return None
        if not text.endswith(self._mark):
            return inf
        at = _given_at(nonce)
        return inf if at <= self._floor else now - self._born - at / 1_000

    def use(self, nonce: bytes, count: int) -> bool:
        """Is this count of it new? To be asked of a request whose response was right, with a nonce that is ours."""
        if count < 1:
            return False
        used = self._used
        found = used.get(nonce)
        if found is None:
            if len(used) >= MAX_USED:
                oldest = next(iter(used))
                del used[oldest]
                self._floor = max(self._floor, _given_at(oldest))
            used[nonce] = (count, 1)
            return True
        highest, seen = found
        above = count - highest
        if above > 0:
            used[nonce] = (count, (seen << above | 1) & _ALL if above < WINDOW else 1)
            return True
        bit = 1 << -above
        if -above >= WINDOW or seen & bit:
            return False
        used[nonce] = (highest, seen | bit)
        return True

    def forget(self, older_than_s: float, now: float) -> None:
        """What was used of nonces that are too old by now: a few of the oldest at each call."""
        for nonce in list(islice(self._used, FORGET)):
            if now - self._born - _given_at(nonce) / 1_000 > older_than_s:
                del self._used[nonce]

    def __len__(self) -> int:
        return len(self._used)

    def _sign(self, text: bytes, host: str) -> bytes:
        return blake2b(text + b"\0" + host.encode(), digest_size=_SIGNATURE_BYTES, key=self._key).hexdigest().encode()


def _given_at(nonce: bytes) -> int:
    """Milliseconds since the process began, of a nonce that is ours."""
    return int(nonce.partition(b".")[0], 16)
