"""One connection to the store: opened, authenticated, scripts loaded; then bytes out and replies in.

I/O (asyncio callbacks, `hiredis` for the replies). Knows nothing of verbs: `limits.redis_limiter` does.
"""

import asyncio
import secrets
import ssl
from collections.abc import Callable
from typing import cast

import hiredis

from limits.address import StoreAddress
from limits.errors import StoreUnavailable
from limits.script_loader import script
from limits.wire import ask_epoch, command

MAX_UNFINISHED = 4 * 1024 * 1024
"""Bytes of a reply that does not end: beyond, it is not our store (the longest true one is a peek, about 1 MB)."""

CONNECT_TIMEOUT_S = 1.0

LOADED = ("admit", "answer", "renew", "settle", "peek", "epoch")

_MORE = object()


class StoreLink(asyncio.Protocol):
    """Hands over each reply, then once for each read `on_read`; `on_lost(why)` exactly once, at the end."""

    def __init__(
        self, *, on_reply: Callable[[object], None], on_read: Callable[[], None], on_lost: Callable[[str], None]
    ) -> None:
        self._on_reply = on_reply
        self._on_read = on_read
        self._on_lost = on_lost
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._transport: asyncio.Transport | None = None
        self._unfinished = 0
        self._is_lost = False
        self._greeting: list[object] = []
        self._greeted: asyncio.Future[None] | None = None
        self._expected = 0
        self.epoch = ""
        """Name of the store's life, as its greeting told it."""
        self.garbled = False
        """What came over it was not from our store."""
        self.lost = asyncio.Event()
        """Set when the connection is gone."""

    def write(self, data: bytes) -> None:
        """Sends; silently nothing on a link that is lost (who asked is told by `on_lost`)."""
        if self._transport is not None and not self._is_lost:
            self._transport.write(data)

    def close(self, why: str, *, garbled: bool = False) -> None:
        """Ends the connection at once; `on_lost` is told before this returns. `garbled`: for what came over it."""
        self.garbled = garbled and not self._is_lost
        if self._transport is not None:
            self._transport.abort()
        self._end(why)

    async def greet(self, commands: list[bytes]) -> None:
        """Sends the first commands and waits for as many good replies, the last of them the epoch. Raises
        StoreUnavailable."""
        self._expected = len(commands)
        self._greeted = asyncio.get_running_loop().create_future()
        self.write(b"".join(commands))
        await self._greeted
        self._expected = 0
        for reply in self._greeting:
            if isinstance(reply, Exception):
                raise StoreUnavailable(f"the store answered: {reply}")
        last = self._greeting[-1]
        if not isinstance(last, bytes):
            raise StoreUnavailable(f"the store answered: {last!r:.80} for its epoch")
        self.epoch = last.decode("latin-1")

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        # A cast, not a check: uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        reader = self._reader
        on_reply = self._on_reply
        try:
            reader.feed(data)
            reply: object = reader.gets()
            while reply is not _MORE:
                self._unfinished = 0
                if self._expected:
                    self._greeting_reply(reply)
                else:
                    on_reply(reply)
                if self._is_lost:
                    return
                reply = reader.gets()
        except (hiredis.ProtocolError, MemoryError) as fault:
            self.close(f"not a reply: {fault}", garbled=True)
            return
        self._unfinished += len(data)
        if self._unfinished > MAX_UNFINISHED:
            self.close("not a reply: it does not end", garbled=True)
            return
        if not self._expected:
            self._on_read()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._end(f"connection lost: {exc}" if exc else "connection closed by the store")

    def _greeting_reply(self, reply: object) -> None:
        self._greeting.append(reply)
        if self._greeted is not None and len(self._greeting) == self._expected and not self._greeted.done():
            self._greeted.set_result(None)
        if len(self._greeting) > self._expected:
            self.close("a reply nobody asked for", garbled=True)

    def _end(self, why: str) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        self.lost.set()
        if self._greeted is not None and not self._greeted.done():
            self._greeted.set_exception(StoreUnavailable(why))
        self._on_lost(why)


async def open_link(
    address: StoreAddress,
    *,
    epoch_key: str,
    on_reply: Callable[[object], None],
    on_read: Callable[[], None],
    on_lost: Callable[[str], None],
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> StoreLink:
    """Connects, enters, loads the scripts. Raises StoreUnavailable; then `on_lost` may or may not have been called."""
    loop = asyncio.get_running_loop()
    link = StoreLink(on_reply=on_reply, on_read=on_read, on_lost=on_lost)
    try:
        async with asyncio.timeout(timeout_s):
            if address.path:
                await loop.create_unix_connection(lambda: link, address.path)
            else:
                context = ssl.create_default_context(cafile=address.ca_file or None) if address.tls else None
                await loop.create_connection(lambda: link, address.host, address.port, ssl=context)
            await link.greet(_first_commands(address, epoch_key))
    except TimeoutError as fault:
        link.close("no answer to the first commands")
        raise StoreUnavailable(f"{address}: no answer within {timeout_s:g} s") from fault
    except OSError as fault:
        link.close(str(fault))
        raise StoreUnavailable(f"{address}: {fault}") from fault
    except StoreUnavailable as fault:
        link.close(str(fault))
        raise StoreUnavailable(f"{address}: {fault}") from fault
    except asyncio.CancelledError:
        link.close("stopped")
        raise
    return link


def _first_commands(address: StoreAddress, epoch_key: str) -> list[bytes]:
    commands = []
    if address.password:
        user = [address.username.encode()] if address.username else []
        commands.append(command(b"AUTH", *user, address.password.encode()))
    if address.database:
        commands.append(command(b"SELECT", b"%d" % address.database))
    commands += [command(b"SCRIPT", b"LOAD", script(name).text.encode()) for name in LOADED]
    commands.append(ask_epoch(epoch_key, secrets.token_hex(8)))
    return commands
