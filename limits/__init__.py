"""Accounts, ceilings, leases: how much may pass. Knows nothing of SIP.

Re-exports the pure rooms. What does I/O is imported from its own module: `limits.redis_limiter`, `limits.accounts`,
`limits.embedded`.
"""

from limits.errors import LimitsError, StaleGeneration, StoreUnavailable, UnknownAccount
from limits.limiter import Deliver, Limiter
from limits.memory import MemoryLimiter
from limits.model import (
    Account,
    AccountId,
    AccountStatus,
    Admit,
    Admitted,
    Answer,
    Answered,
    CallUid,
    Denied,
    Limit,
    Outcome,
    Renew,
    Renewed,
    Settle,
    Settled,
    Unavailable,
    Usage,
    Verb,
)

__all__ = [
    "Account",
    "AccountId",
    "AccountStatus",
    "Admit",
    "Admitted",
    "Answer",
    "Answered",
    "CallUid",
    "Deliver",
    "Denied",
    "Limit",
    "Limiter",
    "LimitsError",
    "MemoryLimiter",
    "Outcome",
    "Renew",
    "Renewed",
    "Settle",
    "Settled",
    "StaleGeneration",
    "StoreUnavailable",
    "Unavailable",
    "UnknownAccount",
    "Usage",
    "Verb",
]
