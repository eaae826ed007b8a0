"""The contract of every limiter: five verbs, each answered exactly once.

Pure; may import `limits.model` only. Implementations: `limits.memory.MemoryLimiter`, which is the specification in
readable form, and `limits.redis_limiter.RedisLimiter`. One suite in tests/contract holds for both.
"""

from collections.abc import Callable
from typing import Protocol

from limits.model import AccountId, Outcome, Usage, Verb

Deliver = Callable[[Verb, Outcome], None]
"""Told the answer to each verb, once: the very verb object that was submitted, and what came of it.

`Unavailable` comes when the deadline has passed or the store is away. May be called inside `flush` (memory; store
away) or at any later moment of the event loop, never inside `submit`. May itself submit; must not raise.
"""


class Limiter(Protocol):
    """Callback style, since a future for each verb costs more than the verb."""

    def submit(self, verb: Verb) -> None:
        """Queue one verb. Nothing leaves yet: the caller must `flush` when it has no more to ask at this moment."""

    def flush(self) -> None:
        """All queued verbs travel in one write. Verbs of one account are answered in the order they were submitted, but
        for renewals: they may take turns, so that a long one does not hold up the others."""

    async def peek(self, account: AccountId) -> Usage | None:
        """Everything in force and in use, taking nothing; None: no such account. Off the hot path.

        Raises StoreUnavailable.
        """

    @property
    def is_up(self) -> bool:
        """Can the store be asked at this moment?"""

    @property
    def is_answering_last(self) -> bool:
        """Asked while an answer is being delivered: it is a reply of the store, and no other is under way. What comes
        of it may be done at once then, since nothing is to be had by waiting for more."""
