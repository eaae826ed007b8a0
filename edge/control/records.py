"""What may be asked of a node's log of records, and what it answers. Pure.

A box of its own, which the delivery process of the node empties: reading a log is nothing for the process that carries
calls. The bounds are held as `questions` holds them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from edge.control.questions import Ident, Word

MOST_RECORDS = 500
"""In one answer."""
Words = Annotated[tuple[Word, ...], Field(max_length=1_000)]


@dataclass(frozen=True, slots=True)
class FindRecords:
    """Records of this node's log, the newest first. What is empty does not count; what is given must all be so."""

    id: Ident
    """Names the box its answer is put into."""
    limit: Annotated[int, Field(ge=1, le=MOST_RECORDS)]
    before: Annotated[int, Field(ge=0, lt=2**53)] = 0
    """Below this sequence number; 0: from the newest on."""
    uid: Word = ""
    call_id: Annotated[str, Field(max_length=1_000)] = ""
    number: Word = ""
    trunk: Word = ""
    since: datetime | None = None
    until: datetime | None = None
    accounts: Words = ()
    outcomes: Words = ()
    reasons: Words = ()
    scope: Words = ()
    """Accounts of theirs who ask (`edge.config.access.may_see`)."""


@dataclass(frozen=True, slots=True)
class FoundRecords:
    """A page of it."""

    lines: Annotated[tuple[str, ...], Field(max_length=MOST_RECORDS)]
    """As they stand in the log."""
    before: Annotated[int, Field(ge=0, lt=2**53)] = 0
    """Where to go on; 0: the log has been looked through."""
