"""One kept connection for HTTP POSTs, signed or not (I/O). The standard library's HTTP client: one request at a time is
all that is asked of it, and its certificate checks are Python's. `post` blocks, so it goes through a `Worker`;
`hang_up` wakes it.

2xx takes what was sent. 408, 425, 429 and 5xx, silence and nonsense: later. 401, 403, 404, 405, 407 and redirects speak
of the address or of us, not of what was sent: later too, so that a mistyped path loses nothing. Any other 4xx refuses.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from edge.cdr.delivery.consumer import BatchRefused, DeliveryFailed
from edge.cdr.delivery.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

MAX_ANSWER_BYTES = 65_536
_LATER = frozenset({401, 403, 404, 405, 407, 408, 425, 429})


class Poster:
    """The sender to one URL."""

    def __init__(
        self, url: str, *, secret: bytes | None, timeout_s: float, agent: str, ca_file: Path | None = None
    ) -> None:
        """`secret`: None: nothing is signed. Raises OSError (ssl.SSLError) where `ca_file` cannot be read."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
        self._secret = secret
        self._timeout_s = timeout_s
        self._agent = agent
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Status and Retry-After. Raises DeliveryFailed."""
        signed = {**headers, "User-Agent": self._agent}
        if self._secret is not None:
            now = int(time.time())
            signed |= {TIMESTAMP_HEADER: str(now), SIGNATURE_HEADER: signature(self._secret, now, body)}
        is_kept = self._connection is not None
        try:
            return self._exchange(body, signed)
        except (http.client.HTTPException, OSError, ValueError) as error:
            self.drop()
            # Where the other side had closed a connection that was idle, that is its right, and no failure.
            was_closed = isinstance(error, http.client.RemoteDisconnected | BrokenPipeError | ConnectionResetError)
            if not (is_kept and was_closed):
                raise DeliveryFailed(_why(error)) from error
        try:
            return self._exchange(body, signed)
        except (http.client.HTTPException, OSError, ValueError) as error:
            self.drop()
            raise DeliveryFailed(_why(error)) from error

    def drop(self) -> None:
        """Close the connection, from inside the thread."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def hang_up(self) -> None:
        """From outside the thread: whatever it waits for comes to an end, and it tidies up itself."""
        sock = None if self._connection is None else self._connection.sock
        if sock is not None:
            with suppress(OSError, ValueError):
                sock.shutdown(socket.SHUT_RDWR)

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
            self.drop()
        return answer.status, answer.getheader("Retry-After", "")


def judge(status: int, retry_after: str) -> None:
    """Nothing where it was taken. Raises DeliveryFailed (later) or BatchRefused (never)."""
    if 200 <= status < 300:
        return
    why = f"HTTP {status}" + (": redirects are not followed" if 300 <= status < 400 else "")
    if status < 400 or status >= 500 or status in _LATER:
        raise DeliveryFailed(why, retry_after_s=_seconds(retry_after))
    raise BatchRefused(why)


def _seconds(retry_after: str) -> float:
    """Seconds of a Retry-After; its other form, a date, counts as none."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 8 else 0.0


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
