"""What a start asks of the store, in this order, and in which words it gives up (I/O).

The policy is read before anything is built of it; the store is given the commercial values of the policy before any
attempt is judged; and what a crash left between a record and its settlement is settled before that too.
"""

import asyncio
from collections.abc import Callable

from edge.cdr.replay import replay
from edge.cdr.verdicts import Verdicts
from edge.policies.following import NoPolicy
from edge.policies.keeping import PolicyKeeper
from edge.proxy.facts import Fact
from edge.running import StartError
from edge.telemetry.banner import without_secret
from limits.cluster_limiter import ClusterLimiter
from limits.errors import StoreUnavailable
from limits.redis_limiter import RedisLimiter

STORE_START_S = 10.0
"""The store must answer within this time at the start; later it may come and go."""
STORE_AGAIN_S = 0.5
"""While it starts, it is asked again after so long."""


async def open_policy(policy: PolicyKeeper, url: str, *, is_embedded: bool) -> None:
    """From its file, or from the store. Raises StartError, PolicyError."""
    try:
        await policy.open(url, is_embedded=is_embedded)
    except StoreUnavailable as error:
        raise StartError(f"store {without_secret(url)}: {error}") from error
    except NoPolicy as error:
        first = "expected one brought in first: edge policy import FILE --redis URL"
        raise StartError(f"store {without_secret(url)}: holds no policy; {first}") from error


async def open_store(
    limiter: RedisLimiter | ClusterLimiter, policy: PolicyKeeper, url: str, now: Callable[[], float]
) -> None:
    """Wait for the store, and give it the commercial values of the policy file. Raises StartError."""
    if not await limiter.connected(timeout_s=STORE_START_S):
        raise StartError(f"store {without_secret(url)}: no answer in {STORE_START_S:.0f} s: {limiter.last_fault}")
    # A cluster answers while one of its masters is being replaced: that takes seconds, and is no reason to give up.
    deadline = now() + STORE_START_S
    while True:
        try:
            await policy.provision()
            return
        except StoreUnavailable as error:
            if now() >= deadline:
                raise StartError(f"store {without_secret(url)}: {error}") from error
        await asyncio.sleep(STORE_AGAIN_S)


async def settle_again(
    limiter: RedisLimiter | ClusterLimiter, verdicts: Verdicts, wall: float, tell: Callable[[Fact], None]
) -> None:
    """What a crash may have left between a record and its settlement. Raises StartError."""
    try:
        count = await replay(limiter, verdicts, wall=wall, timeout_s=STORE_START_S)
    except OSError as error:
        raise StartError(f"{error.filename}: {error.strerror}") from error
    if count:
        tell(Fact("cdr.replayed", {"settlements": count}))
