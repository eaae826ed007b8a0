"""Where names lead (I/O): the dialogue of `edge.sip.locating` with real name servers, within a deadline, from a cache.

RFC 3263. The TTL of every answer is kept, of those too that say "there is none" (RFC 2308); while
the name servers do not answer, what they said last goes on for a while (RFC 8767). /etc/hosts comes before them.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.sip.locating import AAAA, A, Address, Paths, Question, Records, Target, locate

if TYPE_CHECKING:
    from edge.transport.name_servers import NameServers

DEADLINE_S = 3.0
"""A request waits so long for its names at most; well under Timer B."""
MAX_QUESTIONS = 48
"""Of one dialogue, the cached ones included."""
CACHE_SIZE = 4096
MAX_TTL_S = 86_400.0
FAILURE_S = 2.0
"""After a failure of the name servers nobody is asked for anything for so long."""
STALE_S = 3_600.0
"""So long an answer may be used after its time while there is no other (RFC 8767 §5 allows days)."""

_HOSTS = Path("/etc/hosts")
_MAX_HOSTS_BYTES = 1_048_576


class _Entry:
    """One cached answer."""

    __slots__ = ("good_until", "records", "retry_at")

    def __init__(self, records: Records, good_until: float) -> None:
        self.records = records
        self.good_until = good_until
        self.retry_at = good_until
        """Later than `good_until` while the name servers fail."""


class Resolver:
    """Looks names up; the same question twice in a moment is asked once."""

    __slots__ = (
        "_asked", "_cache", "_down_until", "_draw", "_hosts", "_names", "_now", "_paths", "_servers", "failures",
        "hits", "queries", "stale_used",
    )  # fmt: skip

    def __init__(
        self,
        paths: Paths,
        servers: Sequence[str] = (),
        *,
        draw: Callable[[], float] = random.random,
        now: Callable[[], float] = time.monotonic,
        hosts: Path = _HOSTS,
    ) -> None:
        """`paths`: what we can speak. `servers`: `HOST[:PORT]`; none: the system's."""
        self._paths = paths
        self._draw = draw
        self._now = now
        self._hosts = _read_hosts(hosts)
        self._cache: dict[Question, _Entry] = {}
        self._asked: dict[Question, asyncio.Future[Records]] = {}
        self._names = tuple(servers)
        self._servers: NameServers | None = None
        """Loaded when somebody must be asked for the first time: most edges have nothing but addresses."""
        self._down_until = 0.0
        """Until when the name servers are left alone."""
        self.queries = 0
        """Questions sent to the name servers."""
        self.hits = 0
        """Questions answered from the cache."""
        self.failures = 0
        """Questions that no name server answered."""
        self.stale_used = 0
        """Of these, answered by what was known before."""

    def known(self, target: Target) -> tuple[Address, ...] | None:
        """The addresses at once, where every question is answered from the cache; None: somebody must be asked."""
        dialogue = locate(target, self._paths, self._draw)
        try:
            question = next(dialogue)
            for _ in range(MAX_QUESTIONS):
                records = self._cached(question)
                if records is None:
                    return None
                question = dialogue.send(records)
        except StopIteration as end:
            found: tuple[Address, ...] = end.value
            return found
        return ()

    async def addresses(self, target: Target) -> tuple[Address, ...]:
        """The addresses in the order in which they are to be tried; empty where there is none in time."""
        dialogue = locate(target, self._paths, self._draw)
        try:
            async with asyncio.timeout(DEADLINE_S):
                question = next(dialogue)
                for _ in range(MAX_QUESTIONS):
                    records = self._cached(question)
                    if records is None:
                        records = await self._ask(question)
                    question = dialogue.send(records)
        except StopIteration as end:
            found: tuple[Address, ...] = end.value
            return found
        except TimeoutError:
            pass
        return ()

    # -- the cache -------------------------------------------------------------------------------------------------

    def _cached(self, question: Question) -> Records | None:
        if question.kind in (A, AAAA):
            hosts = self._hosts.get((question.name.lower().rstrip("."), question.kind))
            if hosts is not None:
                return hosts
        entry = self._cache.get(question)
        if entry is None or self._now() >= entry.retry_at:
            return None
        self.hits += 1
        return entry.records

    def _keep(self, question: Question, records: Records, ttl_s: float) -> Records:
        now = self._now()
        if len(self._cache) >= CACHE_SIZE and question not in self._cache:
            for old in [name for name, entry in self._cache.items() if entry.good_until <= now] or list(self._cache):
                del self._cache[old]
        self._cache[question] = _Entry(records, now + ttl_s)
        return records

    async def _ask(self, question: Question) -> Records:
        """One query for all who wait for the same answer. It goes on when the one who asked first gives up."""
        future = self._asked.get(question)
        if future is None:
            future = self._asked[question] = asyncio.ensure_future(self._query(question))
            future.add_done_callback(lambda _: self._asked.pop(question, None))
        return await asyncio.shield(future)

    async def _query(self, question: Question) -> Records:
        if self._now() < self._down_until:
            return self._failed(question)
        if self._servers is None:
            # In a thread: what it takes to load must not hold up the calls that need no name.
            self._servers = await asyncio.to_thread(_load, self._names)
        self.queries += 1
        answer = await self._servers.ask(question)
        if answer is None:
            self._down_until = self._now() + FAILURE_S
            return self._failed(question)
        records, ttl_s = answer
        return self._keep(question, records, FAILURE_S if ttl_s is None else min(ttl_s, MAX_TTL_S))

    def _failed(self, question: Question) -> Records:
        """No answer: what was known goes on, and the name servers are left alone for a moment."""
        self.failures += 1
        entry = self._cache.get(question)
        now = self._now()
        if entry is not None and now < entry.good_until + STALE_S:
            self.stale_used += 1
            entry.retry_at = now + FAILURE_S
            return entry.records
        return self._keep(question, (), FAILURE_S)


def _load(servers: Sequence[str]) -> "NameServers":
    from edge.transport.name_servers import NameServers

    return NameServers(servers)


def _read_hosts(path: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """/etc/hosts: (name, A or AAAA) -> addresses."""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_HOSTS_BYTES).decode("utf-8", "replace")
    except OSError:
        return {}
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        for name in words[1:]:
            found.setdefault(name.lower(), []).append(words[0])
    hosts: dict[tuple[str, str], tuple[str, ...]] = {}
    for name, addresses in found.items():
        hosts[name, A] = tuple([one for one in addresses if ":" not in one])
        hosts[name, AAAA] = tuple([one for one in addresses if ":" in one])
    return hosts
