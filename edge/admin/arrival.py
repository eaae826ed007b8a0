"""How a request may arrive: its head has so much time, however slowly it drips (I/O, over uvicorn).

uvicorn bounds the size of a head and the idle time between two requests, but not the time that a head takes: a
few hundred connections that send a byte now and then would hold every place there is.
"""

import asyncio
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
"""From the connection, or from the first byte of a next request, to the end of its head."""
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class TimedHeads(H11Protocol):
    """One connection."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Its first head is waited for."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._look()

    def data_received(self, data: bytes) -> None:
        """Bytes do not lengthen the time: only a whole head ends it."""
        super().data_received(data)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        super().connection_lost(exc)
        self._forget()

    def _look(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._forget()
        elif self._head_timer is None and self.timeout_keep_alive_task is None:
            self._head_timer = self.loop.call_later(HEAD_S, self._too_slow)

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
            self.transport.close()

    def _forget(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
