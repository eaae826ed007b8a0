"""What this node's policy says of quality, penalties and billing goes into the store, for all that read it. I/O."""

from edge.quality.terms import DOCUMENT, Terms
from limits.tallies import TallyStore


async def publish(url: str, terms: Terms) -> None:
    """In force from now on: for counting, for judging, for the commands. Raises StoreUnavailable."""
    async with TallyStore(url) as tallies:
        await tallies.set_document(DOCUMENT, terms.to_text())
