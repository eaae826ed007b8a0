"""How fast somebody may ask, and who has tried too many wrong tokens. Pure; memory is bounded."""

from collections import OrderedDict
from typing import NamedTuple


class Pace(NamedTuple):
    """Requests a second, and how many may come at once."""

    per_s: float
    burst: int


OF_ADDRESS = Pace(50.0, 200)
"""Before anybody is known."""
OF_PRINCIPAL = Pace(25.0, 100)
WHO_AT_MOST = 10_000
"""Addresses or principals remembered; beyond it the one that was quiet longest is forgotten."""


class Throttle:
    """A token bucket for each name."""

    __slots__ = ("_buckets", "_pace")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """name -> (tokens, when)"""

    def wait_s(self, name: str, now: float) -> float:
        """Takes a token; 0: go on. Else the seconds until there is one."""
        pace = self._pace
        tokens, at = self._buckets.pop(name, (float(pace.burst), now))
        tokens = min(pace.burst, tokens + max(0.0, now - at) * pace.per_s)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / pace.per_s
        self._buckets[name] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > WHO_AT_MOST:
            self._buckets.popitem(last=False)
        return wait


WRONG_TRIES = 10
WINDOW_S = 60.0
LOCK_S = 60.0
LOCK_MOST_S = 3_600.0


class _Tries(NamedTuple):
    number: int
    since: float
    until: float
    """Locked out until then."""
    lock_s: float
    """How long the next time."""


_NONE = _Tries(0, 0.0, 0.0, LOCK_S)


class Lockouts:
    """Ten wrong tries in a minute lock an address out for a minute; each time again twice as long, an hour at most."""

    __slots__ = ("_tries",)

    def __init__(self) -> None:
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def left_s(self, address: str, now: float) -> float:
        """Seconds until this address is heard again; 0: it is."""
        tries = self._tries.get(address)
        return 0.0 if tries is None else max(0.0, tries.until - now)

    def wrong(self, address: str, now: float) -> bool:
        """A wrong try; True: this one locks the address out."""
        tries = self._tries.pop(address, _NONE)
        if now - tries.since > WINDOW_S:
            quiet = now - tries.until > LOCK_MOST_S
            tries = _Tries(0, now, tries.until, LOCK_S if quiet else tries.lock_s)
        tries = tries._replace(number=tries.number + 1)
        locks = tries.number >= WRONG_TRIES
        if locks:
            tries = _Tries(0, now, now + tries.lock_s, min(LOCK_MOST_S, tries.lock_s * 2))
        self._tries[address] = tries
        if len(self._tries) > WHO_AT_MOST:
            self._tries.popitem(last=False)
        return locks
