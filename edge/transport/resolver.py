"""Host names to addresses (I/O): the A and AAAA part of RFC 3263, by the system's resolver, with deadline and cache."""

import asyncio
import socket
import time

DEADLINE_S = 3.0
"""A look-up that takes longer counts as no address; well under Timer B."""
CACHE_S = 30.0
"""The system's resolver tells no TTL; a name is asked again after this long, a failure as well."""
CACHE_SIZE = 4096


class Resolver:
    """Looks names up; the same name twice in a moment is asked once."""

    __slots__ = ("_cache",)

    def __init__(self) -> None:
        self._cache: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Numeric addresses in the system's order of preference; empty where there is none in time."""
        now = time.monotonic()
        known = self._cache.get(host)
        if known is not None and known[0] > now:
            return known[1]
        found: tuple[str, ...] = ()
        try:
            async with asyncio.timeout(DEADLINE_S):
                rows = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
            found = tuple(dict.fromkeys(str(row[4][0]) for row in rows))
        except (OSError, TimeoutError, UnicodeError):
            pass
        if len(self._cache) >= CACHE_SIZE:
            self._cache.clear()
        self._cache[host] = (now + CACHE_S, found)
        return found
