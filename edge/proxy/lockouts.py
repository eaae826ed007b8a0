"""Who has given too many wrong passwords is not heard for a while: by address, and by user name. Pure.

A user name is locked out for addresses it has not been used from only: whoever guesses at it from elsewhere must not
be able to shut its owner out.
"""

from typing import Final, TypeVar

_Key = TypeVar("_Key", str, bytes)

MAX_KEPT: Final = 10_000
"""Addresses, and user names, of which failures are kept; beyond it the one that failed longest ago is forgotten."""
MAX_HOSTS: Final = 4
"""Addresses remembered at which a user name gave the right password."""


class _Failures:
    __slots__ = ("count", "since", "until")

    def __init__(self, now: float) -> None:
        self.count = 0
        self.since = now
        self.until = 0.0


class Lockouts:
    """Of one process."""

    __slots__ = ("_good", "_hosts", "_names")

    def __init__(self) -> None:
        self._hosts: dict[str, _Failures] = {}
        self._names: dict[bytes, _Failures] = {}
        self._good: dict[bytes, tuple[str, ...]] = {}

    def is_locked(self, host: str, name: bytes, now: float) -> bool:
        """Is this attempt not to be looked at? `name`: as claimed."""
        by_host, by_name = self._hosts.get(host), self._names.get(name)
        if by_host is not None and now < by_host.until:
            return True
        return by_name is not None and now < by_name.until and host not in self._good.get(name, ())

    def failed(self, host: str, name: bytes, *, most: int, lockout_s: float, now: float) -> bool:
        """One more wrong password; True where that has locked somebody out."""
        found = [_one(self._hosts, host, lockout_s, now), _one(self._names, name, lockout_s, now)]
        is_new = False
        for failures in found:
            failures.count += 1
            if failures.count >= most and now >= failures.until:
                failures.until = now + lockout_s
                is_new = True
        return is_new

    def succeeded(self, host: str, name: bytes) -> None:
        """The right password. Failures of the address stay: it may be guessing at another name with one it knows."""
        self._names.pop(name, None)
        good = self._good.pop(name, ())
        if len(self._good) >= MAX_KEPT:
            del self._good[next(iter(self._good))]
        self._good[name] = (host, *[other for other in good if other != host])[:MAX_HOSTS]


def _one(kept: dict[_Key, _Failures], key: _Key, lockout_s: float, now: float) -> _Failures:
    """The failures of this key, the latest at the end; those of a time that is over count no more."""
    failures = kept.pop(key, None)
    if failures is None or (now >= failures.until and now - failures.since > lockout_s):
        failures = _Failures(now)
    if len(kept) >= MAX_KEPT:
        del kept[next(iter(kept))]
    kept[key] = failures
    return failures
