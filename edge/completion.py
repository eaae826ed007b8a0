"""What a shell offers to complete a name with: nodes and accounts of the store (I/O).

The store is that of the environment or of the --config file. What takes too long, or fails, offers nothing: whoever
presses Tab wants no error message in the middle of the line.
"""

from collections.abc import Awaitable, Callable

PATIENCE_S = 1.0
MOST = 200
"""Names offered."""


def nodes(incomplete: str) -> list[str]:
    """Of every node that was alive in the last day."""

    async def names(url: str) -> list[str]:
        from limits.nodes import NodeRegistry

        async with NodeRegistry(url) as registry:
            return list((await registry.beat("")).ages_ms)

    return _offered(names, incomplete)


def accounts(incomplete: str) -> list[str]:
    """Of accounts, groups and trunks."""

    async def names(url: str) -> list[str]:
        from limits.accounts import AccountStore

        async with AccountStore(url) as store:
            return list(await store.holders())

    return _offered(names, incomplete)


def _offered(names: Callable[[str], Awaitable[list[str]]], incomplete: str) -> list[str]:
    import asyncio

    from edge.accounts.changes import Refused, store_url
    from edge.config.errors import StaticConfigError
    from edge.terminal import Place
    from limits.errors import StoreUnavailable

    async def ask() -> list[str]:
        async with asyncio.timeout(PATIENCE_S):
            return await names(store_url(Place())[0])

    try:
        return sorted([name for name in asyncio.run(ask()) if name.startswith(incomplete)])[:MOST]
    except (Refused, StaticConfigError, StoreUnavailable, TimeoutError, ValueError, OSError):
        return []
