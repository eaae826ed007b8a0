"""The key that digests of called numbers are made with (I/O): a file, the same for every node of one store.

The store never has a number, only its keyed digest; a copy of the store tells nobody who was called. The store keeps
the key's fingerprint, so that a node with another key is told before it counts anything apart.
"""

from pathlib import Path

from edge.proxy.identifiers import number_digest
from limits.contacts import ContactBook
from limits.errors import StoreUnavailable

KEY_FILE = "contacts.key"
LEAST_BYTES = 16
MOST_BYTES = 64


class KeyDiffers(StoreUnavailable):
    """The store's digests were made with another key."""


def fingerprint(key: bytes) -> str:
    """A name for the key that does not give it away."""
    return number_digest(key, "fingerprint")[:16]


def read_key(path: Path) -> bytes:
    """The key in this file. Raises ValueError with one sentence."""
    try:
        with path.open("rb") as file:
            key = file.read(MOST_BYTES + 2).removesuffix(b"\n")
    except OSError as error:
        raise ValueError(
            f"contacts key {path}: {error.strerror}; expected the file that the edges of this store use "
            "(contacts.key in the state directory, or --contacts-key)"
        ) from error
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(f"contacts key {path}: expected {LEAST_BYTES} to {MOST_BYTES} bytes, found {len(key)}")
    return key


async def agree(url: str, key: bytes) -> None:
    """Are the store's digests made with this key? The first to ask says which it is. Raises KeyDiffers,
    StoreUnavailable."""
    async with ContactBook(url) as book:
        ours, theirs = fingerprint(key), await book.agree_on_key(fingerprint(key))
    if theirs != ours:
        raise KeyDiffers(
            f"numbers called are counted under the key {theirs}, and this one is {ours}: expected the same contacts "
            "key on every node (see `edge contacts key`)"
        )
