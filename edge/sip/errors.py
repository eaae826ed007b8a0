"""What can go wrong in `edge.sip`: a peer's fault in structure, a peer's fault in meaning, our own misuse.

Standard library only. Peers' faults and our own are different types on purpose: the first are answered and counted,
the last is a defect and must be seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.sip.headers import Message


class ParseError(Exception):
    """These bytes are not a SIP message (RFC 3261 §7). `reason` is a stable phrase, fit for a counter's label."""

    def __init__(self, reason: str, *, offset: int = 0, status_hint: int = 0, salvage: Message | None = None) -> None:
        super().__init__(f"{reason} (at byte {offset})")
        self.reason = reason
        self.offset = offset
        """Byte of the datagram near which the fault lies."""
        self.status_hint = status_hint
        """400, 413 or 505: what a server may answer. 0: no answer can or may be built; drop."""
        self.salvage = salvage
        """There whenever `status_hint` is not 0: the header fields that could be read, for `compose.response`."""


class FieldError(Exception):
    """A header field (or a URI) is there but malformed. An absent one is `None` or empty, never an error."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class LocalError(Exception):
    """Our own misuse: a value with CR, LF or NUL to insert, an edit of a header that is not there."""
