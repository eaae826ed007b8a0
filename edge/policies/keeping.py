"""The policy of a running edge, from a file or from the store: its accounts are provisioned, then it is in force (I/O).

One `PolicyKeeper` a process. Whatever does not build changes nothing: what was in force stays, and the log says why.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from edge.config.errors import PolicyError
from edge.config.holders import professionals_of
from edge.config.snapshot import PolicySnapshot
from edge.config.source import PolicyFile
from edge.config.static import STORE
from edge.contacts.key import agree
from edge.policies.following import Follower
from edge.proxy.facts import Fact
from edge.quality.publishing import publish
from edge.quality.terms import terms_of
from limits.accounts import AccountStore
from limits.contacts import ContactBook
from limits.errors import StoreUnavailable

TURN_S = 0.0005
"""A policy is built in a thread beside the calls. The event loop gets its turn after so long, not after the 5 ms that
are usual: while 300,000 rates are being read its median wait is 0.6 ms instead of 7."""


class PolicyKeeper:
    """Holds the source of the policy, and hands the core what is in force."""

    source: PolicyFile | Follower

    def __init__(self, name: str, tell: Callable[[Fact], None]) -> None:
        """`name`: a file, or `store`. A file is loaded at once: PolicyError where it does not build."""
        self.name = name
        self._tell = tell
        self._url = ""
        self._reloading = asyncio.Lock()
        self.contacts_key = b""
        """What called numbers are digested with."""
        self._use: Callable[[PolicySnapshot], None]
        self._tasks: asyncio.TaskGroup
        if name != STORE:
            self.source = PolicyFile(Path(name))

    async def open(self, url: str, *, is_embedded: bool) -> None:
        """The store can be reached: where the policy is there, load it. An embedded store may be empty, since nobody
        could bring a policy into it before. Raises StoreUnavailable, PolicyError, NoPolicy."""
        self._url = url
        if self.name == STORE:
            follower = Follower(url, self._tell)
            await follower.begin(may_be_empty=is_embedded)
            self.source = follower

    @property
    def snapshot(self) -> PolicySnapshot:
        """What is in force."""
        return self.source.snapshot

    @property
    def offered(self) -> int:
        """Generation of what the source has to offer."""
        return self.source.offered

    @property
    def is_stale(self) -> bool:
        """It is not what is in force."""
        return self.source.is_stale

    async def provision(self) -> None:
        """Give the store the commercial values of the policy in force. Raises StoreUnavailable."""
        await self._provision(self.snapshot)

    def begin(self, use: Callable[[PolicySnapshot], None], tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """The core runs: `use` keeps it up to date. Returns what is to be cancelled at the end."""
        self._use, self._tasks = use, tasks
        sys.setswitchinterval(TURN_S)
        if not isinstance(self.source, Follower):
            return []
        return [tasks.create_task(self.source.run(self._take)), tasks.create_task(self.source.listen())]

    def reload_soon(self) -> None:
        """SIGHUP: look at the source now."""
        if isinstance(self.source, Follower):
            self.source.hurry()
        else:
            self._tasks.create_task(self._reload(self.source))

    async def _reload(self, file: PolicyFile) -> None:
        try:
            async with self._reloading:
                snapshot = await asyncio.to_thread(file.reload)
                await self._take(snapshot)
        except (PolicyError, StoreUnavailable) as error:
            self._tell(Fact("policy.refused", {"file": self.name, "why": str(error)}))
            return
        self._tell(Fact("policy.loaded", {"file": self.name, "generation": snapshot.generation}))

    async def _take(self, snapshot: PolicySnapshot) -> None:
        """Its accounts first, then it is in force. Raises StoreUnavailable."""
        await self._provision(snapshot)
        self._use(snapshot)

    async def _provision(self, snapshot: PolicySnapshot) -> None:
        if snapshot.counts_people:
            await agree(self._url, self.contacts_key)
        async with AccountStore(self._url) as accounts:
            await accounts.provision(snapshot.commercial_values(), opening=snapshot.opening_balances())
        async with ContactBook(self._url) as contacts:
            await contacts.share(professionals_of(snapshot.document))
        await publish(self._url, terms_of(snapshot.document))
