"""How often, whom, and how much for one kind of destination: what an attempt is asked for beside its ceilings. Pure.

An `Admit` that carries none of this costs the store nothing more. What it carries is judged and counted inside the same
script as everything else, all or nothing, under the account's own tag. Keys are words of the caller's (most often a
digest of a number): the limits do not know what they stand for.
"""

from enum import StrEnum
from typing import Final, NamedTuple

MAX_MOST: Final = 10_000
"""Largest ceiling of one frequency: so many instants are kept for each key, and one more."""
MAX_WINDOW_MS: Final = 400 * 86_400_000
"""Longest window."""
KEPT_LONGER_MS: Final = 86_400_000
"""A count is kept so much longer than its window: the next window may be an hour longer (a change of clocks)."""

ENFORCE: Final = "enforce"
SHADOW: Final = "shadow"
"""Judged, noted and counted; lets the attempt pass."""
COUNT: Final = "count"
"""Counted, not judged."""


class Counts(StrEnum):
    """What a frequency counts."""

    ATTEMPTS = "attempts"
    """Attempts that were admitted, whatever became of them."""
    DISTINCT = "distinct"
    """Different items (`Frequency.item`) of admitted attempts."""
    MARKS = "marks"
    """Calls that left a mark when they ended (`Settle.marks`); an attempt adds nothing."""


class Frequency(NamedTuple):
    """At most so many in any window of this length, the attempt itself included."""

    name: str
    """Told where it refuses. Letters, digits, `.`, `_`, `-`."""
    key: str
    """What is counted apart under that name. Letters, digits, `+`, `*`, `#`, `_`, `-`."""
    most: int
    window_ms: int
    counts: str = Counts.ATTEMPTS
    item: str = "-"
    """For `distinct`: what counts once. Same characters as a key."""
    mode: str = ENFORCE
    unless_percent: int = 0
    """Where it is not 0: attempts counted here are *placed* calls too, and it does not refuse as long as those are at
    most so many percent of the calls the holder has received in the window (`limits.share`)."""


class Contact(NamedTuple):
    """What must be recorded, or must not be, of the person called."""

    key: str
    refused_since_ms: int
    """A refusal recorded at this UTC instant or later forbids the call."""
    consent_since_ms: int = 0
    """A consent given at this instant or later is needed; 0: none is."""
    is_contract_enough: bool = True
    """Does a contract in progress stand for the consent?"""
    hours_since_ms: int = 0
    """A consent to be called at this hour, given at this instant or later, is needed; 0: none is."""
    mode: str = ENFORCE


CONTACT_REFUSED: Final = "refused"
CONTACT_CONSENT: Final = "consent"
CONTACT_HOURS: Final = "hours"
"""What a `Contact` refuses for: the names in the denial."""


class SpendGuard(NamedTuple):
    """At most so many micro-units charged and held in the running UTC hour by calls under this name."""

    name: str
    most_micros: int
    mode: str = ENFORCE


class Contacted(NamedTuple):
    """What is recorded of one person; instants are UTC milliseconds, 0: never."""

    refused_ms: int = 0
    """Last refusal: undoes every consent given before it."""
    consent_ms: int = 0
    """Last consent to be called."""
    hours_ms: int = 0
    """Last consent to be called outside the permitted days and hours."""
    withdrawn_ms: int = 0
    """Last withdrawal of a consent."""
    contract_ms: int = 0
    """A contract is in progress until then."""

    def verdict(self, asked: Contact, now: int) -> str:
        """Why this person may not be called; empty: may be."""
        if 0 < self.refused_ms and asked.refused_since_ms <= self.refused_ms:
            return CONTACT_REFUSED
        undone = max(self.refused_ms, self.withdrawn_ms)
        has_contract = asked.is_contract_enough and self.contract_ms > now
        is_needed = asked.consent_since_ms and not has_contract
        if is_needed and (self.consent_ms < asked.consent_since_ms or self.consent_ms <= undone):
            return CONTACT_CONSENT
        if asked.hours_since_ms and (self.hours_ms < asked.hours_since_ms or self.hours_ms <= undone):
            return CONTACT_HOURS
        return ""


def terms_of(
    frequencies: tuple[Frequency, ...], contact: Contact | None = None, guard: SpendGuard | None = None
) -> bytes:
    """All of it as one word for the script: a letter, its values, a semicolon, for each."""
    parts = [
        # As `_words` says it, at a quarter of the price: most calls leave one of these.
        f"f {f.name} {f.key} {f.most} {f.window_ms} {f.counts} {f.item} {f.mode} {f.unless_percent};".encode()
        for f in frequencies
    ]
    if contact is not None:
        parts.append(b"c %b;" % _words(contact))
    if guard is not None:
        parts.append(b"g %b;" % _words(guard))
    return b"".join(parts)


def _words(values: tuple[object, ...]) -> bytes:
    return " ".join([str(int(value)) if isinstance(value, bool) else str(value) for value in values]).encode()
