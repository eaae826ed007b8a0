"""Spans to a collector of OpenTelemetry, by OTLP over HTTP (I/O). What is taken, tried again, refused: `posting`.

A span that comes again has the same trace and span id. What a collector says it has dropped of a batch that it took
(`partial_success`) is not sent again: the protocol forbids it.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from edge.cdr.delivery.consumer import Entry
from edge.cdr.delivery.posting import Poster, judge
from edge.cdr.delivery.spans import request_of
from edge.cdr.delivery.worker import Worker


class Collector:
    """The consumer of one collector."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        node: str,
        version: str,
        timeout_s: float,
        authorization: str = "",
        ca_file: Path | None = None,
    ) -> None:
        """Raises OSError (ssl.SSLError) where `ca_file` cannot be read."""
        self.name = name
        self._poster = Poster(url, secret=None, timeout_s=timeout_s, agent=f"trunkgate/{version}", ca_file=ca_file)
        self._headers = {"Content-Type": "application/x-protobuf"}
        if authorization:
            self._headers["Authorization"] = authorization
        self._node = node
        self._version = version
        self._worker = Worker(f"otlp-{name}")

    async def start(self, cursor: int) -> int:
        """A collector keeps no cursor for us. Whatever went wrong before, this begins with a new connection."""
        self._poster.hang_up()
        await self._worker.do(self._poster.drop)
        return cursor

    async def deliver(self, entries: Sequence[Entry]) -> None:
        """One POST."""
        try:
            status, retry_after = await self._worker.do(self._send, entries)
        except asyncio.CancelledError:
            self._poster.hang_up()  # wakes the thread, however slowly the other side talks
            raise
        judge(status, retry_after)

    def _send(self, entries: Sequence[Entry]) -> tuple[int, str]:
        return self._poster.post(request_of(entries, node=self._node, version=self._version), self._headers)

    async def tend(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Hang up."""
        self._poster.hang_up()
        self._poster.drop()
        self._worker.close()
