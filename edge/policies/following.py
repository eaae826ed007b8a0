"""The policy in the store, as this node has it: loaded at the start, watched, and taken over whenever it changes (I/O).

Every node loads what is in force by itself. One that cannot build a version keeps the one before, says so, and looks
again when the next one comes. A notice brings a new version at once; a look every `CHECK_S` finds what a lost notice
left.
"""

import asyncio
from collections.abc import Awaitable, Callable

from edge.config.bundle import build, bundle_of
from edge.config.errors import PolicyError, Problem
from edge.config.schema import PolicyDocument
from edge.config.snapshot import PolicySnapshot
from edge.contacts.key import KeyDiffers
from edge.proxy.facts import Fact
from limits import notices
from limits.documents import NOTHING, Damaged, DocumentStore, Head, Version
from limits.errors import StoreUnavailable

CHECK_S = 5.0
START_S = 10.0
"""The store has so long to answer at the start."""
_PAUSE_S = 0.25

Take = Callable[[PolicySnapshot], Awaitable[None]]


class NoPolicy(Exception):
    """The store holds no policy."""


class Follower:
    """One for each process."""

    def __init__(self, url: str, tell: Callable[[Fact], None]) -> None:
        self._url = url
        self._tell = tell
        self._due = asyncio.Event()
        self._taken = NOTHING
        self._refused = NOTHING
        self._differing = NOTHING
        """What was told of, but is tried again: another contacts key may be agreed on."""
        self.snapshot = PolicySnapshot(PolicyDocument(), generation=0)
        """What is in force here. Nobody is known in it before `begin`."""
        self.offered = 0
        """Generation of what is in force in the store, as far as we know."""

    @property
    def is_stale(self) -> bool:
        """What is in force in the store is not what is in force here."""
        return self.offered != self.snapshot.generation

    async def begin(self, *, may_be_empty: bool) -> None:
        """Load what is in force. Raises StoreUnavailable, PolicyError, NoPolicy."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_S
        async with DocumentStore(self._url) as store:
            while True:
                try:
                    head = await store.head()
                    break
                except StoreUnavailable:
                    if loop.time() >= deadline:
                        raise
                    await asyncio.sleep(_PAUSE_S)
            if head == NOTHING:
                if may_be_empty:
                    return
                raise NoPolicy
            self.snapshot = await load(store, head.generation)
        self._taken, self.offered = head, head.generation

    async def listen(self) -> None:
        """Hears of new versions until cancelled."""
        await notices.watch(self._url, lambda _: self.hurry(), channel=DocumentStore(self._url).channel)

    def hurry(self) -> None:
        """Look now."""
        self._due.set()

    async def run(self, take: Take) -> None:
        """Looks until cancelled. `take` brings a snapshot into force here; what it raises StoreUnavailable for is tried
        again."""
        async with DocumentStore(self._url) as store:
            while True:
                try:
                    async with asyncio.timeout(CHECK_S):
                        await self._due.wait()
                except TimeoutError:
                    pass
                self._due.clear()
                try:
                    await self.look(store, take)
                except StoreUnavailable:
                    continue  # told elsewhere

    async def look(self, store: DocumentStore, take: Take) -> None:
        """Once: is there another version? Raises StoreUnavailable."""
        head = await store.head()
        self.offered = head.generation
        if head in (self._taken, self._refused):
            return
        try:
            if head == NOTHING:
                raise PolicyError([Problem("", "the store holds no policy any more")])
            snapshot = await load(store, head.generation)
        except StoreUnavailable:
            raise
        except Exception as error:  # whatever another node made of it: this one goes on with what it has
            self._refused = head
            self._say("policy.refused", head, why=str(error) if isinstance(error, PolicyError) else repr(error))
            return
        try:
            await take(snapshot)
        except KeyDiffers as error:
            if head != self._differing:
                self._differing = head
                self._say("policy.refused", head, why=str(error))
            raise
        self._taken, self.snapshot = head, snapshot
        self._say("policy.loaded", head)

    def _say(self, name: str, head: Head, **more: str) -> None:
        self._tell(Fact(name, {"file": "store", "generation": head.generation, **more}))


async def load(store: DocumentStore, generation: int) -> PolicySnapshot:
    """What this version makes, built beside the event loop. Raises PolicyError, StoreUnavailable."""
    version = await fetch(store, generation)
    try:
        content = await store.content(version)
    except Damaged as fault:
        raise PolicyError([Problem(f"generation {generation}", str(fault))]) from fault
    return await asyncio.to_thread(build, bundle_of(content), generation=generation)


async def fetch(store: DocumentStore, generation: int) -> Version:
    """One version. Raises PolicyError where it is not there, StoreUnavailable."""
    version = await store.version(generation)
    if version is None or not version.parts:
        raise PolicyError([Problem(f"generation {generation}", "the store has no such version (any more)")])
    return version
