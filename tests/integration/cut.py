"""A road to the store that can be cut for one node while the others go on."""

import asyncio
from contextlib import suppress
from pathlib import Path


class Road:
    """A unix socket that leads to another one."""

    def __init__(self, here: Path, there: Path) -> None:
        self.url = f"unix://{here}"
        self._here, self._there = here, there
        self._server: asyncio.Server | None = None
        self._ways: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Again, after a cut."""
        self._server = await asyncio.start_unix_server(self._lead, self._here)

    async def cut(self) -> None:
        """Connections end, and there are no new ones."""
        assert self._server is not None
        self._server.close()
        self._here.unlink(missing_ok=True)
        for writer in tuple(self._ways):
            writer.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_unix_connection(self._there)
        except OSError:
            writer.transport.abort()
            return
        self._ways |= {writer, to_writer}
        try:
            await asyncio.gather(_pour(reader, to_writer), _pour(to_reader, writer))
        finally:
            self._ways -= {writer, to_writer}


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
