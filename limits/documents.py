"""Versioned documents in the store: opaque parts under one name, compare-and-set by generation, history, notices.

I/O, through redis-py. A version is a list of parts, each kept once under the digest of its content; what a document
means is not known here. Everything of a document carries one hash tag, so that it lives in one slot of a cluster:

    {doc:NAME}                hash    generation and instant of the version in force
    {doc:NAME}:versions       hash    generation -> who, why and which parts (JSON); "generation:at" -> instant (ms)
    {doc:NAME}:part:SHA256    string  content of a part, packed by zlib
"""

import asyncio
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import NamedTuple, Self

import redis.exceptions
from redis.asyncio import Redis

from limits.errors import StaleDocument, StoreUnavailable
from limits.script_loader import script
from limits.stores import open_store

VERSIONS_KEPT = 200
MAX_PART_BYTES = 256 << 20
"""One part, unpacked."""
_UPLOAD_TTL_S = 3_600
"""A part that was brought and never committed is forgotten."""


class Part(NamedTuple):
    """One file of a version."""

    name: str
    sha256: str
    size: int
    """Bytes, unpacked."""


class Version(NamedTuple):
    """One version of a document."""

    generation: int
    at_ms: int
    """By the store's clock."""
    by: str
    why: str
    rolled_back_to: int
    """The older generation this one brings back; 0: none."""
    parts: tuple[Part, ...]
    """The document itself first."""


class Head(NamedTuple):
    """What is in force; two heads that differ in anything are two versions, also over a store that lost its data."""

    generation: int
    """0: there is no version."""
    at_ms: int


NOTHING = Head(0, 0)


class Damaged(Exception):
    """What the store holds of a version is not what was brought there; the text says which part."""


class DocumentStore:
    """One document. Use as `async with DocumentStore(url) as documents`. Raises StoreUnavailable."""

    def __init__(self, url: str, name: str = "policy") -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._redis: Redis = open_store(url, decode=False)
        self._head = f"{{doc:{name}}}"
        self._versions = f"{self._head}:versions"
        self._part_prefix = f"{self._head}:part:"
        self.channel = channel_of(name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def head(self) -> Head:
        """What is in force."""
        try:
            generation, at_ms = await self._redis.hmget(self._head, ["generation", "at"])
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return NOTHING if generation is None else Head(int(generation), int(at_ms or 0))

    async def versions(self, *, last: int = VERSIONS_KEPT) -> tuple[Version, ...]:
        """The latest versions, the newest first."""
        newest = (await self.head()).generation
        names = range(newest, max(0, newest - last), -1)
        found = [await self.version(generation) for generation in names]
        return tuple([version for version in found if version is not None])

    async def version(self, generation: int) -> Version | None:
        """One version; None where the store has none of this number (any more)."""
        try:
            entry, at_ms = await self._redis.hmget(self._versions, [str(generation), f"{generation}:at"])
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return None if entry is None else _version(generation, entry, int(at_ms or 0))

    async def content(self, version: Version) -> dict[str, bytes]:
        """The parts of a version, by name. Raises Damaged."""
        found = {}
        for part in version.parts:
            try:
                packed = await self._redis.get(self._part_prefix + part.sha256)
            except redis.exceptions.RedisError as fault:
                raise StoreUnavailable(str(fault)) from fault
            found[part.name] = await asyncio.to_thread(_unpacked, packed, part)
        return found

    async def commit(
        self, parts: Mapping[str, bytes], *, by: str, why: str, expected: int | None = None, rolled_back_to: int = 0
    ) -> Version:
        """The next version, in force for everybody once this returns. `expected`: the generation it must follow.

        Raises StaleDocument where somebody was faster; ValueError for a part that is too large."""
        named = []
        for name, data in parts.items():
            if len(data) > MAX_PART_BYTES:
                raise ValueError(f"{name}: expected at most {MAX_PART_BYTES >> 20} MB")
            named.append(Part(name, hashlib.sha256(data).hexdigest(), len(data)))
        entry = {"by": by, "why": why, "rolled_back_to": rolled_back_to, "parts": [part._asdict() for part in named]}
        text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
        try:
            for part, data in zip(named, parts.values(), strict=True):
                packed = await asyncio.to_thread(zlib.compress, data)
                await self._redis.set(self._part_prefix + part.sha256, packed, ex=_UPLOAD_TTL_S, nx=True)
            keys = (self._head, self._versions, *[self._part_prefix + part.sha256 for part in named])
            words = ("" if expected is None else str(expected), text, str(VERSIONS_KEPT), self._part_prefix)
            reply = await self._redis.eval(script("commit").text, len(keys), *keys, *words, self.channel)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        outcome, generation, at_ms = [int(number) for number in reply]
        if outcome == 2:
            raise StaleDocument(expected=expected or 0, found=generation)
        if outcome == 3:  # it was forgotten between the two: an upload of an hour ago
            raise StoreUnavailable(f"part {named[generation].name!r} was not kept: try again")
        return Version(generation, at_ms, by, why, rolled_back_to, tuple(named))


def channel_of(name: str = "policy") -> str:
    """Where the generation of each new version is told."""
    return f"trunkgate:doc:{name}"


def _version(generation: int, entry: bytes | str, at_ms: int) -> Version | None:
    try:
        found = json.loads(entry)
        parts = tuple([Part(str(one["name"]), str(one["sha256"]), int(one["size"])) for one in found["parts"]])
        return Version(generation, at_ms, str(found["by"]), str(found["why"]), int(found["rolled_back_to"]), parts)
    except (ValueError, KeyError, TypeError):
        return None


def _unpacked(packed: bytes | str | None, part: Part) -> bytes:
    """Raises Damaged. No more is unpacked than the version says there is."""
    if not isinstance(packed, bytes):
        raise Damaged(f"{part.name}: its content is not in the store")
    unpack = zlib.decompressobj()
    try:
        data = unpack.decompress(packed, part.size + 1)
    except zlib.error as fault:
        raise Damaged(f"{part.name}: its content in the store cannot be unpacked") from fault
    if len(data) != part.size or hashlib.sha256(data).hexdigest() != part.sha256:
        raise Damaged(f"{part.name}: its content in the store is not what was brought there")
    return data
