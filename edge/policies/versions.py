"""Versions of the policy in the store: compared, brought in, written back, brought back (I/O, by `limits.documents`).

Nothing here prints. `Refused` says in one sentence why something was not done, and what was expected.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from edge.accounts.changes import Place, Refused, store_url
from edge.config.bundle import Bundle, build, bundle_of, check_names, parts_of
from edge.config.deck import Watch
from edge.config.errors import PolicyError
from edge.config.source import build_file, read_bundle
from edge.policies.differences import Difference, differences
from limits.documents import Damaged, DocumentStore, Version
from limits.errors import StaleDocument, StoreUnavailable

_T = TypeVar("_T")
DOCUMENT_SUFFIX = ".toml"


class Changed(NamedTuple):
    """What an import or a rollback did, or would do."""

    differences: tuple[Difference, ...]
    before: int
    """Generation that was in force; 0: none."""
    version: Version | None
    """None: nothing was brought in, for there was nothing new or it was tried only."""
    is_same: bool
    """Byte for byte what is in force."""


def run(place: Place, work: Callable[[DocumentStore], Awaitable[_T]]) -> _T:
    """Open the store, do the work. Raises Refused, PolicyError; StaticConfigError where the settings are wrong."""
    url, shown = store_url(place)

    async def do() -> _T:
        async with DocumentStore(url) as store:
            return await work(store)

    try:
        return asyncio.run(do())
    except StoreUnavailable as error:
        raise Refused(f"the store {shown}: {error}") from error
    except StaleDocument as error:
        raise Refused(
            f"{error}: somebody was faster; look at it (edge policy history, diff) and decide again"
        ) from error
    except Damaged as error:
        raise Refused(f"the store {shown} is damaged: {error}") from error


def find_document(path: Path) -> Path:
    """The file itself, or the one document in a directory. Raises Refused."""
    if not path.is_dir():
        return path
    found = sorted(path.glob("*" + DOCUMENT_SUFFIX))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise Refused(f"{path}: expected one document (*{DOCUMENT_SUFFIX}) in this directory, found {names}")
    return found[0]


def read_sound(path: Path, *, watch: Watch = iter) -> Bundle:
    """A document and its files that build. `watch`: sees the lines of rate decks. Raises PolicyError, Refused."""
    path = find_document(path)
    bundle = read_bundle(path)
    build_file(bundle, path, watch=watch)
    return bundle


async def bring(
    store: DocumentStore, bundle: Bundle, *, by: str, why: str, expected: int | None, dry_run: bool
) -> Changed:
    """The next version. Without `expected`, what is found now is what it must follow. Raises PolicyError,
    StaleDocument."""
    check_names(bundle)
    return await _bring(store, bundle, by, why, expected=expected, dry_run=dry_run, rolled_back_to=0)


async def roll_back(
    store: DocumentStore, generation: int, *, by: str, why: str, expected: int | None, dry_run: bool
) -> Changed:
    """An older version is in force again, as a new one. Raises Refused, PolicyError, StaleDocument."""
    _, bundle = await of_generation(store, generation)
    try:
        build(bundle, generation=generation)
    except PolicyError as error:
        raise Refused(f"generation {generation} does not build here any more:\n{error}") from error
    return await _bring(store, bundle, by, why, expected=expected, dry_run=dry_run, rolled_back_to=generation)


async def _bring(
    store: DocumentStore,
    bundle: Bundle,
    by: str,
    why: str,
    *,
    expected: int | None,
    dry_run: bool,
    rolled_back_to: int,
) -> Changed:
    head = await store.head()
    if expected is not None and head.generation != expected:
        raise StaleDocument(expected=expected, found=head.generation)
    old = None
    if head.generation:
        try:
            _, old = await of_generation(store, head.generation)
        except Damaged:
            old = None  # what is in force is spoilt: all the more reason to bring another in
    is_same = old is not None and parts_of(old) == parts_of(bundle)
    found = _differences(old, bundle)
    if dry_run or is_same:
        return Changed(found, head.generation, None, is_same)
    version = await store.commit(
        parts_of(bundle), by=by, why=why, expected=head.generation, rolled_back_to=rolled_back_to
    )
    return Changed(found, head.generation, version, is_same=False)


def _differences(old: Bundle | None, new: Bundle) -> tuple[Difference, ...]:
    try:
        return differences(old, new)
    except PolicyError:  # the old one does not read any more
        return differences(None, new)


async def of_generation(store: DocumentStore, generation: int | None) -> tuple[Version, Bundle]:
    """One version, or what is in force. Raises Refused where there is none."""
    head = await store.head()
    if not head.generation:
        raise Refused("the store holds no policy; expected one brought in first: edge policy import FILE")
    version = await store.version(generation or head.generation)
    if version is None or not version.parts:
        raise Refused(f"the store has no generation {generation}; expected one of edge policy history")
    return version, bundle_of(await store.content(version))


def write(bundle: Bundle, directory: Path, *, force: bool) -> list[Path]:
    """The document and its files, as they were brought in. Raises Refused before anything is written."""
    check_names(bundle)
    files = {directory / name: data for name, data in parts_of(bundle).items()}
    changed = [path for path, data in files.items() if path.exists() and path.read_bytes() != data]
    if changed and not force:
        names = ", ".join(map(str, changed))
        raise Refused(f"{names}: there is something else in it already; expected --force, or another directory")
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = path.with_name(path.name + ".new")
            made.write_bytes(data)
            made.replace(path)
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}") from error
    return list(files)
