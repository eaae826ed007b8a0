"""The CAPS token bucket in integers. Pure; the arithmetic of scripts/admit.lua, line for line.

Tokens are micro-tokens, so that one millisecond at a CAPS of 1 adds a whole number of them (1,000) and no attempt is
ever lost or won to rounding: in any window of w seconds at most burst + CAPS x w attempts pass (invariant 2).
"""

from typing import Final

MICRO: Final = 1_000_000
"""Micro-tokens one attempt costs."""

MICRO_PER_MS: Final = 1_000
"""Micro-tokens a CAPS of 1 adds in one millisecond."""


def refilled(tokens_micro: int, *, elapsed_ms: int, caps: int, burst: int) -> int:
    """Content of the bucket `elapsed_ms` after it held `tokens_micro`.

    A clock that went back adds nothing; a bucket made smaller spills what it cannot hold.
    """
    return min(tokens_micro + max(0, elapsed_ms) * caps * MICRO_PER_MS, burst * MICRO)


def wait_ms(tokens_micro: int, *, caps: int) -> int:
    """Milliseconds until the bucket holds one whole token, rounded up; 0 where it does, or where waiting is no cure."""
    missing = MICRO - tokens_micro
    if caps <= 0 or missing <= 0:
        return 0
    return -(-missing // (caps * MICRO_PER_MS))
