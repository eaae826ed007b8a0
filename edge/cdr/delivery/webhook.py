"""Signed HTTP POSTs of JSON lines (I/O). The standard library's HTTP client in a thread of its own: one request at a
time over one kept connection is all that is asked of it, and its certificate checks are Python's.

2xx takes the batch. 408, 425, 429 and 5xx, silence and nonsense: later. 401, 403, 404, 405, 407 and redirects speak of
the address or of us, not of a record: later too, so that a mistyped path does not put a day of records aside. Any other
4xx refuses: the runner finds the record that is meant.
"""

import asyncio
import http.client
import re
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from edge.cdr.delivery.consumer import BatchRefused, DeliveryFailed, Entry
from edge.cdr.delivery.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, idempotency_key, signature
from edge.cdr.delivery.worker import Worker

MAX_ANSWER_BYTES = 65_536
_LATER = frozenset({401, 403, 404, 405, 407, 408, 425, 429})
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
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
        self._secret = secret
        self._node = _UNSAFE.sub("_", node)
        self._timeout_s = timeout_s
        self._agent = agent
        self._worker = Worker(f"webhook-{name}")
        self._connection: http.client.HTTPConnection | None = None

    async def start(self, cursor: int) -> int:
        """A receiver keeps no cursor for us. Whatever went wrong before, this begins with a new connection."""
        self._hang_up()
        await self._worker.do(self._drop)
        return cursor

    async def deliver(self, entries: Sequence[Entry]) -> None:
        """One POST."""
        body = b"".join([entry.line for entry in entries])
        try:
            status, retry_after = await self._worker.do(self._post, body, entries[0].seq, entries[-1].seq, len(entries))
        except asyncio.CancelledError:
            self._hang_up()  # wakes the thread, however slowly the other side talks
            raise
        if 200 <= status < 300:
            return
        why = f"HTTP {status}" + (": redirects are not followed" if 300 <= status < 400 else "")
        if status < 400 or status >= 500 or status in _LATER:
            raise DeliveryFailed(why, retry_after_s=_seconds(retry_after))
        raise BatchRefused(why)

    async def tend(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Hang up."""
        self._hang_up()
        self._drop()
        self._worker.close()

    # -- in the thread ---------------------------------------------------------------------------------------------

    def _post(self, body: bytes, first: int, last: int, records: int) -> tuple[int, str]:
        """Status and Retry-After. Raises DeliveryFailed."""
        now = int(time.time())
        headers = {
            "Content-Type": "application/x-ndjson",
            "User-Agent": self._agent,
            "Idempotency-Key": idempotency_key(self._node, first, last, body),
            TIMESTAMP_HEADER: str(now),
            SIGNATURE_HEADER: signature(self._secret, now, body),
            "Trunkgate-Node": self._node,
            "Trunkgate-Sequence": f"{first}-{last}",
            "Trunkgate-Records": str(records),
        }
        is_kept = self._connection is not None
        try:
            return self._exchange(body, headers)
        except (http.client.HTTPException, OSError, ValueError) as error:
            self._drop()
            # Where the other side had closed a connection that was idle, that is its right, and no failure.
            was_closed = isinstance(error, http.client.RemoteDisconnected | BrokenPipeError | ConnectionResetError)
            if not (is_kept and was_closed):
                raise DeliveryFailed(_why(error)) from error
        try:
            return self._exchange(body, headers)
        except (http.client.HTTPException, OSError, ValueError) as error:
            self._drop()
            raise DeliveryFailed(_why(error)) from error

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        connection = self._connection
        if connection is None:
            if self._tls is None:
                connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
            else:
                connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=self._timeout_s, context=self._tls
                )
            self._connection = connection
        connection.request("POST", self._target, body, headers)
        answer = connection.getresponse()
        answer.read(MAX_ANSWER_BYTES)
        if not answer.isclosed() or answer.will_close:
            self._drop()
        return answer.status, answer.getheader("Retry-After", "")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _hang_up(self) -> None:
        """From outside the thread: whatever it waits for comes to an end, and it tidies up itself."""
        sock = None if self._connection is None else self._connection.sock
        if sock is not None:
            with suppress(OSError, ValueError):
                sock.shutdown(socket.SHUT_RDWR)


def _seconds(retry_after: str) -> float:
    """Seconds of a Retry-After; its other form, a date, counts as none."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 8 else 0.0


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
