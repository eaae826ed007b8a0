"""Signed HTTP POSTs of JSON lines: the consumer (I/O). What is taken, tried again, refused: `delivery.posting`."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from edge.cdr.delivery.consumer import Entry
from edge.cdr.delivery.posting import Poster, judge
from edge.cdr.delivery.signature import idempotency_key
from edge.cdr.delivery.worker import Worker

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class Webhook:
    """The consumer of one URL."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        secret: bytes,
        node: str,
        timeout_s: float,
        agent: str,
        ca_file: Path | None = None,
    ) -> None:
        """Raises OSError (ssl.SSLError) where `ca_file` cannot be read."""
        self.name = name
        self._poster = Poster(url, secret=secret, timeout_s=timeout_s, agent=agent, ca_file=ca_file)
        self._node = _UNSAFE.sub("_", node)
        self._worker = Worker(f"webhook-{name}")

    async def start(self, cursor: int) -> int:
        """A receiver keeps no cursor for us. Whatever went wrong before, this begins with a new connection."""
        self._poster.hang_up()
        await self._worker.do(self._poster.drop)
        return cursor

    async def deliver(self, entries: Sequence[Entry]) -> None:
        """One POST."""
        body = b"".join([entry.line for entry in entries])
        first, last = entries[0].seq, entries[-1].seq
        headers = {
            "Content-Type": "application/x-ndjson",
            "Idempotency-Key": idempotency_key(self._node, first, last, body),
            "Trunkgate-Node": self._node,
            "Trunkgate-Sequence": f"{first}-{last}",
            "Trunkgate-Records": str(len(entries)),
        }
        try:
            status, retry_after = await self._worker.do(self._poster.post, body, headers)
        except asyncio.CancelledError:
            self._poster.hang_up()  # wakes the thread, however slowly the other side talks
            raise
        judge(status, retry_after)

    async def tend(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Hang up."""
        self._poster.hang_up()
        self._poster.drop()
        self._worker.close()
