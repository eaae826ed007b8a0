"""The chain of a ledger (`limits.ledger`): how an entry is tied to the one before it, and whether a run of entries is
whole. Pure.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple


class LedgerLine(NamedTuple):
    """One entry as it is kept."""

    seq: int
    """From 1, without gaps."""
    text: str
    digest: str


def digest_of(before: str, text: str) -> str:
    """The chain: SHA-256 of the digest before and this text."""
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def first_fault(lines: Iterable[LedgerLine], *, seq: int = 0, digest: str = "") -> str:
    """A sentence on the first entry that is missing or altered; empty: the chain is whole. `seq`, `digest`: of the
    entry before the first of these."""
    for line in lines:
        if line.seq != seq + 1:
            return f"entry {seq + 1} is missing"
        if digest_of(digest, line.text) != line.digest:
            return f"entry {line.seq} is not what was entered, or what stood before it is not"
        seq, digest = line.seq, line.digest
    return ""
