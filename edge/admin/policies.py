"""The policy that the operations look at: versions of the store, or the file of the edge beside us, built once. I/O."""

import asyncio
from collections import OrderedDict
from pathlib import Path

from edge.accounts.changes import Refused
from edge.admin.problems import Refusal
from edge.config.bundle import Bundle, build
from edge.config.snapshot import PolicySnapshot
from edge.config.source import PolicyFile
from edge.config.static import STORE
from edge.policies import versions
from limits.documents import Damaged, DocumentStore

BUILT_AT_MOST = 2
"""Snapshots kept: a large rate deck takes seconds to read, and its memory."""


class Policies:
    """Of one admin process."""

    def __init__(self, documents: DocumentStore, source: str) -> None:
        """`source`: what the edge runs with: a file, `store`; empty: not known, so the store's."""
        self._documents = documents
        self._file = Path(source) if source not in ("", STORE) else None
        self._built: OrderedDict[tuple[int, float], PolicySnapshot] = OrderedDict()
        self._building = asyncio.Lock()

    @property
    def source(self) -> str:
        """`store`, or the file's name."""
        return STORE if self._file is None else str(self._file)

    async def in_force(self) -> tuple[PolicySnapshot, str]:
        """What the edge judges by, and how to name it. Raises Refusal, PolicyError, StoreUnavailable."""
        if self._file is None:
            return await self.of_generation(None)
        path = self._file
        try:
            stamp = (await asyncio.to_thread(path.stat)).st_mtime
        except OSError as error:
            raise Refusal("not-here", f"{path}: {error.strerror}") from error
        name = f"{path} as it is now"
        async with self._building:
            key = (0, stamp)
            if key not in self._built:
                self._keep(key, (await asyncio.to_thread(PolicyFile, path)).snapshot)
            return self._built[key], name

    async def of_generation(self, generation: int | None) -> tuple[PolicySnapshot, str]:
        """A version of the store; None: what is in force there. Raises Refusal, PolicyError, StoreUnavailable."""
        version, bundle = await self.bundle(generation)
        async with self._building:
            key = (version, 0.0)
            if key not in self._built:
                self._keep(key, await asyncio.to_thread(build, bundle, generation=version))
            return self._built[key], f"generation {version} of the store"

    async def bundle(self, generation: int | None) -> tuple[int, Bundle]:
        """Its generation, document and files. Raises Refusal, StoreUnavailable."""
        try:
            version, bundle = await versions.of_generation(self._documents, generation)
        except Refused as error:
            raise Refusal("not-found", str(error)) from error
        except Damaged as error:
            raise Refusal("conflict", f"the store is damaged: {error}") from error
        return version.generation, bundle

    def _keep(self, key: tuple[int, float], snapshot: PolicySnapshot) -> None:
        self._built[key] = snapshot
        if len(self._built) > BUILT_AT_MOST:
            self._built.popitem(last=False)
